//! The command line: `run`, `check` and `health`, and their exit codes.

use std::process::ExitCode;

use lexopt::{Arg, ValueExt};
use tess_discord::{Bot, Config, check, init_logs, probe_health};
use tokio::signal;
use tokio_util::sync::CancellationToken;
use tracing::info;

const USAGE: &str = "\
A Discord bot that lets a channel chat with a Tess AI agent.

Usage: tess-discord [COMMAND]

Commands:
  run      Run the bot (default)
  check    Check the settings, Discord and Tess, and say what to do; exit code 0 or 1.
           With --execute the agent is also executed once, which costs credits
  health   Check that the running bot answers at HEALTH_ADDR; exit code 0 or 1

Options:
  -h, --help     Print this text
  -V, --version  Print the version

The settings are environment variables, also read from a file named .env; .env.example lists them all.
Exit codes: 0 stopped, 1 cannot go on, 2 the settings have a problem.
";

/// Exit code when the bot cannot go on.
const FAILED: u8 = 1;

/// Exit code when the settings or the arguments have a problem.
const CONFIGURATION: u8 = 2;

enum Command {
    Run,
    Check { execute: bool },
    Health,
    Print(String),
}

fn main() -> ExitCode {
    let command = match parse_arguments() {
        Ok(command) => command,
        Err(error) => return fail(&format!("{error}; see --help"), CONFIGURATION),
    };
    if let Command::Print(text) = command {
        print!("{text}");
        return ExitCode::SUCCESS;
    }
    let config = match Config::load() {
        Ok(config) => config,
        Err(problems) => return fail(&problems.to_string(), CONFIGURATION),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("the runtime cannot start: {error}"), FAILED),
    };
    let code = match command {
        Command::Check { execute } => runtime.block_on(run_check(&config, execute)),
        Command::Health => runtime.block_on(health(&config)),
        _ => runtime.block_on(run(config)),
    };
    // A host name that is being resolved must not delay the exit.
    runtime.shutdown_background();
    code
}

fn parse_arguments() -> Result<Command, lexopt::Error> {
    let mut command = Command::Run;
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Print(USAGE.to_owned())),
            Arg::Short('V') | Arg::Long("version") => {
                return Ok(Command::Print(format!("tess-discord {}\n", env!("CARGO_PKG_VERSION"))));
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
    init_logs(config.log.format, config.log.filter.clone());
    let bot = match Bot::build(config).await {
        Ok(bot) => bot,
        Err(error) => return fail(&format!("{error:#}"), CONFIGURATION),
    };
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone()));
    match bot.run(stop).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("{error:#}"), FAILED),
    }
}

async fn run_check(config: &Config, execute: bool) -> ExitCode {
    let report = match check::run(config, execute).await {
        Ok(report) => report,
        Err(error) => return fail(&format!("{error:#}"), CONFIGURATION),
    };
    print!("{report}");
    if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn health(config: &Config) -> ExitCode {
    let Some(address) = config.health_addr else {
        return fail("HEALTH_ADDR is not set, so there is no address to ask", CONFIGURATION);
    };
    if probe_health(address).await { ExitCode::SUCCESS } else { fail("the bot does not answer", FAILED) }
}

/// Cancels `stop` on SIGTERM or Ctrl-C; a second signal ends the program at once.
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
        info!("signal received; another one stops at once");
        stop.cancel();
    }
}

fn fail(reason: &str, code: u8) -> ExitCode {
    eprintln!("tess-discord: {reason}");
    ExitCode::from(code)
}
