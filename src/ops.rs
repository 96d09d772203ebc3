//! The HTTP endpoints for operators: `/healthz`, `/readyz` and `/metrics`.

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

/// How long a request that is being answered may hold up the end of [`serve`].
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// How long [`probe`] waits; Docker's own limit is above it.
const PROBE_WITHIN: Duration = Duration::from_secs(3);

/// What `/metrics` answers with. <https://prometheus.io/docs/specs/om/open_metrics_spec/>
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether messages can be answered now, for `/readyz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The gateway has not been up yet.
    Starting,
    /// The gateway is up.
    Up,
    /// The gateway is down and being reconnected.
    Down,
    /// The bot takes no more messages.
    Stopping,
}

impl Readiness {
    fn word(self) -> &'static str {
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

/// Serves the endpoints until `stop`. They are meant for a private address: there is no authentication, and nothing
/// secret in them.
pub async fn serve(
    listener: TcpListener,
    metrics: Metrics,
    ready: watch::Receiver<Readiness>,
    stop: CancellationToken,
) {
    let router = Router::new()
        // An answer is proof enough: it comes from the one thread that everything runs on.
        .route("/healthz", get("ok"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(encoded_metrics))
        .with_state(Ops { metrics, ready });
    let server = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    tokio::select! {
        ended = server.into_future() => if let Err(error) = ended {
            tracing::error!(%error, "the health endpoints ended");
        },
        () = async { stop.cancelled().await; tokio::time::sleep(STOP_WITHIN).await } => {}
    }
}

async fn readyz(State(ops): State<Ops>) -> (StatusCode, &'static str) {
    let ready = *ops.ready.borrow();
    let status = if ready == Readiness::Up { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, ready.word())
}

async fn encoded_metrics(State(ops): State<Ops>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPEN_METRICS)], ops.metrics.encode())
}

/// Whether a bot answers at `addr`, its `HEALTH_ADDR`; what `tess-discord health` asks for Docker.
pub async fn probe(addr: SocketAddr) -> bool {
    // A proxy of the environment is for the world, not for this machine.
    let Ok(client) = reqwest::Client::builder().no_proxy().timeout(PROBE_WITHIN).build() else { return false };
    let url = format!("http://{}/healthz", reachable(addr));
    client.get(url).send().await.is_ok_and(|response| response.status().is_success())
}

/// "Every address" can be listened on, but not connected to everywhere.
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
    async fn readiness_follows_the_gateway_and_health_does_not() {
        let running = Running::start().await;
        for (readiness, status, word) in [
            (Readiness::Starting, 503, "starting"),
            (Readiness::Up, 200, "up"),
            (Readiness::Down, 503, "down"),
            (Readiness::Stopping, 503, "stopping"),
        ] {
            running.ready.send(readiness).unwrap();
            assert_eq!(running.get("/readyz").await, (status, word.to_owned()));
            assert_eq!(running.get("/healthz").await, (200, "ok".to_owned()));
        }
    }

    #[tokio::test]
    async fn metrics_are_served_as_they_are_now() {
        let running = Running::start().await;
        running.metrics.take(3);
        let (status, text) = running.get("/metrics").await;
        assert_eq!(status, 200);
        assert!(text.contains("tess_discord_messages_taken_total 3\n") && text.ends_with("# EOF\n"), "{text}");
    }

    #[tokio::test]
    async fn a_client_that_never_finishes_its_request_does_not_hold_up_the_end() {
        let running = Running::start().await;
        let mut half = TcpStream::connect(running.addr).await.unwrap();
        half.write_all(b"GET /healthz HT").await.unwrap();
        running.get("/healthz").await;
        running.stop.cancel();
        tokio::time::timeout(STOP_WITHIN * 5, running.server).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn the_probe_tells_a_running_bot_from_a_stopped_one() {
        let running = Running::start().await;
        assert!(probe(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), running.addr.port())).await);
        running.stop.cancel();
        running.server.await.unwrap();
        assert!(!probe(running.addr).await);
    }
}
