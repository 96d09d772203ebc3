//! What is done with a program, and what it took.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use sim::{
    discord::{DiscordOptions, DiscordSim, Limit},
    tess::TessOptions,
};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::{
    process::{Process, Program},
    report::Figures,
    stage::{Script, Stage, Trip, padded},
};

/// Characters of each message and each answer.
const CHARS: usize = 600;

/// Channels that messages come in when many come at once: each is idle again long before its next.
const CHANNELS: usize = 100;

/// Messages a second, when their number is given.
const PACE: u32 = 500;

/// Channels that are spoken in again as soon as they are answered, for the most messages a second.
const AT_ONCE: usize = 64;

/// How long after its start a program counts as idle.
const SETTLE: Duration = Duration::from_secs(1);

/// How long a start may take.
const START: Duration = Duration::from_secs(20);

/// Characters a full history has: 40 messages of [`CHARS`].
const FULL: usize = 40;

/// Channels of a full memory that the simulator keeps too: they are spoken in first, and again at the end.
const SAMPLES: usize = 20;

/// Messages said in a row before the bot has to have heard them; the simulator's queue holds 4096.
const IN_A_ROW: usize = 1_000;

/// Channels that are spoken in by turns while memory fills up, as people do.
const BY_TURNS: usize = 100;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) runs: usize,
    /// Messages one at a time.
    pub(crate) singles: usize,
    /// How long messages come at [`PACE`], and how long as fast as they are answered.
    pub(crate) rush: Duration,
    pub(crate) idle: Duration,
    /// How long each kind of trouble with the gateway lasts.
    pub(crate) trouble: Duration,
    /// Channels with full histories, growing.
    pub(crate) memory: &'static [usize],
    /// Channels with full histories that are more than `HISTORY_TOTAL_MB` allows.
    pub(crate) too_many: Option<usize>,
}

/// One run: a program is started twice, with a short and a long history.
pub(crate) async fn run(program: &Program, size: &Size) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let mut acted = Act::start(program, 2, &[], &mut figures).await?;
    acted.idle(size, &mut figures).await?;
    let cpu = acted.one_at_a_time(size.singles, "one at a time", &mut figures).await?;
    figures.add("CPU a message, 2 of history", "µs", cpu);
    acted.at_a_pace(size.rush, &mut figures).await?;
    acted.as_fast_as_it_goes(size.rush, &mut figures).await?;
    acted.end()?;

    let mut acted = Act::start(program, FULL, &[("HISTORY_CHARS", "100000")], &mut Figures::default()).await?;
    for _ in 0..FULL / 2 {
        acted.answer(0).await?;
    }
    let cpu = acted.one_at_a_time(size.singles, "one at a time, 40 of history", &mut figures).await?;
    figures.add("CPU a message, 40 of history", "µs", cpu);
    acted.end()?;
    figures.add("executable", "MB", program.bytes()? as f64 / 1e6);
    Ok(figures)
}

/// How much memory histories take. People talk among themselves, so that nothing else grows.
pub(crate) async fn memory(program: &Program, size: &Size) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let vars = [("RESPOND_TO", "mentions"), ("HISTORY_TOTAL_MB", "1024"), ("HISTORY_CHARS", "30000")];
    let mut acted = Act::start(program, FULL, &vars, &mut Figures::default()).await?;
    let idle = acted.process.rss()?;
    let mut there = 0;
    for &channels in size.memory {
        acted.fill(there, channels).await?;
        there = channels;
        let grown = acted.process.rss()? - idle;
        figures.add(&format!("RSS, {channels} full channels"), "MB", acted.process.rss()? / 1e6);
        let text = (channels * FULL * CHARS) as f64;
        figures.add(&format!("RSS beside their text, {channels} full channels"), "x", grown / text);
        figures.add(&format!("allowed beside their text, {channels} full channels"), "x", 1.25 + 100.0 / CHARS as f64);
        sleep(size.idle).await;
        figures.add(&format!("RSS, {channels} full channels, idle"), "MB", acted.process.rss()? / 1e6);
    }
    acted.end()?;
    if let Some(channels) = size.too_many {
        let vars = [("RESPOND_TO", "mentions"), ("HISTORY_CHARS", "30000")];
        let mut acted = Act::start(program, FULL, &vars, &mut Figures::default()).await?;
        let samples = 1..=SAMPLES;
        for _ in 0..FULL {
            for channel in samples.clone() {
                acted.stage.say(channel, "");
            }
        }
        acted.fill(0, channels).await?;
        figures.add(&format!("RSS, {channels} full channels under 256 MB"), "MB", acted.process.rss()? / 1e6);
        sleep(size.idle).await;
        figures.add(&format!("RSS, {channels} full channels under 256 MB, idle"), "MB", acted.process.rss()? / 1e6);
        // Evicted long ago: the ledger sees to it that the agent is shown the whole history again.
        for channel in samples {
            acted.answer(channel).await?;
        }
        acted.end()?;
    }
    Ok(figures)
}

/// What a gateway that is not itself makes a program do: nothing, for most of the time.
pub(crate) async fn troubles(program: &Program, size: &Size) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    for (name, begin) in TROUBLES {
        let acted = Act::start(program, 2, &[], &mut Figures::default()).await?;
        let discord = acted.stage.discord.clone();
        let (identifies, before) = (discord.identifies(), acted.process.cpu()?);
        begin(&discord);
        sleep(size.trouble).await;
        let used = acted.process.cpu()? - before;
        figures.add(&format!("CPU, {name}"), "%", 100.0 * used.as_secs_f64() / size.trouble.as_secs_f64());
        figures.add(&format!("IDENTIFYs, {name}"), "", (discord.identifies() - identifies) as f64);
    }
    Ok(figures)
}

type Trouble = (&'static str, fn(&DiscordSim));

const TROUBLES: [Trouble; 5] = [
    ("the gateway refuses connections", |discord| {
        discord.refuse_connections(true);
        discord.drop_connection();
    }),
    ("connecting never ends", |discord| {
        discord.hang_new_connections(true);
        discord.drop_connection();
    }),
    ("no HELLO comes", |discord| {
        discord.withhold_hello(true);
        discord.drop_connection();
    }),
    ("heartbeats are not acknowledged", |discord| discord.silence_gateway(true)),
    ("every session is invalid", |discord| {
        discord.refuse_identify(usize::MAX);
        discord.send_invalid_session(false);
    }),
];

/// A program on its stage.
struct Act {
    stage: Stage,
    process: Process,
    /// What a message begins with that is to be answered.
    prefix: String,
}

impl Act {
    /// Starts a program whose agent sees `history` messages before the one it answers.
    async fn start(
        program: &Program,
        history: usize,
        settings: &[(&str, &str)],
        figures: &mut Figures,
    ) -> anyhow::Result<Self> {
        let history = if program.has_history { history + 1 } else { 1 };
        // What a limit costs is no business of these figures.
        let unlimited = Limit { requests: 1_000_000, per: Duration::from_secs(1) };
        let discord = DiscordOptions { message_limit: unlimited, route_limit: unlimited, ..DiscordOptions::default() };
        let tess = TessOptions::default();
        let stage = Stage::start(Script { history, chars: CHARS, channels: CHANNELS, discord, tess }).await?;
        let messages = history.to_string();
        let own = [
            ("HISTORY_MESSAGES", messages.as_str()),
            ("TESS_REQUESTS_PER_SECOND", "0"),
            ("DISCORD_REQUESTS_PER_SECOND", "10000"),
        ];
        let mut vars = stage.vars();
        vars.extend(own.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let only_mentions = settings.contains(&("RESPOND_TO", "mentions"));
        let prefix = if only_mentions { format!("{} ", stage.discord.mention()) } else { String::new() };
        let process = Process::start(&program.executable, vars)?;
        let mut act = Self { stage, process, prefix };
        act.connect(figures).await.with_context(|| format!("{}: {}", program.name, act.process.last_lines()))?;
        Ok(act)
    }

    async fn connect(&mut self, figures: &mut Figures) -> anyhow::Result<()> {
        let discord = self.stage.discord.clone();
        let identified = timeout(START, async {
            while discord.identifies() == 0 {
                sleep(Duration::from_millis(1)).await;
            }
        });
        identified.await.context("no IDENTIFY came")?;
        figures.add("start to IDENTIFY", "ms", ms(self.process.started.elapsed()));
        discord.wait_connected().await;
        self.answer(0).await?;
        figures.add("start to first reply", "ms", ms(self.process.started.elapsed()));
        Ok(())
    }

    /// One message, and its answer.
    async fn answer(&mut self, channel: usize) -> anyhow::Result<()> {
        let number = self.stage.say(channel, &self.prefix);
        // Its answer may be one to other messages too.
        while self.stage.next_posted().await? != number {}
        Ok(())
    }

    async fn idle(&mut self, size: &Size, figures: &mut Figures) -> anyhow::Result<()> {
        sleep(SETTLE.min(size.idle)).await;
        figures.add("RSS idle", "MB", self.process.rss()? / 1e6);
        let before = self.process.cpu()?;
        sleep(size.idle).await;
        let used = self.process.cpu()? - before;
        figures.add("CPU idle", "%", 100.0 * used.as_secs_f64() / size.idle.as_secs_f64());
        Ok(())
    }

    /// Microseconds of processor time a message.
    async fn one_at_a_time(&mut self, singles: usize, name: &str, figures: &mut Figures) -> anyhow::Result<f64> {
        for _ in 0..singles / 10 {
            self.answer(0).await?;
        }
        let (first, before) = (self.said(), self.process.cpu()?);
        for _ in 0..singles {
            self.answer(0).await?;
        }
        let used = self.process.cpu()? - before;
        self.latencies(first, name, figures);
        Ok(used.as_secs_f64() * 1e6 / singles as f64)
    }

    /// Messages at a given number a second, whether or not the ones before are answered.
    async fn at_a_pace(&mut self, time: Duration, figures: &mut Figures) -> anyhow::Result<()> {
        for channel in 0..CHANNELS {
            self.answer(channel).await?;
        }
        let (first, executions) = (self.said(), self.stage.ledger().executions);
        let mut ticks = interval(Duration::from_secs(1) / PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let total = (time.as_secs_f64() * f64::from(PACE)) as usize;
        let mut answered = 0;
        for n in 0..total {
            ticks.tick().await;
            self.stage.say(n % CHANNELS, "");
        }
        while answered < total {
            self.stage.next_posted().await?;
            answered += 1;
        }
        self.latencies(first, &format!("{PACE}/s"), figures);
        let executed = self.stage.ledger().executions - executions;
        figures.add(&format!("answered together, {PACE}/s"), "messages", (total - executed) as f64);
        Ok(())
    }

    async fn as_fast_as_it_goes(&mut self, time: Duration, figures: &mut Figures) -> anyhow::Result<()> {
        let (start, before) = (Instant::now(), self.process.cpu()?);
        for channel in 0..AT_ONCE {
            self.stage.say(channel, "");
        }
        let (mut waiting, mut answered) = (AT_ONCE, 0_u32);
        while waiting > 0 {
            let number = self.stage.next_posted().await?;
            answered += 1;
            if start.elapsed() < time {
                let channel = self.stage.ledger().trips[number].channel;
                self.stage.say(channel, "");
            } else {
                waiting -= 1;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let used = self.process.cpu()? - before;
        figures.add("most messages a second", "1/s", f64::from(answered) / seconds);
        figures.add("CPU at most messages a second", "%", 100.0 * used.as_secs_f64() / seconds);
        figures.add("CPU a message at most messages a second", "µs", used.as_secs_f64() * 1e6 / f64::from(answered));
        Ok(())
    }

    /// People fill the histories of the channels from one number to another.
    async fn fill(&mut self, from: usize, to: usize) -> anyhow::Result<()> {
        let guild = self.stage.discord.guild("Sim");
        let mut said = 0;
        for block in (from..to).step_by(BY_TURNS) {
            for message in 0..FULL {
                for channel in block..to.min(block + BY_TURNS) {
                    let text = padded(&format!("{message} in {channel}"), CHARS);
                    // Below every snowflake of the simulator's own channels.
                    self.stage.discord.say_unstored(guild, 1 + channel as u64, "bob", &text);
                    said += 1;
                    if said % IN_A_ROW == 0 {
                        self.answer(0).await?;
                    }
                }
            }
        }
        self.answer(0).await
    }

    fn said(&self) -> usize {
        self.stage.ledger().trips.len()
    }

    /// The time the bot adds to the messages from `first` on: before Tess is asked, and after it has answered.
    fn latencies(&self, first: usize, name: &str, figures: &mut Figures) {
        let ledger = self.stage.ledger();
        let part = |of: &dyn Fn(&Trip) -> Option<Duration>| ledger.trips[first..].iter().filter_map(of).collect();
        let before = |trip: &Trip| Some(trip.asked? - trip.said);
        let after = |trip: &Trip| Some(trip.posted? - trip.asked?);
        let all = |trip: &Trip| Some(trip.posted? - trip.said);
        figures.add_percentiles(&format!("message to execute, {name}"), part(&before));
        figures.add_percentiles(&format!("answer to post, {name}"), part(&after));
        figures.add_percentiles(&format!("added latency, {name}"), part(&all));
    }

    /// A fast wrong answer counts nothing.
    fn end(self) -> anyhow::Result<()> {
        let problems = self.stage.problems();
        ensure!(problems.is_empty(), "{problems:#?}\n{}", self.process.last_lines());
        let unanswered = self.stage.ledger().trips.iter().filter(|trip| trip.posted.is_none()).count();
        ensure!(unanswered == 0, "{unanswered} messages have no answer");
        Ok(())
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
