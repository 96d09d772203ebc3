//! What a turn sends to the agent.

use crate::{
    conversation::{Inner, channel::Batch, files::Stored},
    history::History,
    ids::{AgentId, ChannelId, FileId},
    reply::texts::files::UnreadFile,
    tess::{ChatMessage, Options, Request},
};

/// A request, with all it lends. The files are deleted at Tess when it is dropped.
pub(super) struct Prepared {
    pub(super) agent: AgentId,
    messages: Vec<ChatMessage>,
    options: Options,
    file_ids: Vec<FileId>,
    _files: Vec<Stored>,
}

/// Why nothing is asked.
pub(super) enum Nothing {
    /// What should be answered is gone.
    Deleted,
    /// There were only files, and none of them was read.
    Read,
}

impl Prepared {
    /// The same for another agent: the options were for the one before.
    pub(super) fn hand_to(&mut self, agent: AgentId) {
        (self.agent, self.options) = (agent, Options::default());
    }

    pub(super) fn request(&self) -> Request<'_> {
        let Self { agent, messages, options, file_ids: files, .. } = self;
        Request { agent: *agent, messages, options, files }
    }
}

impl Inner {
    /// The channel as it is now, with the files of the turn where the agent reads them; `unread` gets those that are not.
    pub(super) async fn prepare(
        &self,
        id: ChannelId,
        batch: &Batch,
        unread: &mut Vec<UnreadFile>,
    ) -> Result<Prepared, Nothing> {
        let brought = self.bring_files(id, batch, unread).await;
        let messages = self.messages(id, batch).ok_or(Nothing::Deleted)?;
        if brought.is_nothing() && batch.says_nothing_without_files() {
            return Err(Nothing::Read);
        }
        let file_ids = brought.stored.iter().map(Stored::id).collect();
        let (agent, options) = (self.agent(id), self.options(id));
        Ok(Prepared { agent, messages, options, file_ids, _files: brought.stored })
    }

    /// What the agent reads, as the channel's history is now. `None` when what should be answered is gone from it.
    fn messages(&self, id: ChannelId, batch: &Batch) -> Option<Vec<ChatMessage>> {
        let channel = self.channels.get(&id)?;
        let wanted = batch.messages.iter().any(|message| channel.history.contains(*message));
        // What is said from here on waits for the next turn: shown now, it would be answered twice.
        let (names, instructions) = (channel.guild.is_some(), self.instructions.as_deref());
        let chat = |history: &History| history.request_messages(batch.newest, &batch.messages, names, instructions);
        wanted.then(|| match batch.is_repeat() {
            false => chat(&channel.history),
            // The answer that is to be replaced is not shown, and stays until another is there.
            true => {
                let mut history = channel.history.clone();
                history.remove_answer_to(batch.newest);
                chat(&history)
            }
        })
    }

    /// The channel's own answers to its agent's questions. Those to an agent that no longer counts are not for the one in its place.
    pub(super) fn options(&self, id: ChannelId) -> Options {
        let json = self.state.options(id).filter(|_| self.has_its_choice(id));
        // It was written from such a value.
        json.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default()
    }
}
