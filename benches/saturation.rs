//! Measures how long users wait when they post more than Tess's limit allows: `cargo bench --bench saturation`.
//!
//! Twenty channels share a limit of one execution per second; an execution takes four seconds. Messages come at random times
//! for five minutes, at 0.5, 1, 2, 5 and 20 times the limit. The bot and the limits of Discord are real, but the clock runs
//! [`SCALE`] times as fast, and all times are simulated ones. The benchmark prints a table and draws `docs/saturation.svg`.
//! `-- --test` runs briefly and only checks that each message is answered once, with the right history.

#[path = "bot/harness.rs"]
mod harness;

use std::{env, fmt::Write as _, fs, path::Path, time::Duration};

use anyhow::ensure;
use harness::{Harness, Log, Setup};
use sim::{
    discord::{DiscordOptions, Limit},
    tess::TessOptions,
};

use tess_discord::{Bot, Config, Timings};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// How many times faster than real time the clock runs.
const SCALE: u32 = 20;

/// Tess's limit of executions per second.
const LIMIT: f64 = 1.0;

/// Number of channels.
const CHANNELS: usize = 20;

/// Rates of messages, in multiples of the limit.
const LOADS: [f64; 5] = [0.5, 1.0, 2.0, 5.0, 20.0];

/// Duration of the messages.
const FIVE_MINUTES: Duration = Duration::from_secs(300);

/// Duration of the messages with `--test`.
const BRIEF: Duration = Duration::from_secs(10);

/// Duration of an execution.
const EXECUTION: Duration = Duration::from_secs(4);

/// Messages of a history, more than a channel gets: nothing is dropped.
const HISTORY: usize = 1_000;

/// Seed of the random times, so that every run is the same.
const SEED: u64 = 7;

/// The goal for the 95th percentile of the worst channel, in seconds: twice the time in which every channel has a turn.
const GOAL_SECONDS: f64 = 2.0 * CHANNELS as f64 / LIMIT;

/// The result of one load; times in simulated seconds.
struct Outcome {
    load: f64,
    messages: usize,
    executions: usize,
    /// Times from a message to the execution that answers it, over all channels.
    p50: f64,
    p95: f64,
    /// The 95th percentiles of the best and of the worst channel.
    best_p95: f64,
    worst_p95: f64,
}

fn main() -> anyhow::Result<()> {
    let brief = env::args().any(|arg| arg == "--test");
    let time = if brief { BRIEF } else { FIVE_MINUTES };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut outcomes = Vec::new();
    for load in LOADS {
        outcomes.push(runtime.block_on(saturate(load, time))?);
    }
    println!("{}", table(&outcomes));
    if !brief {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/saturation.svg");
        fs::write(&path, plot(&outcomes))?;
        eprintln!("drawn in {}", path.display());
    }
    Ok(())
}

/// Runs a bot under one load until every message is answered.
async fn saturate(load: f64, time: Duration) -> anyhow::Result<Outcome> {
    let mut harness = Harness::start(setup()).await?;
    let state = tempfile::TempDir::new()?;
    let bot = Bot::build(config(&harness, state.path())?).await?;
    let stop = CancellationToken::new();
    let running = tokio::spawn(bot.run(stop.clone()));
    harness.discord.wait_connected().await;

    let (start, end) = (Instant::now(), Instant::now() + time / SCALE);
    let mut random = fastrand::Rng::with_seed(SEED);
    let (mut at, mut posted) = (start, 0);
    loop {
        // Intervals between independent arrivals are exponentially distributed.
        let pause = -(1.0 - random.f64()).ln() / (load * LIMIT);
        at += Duration::from_secs_f64(pause) / SCALE;
        if at >= end {
            break;
        }
        sleep_until(at).await;
        harness.post(random.usize(..CHANNELS), "");
        posted += 1;
    }
    for _ in 0..posted {
        harness.next_answered().await?;
    }
    stop.cancel();
    running.await??;
    let problems = harness.problems();
    ensure!(problems.is_empty(), "at {load} x the limit: {problems:#?}");
    let log = harness.log();
    Ok(Outcome::of(load, &log))
}

fn setup() -> Setup {
    let scaled = |limit: Limit| Limit { per: limit.per / SCALE, ..limit };
    let discord = DiscordOptions {
        message_limit: scaled(Limit { requests: 5, per: Duration::from_secs(5) }),
        global_per_second: Some(50 * SCALE),
        ..DiscordOptions::default()
    };
    let tess = TessOptions { requests_per_second: SCALE, delay: EXECUTION / SCALE, ..TessOptions::default() };
    Setup { history: HISTORY, chars: 40, channels: CHANNELS, discord, tess }
}

/// The settings of a real bot, with all times scaled.
fn config(harness: &Harness, state: &Path) -> anyhow::Result<Config> {
    let var = |name: &str, value: String| (name.to_owned(), value);
    let mut vars = harness.vars();
    vars.extend([
        var("TESS_REQUESTS_PER_SECOND", (LIMIT * f64::from(SCALE)).to_string()),
        var("DISCORD_REQUESTS_PER_SECOND", (45 * SCALE).to_string()),
        var("HISTORY_MESSAGES", HISTORY.to_string()),
        var("HISTORY_CHARS", "1000000".to_owned()),
        var("STATE_URL", format!("sqlite:{}", state.join("state.db").display())),
        // The log does not expect waiting notes, which are few compared with Discord's limits.
        var("NOTICE_AFTER", "0".to_owned()),
    ]);
    let mut config = Config::from_vars(vars.into_iter()).map_err(|problems| anyhow::anyhow!("{problems}"))?;
    let real = Timings::default();
    config.tess.timeout /= SCALE;
    config.timings = Timings {
        typing_interval: real.typing_interval / SCALE,
        poll_interval: real.poll_interval / SCALE,
        discord_request_timeout: real.discord_request_timeout / SCALE,
        delivery_timeout: real.delivery_timeout / SCALE,
        execute_timeout: real.execute_timeout / SCALE,
        ..real
    };
    Ok(config)
}

impl Outcome {
    fn of(load: f64, log: &Log) -> Self {
        let mut channels = vec![Vec::new(); CHANNELS];
        for message in &log.messages {
            let wait = message.executed.map(|executed| (executed - message.posted).as_secs_f64() * f64::from(SCALE));
            channels[message.channel].push(wait.unwrap_or(f64::NAN));
        }
        let all = channels.concat();
        let used = channels.iter().filter(|waits| !waits.is_empty());
        let p95 = used.map(|waits| percentile(waits, 95)).collect::<Vec<_>>();
        Self {
            load,
            messages: all.len(),
            executions: log.executions,
            p50: percentile(&all, 50),
            p95: percentile(&all, 95),
            best_p95: p95.iter().copied().fold(f64::INFINITY, f64::min),
            worst_p95: p95.iter().copied().fold(0.0, f64::max),
        }
    }
}

fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

fn table(outcomes: &[Outcome]) -> String {
    let mut table = "| load | messages | executions | executions a message | wait p50 | wait p95 | p95 of the best channel | of the worst |\n\
                     |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for it in outcomes {
        let each = it.executions as f64 / it.messages.max(1) as f64;
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "| {} x | {} | {} | {each:.2} | {:.1} s | {:.1} s | {:.1} s | {:.1} s |",
            it.load, it.messages, it.executions, it.p50, it.p95, it.best_p95, it.worst_p95
        );
    }
    table
}

/// Draws the waiting times as bars, and the goal as a line.
fn plot(outcomes: &[Outcome]) -> String {
    const WIDTH: f64 = 560.0;
    const HEIGHT: f64 = 240.0;
    const LEFT: f64 = 44.0;
    const COLOURS: [(&str, &str); 3] = [("#9ecae1", "p50"), ("#3182bd", "p95"), ("#08306b", "p95, worst channel")];
    let highest = outcomes.iter().map(|it| it.worst_p95).fold(GOAL_SECONDS, f64::max) * 1.1;
    let y = |seconds: f64| HEIGHT * (1.0 - seconds / highest);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 -24 {} {}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect x=\"0\" y=\"-24\" width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        WIDTH + LEFT + 10.0,
        HEIGHT + 64.0
    );
    let mut draw = |line: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        let _ = writeln!(svg, "{line}");
    };
    for seconds in (0..).map(|n| f64::from(n) * 10.0).take_while(|seconds| *seconds <= highest) {
        let y = y(seconds);
        draw(format_args!("<path d=\"M{LEFT} {y:.0}h{WIDTH}\" stroke=\"#dddddd\"/>"));
        draw(format_args!("<text x=\"{}\" y=\"{:.0}\" text-anchor=\"end\">{seconds} s</text>", LEFT - 6.0, y + 4.0));
    }
    let step = WIDTH / outcomes.len() as f64;
    for (n, it) in outcomes.iter().enumerate() {
        let left = LEFT + step * (n as f64 + 0.15);
        for (bar, value) in [it.p50, it.p95, it.worst_p95].into_iter().enumerate() {
            let (x, width, top) = (left + bar as f64 * step * 0.23, step * 0.21, y(value));
            let colour = COLOURS[bar].0;
            draw(format_args!(
                "<rect x=\"{x:.0}\" y=\"{top:.0}\" width=\"{width:.0}\" height=\"{:.0}\" fill=\"{colour}\"/>",
                HEIGHT - top
            ));
        }
        let middle = LEFT + step * (n as f64 + 0.5);
        draw(format_args!(
            "<text x=\"{middle:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{} x the limit</text>",
            HEIGHT + 16.0,
            it.load
        ));
    }
    let goal = y(GOAL_SECONDS);
    draw(format_args!("<path d=\"M{LEFT} {goal:.0}h{WIDTH}\" stroke=\"#cb181d\" stroke-dasharray=\"5 3\"/>"));
    draw(format_args!("<text x=\"{}\" y=\"{:.0}\" fill=\"#cb181d\">goal</text>", LEFT + 4.0, goal - 4.0));
    for (n, (colour, name)) in COLOURS.iter().enumerate() {
        let x = LEFT + n as f64 * 120.0;
        draw(format_args!("<rect x=\"{x}\" y=\"-17\" width=\"10\" height=\"10\" fill=\"{colour}\"/>"));
        draw(format_args!("<text x=\"{}\" y=\"-8\">waiting, {name}</text>", x + 14.0));
    }
    svg + "</svg>\n"
}
