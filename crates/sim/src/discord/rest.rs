//! Serves the REST API: records, checks and performs requests, and applies faults and rate limits.

use std::{future::pending, io, sync::Arc, time::Duration};

use axum::{
    body::{Body as HttpBody, Bytes},
    extract::{Request, State as Extract},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    answer::{Answer, Outcome},
    body::Body,
    faults::{Effect, LostResponse},
    observed::SimRequest,
    routes::{Call, Route},
    sockets,
    state::{Shared, State},
};

/// What happens to a request.
enum Verdict {
    /// It is performed; its response may be lost.
    Perform(Option<LostResponse>),
    /// It gets this response without being performed.
    Answer(Answer),
    Hang,
}

/// Answers every request of the server, including those for the websocket of the gateway.
pub(super) async fn serve(Extract(shared): Extract<Arc<Shared>>, request: Request) -> Response {
    tokio::select! {
        () = shared.stopped.cancelled() => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        response = answer(&shared, request) => response,
    }
}

async fn answer(shared: &Arc<Shared>, request: Request) -> Response {
    if request.uri().path() == "/" {
        return sockets::connect(shared, request).await;
    }
    let call = Call::new(request.method(), request.uri(), request.headers());
    let (verdict, delay) = shared.change(|state| state.receive_request(&call));
    let body = Body::read(request).await;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let lost = match verdict {
        Verdict::Hang => pending().await,
        Verdict::Answer(answer) => return shared.change(|state| state.finish(&call, answer)),
        Verdict::Perform(lost) => lost,
    };
    if call.route == Some(Route::Attachment) {
        return shared.change(|state| state.serve_file(&call));
    }
    let response = shared.change(|state| {
        let outcome = body.and_then(|body| state.perform(&call, body));
        state.finish(&call, outcome.unwrap_or_else(|refusal| refusal))
    });
    match lost {
        None => response,
        Some(LostResponse::BadGateway) => {
            Answer::new(502, json!("<html><body>502 Bad Gateway</body></html>")).into_response()
        }
        Some(LostResponse::Undecodable) => Answer::ok(json!("{\"id\": \"12")).into_response(),
        // hyper sends the head together with the first piece of the body: an error in that piece closes the connection
        // before anything is sent.
        Some(LostResponse::Closed) => {
            let broken = io::Error::from(io::ErrorKind::ConnectionReset);
            HttpBody::from_stream(stream::iter([Err::<Bytes, _>(broken)])).into_response()
        }
    }
}

impl State {
    /// Records a request and decides what happens to it, and after which delay.
    fn receive_request(&mut self, call: &Call) -> (Verdict, Duration) {
        let now = Instant::now();
        self.record_request(SimRequest {
            method: call.method.to_string(),
            path: call.path.clone(),
            route: call.route,
            at: now,
        });
        let delay = call.route.map_or(Duration::ZERO, |route| self.faults.delay_of(route));
        (self.decide(call, now), delay)
    }

    fn decide(&mut self, call: &Call, now: Instant) -> Verdict {
        if self.faults.down {
            return Verdict::Answer(Answer::new(503, json!("<html><body>503 Service Unavailable</body></html>")));
        }
        let Some(route) = call.route else {
            self.record_call_violation(call, if call.has_prefix { "unknown route" } else { "not under /api/v10" });
            return Verdict::Answer(Answer::refused(404, 0, "404: Not Found"));
        };
        let key = (route, call.major);
        if let Some((answer, is_known)) = self.limits.blocked(key, self.options.global_grace, now) {
            if is_known {
                self.record_call_violation(call, "sent during a 429");
            }
            return Verdict::Answer(answer);
        }
        if let Some(answer) = self.check_headers(call, route) {
            return Verdict::Answer(answer);
        }
        let limit = if route == Route::CreateMessage { self.options.message_limit } else { self.options.route_limit };
        if let Err(answer) = self.limits.count(key, limit, self.options.global_per_second, now) {
            return Verdict::Answer(answer);
        }
        match self.faults.take(call, route) {
            None => Verdict::Perform(None),
            Some(Effect::LoseResponse(how)) => Verdict::Perform(Some(how)),
            Some(Effect::Fail { status, body }) => Verdict::Answer(Answer::new(status, body)),
            Some(Effect::RateLimit { retry_after, scope }) => {
                Verdict::Answer(self.limits.block(key, retry_after, scope, now))
            }
            Some(Effect::Hang) => Verdict::Hang,
        }
    }

    fn check_headers(&mut self, call: &Call, route: Route) -> Option<Answer> {
        if !call.user_agent.starts_with("DiscordBot (") {
            self.record_call_violation(call, "the user agent is not `DiscordBot (url, version)`");
        }
        if !route.needs_token() {
            return None;
        }
        if call.authorization.is_none() {
            self.record_call_violation(call, "no authorization");
        }
        let expected = format!("Bot {}", self.options.token);
        (call.authorization.as_deref() != Some(expected.as_str())).then(|| Answer::refused(401, 0, "401: Unauthorized"))
    }

    fn perform(&mut self, call: &Call, body: Body) -> Outcome {
        match call.route {
            Some(Route::Gateway) => Ok(Answer::ok(json!({"url": self.gateway_url}))),
            Some(Route::GatewayBot) => Ok(Answer::ok(self.gateway_bot())),
            Some(Route::Me) => Ok(Answer::ok(self.world.user_object(self.world.bot))),
            Some(Route::Application) => Ok(Answer::ok(self.application_object())),
            Some(Route::Commands) => self.serve_commands(call, body),
            Some(Route::Channel) => self.read_channel(call),
            Some(Route::Guild) => self.read_guild(call).map(Answer::ok),
            Some(Route::Member) => self.read_member(call),
            Some(Route::Typing) => self.start_typing(call),
            Some(Route::GetMessages) => self.list_messages(call),
            Some(Route::GetMessage) => self.read_message(call),
            Some(Route::CreateMessage) => self.create_message(call, body),
            Some(Route::EditMessage) => self.edit_message(call, body),
            Some(Route::DeleteMessage) => self.delete_message(call),
            Some(Route::Callback) => self.receive_callback(call, body),
            Some(Route::Followup) => self.follow_up(call, body),
            Some(Route::GetOriginal) => self.read_original(call),
            Some(Route::EditOriginal) => self.edit_original(call, body),
            Some(Route::DeleteOriginal) => self.delete_original(call),
            Some(Route::Attachment) | None => Err(Answer::refused(404, 0, "404: Not Found")),
        }
    }

    fn read_channel(&self, call: &Call) -> Outcome {
        let id = self.reachable(call)?;
        let channel = self.world.channels.get(&id).map(|channel| self.world.channel_object(channel));
        Ok(Answer::ok(channel.unwrap_or_default()))
    }

    fn read_guild(&self, call: &Call) -> Result<Value, Answer> {
        self.world.rest_guild(call.major).ok_or_else(|| Answer::refused(404, 10004, "Unknown Guild"))
    }

    fn read_member(&self, call: &Call) -> Outcome {
        self.read_guild(call)?;
        if !self.world.users.contains_key(&call.target) {
            return Err(Answer::refused(404, 10007, "Unknown Member"));
        }
        Ok(Answer::ok(self.world.rest_member(call.major, call.target)))
    }

    /// Records a violation or an invalid request, and adds the headers of the rate limit.
    fn finish(&mut self, call: &Call, mut answer: Answer) -> Response {
        if answer.is_violation {
            let Answer { status, body, .. } = &answer;
            let details = body.get("errors").map(|errors| format!(" {errors}")).unwrap_or_default();
            let (method, path, message) = (&call.method, &call.path, body["message"].as_str().unwrap_or_default());
            self.record_violation(format!("{method} {path}: {status}/{} {message}{details}", body["code"]));
        }
        if answer.counts_as_invalid() {
            self.invalid_requests += 1;
        }
        let limit = call.route.map(|route| self.limits.headers((route, call.major), Instant::now()));
        // A response of Cloudflare has no headers of Discord. Those of a 429 come last, and so replace these.
        let limit = limit.filter(|_| !answer.body.is_string()).unwrap_or_default();
        answer.headers.splice(0..0, limit);
        answer.into_response()
    }

    fn application_object(&self) -> Value {
        let id = self.world.application.to_string();
        json!({
            "id": id, "name": "Tess", "icon": null, "description": "", "bot_public": true, "summary": "",
            "bot_require_code_grant": false, "verify_key": "0".repeat(64), "flags": self.application_flags(),
            "bot": self.world.user_object(self.world.bot),
        })
    }
}
