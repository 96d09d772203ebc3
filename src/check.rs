//! `tess-discord check`: asks both services whether the bot can run, and says what to do if it cannot.
//!
//! It opens no gateway connection, posts nothing and, unless `--execute` is given, executes nothing.

mod discord;
mod permissions;
mod report;
mod tess;

use self::report::Line;
pub use self::report::Report;

use crate::{
    clients::clients,
    config::Config,
    state::{State, StateError},
    telemetry::Metrics,
    tess::Tess,
};

/// Checks everything; `execute` also runs the default agent once, which costs credits.
///
/// # Errors
/// What keeps the clients from being built, in words.
pub async fn run(config: &Config, execute: bool) -> anyhow::Result<Report> {
    let (discord, tess) = clients(config, &Metrics::new())?;
    let mut lines = vec![Line::passed("Configuration", "nothing is missing or misspelt")];
    let (discord, tess) = tokio::join!(discord::lines(config, &discord), tess::lines(&config.tess, &tess, execute));
    lines.extend(discord);
    lines.push(state_file(config).await);
    lines.extend(tess);
    Ok(Report::new(lines))
}

/// Returns what is wrong with the default agent and the defaults of its options, one sentence each, with what to do. Sends one
/// look-up.
///
/// # Errors
/// What keeps the clients from being built, in words.
pub async fn default_agent(config: &Config) -> anyhow::Result<Vec<String>> {
    let (_, tess) = clients(config, &Metrics::new())?;
    Ok(default_agent_problems(config, &tess).await)
}

/// The same, with the bot's own client.
pub(crate) async fn default_agent_problems(config: &Config, tess: &Tess) -> Vec<String> {
    match tess.agent(config.tess.agent).await {
        Ok(agent) => tess::problems(tess, &agent),
        Err(error) => vec![tess::explain(tess, &error)],
    }
}

/// Creates the file if there is none, as the bot would.
async fn state_file(config: &Config) -> Line {
    const NAME: &str = "State file";
    match State::open(&config.state_path, config.timings.state_flush_interval, Metrics::new()) {
        Ok(state) => {
            state.close().await;
            Line::passed(NAME, format!("{} can be written", config.state_path.display()))
        }
        Err(StateError::Locked { path }) => {
            Line::passed(NAME, format!("{} is in use, probably by the running bot", path.display()))
        }
        Err(error) => Line::failed(NAME, error.to_string()),
    }
}
