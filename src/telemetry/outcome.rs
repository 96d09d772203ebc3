//! What became of a message and of an execution, as metrics and log lines name it.

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// The agent's answer was posted.
    Answered,
    /// There is no whole answer; a text that says so was posted, or could not be.
    Failed(FailReason),
    /// The agent was not asked.
    Skipped(SkipReason),
    /// The message was not to be answered any more.
    Cancelled(CancelReason),
}

/// Why a message has no whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FailReason {
    /// Tess gave no answer.
    Tess(TessFailure),
    /// The messages have nothing but files, and none of them could be read.
    FilesUnread,
    /// The bot may no longer post in the channel.
    ChannelClosed,
    /// Discord refused the answer, e.g. for a blocked word.
    ReplyRefused,
    /// Discord took only a part of the answer.
    PartlyDelivered,
    /// Discord could not be reached.
    NotDelivered,
    /// The turn panicked.
    Panic,
}

/// Why the agent was not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SkipReason {
    /// The queue of the channel was full.
    Overload,
    /// The bot may not post in the channel.
    ChannelClosed,
    /// `CREDITS_PER_DAY` is spent.
    Budget,
    /// `CREDITS_PER_GUILD_DAY` is spent.
    GuildBudget,
    /// `CREDITS_PER_USER_DAY` is spent.
    UserBudget,
    /// `MESSAGES_PER_USER_MINUTE` is reached.
    UserMinute,
}

/// Why a message is not to be answered any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CancelReason {
    /// The bot shut down.
    Shutdown,
    /// A user stopped the turn.
    StoppedByUser,
    /// A user reset the channel.
    Reset,
    /// The message was deleted.
    Deleted,
    /// The channel was deleted, or the bot cannot see it any more.
    ChannelGone,
}

/// Why Tess gave no answer; each stands for the error of the client that has the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TessFailure {
    Unauthorized,
    WrongWorkspace,
    WorkspaceRequired,
    AgentNotFound,
    WrongHost,
    Refused,
    NoCredits,
    RateLimited,
    NotSent,
    Unavailable,
    OutcomeUnknown,
    Failed,
    Empty,
    TimedOut,
    FileRefused,
    StorageFull,
}

impl Outcome {
    /// Returns the values of the labels `outcome` and `reason`.
    pub(crate) fn labels(self) -> [&'static str; 2] {
        match self {
            Self::Answered => ["answered", ""],
            Self::Failed(reason) => ["failed", reason.name()],
            Self::Skipped(reason) => ["skipped", reason.name()],
            Self::Cancelled(reason) => ["cancelled", reason.name()],
        }
    }
}

impl FailReason {
    fn name(self) -> &'static str {
        match self {
            Self::Tess(failure) => failure.name(),
            Self::FilesUnread => "files_unread",
            Self::ChannelClosed => "channel_closed",
            Self::ReplyRefused => "reply_refused",
            Self::PartlyDelivered => "partly_delivered",
            Self::NotDelivered => "not_delivered",
            Self::Panic => "panic",
        }
    }
}

impl SkipReason {
    fn name(self) -> &'static str {
        match self {
            Self::Overload => "overload",
            Self::ChannelClosed => "channel_closed",
            Self::Budget => "budget",
            Self::GuildBudget => "guild_budget",
            Self::UserBudget => "user_budget",
            Self::UserMinute => "user_minute",
        }
    }
}

impl CancelReason {
    fn name(self) -> &'static str {
        match self {
            Self::Shutdown => "stopped",
            Self::StoppedByUser => "stopped_by_user",
            Self::Reset => "reset",
            Self::Deleted => "deleted",
            Self::ChannelGone => "channel_gone",
        }
    }
}

impl TessFailure {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::WrongWorkspace => "wrong_workspace",
            Self::WorkspaceRequired => "workspace_required",
            Self::AgentNotFound => "agent_not_found",
            Self::WrongHost => "wrong_host",
            Self::Refused => "refused",
            Self::NoCredits => "no_credits",
            Self::RateLimited => "rate_limited",
            Self::NotSent => "not_sent",
            Self::Unavailable => "unavailable",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Failed => "failed",
            Self::Empty => "empty",
            Self::TimedOut => "timed_out",
            Self::FileRefused => "file_refused",
            Self::StorageFull => "storage_full",
        }
    }
}
