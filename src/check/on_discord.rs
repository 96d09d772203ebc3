//! What is checked at Discord: the token, the intent, the session starts, the channels.

use std::collections::{HashMap, hash_map::Entry};

use serenity::model::channel::PermissionOverwrite;

use super::{
    Line,
    permissions::{self, Member},
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

/// Discord's code for a channel that is not there.
const UNKNOWN_CHANNEL: u64 = 10_003;

/// Without a token that Discord accepts, nothing more can be asked.
pub(super) async fn lines(config: &Config, discord: &Discord) -> Vec<Line> {
    let me = match discord.me().await {
        Ok(me) => me,
        Err(error) => return vec![Line::bad(TOKEN, token_refused(&error))],
    };
    let mut lines = vec![Line::good(TOKEN, format!("belongs to {} (user {})", me.username, me.id))];
    lines.push(intent(discord).await);
    lines.push(session_starts(discord).await);
    lines.extend(channels(config, discord, me.id).await);
    lines
}

fn token_refused(error: &DiscordError) -> String {
    match error {
        DiscordError::Unauthorized => {
            format!("{error}; at {PORTAL} choose the application, Bot, Reset Token, and put it into DISCORD_TOKEN")
        }
        _ => unanswered(error),
    }
}

fn unanswered(error: &DiscordError) -> String {
    format!("{error}; check the network and DISCORD_API_URL, and try again")
}

async fn intent(discord: &Discord) -> Line {
    match discord.may_read_messages().await {
        Ok(true) => Line::good(INTENT, "the bot may read messages (Message Content Intent)"),
        Ok(false) => Line::bad(
            INTENT,
            format!(
                "the bot may not read messages; at {PORTAL} choose the application, Bot, and switch on Message Content Intent"
            ),
        ),
        Err(error) => Line::bad(INTENT, unanswered(&error)),
    }
}

async fn session_starts(discord: &Discord) -> Line {
    match discord.session_starts().await {
        Ok(starts) if starts.remaining > 0 => Line::good(SESSIONS, format!("{} left", starts.remaining)),
        Ok(starts) => {
            let minutes = starts.reset_after.as_secs().div_ceil(60);
            Line::bad(SESSIONS, format!("none left, since the bot was started too often; wait {minutes} minutes"))
        }
        Err(error) => Line::bad(SESSIONS, unanswered(&error)),
    }
}

async fn channels(config: &Config, discord: &Discord, me: UserId) -> Vec<Line> {
    let mut ids: Vec<ChannelId> = config.intake.channels.iter().copied().collect();
    if ids.is_empty() {
        return vec![Line::good(CHANNEL, "every one that the bot can read (DISCORD_CHANNEL_IDS is not set)")];
    }
    ids.sort_unstable();
    let mut rights = Rights { discord, me, guilds: HashMap::new() };
    let mut lines = Vec::with_capacity(ids.len());
    for id in ids {
        let line = rights.line(id).await;
        lines.push(line.unwrap_or_else(|error| Line::bad(CHANNEL, format!("{id}: {}", not_seen(&error)))));
    }
    lines
}

fn not_seen(error: &DiscordError) -> String {
    match error {
        DiscordError::Refused { code: UNKNOWN_CHANNEL, .. } => {
            format!("{error}; take it out of DISCORD_CHANNEL_IDS, or put the right number there")
        }
        DiscordError::Refused { status: 403, .. } => {
            format!("{error}; invite the bot to the server, or give its role View Channel in this channel")
        }
        _ => unanswered(error),
    }
}

/// What the bot may do where; each guild is asked for once.
struct Rights<'a> {
    discord: &'a Discord,
    me: UserId,
    guilds: HashMap<GuildId, (GuildInfo, Vec<RoleId>)>,
}

impl Rights<'_> {
    async fn line(&mut self, id: ChannelId) -> Result<Line, DiscordError> {
        let channel = self.discord.channel(id).await?;
        let Some(guild_id) = channel.guild_id else {
            return Ok(Line::good(CHANNEL, format!("{id}: a direct-message channel")));
        };
        if channel.is_category() {
            let name = channel.name;
            return Ok(Line::bad(
                CHANNEL,
                format!("{name} ({id}) is a category; put its channels into DISCORD_CHANNEL_IDS"),
            ));
        }
        let overwrites = self.overwrites(&channel).await?;
        let user = self.me;
        let (guild, roles) = self.guild(guild_id).await?;
        let member = Member { guild_id, guild, user, roles };
        let missing = permissions::missing(member.may(&overwrites));
        let place = format!("#{} in {}", channel.name, guild.name);
        Ok(if missing.is_empty() {
            Line::good(CHANNEL, format!("{place}: the bot has every permission it needs"))
        } else {
            let missing = missing.join(", ");
            Line::bad(
                CHANNEL,
                format!("{place}: in the channel's settings, Permissions, allow the bot's role: {missing}"),
            )
        })
    }

    /// A thread has those of its channel.
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
