//! The report: prints the audit of all channels and the figures of the run.

use std::collections::BTreeMap;

use sim::discord::DiscordSim;

use crate::{
    Soak,
    audit::{self, Outcome},
    bot::Figures,
    users::Users,
};

/// Problems of one kind that are printed.
const MAX_PRINTED: usize = 10;

/// Transcripts that are printed.
const MAX_TRANSCRIPTS: usize = 3;

/// The violation of a late response to an interaction. It is no error of the bot here: the simulator delivers events late.
const LATE_RESPONSE: &str = "Unknown interaction";

/// Prints the report; returns whether no message was lost or answered twice, and nothing else went wrong.
pub(crate) fn print(soak: &mut Soak) -> bool {
    let total = Total::of_all(&soak.users, &soak.discord);
    let problems = [soak.bot.problems.as_slice(), total.twice.as_slice()].concat();
    let violations = [soak.discord.violations(), soak.tess.violations()].concat();
    let (late, violations): (Vec<_>, Vec<_>) = violations.into_iter().partition(|it| it.contains(LATE_RESPONSE));
    print_messages(&total);
    let charged = soak.tess.charged();
    line("executions charged", format!("{charged}, {:.3} per answer", charged as f64 / total.answers.max(1) as f64));
    line("faults", soak.faults.count);
    print_bot(&soak.bot.figures);
    print_discord(&soak.discord);
    line("late responses", late.len());
    line("violations", violations.len());
    line("problems", problems.len());
    problems.iter().take(MAX_PRINTED).chain(violations.iter().take(MAX_PRINTED)).for_each(|what| println!("  {what}"));
    let passed = total.of(Outcome::Open) == 0 && total.notes == 0 && problems.is_empty() && violations.is_empty();
    if !passed {
        total.transcripts.iter().take(MAX_TRANSCRIPTS).for_each(|transcript| println!("\n{transcript}"));
        soak.bot.keep_files();
        println!("\nthe bot's log: {}", soak.bot.log().display());
    }
    passed
}

fn line(name: &str, value: impl std::fmt::Display) {
    println!("{name:<24}{value}");
}

fn print_messages(total: &Total) {
    line("messages of users", total.outcomes.values().sum::<usize>());
    line("answered", total.of(Outcome::Answered));
    line("answered with an error", total.of(Outcome::Failed));
    line("skipped: deleted", total.of(Outcome::Deleted));
    line("skipped: reset", total.of(Outcome::Reset));
    line("skipped: only a file", total.of(Outcome::File));
    line("LOST", total.of(Outcome::Open));
    line("TWICE", total.twice.len());
    line("waiting notes left", total.notes);
    line("answers posted", total.answers);
    line("answers incomplete", total.incomplete);
}

fn print_bot(figures: &Figures) {
    let Figures { starts, kills, stops, slowest_stop, .. } = figures;
    let slowest = slowest_stop.as_secs_f64();
    line("the bot", format!("started {starts}, killed {kills}, stopped {stops} (slowest {slowest:.1} s)"));
    line("peak memory", format!("{:.1} MB", figures.peak_memory_kb as f64 / 1_000.0));
    line("processor time", format!("{:.1} s", figures.cpu_seconds));
    line("metrics read", figures.metrics_read);
}

fn print_discord(discord: &DiscordSim) {
    line("IDENTIFYs, RESUMEs", format!("{}, {}", discord.identifies(), discord.resumes()));
    line("gateway connections", discord.connections());
    let invalid = discord.invalid_requests();
    line("Discord REST requests", format!("{}, {invalid} of them count as invalid", discord.requests().len()));
}

/// The audits of all channels.
#[derive(Default)]
struct Total {
    outcomes: BTreeMap<Outcome, usize>,
    twice: Vec<String>,
    notes: usize,
    answers: usize,
    incomplete: usize,
    /// Transcripts of the channels in which something went wrong.
    transcripts: Vec<String>,
}

impl Total {
    fn of_all(users: &Users, discord: &DiscordSim) -> Self {
        let mut total = Self::default();
        for channel in &users.channels {
            let messages = discord.messages(channel.id);
            let audit = audit::of(channel, &messages);
            if audit.notes > 0 || !audit.twice.is_empty() || audit.outcomes.contains(&Outcome::Open) {
                let transcript = audit::transcript(channel, &messages);
                total.transcripts.push(format!("#{} {}\n{transcript}", channel.id, audit.twice.join(", ")));
            }
            for outcome in audit.outcomes {
                *total.outcomes.entry(outcome).or_default() += 1;
            }
            total.twice.extend(audit.twice);
            total.notes += audit.notes;
            total.answers += audit.answers;
            total.incomplete += audit.incomplete;
        }
        total
    }

    fn of(&self, outcome: Outcome) -> usize {
        self.outcomes.get(&outcome).copied().unwrap_or(0)
    }
}
