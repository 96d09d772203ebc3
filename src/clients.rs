//! The clients of Discord and Tess, and the HTTP client that both share.

use std::time::Duration;

use anyhow::Context as _;

use crate::{config::Config, discord::Discord, telemetry::Metrics, tess::Tess};

/// How long a connection to either service may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an idle connection is kept: shorter than the services keep theirs, so that no closed one is used.
const POOL_IDLE: Duration = Duration::from_secs(50);

/// The clients of both services; they send nothing yet.
///
/// # Errors
/// What the operator has to change, in words.
pub(crate) fn clients(config: &Config, metrics: &Metrics) -> anyhow::Result<(Discord, Tess)> {
    let http = http_client().build()?;
    let discord = Discord::new(http.clone(), &config.discord, &config.timings, metrics.clone())
        .context("DISCORD_TOKEN has characters that no token has")?;
    Ok((discord, Tess::new(http, &config.tess, &config.timings)))
}

/// What every request to either service is made with. It follows no redirects, which would carry the key to any host that they name.
pub(crate) fn http_client() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE)
        .redirect(reqwest::redirect::Policy::none())
}
