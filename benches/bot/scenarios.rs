//! The scenarios that a program runs, and what is measured in them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use sim::{
    discord::{DiscordOptions, DiscordSim, Limit},
    tess::TessOptions,
};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::{
    harness::{Harness, Message, Setup, padded},
    process::{Process, Program},
    report::Figures,
};

/// Characters of each message and each answer.
const CHARS: usize = 600;

/// Channels of the scenario with a fixed rate. Each is idle again long before its next message.
const CHANNELS: usize = 100;

/// Messages per second of the scenario with a fixed rate.
const RATE: u32 = 500;

/// Channels with a message in flight at all times, for the highest rate.
const CONCURRENT: usize = 64;

/// How long after its start a program counts as idle.
const SETTLE: Duration = Duration::from_secs(1);

/// How long a start may take.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Messages of a full history, each of [`CHARS`].
const FULL: usize = 40;

/// Channels that the simulator stores as well. They get messages first, and again at the end, after their eviction.
const SAMPLES: usize = 20;

/// Events sent before the bot must have processed them; the simulator's log holds 4096.
const EVENT_BATCH: usize = 1_000;

/// Channels that get messages in turns while the memory fills up.
const INTERLEAVED: usize = 100;

/// The extent of the measurements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) runs: usize,
    /// Messages of the scenarios with one message at a time.
    pub(crate) singles: usize,
    /// Duration of the scenarios with a fixed rate and with the highest rate.
    pub(crate) load: Duration,
    pub(crate) idle: Duration,
    /// Duration of each fault of the gateway.
    pub(crate) fault: Duration,
    /// Numbers of channels with full histories, increasing.
    pub(crate) memory: &'static [usize],
    /// A number of channels with full histories that exceeds `HISTORY_TOTAL_MB`.
    pub(crate) too_many: Option<usize>,
}

/// Measures latency, processor time and idle memory, with a short and with a long history.
pub(crate) async fn run(program: &Program, size: &Size) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let mut trial = Trial::start(program, 2, &[], &mut figures).await?;
    trial.idle(size, &mut figures).await?;
    let cpu = trial.one_at_a_time(size.singles, "one at a time", &mut figures).await?;
    figures.add("CPU a message, 2 of history", "µs", cpu);
    trial.at_fixed_rate(size.load, &mut figures).await?;
    trial.at_highest_rate(size.load, &mut figures).await?;
    trial.end()?;

    let mut trial = Trial::start(program, FULL, &[("HISTORY_CHARS", "100000")], &mut Figures::default()).await?;
    for _ in 0..FULL / 2 {
        trial.answer(0).await?;
    }
    let cpu = trial.one_at_a_time(size.singles, "one at a time, 40 of history", &mut figures).await?;
    figures.add("CPU a message, 40 of history", "µs", cpu);
    trial.end()?;
    figures.add("executable", "MB", program.bytes()? as f64 / 1e6);
    Ok(figures)
}

/// Measures the memory of histories. The messages need no answer, so that nothing else grows.
pub(crate) async fn memory(program: &Program, size: &Size) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let vars = [("RESPOND_TO", "mentions"), ("HISTORY_TOTAL_MB", "1024"), ("HISTORY_CHARS", "30000")];
    let mut trial = Trial::start(program, FULL, &vars, &mut Figures::default()).await?;
    let idle = trial.process.rss()?;
    let mut there = 0;
    for &channels in size.memory {
        trial.fill(there, channels).await?;
        there = channels;
        let grown = trial.process.rss()? - idle;
        figures.add(&format!("RSS, {channels} full channels"), "MB", trial.process.rss()? / 1e6);
        let text = (channels * FULL * CHARS) as f64;
        figures.add(&format!("RSS beside their text, {channels} full channels"), "x", grown / text);
        figures.add(&format!("allowed beside their text, {channels} full channels"), "x", 1.25 + 100.0 / CHARS as f64);
        sleep(size.idle).await;
        figures.add(&format!("RSS, {channels} full channels, idle"), "MB", trial.process.rss()? / 1e6);
    }
    trial.end()?;
    if let Some(channels) = size.too_many {
        let vars = [("RESPOND_TO", "mentions"), ("HISTORY_CHARS", "30000")];
        let mut trial = Trial::start(program, FULL, &vars, &mut Figures::default()).await?;
        let samples = 1..=SAMPLES;
        for _ in 0..FULL {
            for channel in samples.clone() {
                trial.harness.post(channel, "");
            }
        }
        trial.fill(0, channels).await?;
        figures.add(&format!("RSS, {channels} full channels under 256 MB"), "MB", trial.process.rss()? / 1e6);
        sleep(size.idle).await;
        figures.add(&format!("RSS, {channels} full channels under 256 MB, idle"), "MB", trial.process.rss()? / 1e6);
        // These histories were evicted. The log checks that the agent sees them whole again.
        for channel in samples {
            trial.answer(channel).await?;
        }
        trial.end()?;
    }
    Ok(figures)
}

/// Measures the processor time during faults of the gateway, which should be close to none.
pub(crate) async fn faults(program: &Program, size: &Size) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    for (name, begin) in FAULTS {
        let trial = Trial::start(program, 2, &[], &mut Figures::default()).await?;
        let discord = trial.harness.discord.clone();
        let (identifies, before) = (discord.identifies(), trial.process.cpu()?);
        begin(&discord);
        sleep(size.fault).await;
        let used = trial.process.cpu()? - before;
        figures.add(&format!("CPU, {name}"), "%", 100.0 * used.as_secs_f64() / size.fault.as_secs_f64());
        figures.add(&format!("IDENTIFYs, {name}"), "", (discord.identifies() - identifies) as f64);
    }
    Ok(figures)
}

type Fault = (&'static str, fn(&DiscordSim));

const FAULTS: [Fault; 5] = [
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

/// A running program and its harness.
struct Trial {
    harness: Harness,
    process: Process,
    /// The start of messages that must be answered.
    prefix: String,
}

impl Trial {
    /// Starts a program whose agent sees `history` messages before the one it answers.
    async fn start(
        program: &Program,
        history: usize,
        settings: &[(&str, &str)],
        figures: &mut Figures,
    ) -> anyhow::Result<Self> {
        let history = if program.has_history { history + 1 } else { 1 };
        // The limits would dominate the figures.
        let unlimited = Limit { requests: 1_000_000, per: Duration::from_secs(1) };
        let discord = DiscordOptions { message_limit: unlimited, route_limit: unlimited, ..DiscordOptions::default() };
        let tess = TessOptions::default();
        let harness = Harness::start(Setup { history, chars: CHARS, channels: CHANNELS, discord, tess }).await?;
        let messages = history.to_string();
        let own = [
            ("HISTORY_MESSAGES", messages.as_str()),
            ("TESS_REQUESTS_PER_SECOND", "0"),
            ("DISCORD_REQUESTS_PER_SECOND", "10000"),
        ];
        let mut vars = harness.vars();
        vars.extend(own.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let only_mentions = settings.contains(&("RESPOND_TO", "mentions"));
        let prefix = if only_mentions { format!("{} ", harness.discord.mention()) } else { String::new() };
        let process = Process::start(&program.executable, vars)?;
        let mut trial = Self { harness, process, prefix };
        trial.connect(figures).await.with_context(|| format!("{}: {}", program.name, trial.process.last_lines()))?;
        Ok(trial)
    }

    async fn connect(&mut self, figures: &mut Figures) -> anyhow::Result<()> {
        let discord = self.harness.discord.clone();
        let identified = timeout(START_TIMEOUT, async {
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

    /// Posts a message and waits for its answer.
    async fn answer(&mut self, channel: usize) -> anyhow::Result<()> {
        let number = self.harness.post(channel, &self.prefix);
        // Other messages may be answered as well.
        while self.harness.next_answered().await? != number {}
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

    /// Returns the processor time per message, in microseconds.
    async fn one_at_a_time(&mut self, singles: usize, name: &str, figures: &mut Figures) -> anyhow::Result<f64> {
        for _ in 0..singles / 10 {
            self.answer(0).await?;
        }
        let (first, before) = (self.posted(), self.process.cpu()?);
        for _ in 0..singles {
            self.answer(0).await?;
        }
        let used = self.process.cpu()? - before;
        self.latencies(first, name, figures);
        Ok(used.as_secs_f64() * 1e6 / singles as f64)
    }

    /// Posts messages at a fixed rate, whether or not earlier ones are answered.
    async fn at_fixed_rate(&mut self, time: Duration, figures: &mut Figures) -> anyhow::Result<()> {
        for channel in 0..CHANNELS {
            self.answer(channel).await?;
        }
        let (first, executions) = (self.posted(), self.harness.log().executions);
        let mut ticks = interval(Duration::from_secs(1) / RATE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let total = (time.as_secs_f64() * f64::from(RATE)) as usize;
        let mut answered = 0;
        for n in 0..total {
            ticks.tick().await;
            self.harness.post(n % CHANNELS, "");
        }
        while answered < total {
            self.harness.next_answered().await?;
            answered += 1;
        }
        self.latencies(first, &format!("{RATE}/s"), figures);
        let executed = self.harness.log().executions - executions;
        figures.add(&format!("answered together, {RATE}/s"), "messages", (total - executed) as f64);
        Ok(())
    }

    /// Posts a message in a channel as soon as the one before is answered.
    async fn at_highest_rate(&mut self, time: Duration, figures: &mut Figures) -> anyhow::Result<()> {
        let (start, before) = (Instant::now(), self.process.cpu()?);
        for channel in 0..CONCURRENT {
            self.harness.post(channel, "");
        }
        let (mut waiting, mut answered) = (CONCURRENT, 0_u32);
        while waiting > 0 {
            let number = self.harness.next_answered().await?;
            answered += 1;
            if start.elapsed() < time {
                let channel = self.harness.log().messages[number].channel;
                self.harness.post(channel, "");
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

    /// Fills the histories of the channels from one number to another.
    async fn fill(&mut self, from: usize, to: usize) -> anyhow::Result<()> {
        let guild = self.harness.discord.guild("Sim");
        let mut sent = 0;
        for block in (from..to).step_by(INTERLEAVED) {
            for message in 0..FULL {
                for channel in block..to.min(block + INTERLEAVED) {
                    let text = padded(&format!("{message} in {channel}"), CHARS);
                    // Ids below those of the simulator's own channels.
                    self.harness.discord.say_unstored(guild, 1 + channel as u64, "bob", &text);
                    sent += 1;
                    if sent % EVENT_BATCH == 0 {
                        self.answer(0).await?;
                    }
                }
            }
        }
        self.answer(0).await
    }

    fn posted(&self) -> usize {
        self.harness.log().messages.len()
    }

    /// Adds the latency of the program for the messages from `first` on: before the execution, after it, and in total.
    fn latencies(&self, first: usize, name: &str, figures: &mut Figures) {
        let log = self.harness.log();
        let part = |of: &dyn Fn(&Message) -> Option<Duration>| log.messages[first..].iter().filter_map(of).collect();
        let before = |message: &Message| Some(message.executed? - message.posted);
        let after = |message: &Message| Some(message.answered? - message.executed?);
        let all = |message: &Message| Some(message.answered? - message.posted);
        figures.add_percentiles(&format!("message to execute, {name}"), part(&before));
        figures.add_percentiles(&format!("answer to post, {name}"), part(&after));
        figures.add_percentiles(&format!("added latency, {name}"), part(&all));
    }

    /// Ends a trial. Its figures count only when nothing went wrong.
    ///
    /// # Errors
    /// When the log or a simulator found a problem, or a message has no answer.
    fn end(self) -> anyhow::Result<()> {
        let problems = self.harness.problems();
        ensure!(problems.is_empty(), "{problems:#?}\n{}", self.process.last_lines());
        let unanswered = self.harness.log().messages.iter().filter(|message| message.answered.is_none()).count();
        ensure!(unanswered == 0, "{unanswered} messages have no answer");
        Ok(())
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
