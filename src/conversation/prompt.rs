//! What a turn sends to the agent.

use crate::{
    conversation::{turn_context::TurnContext, uploads::UploadedFile},
    history::History,
    ids::{AgentId, FileId},
    reply::texts::files::UnreadFile,
    tess::{ChatMessage, Options, Request},
};

/// A request with the files that it needs; those are deleted at Tess when it is dropped.
pub(super) struct Prompt {
    pub(super) agent: AgentId,
    messages: Vec<ChatMessage>,
    options: Options,
    file_ids: Vec<FileId>,
    _files: Vec<UploadedFile>,
}

/// Why there is nothing to ask.
pub(super) enum NothingToAsk {
    /// The messages were deleted.
    Deleted,
    /// There were only files, and the agent can read none of them.
    NoReadableFiles,
}

impl Prompt {
    /// Addresses it to another agent: the options were for the one before.
    pub(super) fn set_agent(&mut self, agent: AgentId) {
        (self.agent, self.options) = (agent, Options::default());
    }

    pub(super) fn request(&self) -> Request<'_> {
        let Self { agent, messages, options, file_ids: files, .. } = self;
        Request { agent: *agent, messages, options, files }
    }
}

impl TurnContext<'_> {
    /// Prepares the request: the channel's history as it is now, and the turn's files. `unread` gets the files that the agent
    /// cannot read.
    pub(super) async fn prepare(&self, unread: &mut Vec<UnreadFile>) -> Result<Prompt, NothingToAsk> {
        let attachments = self.attach_files(unread).await;
        let messages = self.messages().ok_or(NothingToAsk::Deleted)?;
        if attachments.is_empty() && self.batch.is_files_only() {
            return Err(NothingToAsk::NoReadableFiles);
        }
        let file_ids = attachments.uploaded.iter().map(|file| file.id).collect();
        let (agent, options) = (self.shared.agent(self.channel), self.shared.options(self.channel));
        Ok(Prompt { agent, messages, options, file_ids, _files: attachments.uploaded })
    }

    /// What the agent reads. `None` when none of the batch's messages is in the history any more.
    fn messages(&self) -> Option<Vec<ChatMessage>> {
        let channel = self.shared.channels.get(self.channel)?;
        let asked = self.batch.ids();
        if !asked.iter().any(|message| channel.history.contains(*message)) {
            return None;
        }
        let (with_names, instructions) = (channel.guild.is_some(), self.config().tess.instructions.as_deref());
        // Later messages wait for the next turn: shown now, they would be answered twice.
        let chat = |history: &History| history.request_messages(self.batch.newest, &asked, with_names, instructions);
        if !self.batch.is_repeat() {
            return Some(chat(&channel.history));
        }
        // The answer that is to be replaced is not shown, and stays until there is another.
        let mut history = channel.history.clone();
        history.remove_answer_to(self.batch.newest);
        Some(chat(&history))
    }
}
