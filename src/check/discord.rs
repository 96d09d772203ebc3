//! Checks at Discord: the token, the intent, the session starts, the channels.

use std::collections::{HashMap, hash_map::Entry};

use serenity::model::channel::PermissionOverwrite;

use super::{
    permissions::{self, Member},
    report::Line,
};
use crate::{
    config::Config,
    discord::{ChannelInfo, Discord, DiscordError, GuildInfo},
    ids::{ChannelId, GuildId, RoleId, UserId},
};

const PORTAL: &str = "https://discord.com/developers/applications";

const TOKEN: &str = "Discord token";
const INTENT: &str = "Intents";
const SESSIONS: &str = "Session starts";
const CHANNEL: &str = "Channel";

/// Discord's error code for a channel that does not exist.
/// <https://discord.com/developers/docs/topics/opcodes-and-status-codes#json>
const UNKNOWN_CHANNEL: u64 = 10_003;

/// Returns the lines about Discord; only the token's if Discord refuses it.
pub(super) async fn lines(config: &Config, discord: &Discord) -> Vec<Line> {
    let me = match discord.me().await {
        Ok(me) => me,
        Err(error) => return vec![Line::failed(TOKEN, token_problem(&error))],
    };
    let mut lines = vec![Line::passed(TOKEN, format!("belongs to {} (user {})", me.username, me.id))];
    lines.push(intent(discord).await);
    lines.push(session_starts(discord).await);
    lines.extend(channels(config, discord, me.id).await);
    lines
}

fn token_problem(error: &DiscordError) -> String {
    match error {
        DiscordError::Unauthorized => {
            format!("{error}; at {PORTAL} choose the application, Bot, Reset Token, and put it into DISCORD_TOKEN")
        }
        _ => no_answer(error),
    }
}

fn no_answer(error: &DiscordError) -> String {
    format!("{error}; check the network and DISCORD_API_URL, and try again")
}

async fn intent(discord: &Discord) -> Line {
    match discord.may_read_messages().await {
        Ok(true) => Line::passed(INTENT, "the bot may read messages (Message Content Intent)"),
        Ok(false) => Line::failed(
            INTENT,
            format!(
                "the bot may not read messages; at {PORTAL} choose the application, Bot, and switch on Message Content Intent"
            ),
        ),
        Err(error) => Line::failed(INTENT, no_answer(&error)),
    }
}

async fn session_starts(discord: &Discord) -> Line {
    match discord.session_starts().await {
        Ok(starts) if starts.remaining > 0 => Line::passed(SESSIONS, format!("{} left", starts.remaining)),
        Ok(starts) => {
            let minutes = starts.reset_after.as_secs().div_ceil(60);
            Line::failed(SESSIONS, format!("none left, because the bot was started too often; wait {minutes} minutes"))
        }
        Err(error) => Line::failed(SESSIONS, no_answer(&error)),
    }
}

async fn channels(config: &Config, discord: &Discord, me: UserId) -> Vec<Line> {
    let mut ids: Vec<ChannelId> = config.intake.channels.iter().copied().collect();
    if ids.is_empty() {
        return vec![Line::passed(CHANNEL, "every channel that the bot can read (DISCORD_CHANNEL_IDS is not set)")];
    }
    ids.sort_unstable();
    let mut check = PermissionCheck { discord, me, guilds: HashMap::new() };
    let mut lines = Vec::with_capacity(ids.len());
    for id in ids {
        let line = check.line(id).await;
        lines.push(line.unwrap_or_else(|error| Line::failed(CHANNEL, format!("{id}: {}", channel_problem(&error)))));
    }
    lines
}

fn channel_problem(error: &DiscordError) -> String {
    match error {
        DiscordError::Refused { code: UNKNOWN_CHANNEL, .. } => {
            format!("{error}; remove it from DISCORD_CHANNEL_IDS, or correct the number")
        }
        DiscordError::Refused { status: 403, .. } => {
            format!("{error}; invite the bot to the server, or give its role View Channel in this channel")
        }
        _ => no_answer(error),
    }
}

/// Looks up the bot's permissions in channels, each guild once.
struct PermissionCheck<'a> {
    discord: &'a Discord,
    me: UserId,
    guilds: HashMap<GuildId, (GuildInfo, Vec<RoleId>)>,
}

impl PermissionCheck<'_> {
    async fn line(&mut self, id: ChannelId) -> Result<Line, DiscordError> {
        let channel = self.discord.channel(id).await?;
        let Some(guild_id) = channel.guild_id else {
            return Ok(Line::passed(CHANNEL, format!("{id}: a direct-message channel")));
        };
        if channel.is_category() {
            let name = channel.name;
            return Ok(Line::failed(
                CHANNEL,
                format!("{name} ({id}) is a category; put its channels into DISCORD_CHANNEL_IDS"),
            ));
        }
        let overwrites = self.overwrites(&channel).await?;
        let user = self.me;
        let (guild, roles) = self.guild(guild_id).await?;
        let member = Member { guild_id, guild, user, roles };
        let missing = permissions::missing(member.permissions(&overwrites));
        let place = format!("#{} in {}", channel.name, guild.name);
        Ok(if missing.is_empty() {
            Line::passed(CHANNEL, format!("{place}: the bot has every permission it needs"))
        } else {
            let missing = missing.join(", ");
            Line::failed(
                CHANNEL,
                format!("{place}: in the channel's settings, Permissions, allow the bot's role: {missing}"),
            )
        })
    }

    /// Returns the overwrites of a channel; a thread has those of its parent.
    async fn overwrites(&self, channel: &ChannelInfo) -> Result<Vec<PermissionOverwrite>, DiscordError> {
        match channel.parent_id.filter(|_| channel.is_thread()) {
            Some(parent) => Ok(self.discord.channel(parent).await?.permission_overwrites),
            None => Ok(channel.permission_overwrites.clone()),
        }
    }

    async fn guild(&mut self, id: GuildId) -> Result<&(GuildInfo, Vec<RoleId>), DiscordError> {
        match self.guilds.entry(id) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => {
                let guild = self.discord.guild(id).await?;
                Ok(unknown.insert((guild, self.discord.roles(id, self.me).await?)))
            }
        }
    }
}
