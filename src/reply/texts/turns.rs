//! Texts about a turn: its progress, stopping it and repeating it.

use std::time::Duration;

use super::{format::approximate, marks::NOTICE_MARK};
use crate::config::Language;

/// Says that a turn takes long: `ahead` others go first. `expected` is the time until the answer, zero when unknown.
#[must_use]
pub(crate) fn progress(language: Language, ahead: usize, expected: Duration) -> String {
    let wait = approximate(language, expected);
    let time = language.say(format!(" in about {wait}"), format!(" em cerca de {wait}"));
    let time = if expected.is_zero() { String::new() } else { time };
    let place = match ahead {
        0 => language.say("Still working on it", "Ainda estou trabalhando nisso").to_owned(),
        1 => language.say("One request is ahead of yours", "Há um pedido na frente do seu").to_owned(),
        _ => {
            language.say(format!("{ahead} requests are ahead of yours"), format!("Há {ahead} pedidos na frente do seu"))
        }
    };
    let comes = language.say("The answer will appear here", "A resposta vai aparecer aqui");
    format!("{NOTICE_MARK} {place}. {comes}{time}.")
}

/// The label of the stop button.
#[must_use]
pub(crate) fn stop_label(language: Language) -> &'static str {
    language.say("Stop", "Parar")
}

/// The label of the retry button.
#[must_use]
pub(crate) fn retry_label(language: Language) -> &'static str {
    language.say("Try again", "Tentar de novo")
}

/// Takes the place of an answer that a person stopped before anything of it was shown.
#[must_use]
pub(crate) fn stopped(language: Language) -> &'static str {
    language.say(
        "☑️ Stopped. What the agent had begun may still be charged.",
        "☑️ Parei. O que o agente já tinha começado ainda pode ser cobrado.",
    )
}

/// Answers `/stop` when a turn is being stopped.
#[must_use]
pub(crate) fn stopping(language: Language) -> &'static str {
    language.say("☑️ Stopping the answer.", "☑️ Interrompendo a resposta.")
}

/// Answers `/stop` when no turn runs.
#[must_use]
pub(crate) fn nothing_to_stop(language: Language) -> &'static str {
    language.say("ℹ️ Nothing is being answered here right now.", "ℹ️ Nada está sendo respondido aqui agora.")
}

/// Answers `/retry` when the turn is being repeated.
#[must_use]
pub(crate) fn retrying(language: Language) -> &'static str {
    language.say(
        "☑️ Asking again. The new answer will replace the last one.",
        "☑️ Perguntando de novo. A nova resposta vai substituir a última.",
    )
}

/// Answers `/retry` when the turn cannot be repeated.
#[must_use]
pub(crate) fn nothing_to_retry(language: Language) -> &'static str {
    language.say(
        "ℹ️ That cannot be repeated any more. Only the last question here can be repeated, and not after a restart \
         or a `/reset`.",
        "ℹ️ Isso não pode mais ser repetido. Só a última pergunta daqui pode ser repetida, e não depois de um \
         reinício ou de um `/reset`.",
    )
}

/// Answers `/retry` when a turn runs.
#[must_use]
pub(crate) fn busy(language: Language) -> &'static str {
    language.say(
        "ℹ️ I am still answering here. Try again once I am done.",
        "ℹ️ Ainda estou respondendo aqui. Tente de novo quando eu terminar.",
    )
}

/// Says that only the requester or a moderator may stop or repeat a turn.
#[must_use]
pub(crate) fn not_requester(language: Language) -> &'static str {
    language.say(
        "⚠️ Only the person who asked can do that, or someone with the permission **Manage Messages**.",
        "⚠️ Só a pessoa que perguntou pode fazer isso, ou alguém com a permissão **Gerenciar mensagens**.",
    )
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::reply::is_answer;

    const EN: Language = Language::English;
    const PT: Language = Language::Portuguese;

    #[test]
    fn progress_tells_the_queue_position_and_the_expected_time() {
        let texts = |language| {
            let waits = [(0, 0), (1, 1), (3, 40), (90, 130)];
            waits.map(|(ahead, seconds)| progress(language, ahead, Duration::from_secs(seconds))).join("\n")
        };
        assert_snapshot!(texts(PT), @"
        ⏳ Ainda estou trabalhando nisso. A resposta vai aparecer aqui.
        ⏳ Há um pedido na frente do seu. A resposta vai aparecer aqui em cerca de um segundo.
        ⏳ Há 3 pedidos na frente do seu. A resposta vai aparecer aqui em cerca de 40 segundos.
        ⏳ Há 90 pedidos na frente do seu. A resposta vai aparecer aqui em cerca de 3 minutos.
        ");
        assert_snapshot!(texts(EN), @"
        ⏳ Still working on it. The answer will appear here.
        ⏳ One request is ahead of yours. The answer will appear here in about a second.
        ⏳ 3 requests are ahead of yours. The answer will appear here in about 40 seconds.
        ⏳ 90 requests are ahead of yours. The answer will appear here in about 3 minutes.
        ");
    }

    fn texts(language: Language) -> String {
        let texts = [stopped, stopping, nothing_to_stop, retrying, nothing_to_retry, busy, not_requester]
            .map(|text| text(language));
        assert!(texts.iter().all(|text| !is_answer(text)));
        texts.join("\n")
    }

    #[test]
    fn answers_to_stop_and_retry_start_with_a_mark() {
        assert_snapshot!(texts(EN), @"
        ☑️ Stopped. What the agent had begun may still be charged.
        ☑️ Stopping the answer.
        ℹ️ Nothing is being answered here right now.
        ☑️ Asking again. The new answer will replace the last one.
        ℹ️ That cannot be repeated any more. Only the last question here can be repeated, and not after a restart or a `/reset`.
        ℹ️ I am still answering here. Try again once I am done.
        ⚠️ Only the person who asked can do that, or someone with the permission **Manage Messages**.
        ");
        assert_snapshot!(texts(PT), @"
        ☑️ Parei. O que o agente já tinha começado ainda pode ser cobrado.
        ☑️ Interrompendo a resposta.
        ℹ️ Nada está sendo respondido aqui agora.
        ☑️ Perguntando de novo. A nova resposta vai substituir a última.
        ℹ️ Isso não pode mais ser repetido. Só a última pergunta daqui pode ser repetida, e não depois de um reinício ou de um `/reset`.
        ℹ️ Ainda estou respondendo aqui. Tente de novo quando eu terminar.
        ⚠️ Só a pessoa que perguntou pode fazer isso, ou alguém com a permissão **Gerenciar mensagens**.
        ");
    }
}
