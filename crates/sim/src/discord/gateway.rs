//! The gateway's sockets. What is said on them is decided in `sessions`; here it is carried.

use std::{future::pending, sync::Arc, time::Duration};

use axum::{
    extract::{
        FromRequestParts, Request,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::time::{sleep_until, timeout};

use super::{Shared, rest::Answer, sessions::Step};

/// How long a client may take to answer a close frame.
const GOODBYE: Duration = Duration::from_secs(1);

/// Answers an upgrade, or refuses it, or leaves it unanswered.
pub(super) async fn connect(shared: &Arc<Shared>, request: Request) -> Response {
    let (refused, hanging) = shared.look(|state| (state.gateway.refuses_connections, state.gateway.hangs_connects));
    if hanging {
        pending::<()>().await;
    }
    if refused {
        return Answer::new(503, json!("<html><body>503 Service Unavailable</body></html>")).into_response();
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let (mut parts, _) = request.into_parts();
    let Ok(upgrade) = WebSocketUpgrade::from_request_parts(&mut parts, &()).await else {
        return StatusCode::UPGRADE_REQUIRED.into_response();
    };
    let shared = Arc::clone(shared);
    upgrade.on_upgrade(async move |socket| {
        let id = shared.with(|state| state.open_connection(&query));
        carry(&shared, id, socket).await;
        shared.with(|state| state.gateway.lost(id));
    })
}

/// Runs a connection to its end. Dropping the socket closes it without a close frame.
async fn carry(shared: &Shared, id: u64, mut socket: WebSocket) {
    let mut changed = shared.changed.subscribe();
    loop {
        // The next look must see every change from here on.
        changed.borrow_and_update();
        let (steps, deadline) = shared.look(|state| (state.gateway.due(id), state.gateway.deadline(id)));
        for step in steps {
            match step {
                Step::Send(text) => {
                    if socket.send(Message::text(text)).await.is_err() {
                        return;
                    }
                }
                Step::Close(code) => return close(socket, code).await,
                Step::Drop => return,
            }
        }
        tokio::select! {
            () = shared.stopped.cancelled() => return,
            _ = changed.changed() => {}
            () = sleep_until(deadline) => shared.with(|state| state.miss_heartbeat(id)),
            frame = socket.recv() => match frame {
                Some(Ok(Message::Text(text))) => shared.with(|state| state.receive(id, &text)),
                Some(Ok(Message::Binary(bytes))) => {
                    shared.with(|state| state.receive(id, &String::from_utf8_lossy(&bytes)));
                }
                Some(Ok(Message::Close(frame))) => {
                    shared.with(|state| state.gateway.closed_by_client(id, frame.map(|frame| frame.code)));
                    if shared.look(|state| state.gateway.hangs_up) {
                        return;
                    }
                    return linger(socket).await;
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}

async fn close(mut socket: WebSocket, code: u16) {
    if socket.send(Message::Close(Some(CloseFrame { code, reason: "".into() }))).await.is_ok() {
        linger(socket).await;
    }
}

/// Reads on until the client has gone: a socket dropped with unread bytes takes its last frame back.
async fn linger(mut socket: WebSocket) {
    let gone = async { while let Some(Ok(_)) = socket.recv().await {} };
    // A client that stays is left behind all the same.
    let _ = timeout(GOODBYE, gone).await;
}
