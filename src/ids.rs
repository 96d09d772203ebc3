//! The ids of Discord and Tess, and the time that a Discord id holds.

use std::{
    fmt,
    num::ParseIntError,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

pub(crate) use serenity::model::id::{
    ApplicationId, AttachmentId, ChannelId, GuildId, InteractionId, MessageId, RoleId, UserId,
};

/// When Discord's ids start to count. <https://discord.com/developers/docs/reference#snowflakes>
const DISCORD_EPOCH: Duration = Duration::from_millis(1_420_070_400_000);

/// Bits of a Discord id below its milliseconds.
const TIME_SHIFT: u32 = 22;

/// The numeric id of a Tess agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AgentId(pub u64);

/// The numeric id of an execution of a Tess agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ExecutionId(pub u64);

/// The numeric id of a file stored at Tess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub(crate) struct FileId(pub u64);

/// The numeric id of a Tess workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkspaceId(pub u64);

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for AgentId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Returns when a message was posted, to the millisecond.
#[must_use]
pub(crate) fn posted_at(message: MessageId) -> SystemTime {
    UNIX_EPOCH + DISCORD_EPOCH + Duration::from_millis(message.get() >> TIME_SHIFT)
}

/// Returns the smallest id that a message posted at `time` can have; the bounds of the id space where `time` is beyond them.
#[must_use]
pub(crate) fn first_id_at(time: SystemTime) -> MessageId {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(DISCORD_EPOCH);
    let id = since_epoch.as_millis().saturating_mul(1 << TIME_SHIFT);
    // serenity panics on an id of zero.
    MessageId::new(u64::try_from(id).unwrap_or(u64::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Discord's reference.
    const EXAMPLE: MessageId = MessageId::new(175_928_847_299_117_063);

    fn example_time() -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(1_462_015_105_796)
    }

    #[test]
    fn an_id_holds_the_time_of_its_message() {
        assert_eq!(posted_at(EXAMPLE), example_time());
    }

    #[test]
    fn the_first_id_of_a_millisecond_is_its_smallest() {
        let first = first_id_at(example_time());
        assert!(first <= EXAMPLE);
        assert_eq!(posted_at(first), example_time());
        assert_eq!(posted_at(MessageId::new(first.get() - 1)), example_time() - Duration::from_millis(1));
    }

    #[test]
    fn times_that_no_id_can_have_get_the_nearest_id() {
        assert_eq!(first_id_at(UNIX_EPOCH).get(), 1);
        assert_eq!(first_id_at(UNIX_EPOCH - Duration::from_secs(1)).get(), 1);
        assert_eq!(first_id_at(UNIX_EPOCH + DISCORD_EPOCH).get(), 1);
        assert_eq!(first_id_at(UNIX_EPOCH + Duration::from_secs(1 << 40)).get(), u64::MAX);
    }
}
