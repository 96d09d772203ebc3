//! From a Discord message to what the agent reads of it, and whether it is answered.
//!
//! Pure, and linear in the length of a message, however it was made to look like markup.

use crate::{
    config::{IntakeConfig, RespondTo},
    discord::model::Message,
    ids::{ChannelId, UserId},
    intake::files::FileRoute,
};

pub mod files;

/// Characters of a quoted message that are shown to the agent.
const QUOTE_CHARS: usize = 300;

/// Bytes a mention or an emoji takes at most: `<a:`, a name of 32, `:`, an id of 20 digits and `>`.
const MARKUP_BYTES: usize = 3 + 32 + 1 + 20 + 1;

/// What the agent reads of a message that is nothing but a mention of the bot.
const BARE_MENTION: &str = "(mentions you)";

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Keep it and answer it.
    Answer,
    /// Keep it, so that later answers know of it; it is not answered itself.
    Context,
    /// Neither: not a person's, or not in a channel of ours.
    Ignore,
}

/// Where a message was posted, as far as the message itself does not tell.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// Whether it is a direct message. By REST Discord leaves out the guild of a message, so that can not be read off it.
    pub is_direct: bool,
    /// The channel a thread belongs to.
    pub parent: Option<ChannelId>,
}

/// Whether the bot listens in a channel at all. Direct messages are always its own.
#[must_use]
pub fn is_enabled_channel(channel: ChannelId, config: &IntakeConfig, origin: Origin) -> bool {
    let listens_to = |channel| config.channels.contains(&channel);
    origin.is_direct || config.channels.is_empty() || listens_to(channel) || origin.parent.is_some_and(listens_to)
}

/// What to do with a message. `me` is the bot's user.
#[must_use]
pub fn decide(message: &Message, me: UserId, config: &IntakeConfig, origin: Origin) -> Decision {
    let direct = origin.is_direct;
    if !is_enabled_channel(message.channel_id, config, origin) || message.author.id == me || !message.is_from_a_person()
    {
        return Decision::Ignore;
    }
    let has_file = config.files && message.attachments().any(|file| FileRoute::of(file).is_some());
    let asked = match config.respond_to {
        RespondTo::All => true,
        RespondTo::Mentions => direct || mentions(message, me) || replies_to(message, me),
    };
    if (has_text(message) || has_file) && asked { Decision::Answer } else { Decision::Context }
}

/// Whether something was written in a message, and not only a file put into it.
#[must_use]
pub fn has_text(message: &Message) -> bool {
    !message.content.trim().is_empty() || message.forwarded_texts().next().is_some()
}

fn mentions(message: &Message, user: UserId) -> bool {
    // A message that was read leniently has no list of mentions: its text tells.
    let mut in_text = message.content.match_indices('<').filter_map(|(at, _)| markup(&message.content[at..]));
    message.mentions.iter().any(|mentioned| mentioned.id == user)
        || in_text.any(|(markup, _)| matches!(markup, Markup::User(id) if id == user.get()))
}

fn replies_to(message: &Message, user: UserId) -> bool {
    message.referenced_message.as_ref().is_some_and(|referenced| referenced.author.id == user)
}

/// What the agent reads of a message: its text with mentions by name and the bot's own taken out, then what was
/// forwarded in it and the names of its files. Empty when there is none of these.
///
/// `quote` is the message it replies to, for when the history does not have that one.
#[must_use]
pub fn render(message: &Message, me: UserId, quote: Option<&Message>) -> String {
    let mut said = readable(&message.content, message, me);
    let forwarded: Vec<_> = message.forwarded_texts().map(|text| readable(text, message, me)).collect();
    let files = message.file_names();
    if said.is_empty() && forwarded.is_empty() && files.is_empty() && mentions(message, me) {
        said = BARE_MENTION.to_owned();
    }
    let quote = quote.map(|quoted| quotation(quoted, me));
    let said = Some(said).filter(|said| !said.is_empty());
    let forwarded = forwarded.into_iter().map(|text| format!("[forwarded] {text}"));
    let files = files.into_iter().map(|name| format!("[file: {}]", one_line(name, QUOTE_CHARS)));
    quote.into_iter().chain(said).chain(forwarded).chain(files).collect::<Vec<_>>().join("\n")
}

fn quotation(quoted: &Message, me: UserId) -> String {
    let name = one_line(quoted.author_name(), QUOTE_CHARS);
    let text = one_line(&render(quoted, me, None), QUOTE_CHARS);
    if text.is_empty() { format!("[replying to {name}]") } else { format!("[replying to {name}: \"{text}\"]") }
}

/// A text on one line, cut with an ellipsis after `most` characters.
fn one_line(text: &str, most: usize) -> String {
    let mut line = String::new();
    for (n, word) in text.split_whitespace().enumerate() {
        if n > 0 {
            line.push(' ');
        }
        line.push_str(word);
    }
    if let Some((end, _)) = line.char_indices().nth(most) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// A text of `message` with its markup as people read it, and the bot's own mention taken out.
fn readable(text: &str, message: &Message, me: UserId) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some((markup, behind)) = markup(rest) else {
            out.push('<');
            rest = &rest[1..];
            continue;
        };
        rest = behind;
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

/// Joins what stood before and behind a mention that was taken out: no double space, and no words grown together.
fn close_gap<'a>(before: &mut String, behind: &'a str) -> &'a str {
    if behind.starts_with([',', '.', '!', '?']) && before.ends_with(' ') {
        before.pop();
    } else if before.is_empty() || before.ends_with(char::is_whitespace) {
        return behind.trim_start_matches(' ');
    } else if !behind.starts_with(char::is_whitespace) {
        before.push(' ');
    }
    behind
}

/// What Discord writes between angle brackets. <https://discord.com/developers/docs/reference#message-formatting>
enum Markup<'a> {
    User(u64),
    Role,
    Channel,
    Emoji(&'a str),
}

/// Reads the markup a text starts with, and tells what stands behind it. Looks at [`MARKUP_BYTES`] at most.
fn markup(text: &str) -> Option<(Markup<'_>, &str)> {
    let end = text.bytes().take(MARKUP_BYTES).position(|byte| byte == b'>')?;
    let (inside, behind) = (text.get(1..end)?, &text[end + 1..]);
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
    Some((markup?, behind))
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

    fn unmentioned(extra: &Value) -> Message {
        let mut message = message(extra);
        message.mentions.clear();
        message
    }

    fn read(content: &str) -> String {
        render(&message(&json!({ "content": content })), ME, None)
    }

    fn config(respond_to: RespondTo) -> IntakeConfig {
        IntakeConfig { respond_to, ..IntakeConfig::default() }
    }

    fn decided(message: &Message, respond_to: RespondTo) -> Decision {
        decide(message, ME, &config(respond_to), Origin { is_direct: message.guild_id.is_none(), parent: None })
    }

    #[test]
    fn each_message_with_a_text_is_answered_when_all_are() {
        assert_eq!(decided(&unmentioned(&json!({})), RespondTo::All), Decision::Answer);
        assert_eq!(decided(&unmentioned(&json!({"content": " "})), RespondTo::All), Decision::Context);
        let forward = json!({"content": "", "message_snapshots": [{"message": {"content": "news"}}]});
        assert_eq!(decided(&unmentioned(&forward), RespondTo::All), Decision::Answer);
    }

    #[test]
    fn a_file_alone_is_answered_only_if_it_can_reach_the_agent() {
        let file = |name: &str| message(&json!({"content": "", "attachments": [{ "filename": name }]}));
        assert_eq!(decided(&file("a.png"), RespondTo::All), Decision::Context, "switched off");
        assert_eq!(decided(&file("a.png"), RespondTo::Mentions), Decision::Context);
        let config = IntakeConfig { files: true, ..IntakeConfig::default() };
        let decided = |name: &str| decide(&file(name), ME, &config, Origin { is_direct: false, parent: None });
        assert_eq!(decided("a.png"), Decision::Answer);
        assert_eq!(decided("a.exe"), Decision::Context);
    }

    #[test]
    fn with_mentions_only_what_speaks_to_the_bot_is_answered() {
        let decided = |message: &Message| decided(message, RespondTo::Mentions);
        assert_eq!(decided(&unmentioned(&json!({}))), Decision::Context);
        assert_eq!(decided(&message(&json!({"content": "<@5> hi"}))), Decision::Answer);
        assert_eq!(decided(&unmentioned(&json!({"content": "<@!5> read leniently"}))), Decision::Answer);
        assert_eq!(decided(&unmentioned(&json!({"content": "<@6> not me"}))), Decision::Context);
        let reply_to = |author: &str| {
            unmentioned(&json!({
                "type": 19,
                "referenced_message": {"id": "9", "channel_id": "20", "author": {"id": author}},
            }))
        };
        assert_eq!(decided(&reply_to("5")), Decision::Answer);
        assert_eq!(decided(&reply_to("6")), Decision::Context);
        assert_eq!(decided(&unmentioned(&json!({"guild_id": null}))), Decision::Answer);
    }

    #[test]
    fn what_no_person_wrote_is_ignored() {
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
    fn a_thread_counts_as_its_parent_and_direct_messages_are_always_ours() {
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
    fn the_bots_mention_is_taken_out_without_a_trace() {
        assert_eq!(read("<@5> what is up?"), "what is up?");
        assert_eq!(read("so <@!5> what"), "so what");
        assert_eq!(read("hey <@5>, look"), "hey, look");
        assert_eq!(read("a<@5>b"), "a b");
        assert_eq!(read("<@5> <@5> hi <@5>"), "hi");
        assert_eq!(read("let x  = 1;\n\n    y"), "let x  = 1;\n\n    y");
    }

    #[test]
    fn a_bare_mention_still_says_something() {
        assert_eq!(read("<@5>"), "(mentions you)");
        assert_eq!(decided(&message(&json!({"content": "<@5>"})), RespondTo::Mentions), Decision::Answer);
        assert_eq!(render(&unmentioned(&json!({"content": ""})), ME, None), "");
    }

    #[test]
    fn other_markup_reads_as_people_see_it() {
        assert_eq!(read("<@31> and <@!99>"), "@Bobby and @user");
        assert_eq!(read("<@&1> in <#2>"), "@role in #channel");
        assert_eq!(read("<:wave:1><a:party_2:3>"), ":wave::party_2:");
        for literal in ["<t:1700000000:R>", "</ask:1>", "a < b > c", "<@x>", "<@+5>", "<:no name:1>", "<@", "<é>"] {
            assert_eq!(read(literal), literal);
        }
    }

    #[test]
    fn forwards_and_files_are_told() {
        let message = message(&json!({
            "content": "<@5> see",
            "attachments": [{"filename": "a.png"}],
            "sticker_items": [{"name": "wave"}],
            "message_snapshots": [{"message": {"content": "the <#1> news"}}],
        }));
        assert_eq!(render(&message, ME, None), "see\n[forwarded] the #channel news\n[file: a.png]\n[file: wave]");
    }

    #[test]
    fn a_reply_to_a_message_out_of_sight_quotes_it_on_one_line() {
        let quoted = |content: &str| message(&json!({ "content": content }));
        let reply = message(&json!({"content": "why?"}));
        assert_eq!(
            render(&reply, ME, Some(&quoted("one\ntwo <@31>"))),
            "[replying to alice: \"one two @Bobby\"]\nwhy?"
        );
        let long = render(&reply, ME, Some(&quoted(&"é".repeat(301))));
        assert_eq!(long, format!("[replying to alice: \"{}…\"]\nwhy?", "é".repeat(300)));
        assert_eq!(render(&reply, ME, Some(&unmentioned(&json!({"content": ""})))), "[replying to alice]\nwhy?");
    }

    proptest! {
        #[test]
        fn no_text_leaves_the_bots_mention(content in "(<@|<@!|5>|5|>|<|<@5>| |,|é|<:|a:|\\n|.){0,80}") {
            let read = read(&content);
            prop_assert!(!read.contains("<@5>") && !read.contains("<@!5>"), "{:?} -> {:?}", content, read);
        }
    }
}
