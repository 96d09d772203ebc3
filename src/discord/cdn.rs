//! Downloads the files that people attached, from Discord's own servers only.

use std::time::Duration;

use reqwest::{StatusCode, Url, header};
use tokio::time::{sleep, timeout};

use super::engine::{Discord, USER_AGENT};
use crate::backoff::Backoff;

/// The hosts of Discord's files. <https://discord.com/developers/docs/reference#signed-attachment-cdn-urls>
const HOSTS: [&str; 2] = ["cdn.discordapp.com", "media.discordapp.net"];

/// Time limit of fetching one file, all tries together.
const FETCH_WITHIN: Duration = Duration::from_secs(60);

/// Tries of fetching a file.
const TRIES: u32 = 3;

/// Pauses between them.
const RETRIES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(1));

/// Why a file was not fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FetchError {
    /// Its URL is not on one of Discord's hosts; no request was sent.
    #[error("the file is not at Discord")]
    ForeignHost,
    /// It does not exist any more, or access is denied.
    #[error("Discord refused the file: HTTP {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// It is longer than the limit.
    #[error("the file is too long")]
    TooLong,
    /// The file did not arrive completely in time.
    #[error("the file did not arrive in time")]
    Unavailable,
}

impl Discord {
    /// Fetches an attachment of at most `most` bytes. Sends no token and follows no redirect.
    ///
    /// # Errors
    /// [`FetchError`].
    pub(crate) async fn fetch(&self, url: &str, most: usize) -> Result<Vec<u8>, FetchError> {
        let url = Url::parse(url).ok().filter(|url| self.is_of_discord(url)).ok_or(FetchError::ForeignHost)?;
        let fetched = timeout(FETCH_WITHIN, async {
            for tried in 1..TRIES {
                match self.try_fetch(url.clone(), most).await {
                    Err(FetchError::Unavailable) => sleep(RETRIES.pause_after(tried)).await,
                    certain => return certain,
                }
            }
            self.try_fetch(url, most).await
        });
        fetched.await.unwrap_or(Err(FetchError::Unavailable))
    }

    /// Whether the URL is on one of Discord's hosts. With a simulated Discord on this machine, only that one counts.
    fn is_of_discord(&self, url: &Url) -> bool {
        let is_at_cdn = url.scheme() == "https" && url.port().is_none() && url.host_str().is_some_and(is_cdn);
        let base = Url::parse(&self.engine.base).ok().filter(|base| base.host_str().is_some_and(is_loopback));
        base.map_or(is_at_cdn, |base| base.origin() == url.origin())
    }

    async fn try_fetch(&self, url: Url, most: usize) -> Result<Vec<u8>, FetchError> {
        let request = self.engine.http.get(url).header(header::USER_AGENT, USER_AGENT);
        let sent = timeout(self.engine.request_limit, request.send()).await.ok().and_then(Result::ok);
        self.engine.metrics.discord_request("attachment", sent.as_ref().map(|response| response.status().as_u16()));
        let mut response = sent.ok_or(FetchError::Unavailable)?;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_server_error() => return Err(FetchError::Unavailable),
            status => return Err(FetchError::Refused { status: status.as_u16() }),
        }
        let is_longer = |length: u64| usize::try_from(length).map_or(true, |length| length > most);
        if response.content_length().is_some_and(is_longer) {
            return Err(FetchError::TooLong);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| FetchError::Unavailable)? {
            if body.len() + chunk.len() > most {
                return Err(FetchError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

fn is_cdn(host: &str) -> bool {
    HOSTS.contains(&host)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{DiscordConfig, Timings},
        telemetry::Metrics,
    };

    fn is_fetched(api_url: &str, url: &str) -> bool {
        let config = DiscordConfig { token: "a.b.c".into(), api_url: api_url.to_owned(), requests_per_second: 50 };
        let discord = Discord::new(reqwest::Client::new(), &config, &Timings::default(), Metrics::new()).unwrap();
        Url::parse(url).is_ok_and(|url| discord.is_of_discord(&url))
    }

    #[test]
    fn only_discords_own_hosts_are_contacted() {
        for url in [
            "https://cdn.discordapp.com/attachments/1/2/a.txt?ex=1&is=2&hm=3",
            "https://media.discordapp.net/attachments/1/2/a.png",
            "https://cdn.discordapp.com:443/a",
        ] {
            assert!(is_fetched("https://discord.com", url), "{url}");
        }
        for url in [
            "http://cdn.discordapp.com/a",
            "https://cdn.discordapp.com:8443/a",
            "https://cdn.discordapp.com.evil.example/a",
            "https://cdn.discordapp.com@evil.example/a",
            "https://discord.com/a",
            "https://127.0.0.1/a",
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            "",
        ] {
            assert!(!is_fetched("https://discord.com", url), "{url}");
        }
    }

    #[test]
    fn discord_on_this_machine_serves_its_own_files() {
        let local = "http://127.0.0.1:4000";
        assert!(is_fetched(local, "http://127.0.0.1:4000/attachments/1/2/a.txt"));
        assert!(!is_fetched(local, "http://127.0.0.1:4001/attachments/1/2/a.txt"));
        assert!(!is_fetched(local, "http://localhost:4000/attachments/1/2/a.txt"));
        assert!(!is_fetched(local, "https://cdn.discordapp.com/attachments/1/2/a.txt"));
        assert!(is_fetched("http://[::1]:4000", "http://[::1]:4000/a"));
    }
}
