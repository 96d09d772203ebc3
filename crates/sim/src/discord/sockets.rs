//! The websockets of the gateway. `sessions` and `protocol` decide what is sent on them.

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

use super::{answer::Answer, sessions::Step, state::Shared};

/// How long a client may take to answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Upgrades a request to a websocket, unless a fault refuses it or leaves it unanswered.
pub(super) async fn connect(shared: &Arc<Shared>, request: Request) -> Response {
    let (refused, hanging) =
        shared.read(|state| (state.gateway.refuses_connections, state.gateway.hangs_new_connections));
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
        let id = shared.change(|state| state.open_connection(&query));
        run(&shared, id, socket).await;
        shared.change(|state| state.gateway.remove_connection(id));
    })
}

/// Runs a connection to its end. Dropping the socket closes it without a close frame.
async fn run(shared: &Shared, id: u64, mut socket: WebSocket) {
    let mut changed = shared.changed.subscribe();
    loop {
        // Marked before the state is read, so that no later change is missed.
        changed.borrow_and_update();
        let (steps, deadline) = shared.read(|state| (state.gateway.take_steps(id), state.gateway.deadline(id)));
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
            () = sleep_until(deadline) => shared.change(|state| state.close_without_heartbeat(id)),
            frame = socket.recv() => match frame {
                Some(Ok(Message::Text(text))) => shared.change(|state| state.receive(id, &text)),
                Some(Ok(Message::Binary(bytes))) => {
                    shared.change(|state| state.receive(id, &String::from_utf8_lossy(&bytes)));
                }
                Some(Ok(Message::Close(frame))) => {
                    shared.change(|state| state.gateway.closed_by_client(id, frame.map(|frame| frame.code)));
                    if shared.read(|state| state.gateway.skips_close_frames) {
                        return;
                    }
                    return read_to_end(socket).await;
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}

async fn close(mut socket: WebSocket, code: u16) {
    if socket.send(Message::Close(Some(CloseFrame { code, reason: "".into() }))).await.is_ok() {
        read_to_end(socket).await;
    }
}

/// Reads until the client has closed: dropping a socket with unread bytes resets it, and the last frame is lost.
async fn read_to_end(mut socket: WebSocket) {
    let closed = async { while let Some(Ok(_)) = socket.recv().await {} };
    // A client that does not close is dropped.
    let _ = timeout(CLOSE_TIMEOUT, closed).await;
}
