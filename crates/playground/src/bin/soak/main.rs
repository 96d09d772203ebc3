//! The soak: runs the bot as a separate process between both simulators, with hundreds of channels, random faults of both
//! services, kills and restarts. At the end it audits the outcome of every message.

mod audit;
mod bot;
mod faults;
mod report;
mod users;

use std::{
    ops::Range,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::Context;
use fastrand::Rng;
use lexopt::{Arg, ValueExt};
use playground::RunFolder;
use serde_json::Value;
use sim::{
    discord::{DiscordOptions, DiscordSim, Limit},
    tess::{TessOptions, TessSim},
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::{audit::Outcome, bot::Bot, faults::Faults, users::Users};

const USAGE: &str = "\
The real bot between simulators of Discord and Tess, with random faults, and an audit of every message.

Usage: cargo build && cargo run --bin soak -- [--minutes N] [--seed S]

Options:
      --minutes N  Minutes with faults; the rest takes about a minute more (default 1)
      --seed S     Seed of all random choices, printed so that a run can be repeated (default: random)
  -h, --help       Print this text

Exit code: 0 no message was lost or answered twice, 1 the audit failed, 2 invalid arguments.
";

/// One step of the clock that controls every action.
const TICK: Duration = Duration::from_millis(20);

/// Time without faults at the start, in which the bot learns all direct channels and stores its first handled marks.
const WARM_UP: u64 = ticks(22);

/// How long the bot may take to answer everything after the faults: the longest backoff of the gateway, and some more.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(160);

/// Pause between two audits at the end. It is slept after each, so that a slow audit on a busy machine leaves the simulators
/// the time to answer the bot.
const AUDIT_PAUSE: Duration = Duration::from_secs(1);

/// How often the bot is measured.
const CHECK_INTERVAL: u64 = ticks(1);

/// A user acts in one tick of this many.
const ACTION_ONE_IN: u64 = 4;

/// Most ticks between two faults.
const MAX_FAULT_INTERVAL: u64 = ticks(2);

/// Seconds that a process of the bot runs.
const UPTIME: Range<u64> = 4..26;

/// Seconds between two processes of the bot.
const DOWNTIME: Range<u64> = 0..7;

/// How long after a 429 a request may arrive that was sent before: the response may be slow on a busy machine.
const RATE_LIMIT_GRACE: Duration = Duration::from_millis(1_500);

/// Lines of an answer that takes several messages.
const LONG_ANSWER: usize = 60;

/// Lines of an answer that is posted as a file.
const FILE_ANSWER: usize = 200;

/// Converts seconds to ticks.
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
    let result = runtime.context("the runtime cannot start").and_then(|runtime| runtime.block_on(soak(&arguments)));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("soak: the audit failed; repeat with --minutes {} --seed {}", arguments.minutes, arguments.seed);
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

/// Runs the soak; returns whether the audit passed.
async fn soak(arguments: &Arguments) -> anyhow::Result<bool> {
    println!("soak: {} minutes, seed {}", arguments.minutes, arguments.seed);
    let mut soak = Soak::new(arguments.seed).await?;
    soak.warm_up().await?;
    soak.run_with_faults(ticks(arguments.minutes * 60)).await?;
    soak.settle().await?;
    Ok(report::print(&mut soak))
}

struct Soak {
    rng: Rng,
    discord: DiscordSim,
    tess: TessSim,
    users: Users,
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
        let mut settings = [playground::discord_settings(&discord), playground::tess_settings(&tess)].concat();
        settings.extend([
            ("TESS_REQUESTS_PER_SECOND", "0".to_owned()),
            ("TESS_TIMEOUT", "10".to_owned()),
            ("NOTICE_AFTER", "2".to_owned()),
            ("CATCH_UP_MINUTES", "1440".to_owned()),
            // All messages of an outage fit into the history, so that one that the agent does not see was lost.
            ("HISTORY_MESSAGES", "200".to_owned()),
            ("HISTORY_CHARS", "1000000".to_owned()),
        ]);
        let bot = Bot::new(RunFolder::new("soak")?, settings)?;
        let (users, faults) = (Users::new(&discord), Faults::new(&discord, &tess));
        Ok(Self { rng: Rng::with_seed(seed), discord, tess, users, faults, bot })
    }

    /// Starts the bot and lets users act without faults.
    async fn warm_up(&mut self) -> anyhow::Result<()> {
        self.bot.start()?;
        self.discord.wait_connected().await;
        self.users.open_direct_channels(&mut self.rng);
        let mut clock = clock();
        for tick in 0..WARM_UP {
            clock.tick().await;
            self.step(tick);
        }
        Ok(())
    }

    /// Lets users act while faults are injected and the bot is killed, stopped and restarted.
    async fn run_with_faults(&mut self, end: u64) -> anyhow::Result<()> {
        let mut clock = clock();
        let mut next_fault = 0;
        let mut next_restart = self.after(UPTIME, 0);
        for tick in 0..end {
            clock.tick().await;
            self.step(tick);
            self.faults.end_expired(tick).await;
            if tick >= next_fault {
                next_fault = tick + self.rng.u64(1..MAX_FAULT_INTERVAL);
                let recent = self.users.recent_message(&mut self.rng);
                self.faults.inject(&mut self.rng, tick, recent).await;
            }
            if tick >= next_restart {
                next_restart = self.start_or_end_bot(tick).await?;
            }
        }
        Ok(())
    }

    /// One step of the clock: a user may act, and the bot may be measured.
    fn step(&mut self, tick: u64) {
        if self.rng.u64(0..ACTION_ONE_IN) == 0 {
            self.users.act(&mut self.rng);
        }
        if tick.is_multiple_of(CHECK_INTERVAL) {
            self.bot.measure();
        }
    }

    /// Starts the bot, or kills or stops the running one. Returns the tick of the next call.
    async fn start_or_end_bot(&mut self, tick: u64) -> anyhow::Result<u64> {
        if !self.bot.is_running() {
            self.start_bot()?;
            return Ok(self.after(UPTIME, tick));
        }
        if self.rng.u8(0..10) < 6 {
            self.bot.kill();
        } else {
            self.bot.stop().await;
        }
        Ok(self.after(DOWNTIME, tick))
    }

    fn start_bot(&mut self) -> anyhow::Result<()> {
        self.discord.forget_client();
        self.tess.forget_client();
        self.bot.start()
    }

    /// A random tick some seconds after `tick`.
    fn after(&mut self, seconds: Range<u64>, tick: u64) -> u64 {
        tick + self.rng.u64(ticks(seconds.start)..ticks(seconds.end))
    }

    /// Ends all faults and waits until everything is answered. In half of the runs the bot is killed once more before.
    async fn settle(&mut self) -> anyhow::Result<()> {
        self.faults.end_all().await;
        if self.rng.bool() && self.bot.is_running() {
            self.bot.kill();
        }
        if !self.bot.is_running() {
            self.start_bot()?;
        }
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        while Instant::now() < deadline && !self.is_settled() {
            sleep(AUDIT_PAUSE).await;
            self.bot.measure();
        }
        self.bot.stop().await;
        Ok(())
    }

    fn is_settled(&self) -> bool {
        self.users.channels.iter().all(|channel| {
            let audit = audit::of(channel, &self.discord.messages(channel.id));
            audit.notes == 0 && audit.outcomes.iter().all(|outcome| *outcome != Outcome::Open)
        })
    }
}

/// The agent's answer, which names the tokens of the messages since the last answer.
fn answer(number: u64, messages: &[Value]) -> String {
    let since = messages.iter().rposition(|message| message["role"] == "assistant").map_or(0, |last| last + 1);
    let asked: Vec<&str> = messages[since..].iter().filter_map(|message| message["content"].as_str()).collect();
    let last = asked.last().and_then(|text| text.lines().last()).unwrap_or_default();
    let lines = match last {
        text if text.ends_with("at length") => LONG_ANSWER,
        text if text.ends_with("a book") => FILE_ANSWER,
        _ => 0,
    };
    let tokens: Vec<u64> = asked.iter().flat_map(|text| audit::tokens(text)).collect();
    audit::answer(number, &tokens, lines)
}

fn clock() -> tokio::time::Interval {
    let mut clock = interval(TICK);
    // No tick is skipped on a busy machine, because the seed decides what happens in each.
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    clock
}
