//! Sets up the guilds, channels, users and permissions of a test.

use serde_json::json;

use super::{sim::DiscordSim, state::State, world::ChannelKind};

impl DiscordSim {
    /// Finds or creates a guild.
    #[must_use]
    pub fn guild(&self, name: &str) -> u64 {
        self.shared.change(|state| {
            let (id, is_new) = state.world.guild(name);
            if is_new {
                state.gateway.dispatch("GUILD_CREATE", state.world.guild_object(id));
            }
            id
        })
    }

    /// Finds or creates a text channel.
    #[must_use]
    pub fn channel(&self, guild: u64, name: &str) -> u64 {
        self.shared.change(|state| {
            let (id, is_new) = state.world.text_channel(guild, name);
            if is_new {
                state.announce_channel("CHANNEL_CREATE", id);
            }
            id
        })
    }

    /// Finds or creates a thread in a channel.
    #[must_use]
    pub fn thread(&self, channel: u64, name: &str) -> u64 {
        self.shared.change(|state| {
            let (id, is_new) = state.world.thread(channel, name);
            if is_new {
                state.announce_channel("THREAD_CREATE", id);
            }
            id
        })
    }

    /// Finds or creates the direct-message channel of a user.
    #[must_use]
    pub fn dm(&self, user: &str) -> u64 {
        self.shared.change(|state| {
            let user = state.world.user(user);
            state.world.direct(user)
        })
    }

    /// Deletes a channel or thread with its messages.
    pub fn delete_channel(&self, channel: u64) {
        self.shared.change(|state| {
            let is_thread = state.world.channels.get(&channel).is_some_and(|it| it.kind == ChannelKind::Thread);
            state.announce_channel(if is_thread { "THREAD_DELETE" } else { "CHANNEL_DELETE" }, channel);
            state.world.channels.remove(&channel);
        });
    }

    /// Finds or creates a user; returns the id. Every method that takes a user's name does the same.
    #[must_use]
    pub fn user(&self, name: &str) -> u64 {
        self.shared.change(|state| state.world.user(name))
    }

    /// Gives a user a nickname in a guild.
    pub fn set_nick(&self, guild: u64, user: &str, nick: &str) {
        self.shared.change(|state| {
            let user = state.world.user(user);
            state.world.set_nick(guild, user, nick);
        });
    }

    /// Sets the language of a user, which is en-US otherwise.
    pub fn set_locale(&self, user: &str, locale: &str) {
        self.shared.change(|state| {
            let user = state.world.user(user);
            state.world.locales.insert(user, locale.to_owned());
        });
    }

    /// Gives a user the permissions to manage channels and messages.
    pub fn make_manager(&self, user: &str) {
        self.shared.change(|state| {
            let user = state.world.user(user);
            state.world.make_manager(user);
        });
    }

    /// Sets the permission bits of a guild's `@everyone` role.
    pub fn allow_everyone(&self, guild: u64, permissions: u64) {
        self.shared.change(|state| {
            if let Some(it) = state.world.guilds.get_mut(&guild) {
                it.roles.insert(guild, permissions);
            }
        });
    }

    /// Gives the bot a new role with these permission bits; returns the role's id.
    pub fn give_bot_role(&self, guild: u64, permissions: u64) -> u64 {
        self.shared.change(|state| {
            let (role, bot) = (state.world.ids.next(), state.world.bot);
            if let Some(guild) = state.world.guilds.get_mut(&guild) {
                guild.roles.insert(role, permissions);
                guild.role_holders.entry(bot).or_default().push(role);
            }
            role
        })
    }

    /// Overwrites the permissions of a role or of the bot in a channel. The id of `@everyone` is the guild's.
    pub fn overwrite(&self, channel: u64, target: u64, allow: u64, deny: u64) {
        self.shared.change(|state| {
            let kind = u8::from(target == state.world.bot);
            if let Some(channel) = state.world.channels.get_mut(&channel) {
                channel.overwrites.push(json!({
                    "id": target.to_string(), "type": kind, "allow": allow.to_string(), "deny": deny.to_string(),
                }));
            }
        });
    }

    /// The text that mentions the bot.
    #[must_use]
    pub fn mention(&self) -> String {
        format!("<@{}>", self.bot_id())
    }
}

impl State {
    fn announce_channel(&mut self, event: &str, channel: u64) {
        let Some(channel) = self.world.channels.get(&channel) else { return };
        self.gateway.dispatch(event, self.world.channel_object(channel));
    }
}
