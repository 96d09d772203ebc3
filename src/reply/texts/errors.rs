//! Texts about a failed execution, and about a failure of the bot itself.

use std::time::Duration;

use super::{agents, format::approximate};
use crate::{config::Language, tess::TessError};

/// A text in English and in Portuguese.
type Text = (&'static str, &'static str);

const KEY_REFUSED: Text = (
    "⚠️ Tess refused this bot's API key. Ask whoever runs the bot to check `TESS_API_KEY`.",
    "⚠️ A Tess recusou a chave de API deste bot. Peça a quem administra o bot que verifique `TESS_API_KEY`.",
);

const WRONG_WORKSPACE: Text = (
    "⚠️ Tess says that this bot's API key does not belong to its workspace. Ask whoever runs the bot to \
     check `TESS_WORKSPACE_ID`.",
    "⚠️ A Tess diz que a chave de API deste bot não pertence ao workspace dele. Peça a quem administra o bot \
     que verifique `TESS_WORKSPACE_ID`.",
);

const WORKSPACE_REQUIRED: Text = (
    "⚠️ Tess needs to know this bot's workspace. Ask whoever runs the bot to set `TESS_WORKSPACE_ID`.",
    "⚠️ A Tess precisa saber o workspace deste bot. Peça a quem administra o bot que defina \
     `TESS_WORKSPACE_ID`.",
);

const WRONG_HOST: Text = (
    "⚠️ The server at Tess's address is not Tess. Nothing was charged. Ask whoever runs the bot to check \
     `TESS_API_URL`.",
    "⚠️ O servidor no endereço da Tess não é a Tess. Nada foi cobrado. Peça a quem administra o bot que \
     verifique `TESS_API_URL`.",
);

const REQUEST_REFUSED: Text = (
    "⚠️ Tess did not accept this request. Nothing was charged. If it keeps happening, try `/reset`, or ask \
     whoever runs the bot to look at its log.",
    "⚠️ A Tess não aceitou este pedido. Nada foi cobrado. Se continuar acontecendo, tente `/reset`, ou peça \
     a quem administra o bot que olhe o log.",
);

const NO_CREDITS: Text = (
    "⚠️ The Tess workspace has no credits left. Ask again once they have been topped up.",
    "⚠️ O workspace da Tess não tem mais créditos. Pergunte de novo depois de uma recarga.",
);

const UNREACHABLE: Text = (
    "⚠️ Tess could not be reached. Nothing was charged. Ask again in a minute.",
    "⚠️ Não foi possível falar com a Tess. Nada foi cobrado. Pergunte de novo em um minuto.",
);

const OUTCOME_UNKNOWN: Text = (
    "⚠️ The connection to Tess broke before the answer came. The answer may have been charged. Ask again if \
     you want another try.",
    "⚠️ A conexão com a Tess caiu antes de a resposta chegar. A resposta pode ter sido cobrada. Pergunte de \
     novo se quiser outra tentativa.",
);

const AGENT_FAILED: Text = (
    "⚠️ The agent could not finish its answer. Ask again, perhaps in other words.",
    "⚠️ O agente não conseguiu terminar a resposta. Pergunte de novo, talvez com outras palavras.",
);

const EMPTY_ANSWER: Text = (
    "⚠️ The agent answered with nothing. Ask again, perhaps in other words.",
    "⚠️ A resposta do agente veio vazia. Pergunte de novo, talvez com outras palavras.",
);

const FILE_REFUSED: Text = (
    "⚠️ Tess could not read a file. No answer was charged. Try another format, or ask without the file.",
    "⚠️ A Tess não conseguiu ler um arquivo. Nenhuma resposta foi cobrada. Tente outro formato, ou pergunte \
     sem o arquivo.",
);

const STORAGE_FULL: Text = (
    "⚠️ The file storage of the Tess workspace is full. Ask whoever runs the bot to delete files in Tess.",
    "⚠️ O armazenamento de arquivos do workspace da Tess está cheio. Peça a quem administra o bot que apague \
     arquivos na Tess.",
);

/// Says why an execution gave no answer.
#[must_use]
pub(crate) fn tess_error(language: Language, error: &TessError) -> String {
    let (english, portuguese) = match error {
        TessError::Unauthorized { .. } => KEY_REFUSED,
        TessError::WrongWorkspace { .. } => WRONG_WORKSPACE,
        TessError::WorkspaceRequired { .. } => WORKSPACE_REQUIRED,
        TessError::AgentNotFound { agent, .. } => return agents::unknown(language, &agent.to_string()),
        TessError::WrongHost { .. } => WRONG_HOST,
        TessError::Refused { .. } => REQUEST_REFUSED,
        TessError::NoCredits { .. } => NO_CREDITS,
        TessError::RateLimited { retry_after } => return rate_limited(language, *retry_after),
        TessError::NotSent { .. } | TessError::Unavailable { .. } => UNREACHABLE,
        TessError::OutcomeUnknown { .. } => OUTCOME_UNKNOWN,
        TessError::Failed { .. } => AGENT_FAILED,
        TessError::Empty { .. } => EMPTY_ANSWER,
        TessError::FileRefused { .. } => FILE_REFUSED,
        TessError::StorageFull { .. } => STORAGE_FULL,
        TessError::TimedOut { waited } => return timed_out(language, *waited),
    };
    language.say(english, portuguese).to_owned()
}

fn rate_limited(language: Language, retry_after: Duration) -> String {
    let wait = approximate(language, retry_after);
    language.say(
        format!("⚠️ Tess is very busy. Nothing was charged. Ask again in about {wait}."),
        format!("⚠️ A Tess está muito ocupada. Nada foi cobrado. Pergunte de novo em cerca de {wait}."),
    )
}

fn timed_out(language: Language, waited: Duration) -> String {
    let waited = approximate(language, waited);
    language.say(
        format!(
            "⚠️ The agent did not finish within {waited}. The answer may have been charged. Ask again if you want \
             another try, perhaps for less at once."
        ),
        format!(
            "⚠️ O agente não terminou em {waited}. A resposta pode ter sido cobrada. Pergunte de novo se quiser outra \
             tentativa, talvez pedindo menos de uma vez."
        ),
    )
}

/// Says that the bot itself failed, which means that it panicked.
#[must_use]
pub(crate) fn internal(language: Language) -> &'static str {
    language.say(
        "⚠️ Something broke inside the bot. The error was logged. Credits may have been charged. Try again.",
        "⚠️ Algo quebrou dentro do bot. O erro foi registrado no log. Pode ter havido cobrança de créditos. Tente de \
         novo.",
    )
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{super::marks::ERROR_MARK, *};
    use crate::ids::AgentId;

    const EN: Language = Language::English;
    const PT: Language = Language::Portuguese;

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
    fn every_tess_error_says_what_to_do_and_shows_no_detail() {
        let texts = |language| {
            let texts: Vec<_> = errors().iter().map(|error| tess_error(language, error)).collect();
            assert!(texts.iter().all(|text| text.starts_with(ERROR_MARK) && !text.contains("10.0.0.7")));
            texts.join("\n")
        };
        assert_snapshot!(texts(PT), @"
        ⚠️ A Tess recusou a chave de API deste bot. Peça a quem administra o bot que verifique `TESS_API_KEY`.
        ⚠️ A Tess diz que a chave de API deste bot não pertence ao workspace dele. Peça a quem administra o bot que verifique `TESS_WORKSPACE_ID`.
        ⚠️ A Tess precisa saber o workspace deste bot. Peça a quem administra o bot que defina `TESS_WORKSPACE_ID`.
        ⚠️ A Tess não tem um agente 8794 que este bot possa usar. Confira o número, ou escolha outro com `/agent`.
        ⚠️ O servidor no endereço da Tess não é a Tess. Nada foi cobrado. Peça a quem administra o bot que verifique `TESS_API_URL`.
        ⚠️ A Tess não aceitou este pedido. Nada foi cobrado. Se continuar acontecendo, tente `/reset`, ou peça a quem administra o bot que olhe o log.
        ⚠️ O workspace da Tess não tem mais créditos. Pergunte de novo depois de uma recarga.
        ⚠️ A Tess está muito ocupada. Nada foi cobrado. Pergunte de novo em cerca de 60 segundos.
        ⚠️ Não foi possível falar com a Tess. Nada foi cobrado. Pergunte de novo em um minuto.
        ⚠️ Não foi possível falar com a Tess. Nada foi cobrado. Pergunte de novo em um minuto.
        ⚠️ A conexão com a Tess caiu antes de a resposta chegar. A resposta pode ter sido cobrada. Pergunte de novo se quiser outra tentativa.
        ⚠️ O agente não conseguiu terminar a resposta. Pergunte de novo, talvez com outras palavras.
        ⚠️ A resposta do agente veio vazia. Pergunte de novo, talvez com outras palavras.
        ⚠️ A Tess não conseguiu ler um arquivo. Nenhuma resposta foi cobrada. Tente outro formato, ou pergunte sem o arquivo.
        ⚠️ O armazenamento de arquivos do workspace da Tess está cheio. Peça a quem administra o bot que apague arquivos na Tess.
        ⚠️ O agente não terminou em 5 minutos. A resposta pode ter sido cobrada. Pergunte de novo se quiser outra tentativa, talvez pedindo menos de uma vez.
        ");
        assert_snapshot!(texts(EN), @"
        ⚠️ Tess refused this bot's API key. Ask whoever runs the bot to check `TESS_API_KEY`.
        ⚠️ Tess says that this bot's API key does not belong to its workspace. Ask whoever runs the bot to check `TESS_WORKSPACE_ID`.
        ⚠️ Tess needs to know this bot's workspace. Ask whoever runs the bot to set `TESS_WORKSPACE_ID`.
        ⚠️ Tess has no agent 8794 that this bot may use. Check the number, or choose another with `/agent`.
        ⚠️ The server at Tess's address is not Tess. Nothing was charged. Ask whoever runs the bot to check `TESS_API_URL`.
        ⚠️ Tess did not accept this request. Nothing was charged. If it keeps happening, try `/reset`, or ask whoever runs the bot to look at its log.
        ⚠️ The Tess workspace has no credits left. Ask again once they have been topped up.
        ⚠️ Tess is very busy. Nothing was charged. Ask again in about 60 seconds.
        ⚠️ Tess could not be reached. Nothing was charged. Ask again in a minute.
        ⚠️ Tess could not be reached. Nothing was charged. Ask again in a minute.
        ⚠️ The connection to Tess broke before the answer came. The answer may have been charged. Ask again if you want another try.
        ⚠️ The agent could not finish its answer. Ask again, perhaps in other words.
        ⚠️ The agent answered with nothing. Ask again, perhaps in other words.
        ⚠️ Tess could not read a file. No answer was charged. Try another format, or ask without the file.
        ⚠️ The file storage of the Tess workspace is full. Ask whoever runs the bot to delete files in Tess.
        ⚠️ The agent did not finish within 5 minutes. The answer may have been charged. Ask again if you want another try, perhaps for less at once.
        ");
    }

    #[test]
    fn internal_error_says_what_to_do() {
        assert_snapshot!(internal(PT), @"⚠️ Algo quebrou dentro do bot. O erro foi registrado no log. Pode ter havido cobrança de créditos. Tente de novo.");
        assert_snapshot!(internal(EN), @"⚠️ Something broke inside the bot. The error was logged. Credits may have been charged. Try again.");
    }
}
