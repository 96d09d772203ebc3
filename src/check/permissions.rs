//! What the bot may do in a channel.

use serenity::model::{
    Permissions,
    channel::{PermissionOverwrite, PermissionOverwriteType},
};

use crate::{
    discord::GuildInfo,
    ids::{GuildId, RoleId, UserId},
};

/// What the bot needs, as Discord's settings name it.
const NEEDED: [(Permissions, &str); 6] = [
    (Permissions::VIEW_CHANNEL, "View Channel"),
    (Permissions::SEND_MESSAGES, "Send Messages"),
    (Permissions::SEND_MESSAGES_IN_THREADS, "Send Messages in Threads"),
    (Permissions::READ_MESSAGE_HISTORY, "Read Message History"),
    (Permissions::EMBED_LINKS, "Embed Links"),
    (Permissions::ATTACH_FILES, "Attach Files"),
];

/// A member of a guild.
pub(super) struct Member<'a> {
    pub(super) guild_id: GuildId,
    pub(super) guild: &'a GuildInfo,
    pub(super) user: UserId,
    /// Without `@everyone`.
    pub(super) roles: &'a [RoleId],
}

impl Member<'_> {
    /// What it may do in a channel with these overwrites.
    /// <https://discord.com/developers/docs/topics/permissions#permission-overwrites>
    pub(super) fn may(&self, overwrites: &[PermissionOverwrite]) -> Permissions {
        let everyone = RoleId::new(self.guild_id.get());
        let roles = self.guild.roles.iter().filter(|role| role.id == everyone || self.roles.contains(&role.id));
        let base = roles.fold(Permissions::empty(), |all, role| all | role.permissions);
        if self.guild.owner_id == self.user || base.contains(Permissions::ADMINISTRATOR) {
            return Permissions::all();
        }
        // In this order: everyone's, those of all its roles at once, its own.
        let is_everyones = |kind| kind == PermissionOverwriteType::Role(everyone);
        let is_a_roles = |kind| matches!(kind, PermissionOverwriteType::Role(id) if self.roles.contains(&id));
        let is_its_own = |kind| kind == PermissionOverwriteType::Member(self.user);
        let base = overwritten(base, overwrites, is_everyones);
        let base = overwritten(base, overwrites, is_a_roles);
        overwritten(base, overwrites, is_its_own)
    }
}

/// What is allowed wins over what is denied.
fn overwritten(
    base: Permissions,
    overwrites: &[PermissionOverwrite],
    applies: impl Fn(PermissionOverwriteType) -> bool,
) -> Permissions {
    let applying = || overwrites.iter().filter(|overwrite| applies(overwrite.kind));
    let denied = applying().fold(Permissions::empty(), |all, overwrite| all | overwrite.deny);
    let allowed = applying().fold(Permissions::empty(), |all, overwrite| all | overwrite.allow);
    (base & !denied) | allowed
}

/// What the bot needs and may not do, by name.
pub(super) fn missing(may: Permissions) -> Vec<&'static str> {
    NEEDED.iter().filter(|(needed, _)| !may.contains(*needed)).map(|(_, name)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discord::RoleInfo;

    const GUILD: GuildId = GuildId::new(1);
    const ME: UserId = UserId::new(2);
    const ROLE: RoleId = RoleId::new(3);
    const OTHER_ROLE: RoleId = RoleId::new(4);
    const VIEW: Permissions = Permissions::VIEW_CHANNEL;
    const SEND: Permissions = Permissions::SEND_MESSAGES;
    const NONE: Permissions = Permissions::empty();

    /// `@everyone` may view, the bot's role may send.
    fn guild(owner: UserId) -> GuildInfo {
        let role = |id, permissions| RoleInfo { id, permissions };
        let roles = vec![role(RoleId::new(1), VIEW), role(ROLE, SEND), role(OTHER_ROLE, Permissions::ADMINISTRATOR)];
        GuildInfo { name: String::new(), owner_id: owner, roles }
    }

    fn may(roles: &[RoleId], overwrites: &[PermissionOverwrite]) -> Permissions {
        Member { guild_id: GUILD, guild: &guild(UserId::new(9)), user: ME, roles }.may(overwrites)
    }

    fn of_role(id: u64, allow: Permissions, deny: Permissions) -> PermissionOverwrite {
        PermissionOverwrite { allow, deny, kind: PermissionOverwriteType::Role(RoleId::new(id)) }
    }

    fn own(allow: Permissions, deny: Permissions) -> PermissionOverwrite {
        PermissionOverwrite { allow, deny, kind: PermissionOverwriteType::Member(ME) }
    }

    #[test]
    fn everyones_permissions_and_those_of_the_roles_add_up() {
        assert_eq!(may(&[], &[]), VIEW);
        assert_eq!(may(&[ROLE], &[]), VIEW | SEND);
    }

    #[test]
    fn administrators_and_the_owner_may_do_everything() {
        assert_eq!(may(&[OTHER_ROLE], &[of_role(1, NONE, VIEW)]), Permissions::all());
        let owner = Member { guild_id: GUILD, guild: &guild(ME), user: ME, roles: &[] };
        assert_eq!(owner.may(&[]), Permissions::all());
    }

    #[test]
    fn overwrites_apply_from_everyone_over_roles_to_the_member() {
        assert_eq!(may(&[ROLE], &[of_role(1, NONE, VIEW)]), SEND);
        assert_eq!(may(&[ROLE], &[of_role(1, NONE, VIEW), of_role(3, VIEW, SEND)]), VIEW);
        assert_eq!(may(&[ROLE], &[own(SEND, VIEW), of_role(3, VIEW, SEND)]), SEND);
        assert_eq!(may(&[], &[of_role(3, SEND, VIEW)]), VIEW, "the role of others");
    }

    #[test]
    fn among_the_roles_an_allowance_wins_over_a_denial() {
        let roles = [ROLE, RoleId::new(5)];
        assert_eq!(may(&roles, &[of_role(3, SEND, NONE), of_role(5, NONE, SEND)]), VIEW | SEND);
    }

    #[test]
    fn what_is_missing_is_named_as_discord_does() {
        assert_eq!(missing(Permissions::all()), Vec::<&str>::new());
        let all_but = Permissions::all() - VIEW - Permissions::ATTACH_FILES;
        assert_eq!(missing(all_but), ["View Channel", "Attach Files"]);
    }
}
