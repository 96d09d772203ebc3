//! What is asked of an agent, and what it answers.

use serde::Serialize;

use super::{files::GeneratedFile, options::Options};
use crate::ids::{AgentId, ExecutionId, FileId};

/// The author of a message of the `messages` array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Instructions; only as the first message. Tess refuses `system`.
    Developer,
    /// People.
    User,
    /// The agent.
    Assistant,
}

/// One element of the `messages` array of an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ChatMessage {
    /// Its author.
    pub role: Role,
    /// Its text.
    pub content: String,
}

/// An execution to ask for.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    /// The agent to execute.
    pub agent: AgentId,
    /// The conversation; the last message must be the user's.
    pub messages: &'a [ChatMessage],
    /// The answers to the agent's own questions.
    pub options: &'a Options,
    /// Files to read, at most [`super::MAX_FILES_PER_EXECUTION`]; Tess has processed each of them.
    pub files: &'a [FileId],
}

/// What an agent answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    /// The execution that wrote it.
    pub execution: ExecutionId,
    /// Markdown; blank only when there are files.
    pub output: String,
    /// Tess credits charged; 0 when Tess does not say.
    pub credits: f64,
    /// The files that the execution generated, at most 10.
    pub files: Vec<GeneratedFile>,
}
