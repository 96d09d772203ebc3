//! Texts about files that did not reach the agent.

use std::fmt::Write;

use super::{format::escape, marks::ERROR_MARK};
use crate::{config::Language, tess::TessError};

/// Most files that are listed; so many fit into one message, whatever their names.
const MAX_LINES: usize = 6;

/// Most characters of a file's name that are shown.
const NAME_CHARS: usize = 50;

/// A file that did not reach the agent.
#[derive(Debug)]
pub(crate) struct UnreadFile {
    /// The name of the file.
    pub name: String,
    /// Why it did not reach the agent.
    pub reason: UnreadReason,
}

/// Why a file did not reach the agent.
#[derive(Debug)]
pub(crate) enum UnreadReason {
    /// It is neither text nor of a kind that Tess reads.
    Kind,
    /// It is larger than files of its kind may be.
    TooLong {
        /// The limit in bytes.
        max: usize,
    },
    /// The turn already had the maximum of such files.
    TooMany {
        /// The maximum in one turn.
        max: usize,
    },
    /// It is a text that does not fit into the conversation.
    NoRoom,
    /// It is named like a text file, but does not hold text.
    NotText,
    /// It could not be fetched from Discord.
    NotFetched,
    /// Tess did not accept it or could not read it.
    Tess(TessError),
}

/// Lists the files that did not reach the agent, one a line, with the reason and what to do.
#[must_use]
pub(crate) fn not_read(language: Language, files: &[UnreadFile]) -> String {
    let mut text = String::new();
    for UnreadFile { name, reason } in files.iter().take(MAX_LINES) {
        let name: String = name.chars().take(NAME_CHARS).collect();
        // Writing to a String cannot fail.
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
            ("the agent cannot read files of this kind.", "o agente não consegue ler arquivos deste tipo.")
        }
        UnreadReason::TooLong { max } => {
            let max = size(*max);
            return language.say(
                format!("it is too large: at most {max} of this kind can be read."),
                format!("é grande demais: deste tipo podem ser lidos no máximo {max}."),
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
        UnreadReason::NotText => {
            ("it is named like a text file, but it is not one.", "tem nome de arquivo de texto, mas não é um.")
        }
        UnreadReason::NotFetched => {
            ("Discord did not hand it over. Send it again.", "o Discord não o entregou. Envie-o de novo.")
        }
        UnreadReason::Tess(TessError::FileRefused { .. }) => {
            ("Tess could not read it. Try another format.", "a Tess não conseguiu lê-lo. Tente outro formato.")
        }
        UnreadReason::Tess(TessError::StorageFull { .. }) => (
            "the file storage of the Tess workspace is full. Ask whoever runs the bot to delete files in Tess.",
            "o armazenamento de arquivos do workspace da Tess está cheio. Peça a quem administra o bot que apague \
             arquivos na Tess.",
        ),
        UnreadReason::Tess(TessError::NoCredits { .. }) => (
            "the Tess workspace has no credits left to read it.",
            "o workspace da Tess não tem mais créditos para lê-lo.",
        ),
        UnreadReason::Tess(TessError::TimedOut { .. }) => (
            "Tess took too long to read it. Try a smaller file.",
            "a Tess demorou demais para lê-lo. Tente um arquivo menor.",
        ),
        UnreadReason::Tess(_) => (
            "it could not be sent to Tess. Send it again in a minute.",
            "não foi possível enviá-lo à Tess. Envie-o de novo em um minuto.",
        ),
    };
    language.say(english, portuguese).to_owned()
}

/// A size limit, in the unit in which it is round.
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
    use crate::reply::split::MESSAGE_CHARS;

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
        ⚠️ **a\_b.pdf**: é grande demais: deste tipo podem ser lidos no máximo 32 MB.
        ⚠️ **a\_b.pdf**: é grande demais: deste tipo podem ser lidos no máximo 10 MB.
        ⚠️ **a\_b.pdf**: é grande demais: deste tipo podem ser lidos no máximo 64 KB.
        ⚠️ **a\_b.pdf**: só 5 arquivos assim podem ser lidos de uma vez. Envie-o de novo, sozinho.
        ⚠️ **a\_b.pdf**: é longo demais para esta conversa. Envie uma parte dele.
        ⚠️ **a\_b.pdf**: tem nome de arquivo de texto, mas não é um.
        ⚠️ **a\_b.pdf**: o Discord não o entregou. Envie-o de novo.
        ⚠️ **a\_b.pdf**: a Tess não conseguiu lê-lo. Tente outro formato.
        ⚠️ **a\_b.pdf**: o armazenamento de arquivos do workspace da Tess está cheio. Peça a quem administra o bot que apague arquivos na Tess.
        ⚠️ **a\_b.pdf**: o workspace da Tess não tem mais créditos para lê-lo.
        ⚠️ **a\_b.pdf**: a Tess demorou demais para lê-lo. Tente um arquivo menor.
        ⚠️ **a\_b.pdf**: não foi possível enviá-lo à Tess. Envie-o de novo em um minuto.
        ");
        insta::assert_snapshot!(texts(Language::English), @r"
        ⚠️ **a\_b.pdf**: the agent cannot read files of this kind.
        ⚠️ **a\_b.pdf**: it is too large: at most 32 MB of this kind can be read.
        ⚠️ **a\_b.pdf**: it is too large: at most 10 MB of this kind can be read.
        ⚠️ **a\_b.pdf**: it is too large: at most 64 KB of this kind can be read.
        ⚠️ **a\_b.pdf**: only 5 such files can be read at once. Send it again by itself.
        ⚠️ **a\_b.pdf**: it is too long for this conversation. Send a part of it.
        ⚠️ **a\_b.pdf**: it is named like a text file, but it is not one.
        ⚠️ **a\_b.pdf**: Discord did not hand it over. Send it again.
        ⚠️ **a\_b.pdf**: Tess could not read it. Try another format.
        ⚠️ **a\_b.pdf**: the file storage of the Tess workspace is full. Ask whoever runs the bot to delete files in Tess.
        ⚠️ **a\_b.pdf**: the Tess workspace has no credits left to read it.
        ⚠️ **a\_b.pdf**: Tess took too long to read it. Try a smaller file.
        ⚠️ **a\_b.pdf**: it could not be sent to Tess. Send it again in a minute.
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
