//! Why Tess gave no answer, and how that is read from a status and a body.

use std::time::Duration;

use reqwest::StatusCode;

use super::{detail::Hidden, http::Reply, wire};
use crate::ids::AgentId;

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
    /// A redirect, a web page or a method unknown: whatever answers at `TESS_API_URL` is not the API.
    #[error("this is not Tess's API: {detail}")]
    WrongHost {
        /// What was answered.
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
    /// A request that executes nothing got no readable answer. It may be repeated; a file may have been stored.
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
    /// The execution succeeded with an empty output, or with thoughts alone.
    #[error("the execution ended with an empty output")]
    Empty {
        /// What Tess took for it, in Tess credits.
        credits: f64,
    },
    /// A file was not taken: too large, of a type that Tess does not read, damaged, or unknown.
    #[error("Tess refused the file: {detail}")]
    FileRefused {
        /// What Tess said.
        detail: String,
    },
    /// The account stores as many files as it may; deleting one makes room.
    #[error("Tess stores no more files: {detail}")]
    StorageFull {
        /// What Tess said.
        detail: String,
    },
    /// The execution was not finished within `TESS_TIMEOUT`; it may still end, and be charged. Or a file was not read
    /// by its deadline.
    #[error("not finished after {waited:?}")]
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
            Self::WrongHost { .. } => "wrong_host",
            Self::Refused { .. } => "refused",
            Self::NoCredits { .. } => "no_credits",
            Self::RateLimited { .. } => "rate_limited",
            Self::NotSent { .. } => "not_sent",
            Self::Unavailable { .. } => "unavailable",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::Failed { .. } => "failed",
            Self::Empty { .. } => "empty",
            Self::TimedOut { .. } => "timed_out",
            Self::FileRefused { .. } => "file_refused",
            Self::StorageFull { .. } => "storage_full",
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
        // The API is asked for JSON, and answers with it even where it knows nothing or refuses.
        (401 | 403 | 404, _) if is_page(&reply.body) => TessError::WrongHost { detail },
        (300..=399 | 405, _) => TessError::WrongHost { detail },
        (403, _) if said.contains("workspace") => TessError::WrongWorkspace { detail },
        (401 | 403, _) => TessError::Unauthorized { detail },
        (400 | 422, _) if said.contains("x-workspace-id") => TessError::WorkspaceRequired { detail },
        (404, Some(agent)) => TessError::AgentNotFound { agent, detail },
        (500.., _) => TessError::Unavailable { detail },
        _ => TessError::Refused { detail },
    }
}

fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// What an answer to a request for a file means that is neither 2xx nor 429.
pub(super) fn file_refusal(reply: &Reply, hidden: &Hidden<'_>) -> TessError {
    match refusal(reply, None, hidden) {
        TessError::Refused { detail } if reply.status != StatusCode::PAYLOAD_TOO_LARGE && says_full(reply) => {
            TessError::StorageFull { detail }
        }
        TessError::Refused { detail } => TessError::FileRefused { detail },
        other => other,
    }
}

/// No source records how Tess says it.
fn says_full(reply: &Reply) -> bool {
    let said = wire::error_text(&reply.body).to_lowercase();
    let words = ["storage", "too many files", "maximum number of files", "file limit", "files limit", "limit of 30"];
    words.iter().any(|words| said.contains(words))
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
    use secrecy::SecretString;

    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        let status = StatusCode::from_u16(status).unwrap();
        Reply { status, body: body.as_bytes().to_vec(), retry_header: None }
    }

    fn name(error: &TessError) -> String {
        let debug = format!("{error:?}");
        debug.split([' ', '{']).next().unwrap_or_default().to_owned()
    }

    fn variant(status: u16, body: &str) -> String {
        let key = SecretString::from("1|key");
        name(&refusal(&reply(status, body), Some(AgentId(7)), &Hidden::new(&key, &[])))
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
            (404, "", "AgentNotFound"),
            (404, "\n<!DOCTYPE html><html>404</html>", "WrongHost"),
            (413, r#"{"error":"Payload too large"}"#, "Refused"),
            (422, r#"{"message":"The x-workspace-id header is required."}"#, "WorkspaceRequired"),
            (422, r#"{"message":"x","errors":{"temperature":["The selected temperature is invalid"]}}"#, "Refused"),
            (422, r#"{"error":{"message":"Insufficient credits"}}"#, "NoCredits"),
            (302, "", "WrongHost"),
            (403, "<html>Sorry, you have been blocked</html>", "WrongHost"),
            (405, r#"{"message":"The POST method is not supported."}"#, "WrongHost"),
            (500, r#"{"error":"Internal server error"}"#, "Unavailable"),
            (500, r#"{"error":"user has no credits"}"#, "NoCredits"),
            (502, "<html>Bad gateway</html>", "Unavailable"),
            (524, "error code: 524", "Unavailable"),
        ] {
            assert_eq!(variant(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_full_storage_is_told_from_a_file_that_is_refused() {
        let key = SecretString::from("1|key");
        for (status, body, expected) in [
            (413, r#"{"error":"Payload too large"}"#, "FileRefused"),
            (413, "over the file limit of the storage", "FileRefused"),
            (422, r#"{"message":"The file type is not supported."}"#, "FileRefused"),
            (422, r#"{"message":"Storage limit reached."}"#, "StorageFull"),
            (400, r#"{"error":"You have reached the maximum number of files"}"#, "StorageFull"),
            (404, r#"{"message":"File not found"}"#, "FileRefused"),
            (403, r#"{"error":"Invalid authentication"}"#, "Unauthorized"),
            (422, r#"{"error":"not enough credits"}"#, "NoCredits"),
            (503, "", "Unavailable"),
        ] {
            let error = file_refusal(&reply(status, body), &Hidden::new(&key, &[]));
            assert_eq!(name(&error), expected, "{status} {body}");
        }
    }

    #[test]
    fn an_echo_of_the_input_does_not_decide_what_went_wrong() {
        assert_eq!(variant(422, r#"{"message":"bad","input":"we have no credits"}"#), "Refused");
        assert_eq!(variant(422, r#"{"message":"bad","messages":["x-workspace-id"]}"#), "Refused");
    }
}
