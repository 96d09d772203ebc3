//! Why Tess gave no answer, and how that is read from a status and a body.

use std::time::Duration;

use super::{detail::Hidden, http::Reply, wire};
use crate::config::AgentId;

/// Why there is no answer, named by what the caller can do about it.
///
/// Every `detail` is for the log: at most 300 characters, without the key and without a message's text.
#[derive(Debug, thiserror::Error)]
pub enum TessError {
    /// 401, or 403 with `Invalid authentication`: the key is wrong.
    #[error("Tess refused the API key: {detail}")]
    Unauthorized {
        /// What Tess said.
        detail: String,
    },
    /// 403 that names the workspace: the key does not belong to it.
    #[error("Tess refused the workspace: {detail}")]
    WrongWorkspace {
        /// What Tess said.
        detail: String,
    },
    /// 422 that names `x-workspace-id`.
    #[error("Tess wants a workspace id: {detail}")]
    WorkspaceRequired {
        /// What Tess said.
        detail: String,
    },
    /// 404: no such agent, or not visible in the workspace.
    #[error("Tess does not know agent {agent}: {detail}")]
    AgentNotFound {
        /// The agent asked for.
        agent: AgentId,
        /// What Tess said.
        detail: String,
    },
    /// 400, 413 or another 422: the request was refused as it is.
    #[error("Tess refused the request: {detail}")]
    Refused {
        /// What Tess said.
        detail: String,
    },
    /// The workspace has no credits left.
    #[error("the Tess workspace has no credits left: {detail}")]
    NoCredits {
        /// What Tess said.
        detail: String,
    },
    /// Still rate limited when the turn's time was over; nothing ran.
    #[error("Tess is rate limiting; it asks to wait {retry_after:?}")]
    RateLimited {
        /// How long Tess asked to wait the last time.
        retry_after: Duration,
    },
    /// The request certainly did not reach Tess.
    #[error("Tess could not be reached: {detail}")]
    NotSent {
        /// The cause.
        detail: String,
    },
    /// A look-up of agents got no readable answer. It cost nothing and may be repeated.
    #[error("Tess gave no readable answer: {detail}")]
    Unavailable {
        /// The cause.
        detail: String,
    },
    /// The request may have run and been charged; it must not be repeated by itself.
    #[error("the outcome of the execution is unknown: {detail}")]
    OutcomeUnknown {
        /// The cause.
        detail: String,
    },
    /// The execution ended as failed (HTTP 200 with such a status).
    #[error("the execution failed: {detail}")]
    Failed {
        /// What Tess said, possibly nothing.
        detail: String,
    },
    /// The execution succeeded with an empty output.
    #[error("the execution ended with an empty output")]
    Empty,
    /// The execution was not finished within `TESS_TIMEOUT`; it may still end, and be charged.
    #[error("the execution was not finished after {waited:?}")]
    TimedOut {
        /// How long was waited.
        waited: Duration,
    },
}

impl TessError {
    /// Its name in the metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unauthorized { .. } => "unauthorized",
            Self::WrongWorkspace { .. } => "wrong_workspace",
            Self::WorkspaceRequired { .. } => "workspace_required",
            Self::AgentNotFound { .. } => "agent_not_found",
            Self::Refused { .. } => "refused",
            Self::NoCredits { .. } => "no_credits",
            Self::RateLimited { .. } => "rate_limited",
            Self::NotSent { .. } => "not_sent",
            Self::Unavailable { .. } => "unavailable",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::Failed { .. } => "failed",
            Self::Empty => "empty",
            Self::TimedOut { .. } => "timed_out",
        }
    }
}

/// What an answer that is neither 2xx nor 429 means. A 5xx is [`TessError::Unavailable`].
pub(super) fn refusal(reply: &Reply, agent: Option<AgentId>, hidden: &Hidden<'_>) -> TessError {
    let said = wire::error_text(&reply.body).to_lowercase();
    let detail = hidden.refusal(reply.status, &reply.body);
    match (reply.status.as_u16(), agent) {
        (402, _) => TessError::NoCredits { detail },
        _ if says_no_credits(&said) => TessError::NoCredits { detail },
        (403, _) if said.contains("workspace") => TessError::WrongWorkspace { detail },
        (401 | 403, _) => TessError::Unauthorized { detail },
        (400 | 422, _) if said.contains("x-workspace-id") => TessError::WorkspaceRequired { detail },
        (404, Some(agent)) => TessError::AgentNotFound { agent, detail },
        (500.., _) => TessError::Unavailable { detail },
        _ => TessError::Refused { detail },
    }
}

/// What an execution that ended as failed means.
pub(super) fn failure(said: &str, hidden: &Hidden<'_>) -> TessError {
    let detail = hidden.detail(said);
    if says_no_credits(&said.to_lowercase()) { TessError::NoCredits { detail } } else { TessError::Failed { detail } }
}

/// No source records a status for it, only the text.
fn says_no_credits(said: &str) -> bool {
    ["no credits", "insufficient credits", "not enough credits"].iter().any(|words| said.contains(words))
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use secrecy::SecretString;

    use super::*;

    fn variant(status: u16, body: &str) -> String {
        let status = StatusCode::from_u16(status).unwrap();
        let reply = Reply { status, body: body.as_bytes().to_vec(), retry_header: None };
        let key = SecretString::from("1|key");
        let error = refusal(&reply, Some(AgentId(7)), &Hidden::new(&key, &[]));
        let debug = format!("{error:?}");
        debug.split([' ', '{']).next().unwrap_or_default().to_owned()
    }

    #[test]
    fn each_status_and_body_becomes_one_variant() {
        for (status, body, expected) in [
            (400, r#"{"error":"Validation failed","messages":{"url":["bad"]}}"#, "Refused"),
            (
                400,
                r#"{"error":"Validation failed","messages":{"x-workspace-id":["not integer"]}}"#,
                "WorkspaceRequired",
            ),
            (401, r#"{"message":"Unauthenticated."}"#, "Unauthorized"),
            (402, "", "NoCredits"),
            (403, r#"{"error":"Invalid authentication"}"#, "Unauthorized"),
            (403, r#"{"message":"You do not have access to this workspace."}"#, "WrongWorkspace"),
            (403, "You do not have access to this workspace.", "WrongWorkspace"),
            (403, "user has no credits", "NoCredits"),
            (404, r#"{"message":"Not found"}"#, "AgentNotFound"),
            (404, "<html>404</html>", "AgentNotFound"),
            (413, r#"{"error":"Payload too large"}"#, "Refused"),
            (422, r#"{"message":"The x-workspace-id header is required."}"#, "WorkspaceRequired"),
            (422, r#"{"message":"x","errors":{"temperature":["The selected temperature is invalid"]}}"#, "Refused"),
            (422, r#"{"error":{"message":"Insufficient credits"}}"#, "NoCredits"),
            (302, "", "Refused"),
            (500, r#"{"error":"Internal server error"}"#, "Unavailable"),
            (500, r#"{"error":"user has no credits"}"#, "NoCredits"),
            (502, "<html>Bad gateway</html>", "Unavailable"),
            (524, "error code: 524", "Unavailable"),
        ] {
            assert_eq!(variant(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn an_echo_of_the_input_does_not_decide_what_went_wrong() {
        assert_eq!(variant(422, r#"{"message":"bad","input":"we have no credits"}"#), "Refused");
        assert_eq!(variant(422, r#"{"message":"bad","messages":["x-workspace-id"]}"#), "Refused");
    }
}
