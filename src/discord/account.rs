//! The routes that `check` reads: the bot itself, its channels, and its permissions in them.

use reqwest::Method;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serenity::model::{Permissions, channel::PermissionOverwrite};

use super::{engine::Discord, error::DiscordError, rate_limit::RouteKey, retry::RetryPolicy};
use crate::ids::{ChannelId, GuildId, RoleId, UserId};

/// Tries of a request: a person waits for the report.
const TRIES: u32 = 2;

/// The flags of an application that may read messages: approved by Discord, or still below 100 servers.
/// <https://discord.com/developers/docs/resources/application#application-object-application-flags>
const MESSAGE_CONTENT: u64 = 1 << 18 | 1 << 19;

/// Types of channels that are threads.
/// <https://discord.com/developers/docs/resources/channel#channel-object-channel-types>
const THREADS: [u64; 3] = [10, 11, 12];

/// The type of a category.
const CATEGORY: u64 = 4;

/// The bot's own user.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Me {
    /// Its id.
    pub id: UserId,
    /// Its name.
    pub username: String,
}

/// A channel or thread.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ChannelInfo {
    /// Empty for a direct-message channel.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// None for a direct-message channel.
    #[serde(default)]
    pub guild_id: Option<GuildId>,
    /// The category of a channel, or the channel of a thread.
    #[serde(default)]
    pub parent_id: Option<ChannelId>,
    /// Overwrites of the guild's permissions; a thread has those of its channel.
    #[serde(default)]
    pub permission_overwrites: Vec<PermissionOverwrite>,
    #[serde(rename = "type")]
    kind: u64,
}

impl ChannelInfo {
    /// Whether it is a thread of its parent.
    #[must_use]
    pub(crate) fn is_thread(&self) -> bool {
        THREADS.contains(&self.kind)
    }

    /// Whether it is a category, in which no message can be posted.
    #[must_use]
    pub(crate) fn is_category(&self) -> bool {
        self.kind == CATEGORY
    }
}

/// A guild.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct GuildInfo {
    /// Its name.
    pub name: String,
    /// The owner, who has every permission.
    pub owner_id: UserId,
    /// All roles, `@everyone` included, which has the guild's own id.
    pub roles: Vec<RoleInfo>,
}

/// A role.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RoleInfo {
    /// Its id.
    pub id: RoleId,
    /// The permissions of its members.
    pub permissions: Permissions,
}

impl Discord {
    /// The bot's own user; succeeds when the token is valid.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub(crate) async fn me(&self) -> Result<Me, DiscordError> {
        self.look_up("me", 0, "/users/@me").await
    }

    /// Whether the bot may read messages: the message content intent is switched on.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub(crate) async fn may_read_messages(&self) -> Result<bool, DiscordError> {
        #[derive(Deserialize)]
        struct Application {
            #[serde(default)]
            flags: u64,
        }
        let application: Application = self.look_up("application", 0, "/applications/@me").await?;
        Ok(application.flags & MESSAGE_CONTENT != 0)
    }

    /// A channel or thread that the bot can see.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub(crate) async fn channel(&self, channel: ChannelId) -> Result<ChannelInfo, DiscordError> {
        self.look_up("channel", channel.get(), &format!("/channels/{channel}")).await
    }

    /// A guild that the bot is in.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub(crate) async fn guild(&self, guild: GuildId) -> Result<GuildInfo, DiscordError> {
        self.look_up("guild", guild.get(), &format!("/guilds/{guild}")).await
    }

    /// The roles of a member, without `@everyone`.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub(crate) async fn roles(&self, guild: GuildId, member: UserId) -> Result<Vec<RoleId>, DiscordError> {
        #[derive(Deserialize)]
        struct Member {
            roles: Vec<RoleId>,
        }
        let path = format!("/guilds/{guild}/members/{member}");
        self.look_up("member", guild.get(), &path).await.map(|member: Member| member.roles)
    }

    async fn look_up<T: DeserializeOwned>(
        &self,
        name: &'static str,
        major: u64,
        path: &str,
    ) -> Result<T, DiscordError> {
        self.read(RouteKey::of_bot(name, major), RetryPolicy::Tries(TRIES), || self.start(Method::GET, path)).await
    }
}

/// Reads null as absent.
fn or_default<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    Option::<String>::deserialize(value).map(Option::unwrap_or_default)
}
