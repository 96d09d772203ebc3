//! What is said about stopping and repeating.

use crate::config::Language;

/// Ends an answer of which only a part came. It tells people, and a history rebuilt from Discord, that it is none.
#[must_use]
pub fn not_finished(language: Language) -> &'static str {
    language.say("-# ⚠️ Not finished.", "-# ⚠️ Não terminada.")
}

/// Whether one of the bot's messages is the end of an answer that was never finished.
#[must_use]
pub fn is_not_finished(text: &str) -> bool {
    Language::ALL.iter().any(|language| text.trim_end().ends_with(not_finished(*language)))
}

/// On the button that ends an answer.
#[must_use]
pub fn stop_label(language: Language) -> &'static str {
    language.say("Stop", "Parar")
}

/// On the button that asks again.
#[must_use]
pub fn retry_label(language: Language) -> &'static str {
    language.say("Try again", "Tentar de novo")
}

/// In place of an answer that a person stopped.
#[must_use]
pub fn stopped(language: Language) -> &'static str {
    language.say(
        "☑️ Stopped. What the agent had begun may still be charged.",
        "☑️ Parei. O que o agente já tinha começado ainda pode ser cobrado.",
    )
}

/// To who used `/stop`.
#[must_use]
pub fn stopping(language: Language) -> &'static str {
    language.say("☑️ Stopping it.", "☑️ Parando.")
}

/// Nothing is being answered.
#[must_use]
pub fn nothing_to_stop(language: Language) -> &'static str {
    language.say("ℹ️ Nothing is being answered here right now.", "ℹ️ Nada está sendo respondido aqui agora.")
}

/// To who used `/retry`.
#[must_use]
pub fn retrying(language: Language) -> &'static str {
    language.say(
        "☑️ Asking again; a new answer takes the place of the last one.",
        "☑️ Perguntando de novo; uma nova resposta toma o lugar da última.",
    )
}

/// The turn is not the last one, or too long ago.
#[must_use]
pub fn nothing_to_retry(language: Language) -> &'static str {
    language.say(
        "ℹ️ That can not be repeated any more: only the last question here can be, and not after a restart or a reset.",
        "ℹ️ Isso não pode mais ser repetido: só a última pergunta daqui pode, e não depois de um reinício ou de um `/reset`.",
    )
}

/// A turn runs.
#[must_use]
pub fn retry_later(language: Language) -> &'static str {
    language.say(
        "ℹ️ I am still answering here. Try again once I am done.",
        "ℹ️ Ainda estou respondendo aqui. Tente de novo quando eu terminar.",
    )
}

/// Someone else's question.
#[must_use]
pub fn not_yours(language: Language) -> &'static str {
    language.say(
        "⚠️ Only who asked can do that, or someone with the permission **Manage Messages**.",
        "⚠️ Só quem perguntou pode fazer isso, ou alguém com a permissão **Gerenciar mensagens**.",
    )
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::reply::is_answer;

    fn texts(language: Language) -> String {
        let texts = [stopped, stopping, nothing_to_stop, retrying, nothing_to_retry, retry_later, not_yours]
            .map(|text| text(language));
        assert!(texts.iter().all(|text| !is_answer(text)));
        texts.join("\n")
    }

    #[test]
    fn stopping_and_repeating_are_told_and_none_of_it_is_an_answer() {
        assert_snapshot!(texts(Language::English), @"
        ☑️ Stopped. What the agent had begun may still be charged.
        ☑️ Stopping it.
        ℹ️ Nothing is being answered here right now.
        ☑️ Asking again; a new answer takes the place of the last one.
        ℹ️ That can not be repeated any more: only the last question here can be, and not after a restart or a reset.
        ℹ️ I am still answering here. Try again once I am done.
        ⚠️ Only who asked can do that, or someone with the permission **Manage Messages**.
        ");
        assert_snapshot!(texts(Language::Portuguese), @"
        ☑️ Parei. O que o agente já tinha começado ainda pode ser cobrado.
        ☑️ Parando.
        ℹ️ Nada está sendo respondido aqui agora.
        ☑️ Perguntando de novo; uma nova resposta toma o lugar da última.
        ℹ️ Isso não pode mais ser repetido: só a última pergunta daqui pode, e não depois de um reinício ou de um `/reset`.
        ℹ️ Ainda estou respondendo aqui. Tente de novo quando eu terminar.
        ⚠️ Só quem perguntou pode fazer isso, ou alguém com a permissão **Gerenciar mensagens**.
        ");
    }

    #[test]
    fn an_answer_that_was_broken_off_is_known_by_its_end_in_whatever_language() {
        for language in Language::ALL {
            assert!(is_not_finished(&format!("The answer is\n{}", not_finished(language))));
        }
        assert!(!is_not_finished("The answer is 42."));
    }
}
