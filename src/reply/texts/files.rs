//! Files that did not reach the agent.

use std::fmt::Write;

use super::{format::escape, marks::ERROR_MARK};
use crate::{config::Language, tess::TessError};

/// Files that are told of one by one; so many fit in one message, whatever their names.
const MAX_LINES: usize = 6;

/// Characters of a file's name that are shown.
const NAME_CHARS: usize = 50;

/// A file that did not reach the agent.
#[derive(Debug)]
pub struct UnreadFile {
    /// The file's name.
    pub name: String,
    /// Why it did not.
    pub reason: UnreadReason,
}

/// Why a file did not reach the agent.
#[derive(Debug)]
pub enum UnreadReason {
    /// Neither a text nor of a kind that Tess reads.
    Kind,
    /// Longer than files of its kind may be.
    TooLong {
        /// The bound in bytes.
        max: usize,
    },
    /// Others came before it.
    TooMany {
        /// How many of its kind are read at once.
        max: usize,
    },
    /// A text that would not leave the conversation within its bound.
    NoRoom,
    /// It has the name of a text.
    NotText,
    /// Discord did not give it.
    NotFetched,
    /// Tess did not take it, or did not read it.
    Tess(TessError),
}

/// Which files did not reach the agent, one a line, with reason and what to do.
#[must_use]
pub fn not_read(language: Language, files: &[UnreadFile]) -> String {
    let mut text = String::new();
    for UnreadFile { name, reason } in files.iter().take(MAX_LINES) {
        let name: String = name.chars().take(NAME_CHARS).collect();
        // Writing to a string can not fail.
        let _ = writeln!(text, "{ERROR_MARK} **{}**: {}", escape(&name), explain(language, reason));
    }
    if files.len() > MAX_LINES {
        let more = files.len() - MAX_LINES;
        let _ = match language {
            Language::English => writeln!(text, "{ERROR_MARK} And {more} more."),
            Language::Portuguese => writeln!(text, "{ERROR_MARK} E mais {more}."),
        };
    }
    text.trim_end().to_owned()
}

fn explain(language: Language, reason: &UnreadReason) -> String {
    let (english, portuguese) = match reason {
        UnreadReason::Kind => {
            ("the agent can not read files of this kind.", "o agente não consegue ler arquivos deste tipo.")
        }
        UnreadReason::TooLong { max } => {
            let max = size(*max);
            return language.say(
                format!("it is too large; at most {max} of this kind can be read."),
                format!("é grande demais; deste tipo podem ser lidos no máximo {max}."),
            );
        }
        UnreadReason::TooMany { max } => {
            return language.say(
                format!("only {max} such files can be read at once. Send it again by itself."),
                format!("só {max} arquivos assim podem ser lidos de uma vez. Envie-o de novo, sozinho."),
            );
        }
        UnreadReason::NoRoom => (
            "it is too long for this conversation. Send a part of it.",
            "é longo demais para esta conversa. Envie uma parte dele.",
        ),
        UnreadReason::NotText => ("it is named like a text, but it is none.", "tem nome de texto, mas não é um."),
        UnreadReason::NotFetched => {
            ("Discord did not hand it over. Send it again.", "o Discord não o entregou. Envie-o de novo.")
        }
        UnreadReason::Tess(TessError::FileRefused { .. }) => {
            ("Tess could not read it. Try another format.", "a Tess não conseguiu lê-lo. Tente outro formato.")
        }
        UnreadReason::Tess(TessError::StorageFull { .. }) => (
            "the file storage of the Tess workspace is full. Whoever runs the bot has to delete files in Tess.",
            "o armazenamento de arquivos do workspace da Tess está cheio. Quem administra o bot precisa apagar arquivos na Tess.",
        ),
        UnreadReason::Tess(TessError::NoCredits { .. }) => (
            "the Tess workspace has no credits left to read it.",
            "o workspace da Tess não tem mais créditos para lê-lo.",
        ),
        UnreadReason::Tess(TessError::TimedOut { .. }) => (
            "Tess took too long to read it. Try again with less.",
            "a Tess demorou demais para lê-lo. Tente de novo com menos.",
        ),
        UnreadReason::Tess(_) => (
            "Tess could not be given it. Send it again in a minute.",
            "não foi possível entregá-lo à Tess. Envie-o de novo em um minuto.",
        ),
    };
    language.say(english, portuguese).to_owned()
}

/// A bound in the unit it was made in.
fn size(bytes: usize) -> String {
    const MEBIBYTE: usize = 1024 * 1024;
    match bytes {
        _ if bytes.is_multiple_of(MEBIBYTE) => format!("{} MB", bytes / MEBIBYTE),
        1_000_000.. => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} KB", bytes / 1024),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::reply::MESSAGE_CHARS;

    fn files(reasons: Vec<UnreadReason>) -> Vec<UnreadFile> {
        reasons.into_iter().map(|reason| UnreadFile { name: "a_b.pdf".to_owned(), reason }).collect()
    }

    fn detail() -> String {
        "internal: 10.0.0.7 said no".to_owned()
    }

    #[test]
    fn every_file_gets_a_line_with_the_reason_and_what_to_do() {
        let all = || {
            [
                vec![
                    UnreadReason::Kind,
                    UnreadReason::TooLong { max: 32 * 1024 * 1024 },
                    UnreadReason::TooLong { max: 10_000_000 },
                    UnreadReason::TooLong { max: 64 * 1024 },
                    UnreadReason::TooMany { max: 5 },
                    UnreadReason::NoRoom,
                ],
                vec![
                    UnreadReason::NotText,
                    UnreadReason::NotFetched,
                    UnreadReason::Tess(TessError::FileRefused { detail: detail() }),
                    UnreadReason::Tess(TessError::StorageFull { detail: detail() }),
                    UnreadReason::Tess(TessError::NoCredits { detail: detail() }),
                    UnreadReason::Tess(TessError::TimedOut { waited: Duration::from_secs(1) }),
                ],
                vec![UnreadReason::Tess(TessError::Unavailable { detail: detail() })],
            ]
        };
        let texts = |language| all().map(|reasons| not_read(language, &files(reasons))).join("\n");
        insta::assert_snapshot!(texts(Language::Portuguese), @r"
        ⚠️ **a\_b.pdf**: o agente não consegue ler arquivos deste tipo.
        ⚠️ **a\_b.pdf**: é grande demais; deste tipo podem ser lidos no máximo 32 MB.
        ⚠️ **a\_b.pdf**: é grande demais; deste tipo podem ser lidos no máximo 10 MB.
        ⚠️ **a\_b.pdf**: é grande demais; deste tipo podem ser lidos no máximo 64 KB.
        ⚠️ **a\_b.pdf**: só 5 arquivos assim podem ser lidos de uma vez. Envie-o de novo, sozinho.
        ⚠️ **a\_b.pdf**: é longo demais para esta conversa. Envie uma parte dele.
        ⚠️ **a\_b.pdf**: tem nome de texto, mas não é um.
        ⚠️ **a\_b.pdf**: o Discord não o entregou. Envie-o de novo.
        ⚠️ **a\_b.pdf**: a Tess não conseguiu lê-lo. Tente outro formato.
        ⚠️ **a\_b.pdf**: o armazenamento de arquivos do workspace da Tess está cheio. Quem administra o bot precisa apagar arquivos na Tess.
        ⚠️ **a\_b.pdf**: o workspace da Tess não tem mais créditos para lê-lo.
        ⚠️ **a\_b.pdf**: a Tess demorou demais para lê-lo. Tente de novo com menos.
        ⚠️ **a\_b.pdf**: não foi possível entregá-lo à Tess. Envie-o de novo em um minuto.
        ");
        insta::assert_snapshot!(texts(Language::English), @r"
        ⚠️ **a\_b.pdf**: the agent can not read files of this kind.
        ⚠️ **a\_b.pdf**: it is too large; at most 32 MB of this kind can be read.
        ⚠️ **a\_b.pdf**: it is too large; at most 10 MB of this kind can be read.
        ⚠️ **a\_b.pdf**: it is too large; at most 64 KB of this kind can be read.
        ⚠️ **a\_b.pdf**: only 5 such files can be read at once. Send it again by itself.
        ⚠️ **a\_b.pdf**: it is too long for this conversation. Send a part of it.
        ⚠️ **a\_b.pdf**: it is named like a text, but it is none.
        ⚠️ **a\_b.pdf**: Discord did not hand it over. Send it again.
        ⚠️ **a\_b.pdf**: Tess could not read it. Try another format.
        ⚠️ **a\_b.pdf**: the file storage of the Tess workspace is full. Whoever runs the bot has to delete files in Tess.
        ⚠️ **a\_b.pdf**: the Tess workspace has no credits left to read it.
        ⚠️ **a\_b.pdf**: Tess took too long to read it. Try again with less.
        ⚠️ **a\_b.pdf**: Tess could not be given it. Send it again in a minute.
        ");
    }

    #[test]
    fn many_files_with_long_names_fit_into_one_message() {
        let long = || UnreadFile {
            name: "*".repeat(300),
            reason: UnreadReason::Tess(TessError::StorageFull { detail: detail() }),
        };
        for (language, end) in [(Language::English, "⚠️ And 14 more."), (Language::Portuguese, "⚠️ E mais 14.")]
        {
            let text = not_read(language, &(0..20).map(|_| long()).collect::<Vec<_>>());
            assert!(text.chars().count() <= MESSAGE_CHARS, "{}", text.chars().count());
            assert!(text.ends_with(end), "{text}");
        }
    }
}
