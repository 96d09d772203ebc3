//! Responses of the REST API.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// A response as Discord gives it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Null means no body, a string an HTML page, anything else JSON.
    pub(super) body: Value,
    pub(super) headers: Vec<(&'static str, String)>,
    /// Whether the bot should have known that the request was wrong; then it is a violation.
    pub(super) is_violation: bool,
}

/// The result of a request; `Err` is a refusal.
pub(super) type Outcome = Result<Answer, Answer>;

impl Answer {
    pub(super) fn new(status: u16, body: Value) -> Self {
        Self { status, body, headers: Vec::new(), is_violation: false }
    }

    pub(super) fn no_content() -> Self {
        Self::new(204, Value::Null)
    }

    pub(super) fn ok(body: Value) -> Self {
        Self::new(200, body)
    }

    /// Refuses a request because of the state of the server, e.g. because something was deleted. No violation.
    pub(super) fn refused(status: u16, code: u32, message: &str) -> Self {
        Self::new(status, json!({"message": message, "code": code}))
    }

    /// Refuses a request that the bot should never have sent. A violation.
    pub(super) fn violation(status: u16, code: u32, message: &str) -> Self {
        Self { is_violation: true, ..Self::refused(status, code, message) }
    }

    /// Error 50035 for a field that was valid when the bot last knew. No violation.
    pub(super) fn outdated_field(field: &str, code: &str, message: &str) -> Self {
        let errors = json!({field: {"_errors": [{"code": code, "message": message}]}});
        Self::new(400, json!({"message": "Invalid Form Body", "code": 50035, "errors": errors}))
    }

    /// Error 50035 for a field that can never be valid. A violation.
    pub(super) fn invalid_field(field: &str, message: &str) -> Self {
        Self { is_violation: true, ..Self::outdated_field(field, "BASE_TYPE_BAD_VALUE", message) }
    }

    pub(super) fn unknown_message() -> Self {
        Self::refused(404, 10008, "Unknown Message")
    }

    pub(super) fn with_headers(mut self, headers: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.headers.extend(headers);
        self
    }

    /// Whether the request counts towards Discord's ban of clients that send many invalid requests.
    pub(super) fn counts_as_invalid(&self) -> bool {
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
