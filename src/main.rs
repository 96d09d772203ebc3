//! The bot's executable.

use std::process::ExitCode;

use lexopt::{Arg, ValueExt};
use tess_discord::{
    bot, check,
    config::Config,
    ops,
    telemetry::{self, Metrics},
};
use tokio::signal;
use tokio_util::sync::CancellationToken;
use tracing::info;

const USAGE: &str = "\
A Discord bot that lets a channel chat with a Tess AI agent.

Usage: tess-discord [COMMAND]

Commands:
  run      Run the bot (default)
  check    Say whether the settings, Discord and Tess let the bot run, and what to do; exit code 0 or 1.
           With --execute the agent is also asked once, which costs credits
  health   Ask the running bot at HEALTH_ADDR whether it lives; exit code 0 or 1

Options:
  -h, --help     Print this text
  -V, --version  Print the version

The settings are environment variables, also read from a file named .env; .env.example lists them all.
Exit codes: 0 stopped, 1 can not go on, 2 something to put right in the settings.
";

/// The settings have to be put right first.
const CONFIGURATION: u8 = 2;

enum Command {
    Run,
    Check { execute: bool },
    Health,
    Say(String),
}

fn main() -> ExitCode {
    let command = match arguments() {
        Ok(command) => command,
        Err(error) => return give_up(&format!("{error}; see --help"), CONFIGURATION),
    };
    if let Command::Say(text) = command {
        print!("{text}");
        return ExitCode::SUCCESS;
    }
    let config = match Config::load() {
        Ok(config) => config,
        Err(problems) => return give_up(&problems.to_string(), CONFIGURATION),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return give_up(&format!("the runtime can not start: {error}"), 1),
    };
    let code = match command {
        Command::Check { execute } => runtime.block_on(run_check(&config, execute)),
        Command::Health => runtime.block_on(health(&config)),
        _ => runtime.block_on(run(config)),
    };
    // Looking up an address may take long, and nobody waits for it any more.
    runtime.shutdown_background();
    code
}

fn arguments() -> Result<Command, lexopt::Error> {
    let mut command = Command::Run;
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Say(USAGE.to_owned())),
            Arg::Short('V') | Arg::Long("version") => {
                return Ok(Command::Say(format!("tess-discord {}\n", env!("CARGO_PKG_VERSION"))));
            }
            Arg::Value(name) => match name.string()?.as_str() {
                "run" => command = Command::Run,
                "check" => command = Command::Check { execute: false },
                "health" => command = Command::Health,
                other => return Err(format!("there is no command {other:?}").into()),
            },
            Arg::Long("execute") if matches!(command, Command::Check { .. }) => {
                command = Command::Check { execute: true };
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(command)
}

async fn run(config: Config) -> ExitCode {
    telemetry::init(config.log.format, config.log.filter.clone());
    let bot = match bot::Bot::build(config).await {
        Ok(bot) => bot,
        Err(error) => return give_up(&format!("{error:#}"), CONFIGURATION),
    };
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone()));
    match bot.run(stop).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => give_up(&format!("{error:#}"), 1),
    }
}

async fn run_check(config: &Config, execute: bool) -> ExitCode {
    let (discord, tess) = match bot::clients(config, &Metrics::new()) {
        Ok(clients) => clients,
        Err(error) => return give_up(&format!("{error:#}"), CONFIGURATION),
    };
    let report = check::run(config, &discord, &tess, execute).await;
    print!("{report}");
    if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn health(config: &Config) -> ExitCode {
    let Some(address) = config.health_addr else {
        return give_up("HEALTH_ADDR is not set, so there is nobody to ask", CONFIGURATION);
    };
    if ops::probe(address).await { ExitCode::SUCCESS } else { give_up("the bot does not answer", 1) }
}

/// SIGTERM or Ctrl-C; a second one ends the program at once.
async fn stop_on_signal(stop: CancellationToken) {
    let Ok(mut terminate) = signal::unix::signal(signal::unix::SignalKind::terminate()) else { return };
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            result = signal::ctrl_c() => if result.is_err() { return },
        }
        if stop.is_cancelled() {
            std::process::exit(1);
        }
        info!("asked to stop; once more stops at once");
        stop.cancel();
    }
}

fn give_up(why: &str, code: u8) -> ExitCode {
    eprintln!("tess-discord: {why}");
    ExitCode::from(code)
}
