//! `tess-discord check`: asks both services whether the bot could do its work, and says what to do where it could not.
//!
//! It connects to no gateway, posts nothing and, unless told to, executes nothing.

mod on_discord;
mod on_tess;
mod permissions;
mod report;

pub use self::report::{Line, Report};

use crate::{
    config::Config,
    discord::Discord,
    state::{State, StateError},
    telemetry::Metrics,
    tess::Tess,
};

/// Checks everything; `execute` also runs the default agent once, which costs credits.
pub async fn run(config: &Config, discord: &Discord, tess: &Tess, execute: bool) -> Report {
    let mut lines = vec![Line::good("Configuration", "nothing is missing or misspelt")];
    let (of_discord, of_tess) =
        tokio::join!(on_discord::lines(config, discord), on_tess::lines(&config.tess, tess, execute));
    lines.extend(of_discord);
    lines.push(state_file(config).await);
    lines.extend(of_tess);
    Report::new(lines)
}

/// What is wrong with the default agent and the defaults of its options, one sentence each, with what to do. One look-up.
pub async fn default_agent(config: &Config, tess: &Tess) -> Vec<String> {
    match tess.agent(config.tess.agent).await {
        Ok(agent) => on_tess::problems(tess, &agent),
        Err(error) => vec![on_tess::explained(tess, &error)],
    }
}

/// Makes the file when there is none, as the bot would.
async fn state_file(config: &Config) -> Line {
    const NAME: &str = "State file";
    match State::open(&config.state_path, config.timings.state_flush_interval, Metrics::new()) {
        Ok(state) => {
            state.close().await;
            Line::good(NAME, format!("{} can be written", config.state_path.display()))
        }
        Err(StateError::Locked { path }) => {
            Line::good(NAME, format!("{} is in use, most likely by the bot that runs", path.display()))
        }
        Err(error) => Line::bad(NAME, error.to_string()),
    }
}
