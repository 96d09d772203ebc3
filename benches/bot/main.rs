//! What the bot costs, beside the bare baseline: `cargo bench --bench bot`.
//!
//! The simulators run in this process, the release bot and the baseline (`examples/baseline.rs`) by turns in another. A table goes
//! to standard output, and everything to `target/bench-bot.json`. `-- --quick` measures less; `-- --test` does each part once,
//! briefly, and only for what is right or wrong: nothing is ever asserted by time.

mod measure;
mod process;
mod report;
mod stage;

use std::{env, fs, path::Path, time::Duration};

use measure::Size;
use process::Program;
use report::Runs;

const FULL: Size = Size {
    runs: 5,
    singles: 1_000,
    rush: Duration::from_secs(4),
    idle: Duration::from_secs(5),
    trouble: Duration::from_secs(20),
    memory: &[1_000, 10_000],
    too_many: Some(100_000),
};

const QUICK: Size = Size {
    runs: 1,
    singles: 300,
    rush: Duration::from_secs(1),
    idle: Duration::from_secs(2),
    trouble: Duration::from_secs(5),
    memory: &[1_000],
    too_many: None,
};

const TEST: Size = Size {
    runs: 1,
    singles: 20,
    rush: Duration::from_millis(100),
    idle: Duration::from_millis(10),
    trouble: Duration::from_millis(50),
    memory: &[20],
    too_many: Some(100),
};

fn main() -> anyhow::Result<()> {
    // Cargo adds an argument of its own.
    let asked = |option: &str| env::args().any(|arg| arg == option);
    let size = match (asked("--test"), asked("--quick")) {
        (true, _) => TEST,
        (_, true) => QUICK,
        _ => FULL,
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(&size))
}

async fn run(size: &Size) -> anyhow::Result<()> {
    let [bot, baseline] = Program::both()?;
    let machine = report::machine();
    let (mut of_bot, mut of_baseline) = (Runs::default(), Runs::default());
    for number in 1..=size.runs {
        eprintln!("run {number} of {}", size.runs);
        of_bot.0.push(measure::run(&bot, size).await?);
        of_baseline.0.push(measure::run(&baseline, size).await?);
    }
    eprintln!("memory");
    let memory = Runs(vec![measure::memory(&bot, size).await?]);
    let nobody = Runs::default();
    eprintln!("trouble");
    let bot_in_trouble = Runs(vec![measure::troubles(&bot, size).await?]);
    let baseline_in_trouble = Runs(vec![measure::troubles(&baseline, size).await?]);
    let parts = [
        ("runs", &of_bot, &of_baseline),
        ("memory", &memory, &nobody),
        ("trouble", &bot_in_trouble, &baseline_in_trouble),
    ];
    println!("{machine}\n");
    for (_, bot, baseline) in parts {
        println!("{}", report::table(bot, baseline));
    }
    let json: serde_json::Map<_, _> = parts
        .map(|(name, bot, baseline)| (name.to_owned(), report::json(bot, baseline, &machine)))
        .into_iter()
        .collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-bot.json");
    fs::write(&path, serde_json::to_vec_pretty(&json)?)?;
    eprintln!("everything is in {}", path.display());
    Ok(())
}
