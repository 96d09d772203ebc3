//! Classifies what Tess refused, by status and body.

use reqwest::StatusCode;

use super::{error::TessError, http::Reply, json, redact::Redactor};
use crate::ids::AgentId;

/// Classifies a reply that is neither 2xx nor 429. A 5xx is [`TessError::Unavailable`]. `agent`: the one that a 404 means.
pub(super) fn refusal(reply: &Reply, agent: Option<AgentId>, redactor: &Redactor<'_>) -> TessError {
    let text = json::error_text(&reply.body).to_lowercase();
    let detail = redactor.refusal(reply.status, &reply.body);
    match (reply.status.as_u16(), agent) {
        (402, _) => TessError::NoCredits { detail },
        _ if says_no_credits(&text) => TessError::NoCredits { detail },
        // The API is asked for JSON, and answers with it even when it refuses.
        (401 | 403 | 404, _) if is_html(&reply.body) => TessError::WrongHost { detail },
        (300..=399 | 405, _) => TessError::WrongHost { detail },
        (403, _) if text.contains("workspace") => TessError::WrongWorkspace { detail },
        (401 | 403, _) => TessError::Unauthorized { detail },
        (400 | 422, _) if text.contains("x-workspace-id") => TessError::WorkspaceRequired { detail },
        (404, Some(agent)) => TessError::AgentNotFound { agent, detail },
        (500.., _) => TessError::Unavailable { detail },
        _ => TessError::Refused { detail },
    }
}

fn is_html(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// Classifies a reply to a request about a file that is neither 2xx nor 429.
pub(super) fn file_refusal(reply: &Reply, redactor: &Redactor<'_>) -> TessError {
    match refusal(reply, None, redactor) {
        TessError::Refused { detail } if reply.status != StatusCode::PAYLOAD_TOO_LARGE && says_storage_full(reply) => {
            TessError::StorageFull { detail }
        }
        TessError::Refused { detail } => TessError::FileRefused { detail },
        other => other,
    }
}

/// No source records the text that Tess uses.
fn says_storage_full(reply: &Reply) -> bool {
    let text = json::error_text(&reply.body).to_lowercase();
    let words = ["storage", "too many files", "maximum number of files", "file limit", "files limit", "limit of 30"];
    words.iter().any(|words| text.contains(words))
}

/// Classifies an execution that ended as failed, by its `error`.
pub(super) fn failure(text: &str, redactor: &Redactor<'_>) -> TessError {
    let detail = redactor.detail(text);
    if says_no_credits(&text.to_lowercase()) { TessError::NoCredits { detail } } else { TessError::Failed { detail } }
}

/// No source records a status for it, only the text.
fn says_no_credits(text: &str) -> bool {
    ["no credits", "insufficient credits", "not enough credits"].iter().any(|words| text.contains(words))
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
        name(&refusal(&reply(status, body), Some(AgentId(7)), &Redactor::new(&key, &[])))
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
    fn a_full_storage_is_distinguished_from_a_refused_file() {
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
            let error = file_refusal(&reply(status, body), &Redactor::new(&key, &[]));
            assert_eq!(name(&error), expected, "{status} {body}");
        }
    }

    #[test]
    fn an_echo_of_the_input_does_not_change_the_error() {
        assert_eq!(variant(422, r#"{"message":"bad","input":"we have no credits"}"#), "Refused");
        assert_eq!(variant(422, r#"{"message":"bad","messages":["x-workspace-id"]}"#), "Refused");
    }
}
