//! Who uses a command, and what they may do.

use serenity::model::Permissions;

use super::error::CommandError;
use crate::{
    config::Language,
    conversation::control::Requester,
    discord::interaction::{Interaction, Origin},
    ids::{ChannelId, GuildId, UserId},
};

/// The person behind an interaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    user: Option<UserId>,
    channel: Option<ChannelId>,
    origin: Origin,
    /// The language of what only the caller sees.
    pub(super) language: Language,
}

/// What not everybody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// Change how the channel is answered. In a direct message everybody may.
    ManageChannel,
    /// Stop and retry the turns of others.
    ModerateTurns,
    /// See what everybody in the server spent.
    SeeServerUsage,
}

impl Caller {
    /// The caller of an interaction. `default` is the language for callers whose Discord has a language that the bot does not speak.
    pub(super) fn new(interaction: &Interaction, default: Language) -> Self {
        Self {
            user: interaction.user,
            channel: interaction.channel,
            origin: interaction.origin,
            language: Language::of_locale(&interaction.locale).unwrap_or(default),
        }
    }

    pub(super) fn user(&self) -> Result<UserId, CommandError> {
        self.user.ok_or(CommandError::Missing("user"))
    }

    pub(super) fn channel(&self) -> Result<ChannelId, CommandError> {
        self.channel.ok_or(CommandError::Missing("channel"))
    }

    /// The guild; `None` in a direct message.
    pub(super) fn guild(&self) -> Result<Option<GuildId>, CommandError> {
        match self.origin {
            Origin::Direct => Ok(None),
            Origin::Guild { id, .. } => id.map(Some).ok_or(CommandError::Missing("guild")),
        }
    }

    /// Whether the caller has a right here: the one check of permissions.
    pub(super) fn may(&self, right: Right) -> bool {
        let (enough, in_direct_messages) = match right {
            Right::ManageChannel => (Permissions::MANAGE_CHANNELS, true),
            Right::ModerateTurns => (Permissions::MANAGE_MESSAGES, false),
            Right::SeeServerUsage => (Permissions::MANAGE_GUILD | Permissions::MANAGE_CHANNELS, false),
        };
        match self.origin {
            Origin::Direct => in_direct_messages,
            Origin::Guild { permissions, .. } => permissions.intersects(enough | Permissions::ADMINISTRATOR),
        }
    }

    /// The caller as one who wants a turn stopped or retried.
    pub(super) fn requester(&self) -> Result<Requester, CommandError> {
        Ok(Requester { user: self.user()?, is_moderator: self.may(Right::ModerateTurns) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(origin: Origin) -> Caller {
        Caller { user: None, channel: None, origin, language: Language::English }
    }

    #[test]
    fn rights_follow_the_permissions_in_the_guild() {
        let with = |permissions| caller(Origin::Guild { id: None, permissions });
        for right in [Right::ManageChannel, Right::ModerateTurns, Right::SeeServerUsage] {
            assert!(with(Permissions::ADMINISTRATOR).may(right), "{right:?}");
            assert!(!with(Permissions::SEND_MESSAGES).may(right), "{right:?}");
        }
        assert!(with(Permissions::MANAGE_CHANNELS).may(Right::ManageChannel));
        assert!(!with(Permissions::MANAGE_GUILD).may(Right::ManageChannel));
        assert!(with(Permissions::MANAGE_MESSAGES).may(Right::ModerateTurns));
        assert!(with(Permissions::MANAGE_GUILD).may(Right::SeeServerUsage));
        assert!(with(Permissions::MANAGE_CHANNELS).may(Right::SeeServerUsage));
    }

    #[test]
    fn in_a_direct_message_everybody_manages_the_channel_and_nothing_else() {
        let direct = caller(Origin::Direct);
        assert!(direct.may(Right::ManageChannel));
        assert!(!direct.may(Right::ModerateTurns) && !direct.may(Right::SeeServerUsage));
    }
}
