//! The road of a request: recorded, checked, limited, failed where a fault asks for it, performed, answered.

use std::{future::pending, io, sync::Arc, time::Duration};

use axum::{
    body::{self, Body as HttpBody, Bytes},
    extract::{FromRequest, Multipart, Request, State as Extract},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Shared, SimRequest, State,
    faults::{Effect, LostAnswer},
    gateway,
    routes::{Call, Route},
};

/// The largest request that Discord reads.
pub(super) const MAX_REQUEST_BYTES: usize = 25 * 1024 * 1024;

/// An answer as Discord gives it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Null: no body. A string: an HTML page. All else: JSON.
    pub(super) body: Value,
    headers: Vec<(&'static str, String)>,
    /// The request was wrong in a way that the bot could have known: a violation.
    mistake: bool,
}

/// `Err` is a refusal.
pub(super) type Outcome = Result<Answer, Answer>;

impl Answer {
    pub(super) fn new(status: u16, body: Value) -> Self {
        Self { status, body, headers: Vec::new(), mistake: false }
    }

    pub(super) fn done() -> Self {
        Self::new(204, Value::Null)
    }

    pub(super) fn ok(body: Value) -> Self {
        Self::new(200, body)
    }

    /// A refusal that the world is the reason of: something is gone, or forbidden.
    pub(super) fn refusal(status: u16, code: u32, message: &str) -> Self {
        Self::new(status, json!({"message": message, "code": code}))
    }

    /// A refusal of what the bot should never have sent.
    pub(super) fn mistake(status: u16, code: u32, message: &str) -> Self {
        Self { mistake: true, ..Self::refusal(status, code, message) }
    }

    /// 50035, with the field that can not be as it is.
    pub(super) fn invalid_by_now(field: &str, code: &str, message: &str) -> Self {
        let errors = json!({field: {"_errors": [{"code": code, "message": message}]}});
        Self::new(400, json!({"message": "Invalid Form Body", "code": 50035, "errors": errors}))
    }

    /// 50035, with the field that should never have been as it is.
    pub(super) fn invalid(field: &str, message: &str) -> Self {
        Self { mistake: true, ..Self::invalid_by_now(field, "BASE_TYPE_BAD_VALUE", message) }
    }

    pub(super) fn with_headers(mut self, headers: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.headers.extend(headers);
        self
    }

    fn counts_as_invalid(&self) -> bool {
        let shared = self.headers.iter().any(|(name, value)| *name == "x-ratelimit-scope" && value == "shared");
        matches!(self.status, 401 | 403 | 429) && !shared
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = match self.body {
            Value::Null => status.into_response(),
            Value::String(page) => (status, [(header::CONTENT_TYPE, "text/html")], page).into_response(),
            body => (status, axum::Json(body)).into_response(),
        };
        for (name, value) in self.headers {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// What came with a request.
#[derive(Default)]
pub(super) struct Body {
    pub(super) json: Value,
    /// Files by name, in the order of their numbers.
    pub(super) files: Vec<(String, Bytes)>,
}

impl Body {
    async fn read(request: Request) -> Result<Self, Answer> {
        let kind = content_type(request.headers());
        if kind.starts_with("multipart/form-data") {
            return Self::read_parts(request).await;
        }
        let bytes = body::to_bytes(request.into_body(), MAX_REQUEST_BYTES).await;
        let bytes = bytes.map_err(|_| Answer::mistake(413, 40005, "Request entity too large"))?;
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        if !kind.starts_with("application/json") {
            return Err(Answer::mistake(400, 50035, "Invalid Form Body: the content type is not JSON"));
        }
        Ok(Self { json: parse(&bytes)?, files: Vec::new() })
    }

    async fn read_parts(request: Request) -> Result<Self, Answer> {
        let broken = || Answer::mistake(400, 50035, "Invalid Form Body: broken multipart");
        let mut parts = Multipart::from_request(request, &()).await.map_err(|_| broken())?;
        let mut body = Self::default();
        while let Some(part) = parts.next_field().await.map_err(|_| broken())? {
            let name = part.name().unwrap_or_default().to_owned();
            let file_name = part.file_name().map(str::to_owned);
            let bytes = part.bytes().await.map_err(|_| Answer::mistake(413, 40005, "Request entity too large"))?;
            match file_name {
                None if name == "payload_json" => body.json = parse(&bytes)?,
                Some(file_name) if name == format!("files[{}]", body.files.len()) => {
                    body.files.push((file_name, bytes));
                }
                _ => return Err(Answer::invalid(&name, "Unknown or out of order part")),
            }
        }
        Ok(body)
    }
}

fn content_type(headers: &HeaderMap) -> String {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn parse(bytes: &[u8]) -> Result<Value, Answer> {
    serde_json::from_slice(bytes).map_err(|_| Answer::mistake(400, 50109, "The request body contains invalid JSON."))
}

/// What becomes of a request that has arrived.
enum Verdict {
    Perform(Option<LostAnswer>),
    Answer(Answer),
    Hang,
}

/// Answers every request of the server, the gateway's upgrade included.
pub(super) async fn serve(Extract(shared): Extract<Arc<Shared>>, request: Request) -> Response {
    tokio::select! {
        () = shared.stopped.cancelled() => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        response = answer(&shared, request) => response,
    }
}

async fn answer(shared: &Arc<Shared>, request: Request) -> Response {
    if request.uri().path() == "/" {
        return gateway::connect(shared, request).await;
    }
    let call = Call::new(request.method(), request.uri(), request.headers());
    let (verdict, delay) = shared.with(|state| state.arrive(&call));
    let body = Body::read(request).await;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let lost = match verdict {
        Verdict::Hang => pending().await,
        Verdict::Answer(answer) => return shared.with(|state| state.leave(&call, answer)),
        Verdict::Perform(lost) => lost,
    };
    if call.route == Some(Route::Attachment) {
        return shared.with(|state| state.file(&call));
    }
    let response = shared.with(|state| {
        let outcome = body.and_then(|body| state.perform(&call, body));
        state.leave(&call, outcome.unwrap_or_else(|refusal| refusal))
    });
    match lost {
        None => response,
        Some(LostAnswer::BadGateway) => {
            Answer::new(502, json!("<html><body>502 Bad Gateway</body></html>")).into_response()
        }
        Some(LostAnswer::Undecodable) => Answer::ok(json!("{\"id\": \"12")).into_response(),
        // hyper writes the head together with the body: an error in its first piece ends the connection before it.
        Some(LostAnswer::Closed) => {
            let broken = io::Error::from(io::ErrorKind::ConnectionReset);
            HttpBody::from_stream(stream::iter([Err::<Bytes, _>(broken)])).into_response()
        }
    }
}

impl State {
    /// Records a request and decides what becomes of it.
    fn arrive(&mut self, call: &Call) -> (Verdict, Duration) {
        let now = Instant::now();
        self.record(SimRequest {
            method: call.method.to_string(),
            path: call.path.clone(),
            route: call.route,
            at: now,
        });
        let delay = call.route.map_or(Duration::ZERO, |route| self.faults.delay_of(route));
        (self.judge(call, now), delay)
    }

    fn judge(&mut self, call: &Call, now: Instant) -> Verdict {
        if self.faults.down {
            return Verdict::Answer(Answer::new(503, json!("<html><body>503 Service Unavailable</body></html>")));
        }
        let Some(route) = call.route else {
            let reason = if call.versioned { "unknown route" } else { "not under /api/v10" };
            self.violation(format!("{} {}: {reason}", call.method, call.path));
            return Verdict::Answer(Answer::refusal(404, 0, "404: Not Found"));
        };
        let key = (route, call.major);
        if let Some((answer, known)) = self.limits.ignored(key, self.options.global_grace, now) {
            if known {
                self.violation(format!("{} {}: sent inside the time of a 429", call.method, call.path));
            }
            return Verdict::Answer(answer);
        }
        if let Some(answer) = self.check_headers(call, route) {
            return Verdict::Answer(answer);
        }
        let limit = if route == Route::CreateMessage { self.options.message_limit } else { self.options.route_limit };
        if let Err(answer) = self.limits.take(key, limit, self.options.global_per_second, now) {
            return Verdict::Answer(answer);
        }
        match self.faults.take(call, route) {
            None => Verdict::Perform(None),
            Some(Effect::Lose(how)) => Verdict::Perform(Some(how)),
            Some(Effect::Fail { status, body }) => Verdict::Answer(Answer::new(status, body)),
            Some(Effect::Limit { retry_after, scope }) => {
                Verdict::Answer(self.limits.block(key, retry_after, scope, now))
            }
            Some(Effect::Hang) => Verdict::Hang,
        }
    }

    fn check_headers(&mut self, call: &Call, route: Route) -> Option<Answer> {
        if !call.user_agent.starts_with("DiscordBot (") {
            self.violation(format!("{} {}: the user agent is not `DiscordBot (url, version)`", call.method, call.path));
        }
        if !route.needs_token() {
            return None;
        }
        if call.authorization.is_none() {
            self.violation(format!("{} {}: no authorization", call.method, call.path));
        }
        let expected = format!("Bot {}", self.options.token);
        (call.authorization.as_deref() != Some(expected.as_str())).then(|| Answer::refusal(401, 0, "401: Unauthorized"))
    }

    fn perform(&mut self, call: &Call, body: Body) -> Outcome {
        match call.route {
            Some(Route::Gateway) => Ok(Answer::ok(json!({"url": self.gateway_url}))),
            Some(Route::GatewayBot) => Ok(Answer::ok(self.gateway_bot())),
            Some(Route::Me) => Ok(Answer::ok(self.world.user_object(self.world.bot))),
            Some(Route::Application) => Ok(Answer::ok(self.application_object())),
            Some(Route::Commands) => self.commands(call, body),
            Some(Route::Channel) => {
                let id = self.reachable(call)?;
                let channel = self.world.channels.get(&id).map(|channel| self.world.channel_object(channel));
                Ok(Answer::ok(channel.unwrap_or_default()))
            }
            Some(Route::Guild) => self.world.guild_answer(call.major),
            Some(Route::Member) => self.world.member_answer(call.major, call.message),
            Some(Route::Typing) => self.start_typing(call),
            Some(Route::GetMessages) => self.list_messages(call),
            Some(Route::GetMessage) => self.read_message(call),
            Some(Route::CreateMessage) => self.create_message(call, body),
            Some(Route::EditMessage) => self.edit_message(call, body),
            Some(Route::DeleteMessage) => self.delete_message(call),
            Some(Route::Callback) => self.callback(call, body),
            Some(Route::Followup) => self.follow_up(call, body),
            Some(Route::GetOriginal) => self.read_original(call),
            Some(Route::EditOriginal) => self.edit_original(call, body),
            Some(Route::DeleteOriginal) => self.delete_original(call),
            Some(Route::Attachment) | None => Err(Answer::refusal(404, 0, "404: Not Found")),
        }
    }

    /// Writes down what an answer tells about the bot, and adds the quota.
    fn leave(&mut self, call: &Call, mut answer: Answer) -> Response {
        if answer.mistake {
            let Answer { status, body, .. } = &answer;
            let details = body.get("errors").map(|errors| format!(" {errors}")).unwrap_or_default();
            let (method, path, message) = (&call.method, &call.path, body["message"].as_str().unwrap_or_default());
            self.violation(format!("{method} {path}: {status}/{} {message}{details}", body["code"]));
        }
        if answer.counts_as_invalid() {
            self.invalid_requests += 1;
        }
        let quota = call.route.map(|route| self.limits.headers((route, call.major), Instant::now()));
        // Cloudflare's answers have none of Discord's headers; a 429 has its own.
        let quota = quota.filter(|_| !answer.body.is_string()).unwrap_or_default();
        answer.headers.splice(0..0, quota);
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
