//! Why Tess gave no answer.

use std::time::Duration;

use crate::{ids::AgentId, telemetry::TessFailure};

/// Why there is no answer. Each variant is named by what the caller can do about it.
///
/// Every `detail` is for the log: at most 300 characters, without the key and without a message's text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TessError {
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
    /// A redirect, a web page or an unknown method: the server at `TESS_API_URL` is not the API.
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
    /// Still rate limited at the deadline; nothing ran.
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
    /// A request that executes nothing got no readable answer. It may be repeated, but a file may have been stored.
    #[error("Tess gave no readable answer: {detail}")]
    Unavailable {
        /// The cause.
        detail: String,
    },
    /// The request may have run and been charged; it must not be repeated automatically.
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
    /// The execution succeeded with an empty output, or with nothing but thoughts.
    #[error("the execution ended with an empty output")]
    Empty {
        /// What Tess charged for it, in Tess credits.
        credits: f64,
    },
    /// A file was refused: too large, of a type that Tess does not read, damaged, or unknown.
    #[error("Tess refused the file: {detail}")]
    FileRefused {
        /// What Tess said.
        detail: String,
    },
    /// The account stores the maximum number of files; deleting one makes room.
    #[error("Tess stores no more files: {detail}")]
    StorageFull {
        /// What Tess said.
        detail: String,
    },
    /// The execution did not finish within `TESS_TIMEOUT`; it may still finish, and be charged. Or a file was not
    /// processed by its deadline.
    #[error("not finished after {waited:?}")]
    TimedOut {
        /// The time waited.
        waited: Duration,
    },
}

impl TessError {
    /// Returns what metrics count it as.
    pub(crate) fn failure(&self) -> TessFailure {
        match self {
            Self::Unauthorized { .. } => TessFailure::Unauthorized,
            Self::WrongWorkspace { .. } => TessFailure::WrongWorkspace,
            Self::WorkspaceRequired { .. } => TessFailure::WorkspaceRequired,
            Self::AgentNotFound { .. } => TessFailure::AgentNotFound,
            Self::WrongHost { .. } => TessFailure::WrongHost,
            Self::Refused { .. } => TessFailure::Refused,
            Self::NoCredits { .. } => TessFailure::NoCredits,
            Self::RateLimited { .. } => TessFailure::RateLimited,
            Self::NotSent { .. } => TessFailure::NotSent,
            Self::Unavailable { .. } => TessFailure::Unavailable,
            Self::OutcomeUnknown { .. } => TessFailure::OutcomeUnknown,
            Self::Failed { .. } => TessFailure::Failed,
            Self::Empty { .. } => TessFailure::Empty,
            Self::TimedOut { .. } => TessFailure::TimedOut,
            Self::FileRefused { .. } => TessFailure::FileRefused,
            Self::StorageFull { .. } => TessFailure::StorageFull,
        }
    }
}
