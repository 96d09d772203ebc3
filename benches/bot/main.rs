//! Measures the bot against the baseline, a minimal bot: `cargo bench --bench bot`.
//!
//! The simulators run in this process; the release builds of the bot and of the baseline (`examples/baseline.rs`) run in
//! others, in turns. A table is printed, and all figures are written to `target/bench-bot.json`. `-- --quick` measures less.
//! `-- --test` runs each scenario briefly, to check that it works. `-- --against PATH` takes another build of the bot in place of the
//! baseline, to see what a change costs. No time is ever asserted.

mod harness;
mod process;
mod report;
mod scenarios;

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use process::Program;
use report::Runs;
use scenarios::Size;

const FULL: Size = Size {
    runs: 5,
    singles: 1_000,
    load: Duration::from_secs(4),
    idle: Duration::from_secs(5),
    fault: Duration::from_secs(20),
    memory: &[1_000, 10_000],
    too_many: Some(100_000),
};

const QUICK: Size = Size {
    runs: 1,
    singles: 300,
    load: Duration::from_secs(1),
    idle: Duration::from_secs(2),
    fault: Duration::from_secs(5),
    memory: &[1_000],
    too_many: None,
};

const TEST: Size = Size {
    runs: 1,
    singles: 20,
    load: Duration::from_millis(100),
    idle: Duration::from_millis(10),
    fault: Duration::from_millis(50),
    memory: &[20],
    too_many: Some(100),
};

fn main() -> anyhow::Result<()> {
    // Cargo adds an argument of its own, so unknown ones are ignored.
    let has = |option: &str| env::args().any(|arg| arg == option);
    let size = match (has("--test"), has("--quick")) {
        (true, _) => TEST,
        (_, true) => QUICK,
        _ => FULL,
    };
    let against = env::args().skip_while(|arg| arg != "--against").nth(1).map(PathBuf::from);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(&size, against))
}

async fn run(size: &Size, against: Option<PathBuf>) -> anyhow::Result<()> {
    let bot = Program::bot();
    let baseline = match against {
        Some(executable) => Program::other_build(executable),
        None => Program::baseline()?,
    };
    let machine = report::machine();
    let (mut of_bot, mut of_baseline) = (Runs::default(), Runs::default());
    for number in 1..=size.runs {
        eprintln!("run {number} of {}", size.runs);
        of_bot.0.push(scenarios::run(&bot, size).await?);
        of_baseline.0.push(scenarios::run(&baseline, size).await?);
    }
    eprintln!("memory");
    let memory = Runs(vec![scenarios::memory(&bot, size).await?]);
    let none = Runs::default();
    eprintln!("faults");
    let bot_faults = Runs(vec![scenarios::faults(&bot, size).await?]);
    let baseline_faults = Runs(vec![scenarios::faults(&baseline, size).await?]);
    let parts =
        [("runs", &of_bot, &of_baseline), ("memory", &memory, &none), ("faults", &bot_faults, &baseline_faults)];
    println!("{machine}\n");
    for (_, bot, baseline) in parts {
        println!("{}", report::table(bot, baseline));
    }
    let json: serde_json::Map<_, _> = parts
        .map(|(name, bot, baseline)| (name.to_owned(), report::json(bot, baseline, &machine)))
        .into_iter()
        .collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-bot.json");
    // Cargo's own folder may be elsewhere.
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(&path, serde_json::to_vec_pretty(&json)?)?;
    eprintln!("all figures are in {}", path.display());
    Ok(())
}
