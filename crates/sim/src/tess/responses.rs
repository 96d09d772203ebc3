//! Responses, with the faults that disturb them.

use std::io;

use axum::{
    Json,
    body::{Body, Bytes},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde_json::{Value, json};

use super::{
    fault::{Fault, Route},
    net::Cut,
    state::Shared,
};

/// Bytes of one piece of an endless body.
const ENDLESS_PIECE: usize = 64 * 1024;

/// Sends a body, disturbed by the next fault of the route.
pub(super) async fn respond(sim: &Shared, route: Route, body: &Value, cut: Cut) -> Response {
    let fault = sim.change(|world| world.next_fault(route));
    if let Some(response) = fault.as_ref().and_then(Fault::instead) {
        return response;
    }
    Fault::deliver(fault.as_ref(), body, cut).await
}

pub(super) fn json_response(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(body)).into_response()
}

impl Fault {
    /// The response of a fault that prevents the execution.
    pub(super) fn instead(&self) -> Option<Response> {
        match self {
            Self::Answer { status, content_type, body } => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Some((status, [(header::CONTENT_TYPE, *content_type)], body.clone()).into_response())
            }
            Self::RateLimit { retry_after, header } => Some(rate_limit(*retry_after, *header)),
            _ => None,
        }
    }

    /// Sends `body`, disturbed by a fault.
    pub(super) async fn deliver(fault: Option<&Self>, body: &Value, cut: Cut) -> Response {
        let json = [(header::CONTENT_TYPE, "application/json")];
        match fault {
            Some(Self::Http524) => http_524(),
            Some(Self::Truncate) => (json, truncated(body, cut)).into_response(),
            Some(Self::EndlessBody) => (json, endless(body)).into_response(),
            Some(Self::Hang) => std::future::pending().await,
            Some(Self::DropConnection) => {
                cut.cut();
                std::future::pending().await
            }
            Some(Self::Slow(delay)) => {
                tokio::time::sleep(*delay).await;
                (json, body.to_string()).into_response()
            }
            _ => (json, body.to_string()).into_response(),
        }
    }
}

/// A 429 as documented.
pub(super) fn rate_limit(retry_after: Option<f64>, in_header: bool) -> Response {
    let mut body = json!({"error": "Rate limit exceeded"});
    if let Some(seconds) = retry_after.filter(|_| !in_header) {
        body["retry_after"] = json!(seconds);
    }
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
    if let Some(seconds) = retry_after.filter(|_| in_header) {
        // Tests use small positive numbers.
        response.headers_mut().insert(header::RETRY_AFTER, (seconds.ceil() as u64).into());
    }
    response
}

/// Cloudflare's response when the origin takes too long.
pub(super) fn http_524() -> Response {
    let status = StatusCode::from_u16(524).unwrap_or(StatusCode::GATEWAY_TIMEOUT);
    (status, [(header::CONTENT_TYPE, "text/plain; charset=UTF-8")], "error code: 524").into_response()
}

fn truncated(body: &Value, cut: Cut) -> Body {
    let mut half = body.to_string().into_bytes();
    half.truncate(half.len() / 2);
    let pieces = stream::unfold(Some(half), move |half| {
        let cut = cut.clone();
        async move {
            if let Some(half) = half {
                return Some((Ok::<_, io::Error>(Bytes::from(half)), None));
            }
            // Lets the server send the first half.
            tokio::task::yield_now().await;
            cut.cut();
            std::future::pending().await
        }
    });
    Body::from_stream(pieces)
}

fn endless(body: &Value) -> Body {
    let mut start = body.to_string();
    start.truncate(1);
    let start = Bytes::from(start);
    let blanks = Bytes::from(vec![b' '; ENDLESS_PIECE]);
    let pieces = stream::unfold(start, move |piece| {
        let blanks = blanks.clone();
        async move { Some((Ok::<_, io::Error>(piece), blanks)) }
    });
    Body::from_stream(pieces)
}
