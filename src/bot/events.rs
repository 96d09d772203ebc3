//! Passes each event of the gateway to the part that acts on it.

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    commands::Commands,
    conversation::{Conversations, catch_up::CatchUp},
    discord::{Discord, interaction::Interaction},
    event::{Event, KnownChannel},
    ids::ApplicationId,
    state::State,
};

/// Interactions that may be in progress at once. Beyond it Discord tells the user that the bot did not answer.
const MAX_INTERACTIONS: usize = 200;

/// The parts that act on events, and the tasks of interactions.
pub(super) struct Events {
    conversations: Conversations,
    commands: Commands,
    discord: Discord,
    state: State,
    stop: CancellationToken,
    interactions: TaskTracker,
    /// The catch-up of the current session.
    catch_up: Option<CatchUp>,
}

impl Events {
    /// `stop` is cancelled when the bot shuts down; interactions are not answered from then on.
    pub(super) fn new(
        conversations: Conversations,
        commands: Commands,
        discord: Discord,
        state: State,
        stop: CancellationToken,
    ) -> Self {
        Self { conversations, commands, discord, state, stop, interactions: TaskTracker::new(), catch_up: None }
    }

    /// The interactions in progress.
    pub(super) fn interactions(&self) -> &TaskTracker {
        &self.interactions
    }

    pub(super) fn on_event(&mut self, event: Event) {
        match event {
            Event::Ready { me, application, guilds } => {
                info!(bot.id = %me, "connected to Discord");
                self.conversations.set_bot_user(me);
                self.commands.set_application(application);
                self.catch_up = self.conversations.begin_catch_up(guilds);
                self.register_commands(application);
            }
            Event::Guild(guild, channels) => {
                self.record_threads(&channels);
                if let Some(catch_up) = &mut self.catch_up {
                    catch_up.on_guild(guild, &channels);
                }
            }
            Event::Channels(channels) => self.record_threads(&channels),
            Event::Message(message) => self.conversations.on_message(&message),
            Event::Edit(message) => self.conversations.on_edit(&message),
            Event::Deletion(deletion) => self.conversations.on_deletion(&deletion),
            Event::ChannelGone(channel) => self.conversations.on_channel_gone(channel),
            Event::GuildGone(guild) => {
                self.conversations.on_guild_gone(guild);
                if let Some(catch_up) = &mut self.catch_up {
                    catch_up.on_guild_gone(guild);
                }
            }
            Event::Interaction(interaction) => self.on_interaction(*interaction),
        }
    }

    fn record_threads(&self, channels: &[KnownChannel]) {
        for channel in channels {
            if let Some(parent) = channel.parent {
                self.conversations.record_thread(channel.id, parent);
            }
        }
    }

    fn on_interaction(&self, interaction: Interaction) {
        let in_progress = self.interactions.len();
        if self.stop.is_cancelled() || in_progress >= MAX_INTERACTIONS {
            warn!(in_progress, stopping = self.stop.is_cancelled(), "interaction not answered");
            return;
        }
        let commands = self.commands.clone();
        self.interactions.spawn(async move { commands.run(interaction).await });
    }

    /// Registers the slash commands unless they are those registered last: Discord limits registrations to 200 a day.
    fn register_commands(&self, application: ApplicationId) {
        let definition = self.commands.definition();
        let hash = format!("{application}:{}", fingerprint(&definition.to_string()));
        if self.state.commands_hash().as_ref() == Some(&hash) {
            return;
        }
        let (discord, state) = (self.discord.clone(), self.state.clone());
        self.interactions.spawn(async move {
            match discord.register_commands(application, &definition).await {
                Ok(()) => state.set_commands_hash(&hash),
                Err(error) => warn!(%error, "slash commands not registered; the next session tries again"),
            }
        });
    }
}

/// FNV-1a: stable across builds, which the standard library's hash does not promise to be.
fn fingerprint(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_is_that_of_the_published_test_vectors() {
        assert_eq!([fingerprint(""), fingerprint("foobar")], ["cbf29ce484222325", "85944171f73967e8"]);
    }
}
