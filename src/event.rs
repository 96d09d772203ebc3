//! What can happen: the vocabulary between the gateway and the parts that act on its events.

use crate::{
    discord::{
        interaction::Interaction,
        model::{Deletion, Message},
    },
    ids::{ApplicationId, ChannelId, GuildId, MessageId, UserId},
};

/// An event of Discord's gateway that the bot acts on.
#[derive(Debug)]
pub(crate) enum Event {
    /// A new session began; events since the previous session were missed.
    Ready {
        /// The bot's own user.
        me: UserId,
        /// The bot's application.
        application: ApplicationId,
        /// The guilds the bot is in. An [`Event::Guild`] follows for each one once it is available.
        guilds: Vec<GuildId>,
    },
    /// A guild became available; with all its channels, including those the bot may not view, and the threads it may view.
    Guild(GuildId, Vec<KnownChannel>),
    /// Channels and threads that are new or became visible.
    Channels(Vec<KnownChannel>),
    /// A message was posted.
    Message(Box<Message>),
    /// A message was edited, or its embeds changed.
    Edit(Box<Message>),
    /// Messages were deleted.
    Deletion(Deletion),
    /// A channel or thread was deleted, or hidden from the bot.
    ChannelGone(ChannelId),
    /// The bot was removed from a guild, or the guild was deleted.
    GuildGone(GuildId),
    /// A slash command, a completion, a button, a menu or a form.
    Interaction(Box<Interaction>),
}

/// A channel or thread as the gateway describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownChannel {
    /// Its id.
    pub id: ChannelId,
    /// The channel that a thread belongs to; `None` for a channel.
    pub parent: Option<ChannelId>,
    /// Its newest message, which may have been deleted.
    pub last_message: Option<MessageId>,
}
