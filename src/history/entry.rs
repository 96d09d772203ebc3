//! One entry of a history: a person's message, or an answer of the agent.

use std::mem::size_of_val;

use crate::{ids::MessageId, tess::Role};

/// One entry of a channel's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A person's message.
    Person {
        /// The message.
        id: MessageId,
        /// The author's name as the channel shows it.
        name: Box<str>,
        /// The text of the message.
        text: Box<str>,
        /// The content of attached text files; empty for most messages.
        attachment_text: Box<str>,
    },
    /// An answer of the agent, posted as one or more messages.
    Answer {
        /// The messages it was posted as, oldest first.
        parts: Box<[MessageId]>,
        /// The newest message it answers.
        answers: MessageId,
        /// The whole answer.
        text: Box<str>,
    },
}

/// Where an entry is sorted: a person's message by its id, and an answer right after the newest message it answers,
/// because the agent did not see messages that came during the turn.
pub(super) type SortKey = (MessageId, Option<MessageId>);

impl Entry {
    /// Creates the entry of a person's message.
    #[must_use]
    pub(crate) fn person(id: MessageId, name: &str, text: &str) -> Self {
        Self::Person { id, name: name.into(), text: text.into(), attachment_text: Box::default() }
    }

    /// Creates the entry of the agent's answer to everything up to the message `answers`, posted as `parts`.
    #[must_use]
    pub(crate) fn answer(parts: &[MessageId], answers: MessageId, text: &str) -> Self {
        Self::Answer { parts: parts.into(), answers, text: text.into() }
    }

    /// Every Discord message that the entry stands for.
    #[must_use]
    pub(crate) fn ids(&self) -> &[MessageId] {
        match self {
            Self::Person { id, .. } => std::slice::from_ref(id),
            Self::Answer { parts, .. } => parts,
        }
    }

    pub(super) fn sort_key(&self) -> SortKey {
        match self {
            Self::Person { id, .. } => (*id, None),
            Self::Answer { parts, answers, .. } => (*answers, Some(*parts.first().unwrap_or(answers))),
        }
    }

    pub(super) fn role(&self) -> Role {
        match self {
            Self::Person { .. } => Role::User,
            Self::Answer { .. } => Role::Assistant,
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Person { text, .. } | Self::Answer { text, .. } => text,
        }
    }

    pub(super) fn size(&self) -> Size {
        match self {
            // Two more for the ": " after the name, one for the line break before the next message.
            Self::Person { name, text, attachment_text, .. } => Size {
                chars: [name, text, attachment_text].iter().map(|part| part.chars().count()).sum::<usize>() + 3,
                heap_bytes: name.len() + text.len() + attachment_text.len(),
            },
            Self::Answer { parts, text, .. } => {
                Size { chars: text.chars().count() + 1, heap_bytes: size_of_val(&**parts) + text.len() }
            }
        }
    }

    /// Appends what the agent is sent of the entry. Only the first line of a message carries the name.
    pub(super) fn write_to(&self, content: &mut String, with_names: bool) {
        if let (Self::Person { name, .. }, true) = (self, with_names) {
            content.extend(name.chars().map(|c| if can_fake_a_speaker(c) { ' ' } else { c }));
            content.push_str(": ");
        }
        content.push_str(self.text());
        if let Self::Person { attachment_text, .. } = self {
            content.push_str(attachment_text);
        }
    }
}

/// Whether a character in a name could start a line or end the name, so that the rest would read as another's message.
fn can_fake_a_speaker(c: char) -> bool {
    c == ':' || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// The size of entries, as counted against the limits of a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// Unicode code points that the agent is sent at most.
    pub(super) chars: usize,
    pub(super) heap_bytes: usize,
}

impl Size {
    pub(super) fn add(&mut self, other: Self) {
        self.chars += other.chars;
        self.heap_bytes += other.heap_bytes;
    }

    pub(super) fn subtract(&mut self, other: Self) {
        self.chars -= other.chars;
        self.heap_bytes -= other.heap_bytes;
    }
}
