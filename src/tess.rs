//! The Tess client.

use std::time::Duration;

use serde::Serialize;

use crate::config::AgentId;

/// Who said a message of the `messages` array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions; only as the first message. Tess refuses `system`.
    Developer,
    /// People.
    User,
    /// The agent.
    Assistant,
}

/// One element of the `messages` array of an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChatMessage {
    /// Who said it.
    pub role: Role,
    /// What was said.
    pub content: String,
}

/// Why an execution gave no answer, named by what the caller can do about it.
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
    /// The execution was not finished within `TESS_TIMEOUT`.
    #[error("the execution was not finished after {waited:?}")]
    TimedOut {
        /// How long was waited.
        waited: Duration,
    },
}
