//! The soak: the real bot, as a process of its own, between both simulators; hundreds of channels, faults on both sides at
//! random times, the process killed and started again and again; then a balance of what became of every message.

mod balance;
mod bot;
mod faults;
mod people;

use std::{
    collections::BTreeMap,
    env, fs,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::Context;
use fastrand::Rng;
use lexopt::{Arg, ValueExt};
use serde_json::Value;
use sim::{
    discord::{DiscordOptions, DiscordSim, Limit},
    tess::{TessOptions, TessSim},
};
use tokio::time::{MissedTickBehavior, interval};

use crate::{balance::Outcome, bot::Bot, faults::Faults, people::People};

const USAGE: &str = "\
The real bot between simulators of Discord and Tess, with everything going wrong; then a balance.

Usage: cargo build --release && cargo run --release --bin soak -- [--minutes N] [--seed S]

Options:
      --minutes N  How long things go wrong; about a minute more to settle (default 1)
      --seed S     What happens when; printed, so that it can be repeated (default: random)
  -h, --help       Print this text

Exit code: 0 nothing lost and nothing twice, 1 the balance is not right, 2 the arguments are not.
";

/// One step of the clock that everything happens by.
const TICK: Duration = Duration::from_millis(20);

/// How long people talk before things go wrong: until every direct channel is known, and that the bot listens is noted.
const CALM: u64 = ticks(22);

/// How long everything may take to be answered afterwards: the gateway's longest pause, and some.
const SETTLED_WITHIN: u64 = ticks(160);

/// How often what is unanswered is looked for, and the bot's measure taken.
const LOOK: u64 = ticks(1);

/// One tick in so many, somebody does something.
const ACTS_ONE_IN: u64 = 4;

/// Ticks between two faults, at most.
const STRIKES: u64 = ticks(2);

/// Seconds of a life of the bot, and between two.
const LIFE: std::ops::Range<u64> = 4..26;
const DEATH: std::ops::Range<u64> = 0..7;

/// How long requests of the bot may be on their way on a busy machine when a 429 begins: its answer may be a slow one.
const RATE_LIMIT_GRACE: Duration = Duration::from_millis(1_500);

/// Problems of one kind that are printed.
const PRINTED: usize = 10;

/// Of an answer: lines that make several messages, and lines that make a file.
const LONG: usize = 60;
const BOOK: usize = 200;

/// A late answer to an interaction is the service's own doing here: it delivers events late.
const LATE_INTERACTION: &str = "Unknown interaction";

/// Seconds in ticks.
const fn ticks(seconds: u64) -> u64 {
    seconds * 1_000 / TICK.as_millis() as u64
}

struct Arguments {
    minutes: u64,
    seed: u64,
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("soak: {error}; see --help");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.context("the runtime can not start").and_then(|runtime| runtime.block_on(soak(&arguments)));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!(
                "soak: the balance is not right; repeat with --minutes {} --seed {}",
                arguments.minutes, arguments.seed
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("soak: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Result<Option<Arguments>, lexopt::Error> {
    let mut arguments = Arguments { minutes: 1, seed: fastrand::u64(0..1_000_000) };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Long("minutes") => arguments.minutes = parser.value()?.parse()?,
            Arg::Long("seed") => arguments.seed = parser.value()?.parse()?,
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(arguments))
}

/// Runs it; whether the balance is right.
async fn soak(arguments: &Arguments) -> anyhow::Result<bool> {
    println!("soak: {} minutes, seed {}", arguments.minutes, arguments.seed);
    let mut soak = Soak::new(arguments.seed).await?;
    soak.calm().await?;
    soak.storm(ticks(arguments.minutes * 60)).await?;
    soak.settle().await?;
    Ok(soak.report())
}

struct Soak {
    rng: Rng,
    discord: DiscordSim,
    tess: TessSim,
    people: People,
    faults: Faults,
    bot: Bot,
}

impl Soak {
    async fn new(seed: u64) -> anyhow::Result<Self> {
        let second = Duration::from_secs(1);
        let discord = DiscordSim::start(DiscordOptions {
            heartbeat_interval: Duration::from_secs(2),
            message_limit: Limit { requests: 5, per: 5 * second },
            route_limit: Limit { requests: 50, per: second },
            global_per_second: Some(50),
            global_grace: RATE_LIMIT_GRACE,
            ..DiscordOptions::default()
        });
        let discord = discord.await?;
        let delay = Duration::from_millis(300);
        let tess =
            TessSim::start(TessOptions { delay, rate_limit_grace: RATE_LIMIT_GRACE, ..TessOptions::default() }).await?;
        let number = AtomicU64::new(0);
        tess.answer_with(move |messages| answer(number.fetch_add(1, Ordering::Relaxed) + 1, messages));
        let settings = vec![
            ("DISCORD_TOKEN", discord.token()),
            ("DISCORD_API_URL", discord.url().to_owned()),
            ("TESS_API_KEY", tess.key().to_owned()),
            ("TESS_API_URL", tess.url()),
            ("TESS_AGENT_ID", tess.default_agent().to_string()),
            ("TESS_REQUESTS_PER_SECOND", "0".to_owned()),
            ("TESS_TIMEOUT", "10".to_owned()),
            ("NOTICE_AFTER", "2".to_owned()),
            ("CATCH_UP_MINUTES", "1440".to_owned()),
            // An outage's worth of messages fits, so that what the agent does not see was not cut off but lost.
            ("HISTORY_MESSAGES", "200".to_owned()),
            ("HISTORY_CHARS", "1000000".to_owned()),
        ];
        let folder = env::temp_dir().join(format!("tess-discord-soak-{}", std::process::id()));
        let bot = Bot::new(folder, settings)?;
        let (people, faults) = (People::new(&discord), Faults::new(&discord, &tess));
        Ok(Self { rng: Rng::with_seed(seed), discord, tess, people, faults, bot })
    }

    /// People talk, and nothing goes wrong.
    async fn calm(&mut self) -> anyhow::Result<()> {
        self.bot.start()?;
        self.discord.wait_connected().await;
        self.people.greet(&mut self.rng);
        let mut clock = clock();
        for tick in 0..CALM {
            clock.tick().await;
            self.talk(tick);
        }
        Ok(())
    }

    /// Everything goes wrong.
    async fn storm(&mut self, end: u64) -> anyhow::Result<()> {
        let mut clock = clock();
        let mut strike_at = 0;
        let mut turn_at = self.after(LIFE, 0);
        for tick in 0..end {
            clock.tick().await;
            self.talk(tick);
            self.faults.relent(tick).await;
            if tick >= strike_at {
                strike_at = tick + self.rng.u64(1..STRIKES);
                let recent = self.people.recent_message(&mut self.rng);
                self.faults.strike(&mut self.rng, tick, recent).await;
            }
            if tick >= turn_at {
                turn_at = self.kill_or_start(tick).await?;
            }
        }
        Ok(())
    }

    fn talk(&mut self, tick: u64) {
        if self.rng.u64(0..ACTS_ONE_IN) == 0 {
            self.people.act(&mut self.rng);
        }
        if tick.is_multiple_of(LOOK) {
            self.bot.look();
        }
    }

    /// The next tick at which something becomes of the bot.
    async fn kill_or_start(&mut self, tick: u64) -> anyhow::Result<u64> {
        if !self.bot.is_running() {
            self.start()?;
            return Ok(self.after(LIFE, tick));
        }
        if self.rng.u8(0..10) < 6 {
            self.bot.kill();
        } else {
            self.bot.stop().await;
        }
        Ok(self.after(DEATH, tick))
    }

    fn start(&mut self) -> anyhow::Result<()> {
        self.discord.forget_client();
        self.tess.forget_client();
        self.bot.start()
    }

    fn after(&mut self, seconds: std::ops::Range<u64>, tick: u64) -> u64 {
        tick + self.rng.u64(ticks(seconds.start)..ticks(seconds.end))
    }

    /// Nothing goes wrong any more, and the bot has time to answer. One time in two it goes on as it is.
    async fn settle(&mut self) -> anyhow::Result<()> {
        self.faults.cease().await;
        if self.rng.bool() && self.bot.is_running() {
            self.bot.kill();
        }
        if !self.bot.is_running() {
            self.start()?;
        }
        let mut clock = clock();
        for tick in 0..SETTLED_WITHIN {
            clock.tick().await;
            if tick.is_multiple_of(LOOK) {
                self.bot.look();
                if self.is_settled() {
                    break;
                }
            }
        }
        self.bot.stop().await;
        Ok(())
    }

    fn is_settled(&self) -> bool {
        self.people.places.iter().all(|place| {
            let balance = balance::of(place, &self.discord.messages(place.channel));
            balance.notes == 0 && balance.outcomes.iter().all(|outcome| *outcome != Outcome::Open)
        })
    }

    /// Prints the balance; whether it is right.
    fn report(&mut self) -> bool {
        let total = Total::of(&self.people, &self.discord);
        self.bot.problems.extend(total.twice.iter().cloned());
        let violations = [self.discord.violations(), self.tess.violations()].concat();
        let (late, violations): (Vec<_>, Vec<_>) = violations.into_iter().partition(|it| it.contains(LATE_INTERACTION));
        let outcome = |outcome| total.outcomes.get(&outcome).copied().unwrap_or(0);
        let lost = outcome("Open");
        let figures = &self.bot.figures;
        let (charged, turns) = (self.tess.charged(), total.answers.max(1));
        println!("said by people          {}", total.outcomes.values().sum::<usize>());
        println!("answered                {}", outcome("Answered"));
        println!("told why not            {}", outcome("Failed"));
        println!("skipped: deleted        {}", outcome("Deleted"));
        println!("skipped: reset          {}", outcome("Reset"));
        println!("skipped: only a file    {}", outcome("File"));
        println!("LOST                    {lost}");
        println!("TWICE                   {}", total.twice.len());
        println!("notes left hanging      {}", total.notes);
        println!("answers cut short       {}", total.cut_short);
        println!("answers posted          {}", total.answers);
        println!("executions charged      {charged}, {:.3} for an answer", charged as f64 / turns as f64);
        println!("faults                  {}", self.faults.count);
        println!(
            "the bot                 started {}, killed {}, stopped {} (slowest {:.1} s)",
            figures.starts,
            figures.kills,
            figures.stops,
            figures.slowest_stop.as_secs_f64()
        );
        println!("IDENTIFYs, RESUMEs      {}, {}", self.discord.identifies(), self.discord.resumes());
        println!("connections             {}", self.discord.connections());
        println!(
            "Discord REST requests   {}, {} of them count as invalid",
            self.discord.requests().len(),
            self.discord.invalid_requests()
        );
        println!("peak memory             {:.1} MB", figures.peak_memory_kb as f64 / 1_000.0);
        println!("CPU                     {:.1} s", figures.cpu_seconds);
        println!("metrics read            {}", figures.metrics_read);
        println!("interactions too late   {}", late.len());
        println!("violations              {}", violations.len());
        let problems = &self.bot.problems;
        println!("problems                {}", problems.len());
        problems.iter().take(PRINTED).chain(violations.iter().take(PRINTED)).for_each(|what| println!("  {what}"));
        let right = lost == 0 && total.notes == 0 && problems.is_empty() && violations.is_empty();
        if right {
            // What is left in the temporary folder does no harm.
            let _ = fs::remove_dir_all(self.bot.log().with_file_name(""));
        } else {
            total.offending.iter().take(3).for_each(|place| println!("\n{place}"));
            println!("\nthe bot's log: {}", self.bot.log().display());
        }
        right
    }
}

/// The balance of all places.
#[derive(Default)]
struct Total {
    outcomes: BTreeMap<&'static str, usize>,
    twice: Vec<String>,
    notes: usize,
    answers: usize,
    cut_short: usize,
    /// Transcripts of places where something is wrong.
    offending: Vec<String>,
}

impl Total {
    fn of(people: &People, discord: &DiscordSim) -> Self {
        let mut total = Self::default();
        for place in &people.places {
            let messages = discord.messages(place.channel);
            let balance = balance::of(place, &messages);
            if balance.notes > 0 || !balance.twice.is_empty() || balance.outcomes.contains(&Outcome::Open) {
                let why = balance.twice.join(", ");
                let transcript = balance::transcript(place, &messages);
                total.offending.push(format!("#{} {why}\n{transcript}", place.channel));
            }
            for outcome in balance.outcomes {
                *total.outcomes.entry(outcome.name()).or_default() += 1;
            }
            total.twice.extend(balance.twice);
            total.notes += balance.notes;
            total.answers += balance.answers;
            total.cut_short += balance.cut_short;
        }
        total
    }
}

/// What the agent says: it names what people asked since it answered last.
fn answer(number: u64, messages: &[Value]) -> String {
    let since = messages.iter().rposition(|message| message["role"] == "assistant").map_or(0, |last| last + 1);
    let asked: Vec<&str> = messages[since..].iter().filter_map(|message| message["content"].as_str()).collect();
    let last = asked.last().and_then(|text| text.lines().last()).unwrap_or_default();
    let lines = match last {
        text if text.ends_with("at length") => LONG,
        text if text.ends_with("a book") => BOOK,
        _ => 0,
    };
    let tokens: Vec<u64> = asked.iter().flat_map(|text| balance::tokens(text)).collect();
    balance::answer(number, &tokens, lines)
}

fn clock() -> tokio::time::Interval {
    let mut clock = interval(TICK);
    // So many ticks, whatever the machine is busy with: the seed decides what happens in each.
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    clock
}
