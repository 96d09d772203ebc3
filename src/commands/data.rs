//! What the commands work with.

use super::agent_directory::AgentDirectory;
use crate::{
    config::{Config, Language, RespondTo},
    conversation::Conversations,
    ids::AgentId,
    tess::Tess,
};

/// What every handler is given: the conversations, Tess, and the settings that commands show.
pub(super) struct Data {
    pub(super) conversations: Conversations,
    pub(super) tess: Tess,
    pub(super) agents: AgentDirectory,
    pub(super) default_agent: AgentId,
    pub(super) respond_to: RespondTo,
    pub(super) language: Language,
}

impl Data {
    pub(super) fn new(conversations: Conversations, tess: Tess, config: &Config) -> Self {
        Self {
            conversations,
            agents: AgentDirectory::new(tess.clone(), config.tess.allowed_agents.clone()),
            tess,
            default_agent: config.tess.agent,
            respond_to: config.intake.respond_to,
            language: config.reply.language,
        }
    }
}
