//! HTTP endpoints for operators: `/healthz`, `/readyz` and `/metrics`.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::telemetry::Metrics;

/// How long [`serve`] waits at its end for a request that is being answered.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// How long [`probe`] waits for an answer. The limit of Docker's health check is above it.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// Content type of `/metrics`. <https://prometheus.io/docs/specs/om/open_metrics_spec/>
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether messages can be answered now; the answer of `/readyz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// The gateway has not been up yet.
    Starting,
    /// The gateway is up.
    Up,
    /// The gateway is reconnecting.
    Down,
    /// The bot shuts down and takes no more messages.
    Stopping,
}

impl Readiness {
    fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Down => "down",
            Self::Stopping => "stopping",
        }
    }
}

#[derive(Clone)]
struct Ops {
    metrics: Metrics,
    ready: watch::Receiver<Readiness>,
}

/// Serves the endpoints until `stop`. They are for a private address: they have no authentication and contain no secret.
pub(crate) async fn serve(
    listener: TcpListener,
    metrics: Metrics,
    ready: watch::Receiver<Readiness>,
    stop: CancellationToken,
) {
    let router = Router::new()
        // Everything runs on one thread, so any answer shows that it is not blocked.
        .route("/healthz", get("ok"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(encoded_metrics))
        .with_state(Ops { metrics, ready });
    let server = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    tokio::select! {
        ended = server.into_future() => if let Err(error) = ended {
            tracing::error!(%error, "health server ended");
        },
        () = async { stop.cancelled().await; tokio::time::sleep(STOP_TIMEOUT).await } => {}
    }
}

async fn readyz(State(ops): State<Ops>) -> (StatusCode, &'static str) {
    let ready = *ops.ready.borrow();
    let status = if ready == Readiness::Up { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, ready.as_str())
}

async fn encoded_metrics(State(ops): State<Ops>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPEN_METRICS)], ops.metrics.encode())
}

/// Returns whether a bot answers at `addr`, its `HEALTH_ADDR`. Used by `tess-discord health`.
pub async fn probe(addr: SocketAddr) -> bool {
    // `HTTP_PROXY` is not meant for requests to this machine.
    let Ok(client) = reqwest::Client::builder().no_proxy().timeout(PROBE_TIMEOUT).build() else { return false };
    let url = format!("http://{}/healthz", reachable(addr));
    client.get(url).send().await.is_ok_and(|response| response.status().is_success())
}

/// Replaces an unspecified address, which not every system can connect to, by the loopback address.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinHandle};

    use super::*;

    struct Running {
        addr: SocketAddr,
        metrics: Metrics,
        ready: watch::Sender<Readiness>,
        stop: CancellationToken,
        server: JoinHandle<()>,
    }

    impl Running {
        async fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            let (metrics, (ready, receiver)) = (Metrics::new(), watch::channel(Readiness::Starting));
            let stop = CancellationToken::new();
            let server = tokio::spawn(serve(listener, metrics.clone(), receiver, stop.clone()));
            Self { addr, metrics, ready, stop, server }
        }

        async fn get(&self, path: &str) -> (u16, String) {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let response = client.get(format!("http://{}{path}", self.addr)).send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        }
    }

    #[tokio::test]
    async fn readyz_follows_the_gateway_and_healthz_does_not() {
        let running = Running::start().await;
        for (readiness, status, text) in [
            (Readiness::Starting, 503, "starting"),
            (Readiness::Up, 200, "up"),
            (Readiness::Down, 503, "down"),
            (Readiness::Stopping, 503, "stopping"),
        ] {
            running.ready.send(readiness).unwrap();
            assert_eq!(running.get("/readyz").await, (status, text.to_owned()));
            assert_eq!(running.get("/healthz").await, (200, "ok".to_owned()));
        }
    }

    #[tokio::test]
    async fn metrics_endpoint_serves_current_values() {
        let running = Running::start().await;
        running.metrics.take(3);
        let (status, text) = running.get("/metrics").await;
        assert_eq!(status, 200);
        assert!(text.contains("tess_discord_messages_taken_total 3\n") && text.ends_with("# EOF\n"), "{text}");
    }

    #[tokio::test]
    async fn unfinished_request_does_not_delay_the_stop() {
        let running = Running::start().await;
        let mut half = TcpStream::connect(running.addr).await.unwrap();
        half.write_all(b"GET /healthz HT").await.unwrap();
        running.get("/healthz").await;
        running.stop.cancel();
        tokio::time::timeout(STOP_TIMEOUT * 5, running.server).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn probe_distinguishes_a_running_bot_from_a_stopped_one() {
        let running = Running::start().await;
        assert!(probe(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), running.addr.port())).await);
        running.stop.cancel();
        running.server.await.unwrap();
        assert!(!probe(running.addr).await);
    }
}
