//! Decides whether a Discord message is answered, and renders it as the text that the agent is sent.
//!
//! Pure, and linear in the length of a message, even for text that only looks like markup.

use crate::{
    config::{IntakeConfig, RespondTo},
    discord::model::Message,
    ids::{ChannelId, UserId},
    intake::files::FileRoute,
};

pub(crate) mod files;

/// Most characters of a quoted message that the agent is sent.
const MAX_QUOTE_CHARS: usize = 300;

/// Most bytes of a mention or an emoji: `<a:`, a name of 32, `:`, an id of 20 digits and `>`.
const MAX_MARKUP_BYTES: usize = 3 + 32 + 1 + 20 + 1;

/// What the agent is sent of a message that only mentions the bot.
const BARE_MENTION: &str = "(mentions you)";

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Add it to the history and answer it.
    Answer,
    /// Add it to the history as context for later answers.
    Context,
    /// Ignore it: it is not a person's message, or the bot is not active in its channel.
    Ignore,
}

/// Where a message was posted: facts that the message itself does not hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// Whether it is a direct message. The message cannot tell: Discord's REST API leaves out the guild of a message.
    pub is_direct: bool,
    /// The parent channel, when it was posted in a thread.
    pub parent: Option<ChannelId>,
}

/// Whether the bot is active in a channel. It always is in direct messages, and in a thread whose parent is enabled.
#[must_use]
pub(crate) fn is_enabled_channel(channel: ChannelId, config: &IntakeConfig, origin: Origin) -> bool {
    let is_listed = |channel| config.channels.contains(&channel);
    origin.is_direct || config.channels.is_empty() || is_listed(channel) || origin.parent.is_some_and(is_listed)
}

/// Decides what to do with a message. `me` is the bot's user.
#[must_use]
pub(crate) fn decide(message: &Message, me: UserId, config: &IntakeConfig, origin: Origin) -> Decision {
    let direct = origin.is_direct;
    if !is_enabled_channel(message.channel_id, config, origin) || message.author.id == me || !message.is_from_a_person()
    {
        return Decision::Ignore;
    }
    let has_file = config.files && message.attachments().any(|file| FileRoute::of(file).is_some());
    let is_addressed = match config.respond_to {
        RespondTo::All => true,
        RespondTo::Mentions => direct || mentions(message, me) || replies_to(message, me),
    };
    if (has_text(message) || has_file) && is_addressed { Decision::Answer } else { Decision::Context }
}

/// Whether a message holds text, its own or forwarded, and not only files.
#[must_use]
pub(crate) fn has_text(message: &Message) -> bool {
    !message.content.trim().is_empty() || message.forwarded_texts().next().is_some()
}

fn mentions(message: &Message, user: UserId) -> bool {
    // A message that was decoded leniently has no list of mentions, so its text is searched too.
    let mut in_text = message.content.match_indices('<').filter_map(|(at, _)| parse_markup(&message.content[at..]));
    message.mentions.iter().any(|mentioned| mentioned.id == user)
        || in_text.any(|(markup, _)| matches!(markup, Markup::User(id) if id == user.get()))
}

fn replies_to(message: &Message, user: UserId) -> bool {
    message.referenced_message.as_ref().is_some_and(|referenced| referenced.author.id == user)
}

/// Renders a message as the agent is sent it: its text, then forwarded texts, then the names of its files.
///
/// Mentions are replaced by names, and mentions of the bot are removed. The result is empty when the message holds none of
/// these. `quote` is the message that it replies to, for when the history does not hold that one.
#[must_use]
pub(crate) fn render(message: &Message, me: UserId, quote: Option<&Message>) -> String {
    let mut text = replace_markup(&message.content, message, me);
    let forwarded: Vec<_> = message.forwarded_texts().map(|text| replace_markup(text, message, me)).collect();
    let files = message.file_names();
    if text.is_empty() && forwarded.is_empty() && files.is_empty() && mentions(message, me) {
        text = BARE_MENTION.to_owned();
    }
    let quote = quote.map(|quoted| render_quote(quoted, me));
    let text = Some(text).filter(|text| !text.is_empty());
    let forwarded = forwarded.into_iter().map(|text| format!("[forwarded] {text}"));
    let files = files.into_iter().map(|name| format!("[file: {}]", one_line(name, MAX_QUOTE_CHARS)));
    quote.into_iter().chain(text).chain(forwarded).chain(files).collect::<Vec<_>>().join("\n")
}

fn render_quote(quoted: &Message, me: UserId) -> String {
    let name = one_line(quoted.author_name(), MAX_QUOTE_CHARS);
    let text = one_line(&render(quoted, me, None), MAX_QUOTE_CHARS);
    if text.is_empty() { format!("[replying to {name}]") } else { format!("[replying to {name}: \"{text}\"]") }
}

/// A text on one line, cut with an ellipsis after `max_chars` characters.
fn one_line(text: &str, max_chars: usize) -> String {
    let mut line = String::new();
    for (n, word) in text.split_whitespace().enumerate() {
        if n > 0 {
            line.push(' ');
        }
        line.push_str(word);
    }
    if let Some((end, _)) = line.char_indices().nth(max_chars) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// Replaces the markup in a text of `message` by what people see, and removes mentions of the bot.
fn replace_markup(text: &str, message: &Message, me: UserId) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some((markup, after)) = parse_markup(rest) else {
            out.push('<');
            rest = &rest[1..];
            continue;
        };
        rest = after;
        match markup {
            Markup::User(id) if id == me.get() => rest = close_gap(&mut out, rest),
            Markup::User(id) => {
                let user = message.mentions.iter().find(|user| user.id.get() == id);
                out.push('@');
                out.push_str(user.map_or("user", |user| user.shown_name()));
            }
            Markup::Role => out.push_str("@role"),
            Markup::Channel => out.push_str("#channel"),
            Markup::Emoji(name) => out.extend([":", name, ":"]),
        }
    }
    out.push_str(rest);
    out.trim().to_owned()
}

/// Adjusts the space around a removed mention: no double space, and no two words joined. Returns the text to go on with.
fn close_gap<'a>(before: &mut String, after: &'a str) -> &'a str {
    if after.starts_with([',', '.', '!', '?']) && before.ends_with(' ') {
        before.pop();
    } else if before.is_empty() || before.ends_with(char::is_whitespace) {
        return after.trim_start_matches(' ');
    } else if !after.starts_with(char::is_whitespace) {
        before.push(' ');
    }
    after
}

/// Discord's markup in angle brackets. <https://discord.com/developers/docs/reference#message-formatting>
enum Markup<'a> {
    User(u64),
    Role,
    Channel,
    Emoji(&'a str),
}

/// Parses the markup that a text starts with, and returns the text after it. Reads at most [`MAX_MARKUP_BYTES`].
fn parse_markup(text: &str) -> Option<(Markup<'_>, &str)> {
    let end = text.bytes().take(MAX_MARKUP_BYTES).position(|byte| byte == b'>')?;
    let (inside, after) = (text.get(1..end)?, &text[end + 1..]);
    let id = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u64>().ok())?;
    let markup = if let Some(role) = inside.strip_prefix("@&") {
        id(role).map(|_| Markup::Role)
    } else if let Some(user) = inside.strip_prefix("@!").or_else(|| inside.strip_prefix('@')) {
        id(user).map(Markup::User)
    } else if let Some(channel) = inside.strip_prefix('#') {
        id(channel).map(|_| Markup::Channel)
    } else {
        let (name, emoji) = inside.strip_prefix("a:").or_else(|| inside.strip_prefix(':'))?.split_once(':')?;
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        id(emoji).filter(|_| is_name).map(|_| Markup::Emoji(name))
    };
    Some((markup?, after))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const ME: UserId = UserId::new(5);

    fn message(extra: &Value) -> Message {
        let mut value = json!({
            "id": "10", "channel_id": "20", "guild_id": "1", "content": "hi",
            "author": {"id": "30", "username": "alice"},
            "mentions": [{"id": "5", "username": "tess"}, {"id": "31", "username": "bob", "member": {"nick": "Bobby"}}],
        });
        value.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        serde_json::from_value(value).unwrap()
    }

    fn message_without_mentions(extra: &Value) -> Message {
        let mut message = message(extra);
        message.mentions.clear();
        message
    }

    fn rendered(content: &str) -> String {
        render(&message(&json!({ "content": content })), ME, None)
    }

    fn config(respond_to: RespondTo) -> IntakeConfig {
        IntakeConfig { respond_to, ..IntakeConfig::default() }
    }

    fn decided(message: &Message, respond_to: RespondTo) -> Decision {
        decide(message, ME, &config(respond_to), Origin { is_direct: message.guild_id.is_none(), parent: None })
    }

    #[test]
    fn every_message_with_text_is_answered_when_responding_to_all() {
        assert_eq!(decided(&message_without_mentions(&json!({})), RespondTo::All), Decision::Answer);
        assert_eq!(decided(&message_without_mentions(&json!({"content": " "})), RespondTo::All), Decision::Context);
        let forward = json!({"content": "", "message_snapshots": [{"message": {"content": "news"}}]});
        assert_eq!(decided(&message_without_mentions(&forward), RespondTo::All), Decision::Answer);
    }

    #[test]
    fn file_without_text_is_answered_only_if_the_agent_can_read_it() {
        let file = |name: &str| message(&json!({"content": "", "attachments": [{ "filename": name }]}));
        assert_eq!(decided(&file("a.png"), RespondTo::All), Decision::Context, "switched off");
        assert_eq!(decided(&file("a.png"), RespondTo::Mentions), Decision::Context);
        let config = IntakeConfig { files: true, ..IntakeConfig::default() };
        let decided = |name: &str| decide(&file(name), ME, &config, Origin { is_direct: false, parent: None });
        assert_eq!(decided("a.png"), Decision::Answer);
        assert_eq!(decided("a.exe"), Decision::Context);
    }

    #[test]
    fn only_messages_addressed_to_the_bot_are_answered_when_responding_to_mentions() {
        let decided = |message: &Message| decided(message, RespondTo::Mentions);
        assert_eq!(decided(&message_without_mentions(&json!({}))), Decision::Context);
        assert_eq!(decided(&message(&json!({"content": "<@5> hi"}))), Decision::Answer);
        assert_eq!(decided(&message_without_mentions(&json!({"content": "<@!5> read leniently"}))), Decision::Answer);
        assert_eq!(decided(&message_without_mentions(&json!({"content": "<@6> not me"}))), Decision::Context);
        let reply_to = |author: &str| {
            message_without_mentions(&json!({
                "type": 19,
                "referenced_message": {"id": "9", "channel_id": "20", "author": {"id": author}},
            }))
        };
        assert_eq!(decided(&reply_to("5")), Decision::Answer);
        assert_eq!(decided(&reply_to("6")), Decision::Context);
        assert_eq!(decided(&message_without_mentions(&json!({"guild_id": null}))), Decision::Answer);
    }

    #[test]
    fn messages_not_written_by_people_are_ignored() {
        for extra in [
            json!({"author": {"id": "30", "bot": true}}),
            json!({"webhook_id": "30"}),
            json!({"type": 7}),
            json!({"author": {"id": "5"}}),
        ] {
            assert_eq!(decided(&message(&extra), RespondTo::All), Decision::Ignore, "{extra}");
        }
    }

    #[test]
    fn threads_follow_their_parent_and_direct_messages_are_always_enabled() {
        let config = IntakeConfig { channels: HashSet::from([ChannelId::new(7)]), ..IntakeConfig::default() };
        let decided = |extra: &Value, is_direct: bool, parent: Option<u64>| {
            decide(&message(extra), ME, &config, Origin { is_direct, parent: parent.map(ChannelId::new) })
        };
        assert_eq!(decided(&json!({}), false, None), Decision::Ignore);
        assert_eq!(decided(&json!({}), false, Some(8)), Decision::Ignore);
        assert_eq!(decided(&json!({}), false, Some(7)), Decision::Answer);
        assert_eq!(decided(&json!({"channel_id": "7"}), false, None), Decision::Answer);
        assert_eq!(decided(&json!({}), true, None), Decision::Answer);
    }

    #[test]
    fn mentions_of_the_bot_are_removed_with_their_space() {
        assert_eq!(rendered("<@5> what is up?"), "what is up?");
        assert_eq!(rendered("so <@!5> what"), "so what");
        assert_eq!(rendered("hey <@5>, look"), "hey, look");
        assert_eq!(rendered("a<@5>b"), "a b");
        assert_eq!(rendered("<@5> <@5> hi <@5>"), "hi");
        assert_eq!(rendered("let x  = 1;\n\n    y"), "let x  = 1;\n\n    y");
    }

    #[test]
    fn message_with_only_a_mention_is_rendered_as_such() {
        assert_eq!(rendered("<@5>"), "(mentions you)");
        assert_eq!(decided(&message(&json!({"content": "<@5>"})), RespondTo::Mentions), Decision::Answer);
        assert_eq!(render(&message_without_mentions(&json!({"content": ""})), ME, None), "");
    }

    #[test]
    fn other_markup_is_replaced_by_what_people_see() {
        assert_eq!(rendered("<@31> and <@!99>"), "@Bobby and @user");
        assert_eq!(rendered("<@&1> in <#2>"), "@role in #channel");
        assert_eq!(rendered("<:wave:1><a:party_2:3>"), ":wave::party_2:");
        for literal in ["<t:1700000000:R>", "</ask:1>", "a < b > c", "<@x>", "<@+5>", "<:no name:1>", "<@", "<é>"] {
            assert_eq!(rendered(literal), literal);
        }
    }

    #[test]
    fn forwarded_texts_and_file_names_are_rendered() {
        let message = message(&json!({
            "content": "<@5> see",
            "attachments": [{"filename": "a.png"}],
            "sticker_items": [{"name": "wave"}],
            "message_snapshots": [{"message": {"content": "the <#1> news"}}],
        }));
        assert_eq!(render(&message, ME, None), "see\n[forwarded] the #channel news\n[file: a.png]\n[file: wave]");
    }

    #[test]
    fn quote_is_rendered_on_one_line_and_cut() {
        let quoted = |content: &str| message(&json!({ "content": content }));
        let reply = message(&json!({"content": "why?"}));
        assert_eq!(
            render(&reply, ME, Some(&quoted("one\ntwo <@31>"))),
            "[replying to alice: \"one two @Bobby\"]\nwhy?"
        );
        let long = render(&reply, ME, Some(&quoted(&"é".repeat(301))));
        assert_eq!(long, format!("[replying to alice: \"{}…\"]\nwhy?", "é".repeat(300)));
        assert_eq!(
            render(&reply, ME, Some(&message_without_mentions(&json!({"content": ""})))),
            "[replying to alice]\nwhy?"
        );
    }

    proptest! {
        #[test]
        fn no_text_keeps_a_mention_of_the_bot(content in "(<@|<@!|5>|5|>|<|<@5>| |,|é|<:|a:|\\n|.){0,80}") {
            let rendered = rendered(&content);
            prop_assert!(!rendered.contains("<@5>") && !rendered.contains("<@!5>"), "{:?} -> {:?}", content, rendered);
        }
    }
}
