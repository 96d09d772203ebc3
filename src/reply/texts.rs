//! Every text the bot says itself.
//!
//! Each says what happened and what to do, and shows nothing of the inside: details go to the log. Each starts with a
//! mark, so that a history rebuilt from Discord can tell it from an agent's answer.

pub mod agents;
mod turns;

use std::time::Duration;

pub use self::turns::{
    NOT_FINISHED, RETRY_LABEL, STOP_LABEL, is_not_finished, not_yours, nothing_to_retry, nothing_to_stop, retry_later,
    retrying, stopped, stopping,
};
use crate::{
    config::{AgentId, Credits, RespondTo},
    tess::TessError,
};

pub mod files;
pub mod settings;

/// Starts a note that an answer takes its time.
pub const NOTICE_MARK: &str = "⏳";

/// Starts every text about something that went wrong.
pub const ERROR_MARK: &str = "⚠️";

/// Starts a text about something that was done.
pub const DONE_MARK: &str = "☑️";

/// Starts a text that was asked for.
pub const INFO_MARK: &str = "ℹ️";

/// Ends the first part of an answer that is sent as a file.
pub const LONG_ANSWER_IN_FILE: &str = "*This is the beginning; the whole answer is in the attached file.*";

/// Characters of an agent's title that are shown.
const TITLE_CHARS: usize = 100;

/// Whether one of the bot's own messages is (a part of) an agent's answer rather than a text of this module.
#[must_use]
pub fn is_answer(text: &str) -> bool {
    let text = text.trim_start();
    ![NOTICE_MARK, ERROR_MARK, DONE_MARK, INFO_MARK].iter().any(|mark| text.starts_with(mark))
}

/// What the user is told when an execution gave no answer.
#[must_use]
pub fn for_tess_error(error: &TessError) -> String {
    match error {
        TessError::Unauthorized { .. } => {
            "⚠️ Tess refused this bot's API key. Whoever runs the bot has to check `TESS_API_KEY`.".to_owned()
        }
        TessError::WrongWorkspace { .. } => {
            "⚠️ Tess says that this bot's API key does not belong to its workspace. Whoever runs the bot has to check \
             `TESS_WORKSPACE_ID`."
                .to_owned()
        }
        TessError::WorkspaceRequired { .. } => {
            "⚠️ Tess wants to know the workspace. Whoever runs the bot has to set `TESS_WORKSPACE_ID`.".to_owned()
        }
        TessError::AgentNotFound { agent, .. } => agent_unknown(&agent.to_string()),
        TessError::WrongHost { .. } => {
            "⚠️ What answers at Tess's address is not Tess; nothing was charged. Whoever runs the bot has to check \
             `TESS_API_URL`."
                .to_owned()
        }
        TessError::Refused { .. } => {
            "⚠️ Tess did not accept this request; nothing was charged. If it keeps happening, try `/reset`, or ask \
             whoever runs the bot to look at its log."
                .to_owned()
        }
        TessError::NoCredits { .. } => {
            "⚠️ The Tess workspace has no credits left. Ask again once they have been topped up.".to_owned()
        }
        TessError::RateLimited { retry_after } => {
            format!("⚠️ Tess is very busy; nothing was charged. Ask again in about {}.", about(*retry_after))
        }
        TessError::NotSent { .. } | TessError::Unavailable { .. } => {
            "⚠️ Tess could not be reached; nothing was charged. Ask again in a minute.".to_owned()
        }
        TessError::OutcomeUnknown { .. } => {
            "⚠️ The connection to Tess broke before the answer came. It may have been charged; ask again if you want \
             another try."
                .to_owned()
        }
        TessError::Failed { .. } => {
            "⚠️ The agent could not finish its answer. Ask again, perhaps in other words.".to_owned()
        }
        TessError::Empty { .. } => "⚠️ The agent answered with nothing. Ask again, perhaps in other words.".to_owned(),
        TessError::FileRefused { .. } => {
            "⚠️ Tess could not read a file; nothing was charged for an answer. Try another format, or ask without it."
                .to_owned()
        }
        TessError::StorageFull { .. } => {
            "⚠️ The file storage of the Tess workspace is full. Whoever runs the bot has to delete files in Tess."
                .to_owned()
        }
        TessError::TimedOut { waited } => {
            format!(
                "⚠️ The agent was not done after {}. It may have been charged; ask again if you want another try, \
                 perhaps for less at once.",
                about(*waited)
            )
        }
    }
}

/// A turn waits: `ahead` others are asked first, and `expected` is how long that will take, zero when unknown.
#[must_use]
pub fn waiting(ahead: usize, expected: Duration) -> String {
    let time = if expected.is_zero() { String::new() } else { format!(", in about {}", about(expected)) };
    match ahead {
        0 => format!("⏳ Still working on it; the answer comes here{time}."),
        1 => format!("⏳ One request is ahead of yours; the answer comes here{time}."),
        _ => format!("⏳ {ahead} requests are ahead of yours; the answer comes here{time}."),
    }
}

/// A part of a long answer could not be posted.
#[must_use]
pub fn part_failed() -> &'static str {
    "⚠️ A part of this answer could not be posted. Ask me to repeat it."
}

/// Discord refused the answer itself, most likely by a server's AutoMod rule.
#[must_use]
pub fn reply_refused() -> &'static str {
    "⚠️ Discord did not let this answer through; a rule of the server's AutoMod may have blocked it. Ask in other words."
}

/// The bot itself failed: a panic.
#[must_use]
pub fn internal_error() -> &'static str {
    "⚠️ Something broke inside the bot, and it was logged. Ask again; it may have been charged."
}

/// The channel's history was cleared.
#[must_use]
pub fn reset_done() -> &'static str {
    "☑️ A fresh start: the agent no longer sees what was said here before."
}

/// The agent of this channel; `title` is `None` when Tess did not tell it.
#[must_use]
pub fn agent_current(title: Option<&str>, id: AgentId, is_default: bool) -> String {
    let default = if is_default { ", the default" } else { "" };
    match title {
        Some(title) => format!("ℹ️ This channel talks to **{}** (agent {id}{default}).", escaped(title)),
        None => format!("ℹ️ This channel talks to agent {id}{default}."),
    }
}

/// Another agent was chosen for this channel.
#[must_use]
pub fn agent_switched(title: &str, id: AgentId) -> String {
    format!("☑️ This channel now talks to **{}** (agent {id}). It sees the conversation so far.", escaped(title))
}

/// There is no such agent, or the workspace does not see it. `id` is what was typed.
#[must_use]
pub fn agent_unknown(id: &str) -> String {
    format!(
        "⚠️ Tess has no agent {} that this bot may use. Check the number, or choose another with `/agent`.",
        escaped(id)
    )
}

/// The agent makes images, videos or the like.
#[must_use]
pub fn agent_not_chat(title: &str) -> String {
    format!("⚠️ **{}** is not a chat agent, so it can not talk here. Choose another with `/agent`.", escaped(title))
}

/// Tess could not be asked about an agent.
#[must_use]
pub fn agent_unavailable() -> &'static str {
    "⚠️ Tess could not be asked about that agent; nothing was changed. Try again in a minute."
}

/// The command is for those who manage channels.
#[must_use]
pub fn needs_manage_channels() -> &'static str {
    "⚠️ That takes the permission **Manage Channels**. Ask someone who has it."
}

/// The credits that everybody may spend a day are spent. `opens` is in seconds since the Unix epoch, here as below.
#[must_use]
pub fn over_day_budget(limit: Credits, opens: u64) -> String {
    format!("⚠️ This bot has used up its {limit} Tess credits for today. It answers again <t:{opens}:R>.")
}

/// The credits that a guild may spend a day are spent.
#[must_use]
pub fn over_guild_budget(limit: Credits, opens: u64) -> String {
    format!("⚠️ This server has used up its {limit} Tess credits for today. I answer here again <t:{opens}:R>.")
}

/// The credits that a user may spend a day are spent.
#[must_use]
pub fn over_user_budget(limit: Credits, opens: u64) -> String {
    format!("⚠️ You have used up your {limit} Tess credits for today. I answer you again <t:{opens}:R>.")
}

/// A user wrote more messages in a minute than are answered.
#[must_use]
pub fn over_minute(most: usize, opens: u64) -> String {
    let messages = if most == 1 { "message" } else { "messages" };
    format!("⚠️ I answer {most} {messages} a minute of each person. Ask me again <t:{opens}:R>.")
}

/// The use of a server was asked for in a direct message.
#[must_use]
pub fn usage_needs_server() -> &'static str {
    "⚠️ There is no server here. Use `/usage scope:server` in one of its channels."
}

/// The use of a server is for those who manage it.
#[must_use]
pub fn usage_needs_permission() -> &'static str {
    "⚠️ That takes the permission **Manage Server** or **Manage Channels**. `/usage` shows your own use."
}

/// What the bot does and can be told.
#[must_use]
pub fn help(respond_to: RespondTo) -> String {
    let listens = match respond_to {
        RespondTo::All => "I answer every message here",
        RespondTo::Mentions => "I answer when you mention me or reply to me, and every direct message",
    };
    format!(
        "ℹ️ {listens}, with the conversation so far in mind. What you write while I work is answered next, all at once.\n\
         - `/agent` shows this channel's agent, or chooses another\n\
         - `/agents` lists the agents to choose from\n\
         - `/settings` shows how it is set here, or changes it\n\
         - `/reset` makes the agent forget what was said here\n\
         - `/stop` ends the answer that is being worked on\n\
         - `/retry` asks the last question again\n\
         - `/usage` shows what your messages have cost\n\
         - `/help` shows this"
    )
}

/// A duration in words, rounded up.
fn about(duration: Duration) -> String {
    match duration.as_secs() + u64::from(duration.subsec_nanos() > 0) {
        0 | 1 => "a second".to_owned(),
        seconds @ 2..100 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds.div_ceil(60)),
    }
}

fn escaped(title: &str) -> String {
    escaped_to(title, TITLE_CHARS)
}

/// The first `most` characters on one line, with nothing in them that Discord would format, link or mention.
pub(super) fn escaped_to(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for c in text.chars().take(most) {
        match c {
            '@' => shown.push_str("@\u{200b}"),
            '\\' | '*' | '_' | '~' | '`' | '|' | '<' | '>' | '[' | ']' | '(' | ')' | ':' | '#' => {
                shown.extend(['\\', c]);
            }
            c if c.is_whitespace() || c.is_control() => shown.push(' '),
            c => shown.push(c),
        }
    }
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    const AGENT: AgentId = AgentId(8794);

    fn detail() -> String {
        "internal: 10.0.0.7 said no".to_owned()
    }

    fn errors() -> Vec<TessError> {
        vec![
            TessError::Unauthorized { detail: detail() },
            TessError::WrongWorkspace { detail: detail() },
            TessError::WorkspaceRequired { detail: detail() },
            TessError::AgentNotFound { agent: AGENT, detail: detail() },
            TessError::WrongHost { detail: detail() },
            TessError::Refused { detail: detail() },
            TessError::NoCredits { detail: detail() },
            TessError::RateLimited { retry_after: Duration::from_millis(59_500) },
            TessError::NotSent { detail: detail() },
            TessError::Unavailable { detail: detail() },
            TessError::OutcomeUnknown { detail: detail() },
            TessError::Failed { detail: detail() },
            TessError::Empty { credits: 0.0 },
            TessError::FileRefused { detail: detail() },
            TessError::StorageFull { detail: detail() },
            TessError::TimedOut { waited: Duration::from_secs(300) },
        ]
    }

    #[test]
    fn each_error_says_what_to_do_and_nothing_of_the_inside() {
        let texts: Vec<_> = errors().iter().map(for_tess_error).collect();
        assert!(texts.iter().all(|text| text.starts_with(ERROR_MARK) && !text.contains("10.0.0.7")));
        assert_snapshot!(texts.join("\n"), @"
        ⚠️ Tess refused this bot's API key. Whoever runs the bot has to check `TESS_API_KEY`.
        ⚠️ Tess says that this bot's API key does not belong to its workspace. Whoever runs the bot has to check `TESS_WORKSPACE_ID`.
        ⚠️ Tess wants to know the workspace. Whoever runs the bot has to set `TESS_WORKSPACE_ID`.
        ⚠️ Tess has no agent 8794 that this bot may use. Check the number, or choose another with `/agent`.
        ⚠️ What answers at Tess's address is not Tess; nothing was charged. Whoever runs the bot has to check `TESS_API_URL`.
        ⚠️ Tess did not accept this request; nothing was charged. If it keeps happening, try `/reset`, or ask whoever runs the bot to look at its log.
        ⚠️ The Tess workspace has no credits left. Ask again once they have been topped up.
        ⚠️ Tess is very busy; nothing was charged. Ask again in about 60 seconds.
        ⚠️ Tess could not be reached; nothing was charged. Ask again in a minute.
        ⚠️ Tess could not be reached; nothing was charged. Ask again in a minute.
        ⚠️ The connection to Tess broke before the answer came. It may have been charged; ask again if you want another try.
        ⚠️ The agent could not finish its answer. Ask again, perhaps in other words.
        ⚠️ The agent answered with nothing. Ask again, perhaps in other words.
        ⚠️ Tess could not read a file; nothing was charged for an answer. Try another format, or ask without it.
        ⚠️ The file storage of the Tess workspace is full. Whoever runs the bot has to delete files in Tess.
        ⚠️ The agent was not done after 5 minutes. It may have been charged; ask again if you want another try, perhaps for less at once.
        ");
    }

    #[test]
    fn who_waits_is_told_for_how_long() {
        let texts = [
            waiting(0, Duration::ZERO),
            waiting(1, Duration::from_secs(1)),
            waiting(3, Duration::from_secs(40)),
            waiting(90, Duration::from_secs(130)),
        ];
        assert!(texts.iter().all(|text| text.starts_with(NOTICE_MARK)));
        assert_snapshot!(texts.join("\n"), @"
        ⏳ Still working on it; the answer comes here.
        ⏳ One request is ahead of yours; the answer comes here, in about a second.
        ⏳ 3 requests are ahead of yours; the answer comes here, in about 40 seconds.
        ⏳ 90 requests are ahead of yours; the answer comes here, in about 3 minutes.
        ");
    }

    #[test]
    fn failures_of_the_bot_are_told() {
        let texts = [part_failed(), reply_refused(), internal_error(), agent_unavailable(), needs_manage_channels()];
        assert!(texts.iter().all(|text| text.starts_with(ERROR_MARK)));
        assert_snapshot!(texts.join("\n"), @"
        ⚠️ A part of this answer could not be posted. Ask me to repeat it.
        ⚠️ Discord did not let this answer through; a rule of the server's AutoMod may have blocked it. Ask in other words.
        ⚠️ Something broke inside the bot, and it was logged. Ask again; it may have been charged.
        ⚠️ Tess could not be asked about that agent; nothing was changed. Try again in a minute.
        ⚠️ That takes the permission **Manage Channels**. Ask someone who has it.
        ");
    }

    #[test]
    fn who_is_over_a_budget_is_told_until_when() {
        let (limit, opens) = (Credits::from_number(2.5), 1_772_582_400);
        let texts = [
            over_day_budget(limit, opens),
            over_guild_budget(limit, opens),
            over_user_budget(limit, opens),
            over_minute(1, opens),
            over_minute(10, opens),
            usage_needs_server().to_owned(),
            usage_needs_permission().to_owned(),
        ];
        assert!(texts.iter().all(|text| text.starts_with(ERROR_MARK)));
        assert_snapshot!(texts.join("\n"), @"
        ⚠️ This bot has used up its 2.50 Tess credits for today. It answers again <t:1772582400:R>.
        ⚠️ This server has used up its 2.50 Tess credits for today. I answer here again <t:1772582400:R>.
        ⚠️ You have used up your 2.50 Tess credits for today. I answer you again <t:1772582400:R>.
        ⚠️ I answer 1 message a minute of each person. Ask me again <t:1772582400:R>.
        ⚠️ I answer 10 messages a minute of each person. Ask me again <t:1772582400:R>.
        ⚠️ There is no server here. Use `/usage scope:server` in one of its channels.
        ⚠️ That takes the permission **Manage Server** or **Manage Channels**. `/usage` shows your own use.
        ");
    }

    #[test]
    fn commands_are_answered() {
        let texts = [
            reset_done().to_owned(),
            agent_current(Some("Docs Helper"), AGENT, true),
            agent_current(Some("Docs Helper"), AGENT, false),
            agent_current(None, AGENT, true),
            agent_switched("Docs Helper", AGENT),
            agent_unknown("8794"),
            agent_not_chat("Painter"),
        ];
        assert_snapshot!(texts.join("\n"), @"
        ☑️ A fresh start: the agent no longer sees what was said here before.
        ℹ️ This channel talks to **Docs Helper** (agent 8794, the default).
        ℹ️ This channel talks to **Docs Helper** (agent 8794).
        ℹ️ This channel talks to agent 8794, the default.
        ☑️ This channel now talks to **Docs Helper** (agent 8794). It sees the conversation so far.
        ⚠️ Tess has no agent 8794 that this bot may use. Check the number, or choose another with `/agent`.
        ⚠️ **Painter** is not a chat agent, so it can not talk here. Choose another with `/agent`.
        ");
        assert_snapshot!(help(RespondTo::All), @"
        ℹ️ I answer every message here, with the conversation so far in mind. What you write while I work is answered next, all at once.
        - `/agent` shows this channel's agent, or chooses another
        - `/agents` lists the agents to choose from
        - `/settings` shows how it is set here, or changes it
        - `/reset` makes the agent forget what was said here
        - `/stop` ends the answer that is being worked on
        - `/retry` asks the last question again
        - `/usage` shows what your messages have cost
        - `/help` shows this
        ");
        assert_snapshot!(help(RespondTo::Mentions), @"
        ℹ️ I answer when you mention me or reply to me, and every direct message, with the conversation so far in mind. What you write while I work is answered next, all at once.
        - `/agent` shows this channel's agent, or chooses another
        - `/agents` lists the agents to choose from
        - `/settings` shows how it is set here, or changes it
        - `/reset` makes the agent forget what was said here
        - `/stop` ends the answer that is being worked on
        - `/retry` asks the last question again
        - `/usage` shows what your messages have cost
        - `/help` shows this
        ");
    }

    #[test]
    fn a_title_can_neither_format_nor_mention_nor_link() {
        let title = "**x**\n@everyone <@1> [a](https://b) `c`";
        assert_snapshot!(agent_not_chat(title).replace('\u{200b}', "·"), @r"⚠️ **\*\*x\*\* @·everyone \<@·1\> \[a\]\(https\://b\) \`c\`** is not a chat agent, so it can not talk here. Choose another with `/agent`.");
        assert!(agent_current(Some(&"x".repeat(5_000)), AGENT, false).chars().count() < 200);
    }

    #[test]
    fn the_long_answers_line_is_a_part_of_the_answer() {
        assert_snapshot!(LONG_ANSWER_IN_FILE, @"*This is the beginning; the whole answer is in the attached file.*");
        assert!(is_answer(LONG_ANSWER_IN_FILE));
    }

    #[test]
    fn only_an_agents_words_are_an_answer() {
        assert!(is_answer("Hello!") && is_answer("It is ⚠️ dangerous"));
        let own = [part_failed(), reset_done(), &help(RespondTo::All), &waiting(0, Duration::ZERO), " ⚠️ x"];
        assert!(own.iter().all(|text| !is_answer(text)));
        assert!(errors().iter().all(|error| !is_answer(&for_tess_error(error))));
    }
}
