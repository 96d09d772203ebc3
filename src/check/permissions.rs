//! The bot's permissions in a channel.

use serenity::model::{
    Permissions,
    channel::{PermissionOverwrite, PermissionOverwriteType},
};

use crate::{
    discord::GuildInfo,
    ids::{GuildId, RoleId, UserId},
};

/// The permissions that the bot needs, with their names in Discord's settings.
const REQUIRED: [(Permissions, &str); 6] = [
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
    /// Returns the permissions in a channel with these overwrites.
    /// <https://discord.com/developers/docs/topics/permissions#permission-overwrites>
    pub(super) fn permissions(&self, overwrites: &[PermissionOverwrite]) -> Permissions {
        let everyone = RoleId::new(self.guild_id.get());
        let roles = self.guild.roles.iter().filter(|role| role.id == everyone || self.roles.contains(&role.id));
        let base = roles.fold(Permissions::empty(), |all, role| all | role.permissions);
        if self.guild.owner_id == self.user || base.contains(Permissions::ADMINISTRATOR) {
            return Permissions::all();
        }
        // Discord's order: the overwrite of @everyone, those of the member's roles, that of the member.
        let of_everyone = |kind| kind == PermissionOverwriteType::Role(everyone);
        let of_roles = |kind| matches!(kind, PermissionOverwriteType::Role(id) if self.roles.contains(&id));
        let of_member = |kind| kind == PermissionOverwriteType::Member(self.user);
        let base = overwrite(base, overwrites, of_everyone);
        let base = overwrite(base, overwrites, of_roles);
        overwrite(base, overwrites, of_member)
    }
}

/// Applies the overwrites that `applies` selects; what is allowed overrides what is denied.
fn overwrite(
    base: Permissions,
    overwrites: &[PermissionOverwrite],
    applies: impl Fn(PermissionOverwriteType) -> bool,
) -> Permissions {
    let applying = || overwrites.iter().filter(|overwrite| applies(overwrite.kind));
    let denied = applying().fold(Permissions::empty(), |all, overwrite| all | overwrite.deny);
    let allowed = applying().fold(Permissions::empty(), |all, overwrite| all | overwrite.allow);
    (base & !denied) | allowed
}

/// Returns the names of the permissions that the bot needs and lacks.
pub(super) fn missing(granted: Permissions) -> Vec<&'static str> {
    REQUIRED.iter().filter(|(required, _)| !granted.contains(*required)).map(|(_, name)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discord::account::RoleInfo;

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

    fn granted(roles: &[RoleId], overwrites: &[PermissionOverwrite]) -> Permissions {
        Member { guild_id: GUILD, guild: &guild(UserId::new(9)), user: ME, roles }.permissions(overwrites)
    }

    fn of_role(id: u64, allow: Permissions, deny: Permissions) -> PermissionOverwrite {
        PermissionOverwrite { allow, deny, kind: PermissionOverwriteType::Role(RoleId::new(id)) }
    }

    fn own(allow: Permissions, deny: Permissions) -> PermissionOverwrite {
        PermissionOverwrite { allow, deny, kind: PermissionOverwriteType::Member(ME) }
    }

    #[test]
    fn permissions_of_everyone_and_of_roles_add_up() {
        assert_eq!(granted(&[], &[]), VIEW);
        assert_eq!(granted(&[ROLE], &[]), VIEW | SEND);
    }

    #[test]
    fn administrators_and_the_owner_have_every_permission() {
        assert_eq!(granted(&[OTHER_ROLE], &[of_role(1, NONE, VIEW)]), Permissions::all());
        let owner = Member { guild_id: GUILD, guild: &guild(ME), user: ME, roles: &[] };
        assert_eq!(owner.permissions(&[]), Permissions::all());
    }

    #[test]
    fn overwrites_apply_to_everyone_then_roles_then_the_member() {
        assert_eq!(granted(&[ROLE], &[of_role(1, NONE, VIEW)]), SEND);
        assert_eq!(granted(&[ROLE], &[of_role(1, NONE, VIEW), of_role(3, VIEW, SEND)]), VIEW);
        assert_eq!(granted(&[ROLE], &[own(SEND, VIEW), of_role(3, VIEW, SEND)]), SEND);
        assert_eq!(granted(&[], &[of_role(3, SEND, VIEW)]), VIEW, "a role of others");
    }

    #[test]
    fn among_roles_allow_overrides_deny() {
        let roles = [ROLE, RoleId::new(5)];
        assert_eq!(granted(&roles, &[of_role(3, SEND, NONE), of_role(5, NONE, SEND)]), VIEW | SEND);
    }

    #[test]
    fn missing_permissions_have_their_names_in_discord() {
        assert_eq!(missing(Permissions::all()), Vec::<&str>::new());
        let all_but = Permissions::all() - VIEW - Permissions::ATTACH_FILES;
        assert_eq!(missing(all_but), ["View Channel", "Attach Files"]);
    }
}
