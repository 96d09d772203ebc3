//! The clients of Discord and Tess, and the HTTP client that both share.

use std::time::Duration;

use anyhow::Context as _;

use crate::{config::Config, discord::Discord, telemetry::Metrics, tess::Tess};

/// How long a connection to either service may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an idle connection is kept. Shorter than the services keep theirs, so that no request is sent on a closed one.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// Creates the clients of both services; they send nothing yet.
///
/// # Errors
/// What the operator has to change.
pub(crate) fn clients(config: &Config, metrics: &Metrics) -> anyhow::Result<(Discord, Tess)> {
    let http = http_client().build()?;
    let discord = Discord::new(http.clone(), &config.discord, &config.timings, metrics.clone())
        .context("DISCORD_TOKEN contains characters that no token has")?;
    Ok((discord, Tess::new(http, &config.tess, &config.timings, metrics.clone())))
}

/// The HTTP client for both services. It follows no redirects: they would send the API key to another host.
pub(crate) fn http_client() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
}
