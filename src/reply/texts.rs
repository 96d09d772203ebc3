//! Every text the bot says itself.
//!
//! Each says what happened and what to do, and shows nothing of the inside: details go to the log. Each starts with a
//! mark, so that a history rebuilt from Discord can tell it from an agent's answer. The languages stand side by side, so
//! that none can be without a text.

pub mod agents;
mod turns;

use std::time::Duration;

pub use self::turns::{
    is_not_finished, not_finished, not_yours, nothing_to_retry, nothing_to_stop, retry_label, retry_later, retrying,
    stop_label, stopped, stopping,
};
use crate::{
    config::{Credits, Language, RespondTo},
    ids::AgentId,
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

/// Ends the part of an answer that is followed by a file.
#[must_use]
pub fn long_answer_in_file(language: Language) -> &'static str {
    language.say(
        "*This is the beginning; the whole answer is in the attached file.*",
        "*Este é o começo; a resposta inteira está no arquivo anexado.*",
    )
}

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
pub fn for_tess_error(language: Language, error: &TessError) -> String {
    let (english, portuguese) = match error {
        TessError::Unauthorized { .. } => (
            "⚠️ Tess refused this bot's API key. Whoever runs the bot has to check `TESS_API_KEY`.",
            "⚠️ A Tess recusou a chave de API deste bot. Quem administra o bot precisa verificar `TESS_API_KEY`.",
        ),
        TessError::WrongWorkspace { .. } => (
            "⚠️ Tess says that this bot's API key does not belong to its workspace. Whoever runs the bot has to check \
             `TESS_WORKSPACE_ID`.",
            "⚠️ A Tess diz que a chave de API deste bot não pertence ao workspace dele. Quem administra o bot precisa verificar \
             `TESS_WORKSPACE_ID`.",
        ),
        TessError::WorkspaceRequired { .. } => (
            "⚠️ Tess wants to know the workspace. Whoever runs the bot has to set `TESS_WORKSPACE_ID`.",
            "⚠️ A Tess quer saber o workspace. Quem administra o bot precisa definir `TESS_WORKSPACE_ID`.",
        ),
        TessError::AgentNotFound { agent, .. } => return agent_unknown(language, &agent.to_string()),
        TessError::WrongHost { .. } => (
            "⚠️ What answers at Tess's address is not Tess; nothing was charged. Whoever runs the bot has to check \
             `TESS_API_URL`.",
            "⚠️ O que responde no endereço da Tess não é a Tess; nada foi cobrado. Quem administra o bot precisa verificar \
             `TESS_API_URL`.",
        ),
        TessError::Refused { .. } => (
            "⚠️ Tess did not accept this request; nothing was charged. If it keeps happening, try `/reset`, or ask \
             whoever runs the bot to look at its log.",
            "⚠️ A Tess não aceitou este pedido; nada foi cobrado. Se continuar acontecendo, tente `/reset`, ou peça a quem \
             administra o bot que olhe o log.",
        ),
        TessError::NoCredits { .. } => (
            "⚠️ The Tess workspace has no credits left. Ask again once they have been topped up.",
            "⚠️ O workspace da Tess não tem mais créditos. Pergunte de novo depois de uma recarga.",
        ),
        TessError::RateLimited { retry_after } => {
            let wait = about(language, *retry_after);
            return language.say(
                format!("⚠️ Tess is very busy; nothing was charged. Ask again in about {wait}."),
                format!("⚠️ A Tess está muito ocupada; nada foi cobrado. Pergunte de novo em cerca de {wait}."),
            );
        }
        TessError::NotSent { .. } | TessError::Unavailable { .. } => (
            "⚠️ Tess could not be reached; nothing was charged. Ask again in a minute.",
            "⚠️ Não foi possível falar com a Tess; nada foi cobrado. Pergunte de novo em um minuto.",
        ),
        TessError::OutcomeUnknown { .. } => (
            "⚠️ The connection to Tess broke before the answer came. It may have been charged; ask again if you want \
             another try.",
            "⚠️ A conexão com a Tess caiu antes de a resposta chegar. Ela pode ter sido cobrada; pergunte de novo se quiser \
             outra tentativa.",
        ),
        TessError::Failed { .. } => (
            "⚠️ The agent could not finish its answer. Ask again, perhaps in other words.",
            "⚠️ O agente não conseguiu terminar a resposta. Pergunte de novo, talvez com outras palavras.",
        ),
        TessError::Empty { .. } => (
            "⚠️ The agent answered with nothing. Ask again, perhaps in other words.",
            "⚠️ A resposta do agente veio vazia. Pergunte de novo, talvez com outras palavras.",
        ),
        TessError::FileRefused { .. } => (
            "⚠️ Tess could not read a file; nothing was charged for an answer. Try another format, or ask without it.",
            "⚠️ A Tess não conseguiu ler um arquivo; nenhuma resposta foi cobrada. Tente outro formato, ou pergunte sem ele.",
        ),
        TessError::StorageFull { .. } => (
            "⚠️ The file storage of the Tess workspace is full. Whoever runs the bot has to delete files in Tess.",
            "⚠️ O armazenamento de arquivos do workspace da Tess está cheio. Quem administra o bot precisa apagar arquivos na Tess.",
        ),
        TessError::TimedOut { waited } => {
            let waited = about(language, *waited);
            return language.say(
                format!(
                    "⚠️ The agent was not done after {waited}. It may have been charged; ask again if you want another try, \
                     perhaps for less at once."
                ),
                format!(
                    "⚠️ O agente não terminou em {waited}. Pode ter sido cobrado; pergunte de novo se quiser outra tentativa, \
                     talvez pedindo menos de uma vez."
                ),
            );
        }
    };
    language.say(english, portuguese).to_owned()
}

/// A turn waits: `ahead` others are asked first, and `expected` is how long that will take, zero when unknown.
#[must_use]
pub fn waiting(language: Language, ahead: usize, expected: Duration) -> String {
    let wait = about(language, expected);
    let time = language.say(format!(", in about {wait}"), format!(", em cerca de {wait}"));
    let time = if expected.is_zero() { String::new() } else { time };
    let place = match ahead {
        0 => language.say("Still working on it", "Ainda estou trabalhando nisso").to_owned(),
        1 => language.say("One request is ahead of yours", "Há um pedido na frente do seu").to_owned(),
        _ => {
            language.say(format!("{ahead} requests are ahead of yours"), format!("Há {ahead} pedidos na frente do seu"))
        }
    };
    let comes = language.say("the answer comes here", "a resposta vem aqui");
    format!("{NOTICE_MARK} {place}; {comes}{time}.")
}

/// A part of a long answer could not be posted.
#[must_use]
pub fn part_failed(language: Language) -> &'static str {
    language.say(
        "⚠️ A part of this answer could not be posted. Ask me to repeat it.",
        "⚠️ Uma parte desta resposta não pôde ser publicada. Peça que eu a repita.",
    )
}

/// Discord refused the answer itself, most likely by a server's AutoMod rule.
#[must_use]
pub fn reply_refused(language: Language) -> &'static str {
    language.say(
        "⚠️ Discord did not let this answer through; a rule of the server's AutoMod may have blocked it. Ask in other words.",
        "⚠️ O Discord não deixou esta resposta passar; talvez uma regra do AutoMod do servidor a tenha bloqueado. Pergunte com \
         outras palavras.",
    )
}

/// The bot itself failed: a panic.
#[must_use]
pub fn internal_error(language: Language) -> &'static str {
    language.say(
        "⚠️ Something broke inside the bot, and it was logged. Ask again; it may have been charged.",
        "⚠️ Algo quebrou dentro do bot e foi registrado no log. Pergunte de novo; pode ter sido cobrado.",
    )
}

/// The channel's history was cleared.
#[must_use]
pub fn reset_done(language: Language) -> &'static str {
    language.say(
        "☑️ A fresh start: the agent no longer sees what was said here before.",
        "☑️ Começando do zero: o agente não vê mais o que foi dito aqui antes.",
    )
}

/// The agent of this channel; `title` is `None` when Tess did not tell it.
#[must_use]
pub fn agent_current(language: Language, title: Option<&str>, id: AgentId, is_default: bool) -> String {
    let default = if is_default { language.say(", the default", ", o padrão") } else { "" };
    match title.map(escaped) {
        Some(title) => language.say(
            format!("ℹ️ This channel talks to **{title}** (agent {id}{default})."),
            format!("ℹ️ Este canal conversa com **{title}** (agente {id}{default})."),
        ),
        None => language.say(
            format!("ℹ️ This channel talks to agent {id}{default}."),
            format!("ℹ️ Este canal conversa com o agente {id}{default}."),
        ),
    }
}

/// Another agent was chosen for this channel.
#[must_use]
pub fn agent_switched(language: Language, title: &str, id: AgentId) -> String {
    let title = escaped(title);
    language.say(
        format!("☑️ This channel now talks to **{title}** (agent {id}). It sees the conversation so far."),
        format!("☑️ Este canal agora conversa com **{title}** (agente {id}). Ele vê a conversa até aqui."),
    )
}

/// There is no such agent, or the workspace does not see it. `id` is what was typed.
#[must_use]
pub fn agent_unknown(language: Language, id: &str) -> String {
    let id = escaped(id);
    language.say(
        format!("⚠️ Tess has no agent {id} that this bot may use. Check the number, or choose another with `/agent`."),
        format!(
            "⚠️ A Tess não tem um agente {id} que este bot possa usar. Confira o número, ou escolha outro com `/agent`."
        ),
    )
}

/// The agent makes images, videos or the like.
#[must_use]
pub fn agent_not_chat(language: Language, title: &str) -> String {
    let title = escaped(title);
    language.say(
        format!("⚠️ **{title}** is not a chat agent, so it can not talk here. Choose another with `/agent`."),
        format!(
            "⚠️ **{title}** não é um agente de chat, e por isso não pode conversar aqui. Escolha outro com `/agent`."
        ),
    )
}

/// Tess could not be asked about an agent.
#[must_use]
pub fn agent_unavailable(language: Language) -> &'static str {
    language.say(
        "⚠️ Tess could not be asked about that agent; nothing was changed. Try again in a minute.",
        "⚠️ Não foi possível consultar a Tess sobre esse agente; nada mudou. Tente de novo em um minuto.",
    )
}

/// The command is for those who manage channels.
#[must_use]
pub fn needs_manage_channels(language: Language) -> &'static str {
    language.say(
        "⚠️ That takes the permission **Manage Channels**. Ask someone who has it.",
        "⚠️ Isso exige a permissão **Gerenciar canais**. Peça a alguém que a tenha.",
    )
}

/// The credits that everybody may spend a day are spent. `opens` is in seconds since the Unix epoch, here as below.
#[must_use]
pub fn over_day_budget(language: Language, limit: Credits, opens: u64) -> String {
    let limit = amount(language, limit);
    language.say(
        format!("⚠️ This bot has used up its {limit} Tess credits for today. It answers again <t:{opens}:R>."),
        format!("⚠️ Este bot já gastou os {limit} créditos da Tess de hoje. Ele volta a responder <t:{opens}:R>."),
    )
}

/// The credits that a guild may spend a day are spent.
#[must_use]
pub fn over_guild_budget(language: Language, limit: Credits, opens: u64) -> String {
    let limit = amount(language, limit);
    language.say(
        format!("⚠️ This server has used up its {limit} Tess credits for today. I answer here again <t:{opens}:R>."),
        format!(
            "⚠️ Este servidor já gastou os {limit} créditos da Tess de hoje. Volto a responder aqui <t:{opens}:R>."
        ),
    )
}

/// The credits that a user may spend a day are spent.
#[must_use]
pub fn over_user_budget(language: Language, limit: Credits, opens: u64) -> String {
    let limit = amount(language, limit);
    language.say(
        format!("⚠️ You have used up your {limit} Tess credits for today. I answer you again <t:{opens}:R>."),
        format!("⚠️ Você já gastou os seus {limit} créditos da Tess de hoje. Volto a responder a você <t:{opens}:R>."),
    )
}

/// A user wrote more messages in a minute than are answered.
#[must_use]
pub fn over_minute(language: Language, most: usize, opens: u64) -> String {
    let (message, mensagem) = if most == 1 { ("message", "mensagem") } else { ("messages", "mensagens") };
    language.say(
        format!("⚠️ I answer {most} {message} a minute of each person. Ask me again <t:{opens}:R>."),
        format!("⚠️ Respondo a no máximo {most} {mensagem} por minuto de cada pessoa. Pergunte de novo <t:{opens}:R>."),
    )
}

/// The use of a server was asked for in a direct message.
#[must_use]
pub fn usage_needs_server(language: Language) -> &'static str {
    language.say(
        "⚠️ There is no server here. Use `/usage scope:server` in one of its channels.",
        "⚠️ Aqui não há servidor. Use `/usage scope:server` em um dos canais dele.",
    )
}

/// The use of a server is for those who manage it.
#[must_use]
pub fn usage_needs_permission(language: Language) -> &'static str {
    language.say(
        "⚠️ That takes the permission **Manage Server** or **Manage Channels**. `/usage` shows your own use.",
        "⚠️ Isso exige a permissão **Gerenciar servidor** ou **Gerenciar canais**. `/usage` mostra o seu próprio uso.",
    )
}

/// What the bot does and can be told.
#[must_use]
pub fn help(language: Language, respond_to: RespondTo) -> String {
    let listens = match respond_to {
        RespondTo::All => language.say("I answer every message here", "Respondo a todas as mensagens daqui"),
        RespondTo::Mentions => language.say(
            "I answer when you mention me or reply to me, and every direct message",
            "Respondo quando você me menciona ou responde a mim, e a toda mensagem direta",
        ),
    };
    language.say(
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
        ),
        format!(
            "ℹ️ {listens}, levando em conta a conversa até aqui. O que vocês escreverem enquanto trabalho é respondido em \
             seguida, tudo de uma vez.\n\
             - `/agent` mostra o agente deste canal, ou escolhe outro\n\
             - `/agents` lista os agentes que podem ser escolhidos\n\
             - `/settings` mostra como ele está configurado aqui, ou muda isso\n\
             - `/reset` faz o agente esquecer o que foi dito aqui\n\
             - `/stop` interrompe a resposta em andamento\n\
             - `/retry` refaz a última pergunta\n\
             - `/usage` mostra quanto suas mensagens custaram\n\
             - `/help` mostra isto"
        ),
    )
}

/// An amount of credits, written as the language does.
pub(super) fn amount(language: Language, credits: Credits) -> String {
    let amount = credits.to_string();
    match language {
        Language::English => amount,
        Language::Portuguese => amount.replace('.', ","),
    }
}

/// A duration in words, rounded up.
fn about(language: Language, duration: Duration) -> String {
    let (second, seconds, minutes) =
        language.say(("a second", "seconds", "minutes"), ("um segundo", "segundos", "minutos"));
    match duration.as_secs() + u64::from(duration.subsec_nanos() > 0) {
        0 | 1 => second.to_owned(),
        number @ 2..100 => format!("{number} {seconds}"),
        number => format!("{} {minutes}", number.div_ceil(60)),
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
    fn each_error_says_what_to_do_and_nothing_of_the_inside() {
        let texts = |language| {
            let texts: Vec<_> = errors().iter().map(|error| for_tess_error(language, error)).collect();
            assert!(texts.iter().all(|text| text.starts_with(ERROR_MARK) && !text.contains("10.0.0.7")));
            texts.join("\n")
        };
        assert_snapshot!(texts(PT), @"
        ⚠️ A Tess recusou a chave de API deste bot. Quem administra o bot precisa verificar `TESS_API_KEY`.
        ⚠️ A Tess diz que a chave de API deste bot não pertence ao workspace dele. Quem administra o bot precisa verificar `TESS_WORKSPACE_ID`.
        ⚠️ A Tess quer saber o workspace. Quem administra o bot precisa definir `TESS_WORKSPACE_ID`.
        ⚠️ A Tess não tem um agente 8794 que este bot possa usar. Confira o número, ou escolha outro com `/agent`.
        ⚠️ O que responde no endereço da Tess não é a Tess; nada foi cobrado. Quem administra o bot precisa verificar `TESS_API_URL`.
        ⚠️ A Tess não aceitou este pedido; nada foi cobrado. Se continuar acontecendo, tente `/reset`, ou peça a quem administra o bot que olhe o log.
        ⚠️ O workspace da Tess não tem mais créditos. Pergunte de novo depois de uma recarga.
        ⚠️ A Tess está muito ocupada; nada foi cobrado. Pergunte de novo em cerca de 60 segundos.
        ⚠️ Não foi possível falar com a Tess; nada foi cobrado. Pergunte de novo em um minuto.
        ⚠️ Não foi possível falar com a Tess; nada foi cobrado. Pergunte de novo em um minuto.
        ⚠️ A conexão com a Tess caiu antes de a resposta chegar. Ela pode ter sido cobrada; pergunte de novo se quiser outra tentativa.
        ⚠️ O agente não conseguiu terminar a resposta. Pergunte de novo, talvez com outras palavras.
        ⚠️ A resposta do agente veio vazia. Pergunte de novo, talvez com outras palavras.
        ⚠️ A Tess não conseguiu ler um arquivo; nenhuma resposta foi cobrada. Tente outro formato, ou pergunte sem ele.
        ⚠️ O armazenamento de arquivos do workspace da Tess está cheio. Quem administra o bot precisa apagar arquivos na Tess.
        ⚠️ O agente não terminou em 5 minutos. Pode ter sido cobrado; pergunte de novo se quiser outra tentativa, talvez pedindo menos de uma vez.
        ");
        assert_snapshot!(texts(EN), @"
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
        let texts = |language| {
            let waits = [(0, 0), (1, 1), (3, 40), (90, 130)];
            waits.map(|(ahead, seconds)| waiting(language, ahead, Duration::from_secs(seconds))).join("\n")
        };
        assert_snapshot!(texts(PT), @"
        ⏳ Ainda estou trabalhando nisso; a resposta vem aqui.
        ⏳ Há um pedido na frente do seu; a resposta vem aqui, em cerca de um segundo.
        ⏳ Há 3 pedidos na frente do seu; a resposta vem aqui, em cerca de 40 segundos.
        ⏳ Há 90 pedidos na frente do seu; a resposta vem aqui, em cerca de 3 minutos.
        ");
        assert_snapshot!(texts(EN), @"
        ⏳ Still working on it; the answer comes here.
        ⏳ One request is ahead of yours; the answer comes here, in about a second.
        ⏳ 3 requests are ahead of yours; the answer comes here, in about 40 seconds.
        ⏳ 90 requests are ahead of yours; the answer comes here, in about 3 minutes.
        ");
    }

    #[test]
    fn failures_of_the_bot_are_told() {
        let texts = |language| {
            let texts = [part_failed, reply_refused, internal_error, agent_unavailable, needs_manage_channels];
            let texts = texts.map(|text| text(language));
            assert!(texts.iter().all(|text| text.starts_with(ERROR_MARK)));
            texts.join("\n")
        };
        assert_snapshot!(texts(PT), @"
        ⚠️ Uma parte desta resposta não pôde ser publicada. Peça que eu a repita.
        ⚠️ O Discord não deixou esta resposta passar; talvez uma regra do AutoMod do servidor a tenha bloqueado. Pergunte com outras palavras.
        ⚠️ Algo quebrou dentro do bot e foi registrado no log. Pergunte de novo; pode ter sido cobrado.
        ⚠️ Não foi possível consultar a Tess sobre esse agente; nada mudou. Tente de novo em um minuto.
        ⚠️ Isso exige a permissão **Gerenciar canais**. Peça a alguém que a tenha.
        ");
        assert_snapshot!(texts(EN), @"
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
        let texts = |language| {
            let texts = [
                over_day_budget(language, limit, opens),
                over_guild_budget(language, limit, opens),
                over_user_budget(language, limit, opens),
                over_minute(language, 1, opens),
                over_minute(language, 10, opens),
                usage_needs_server(language).to_owned(),
                usage_needs_permission(language).to_owned(),
            ];
            assert!(texts.iter().all(|text| text.starts_with(ERROR_MARK)));
            texts.join("\n")
        };
        assert_snapshot!(texts(PT), @"
        ⚠️ Este bot já gastou os 2,50 créditos da Tess de hoje. Ele volta a responder <t:1772582400:R>.
        ⚠️ Este servidor já gastou os 2,50 créditos da Tess de hoje. Volto a responder aqui <t:1772582400:R>.
        ⚠️ Você já gastou os seus 2,50 créditos da Tess de hoje. Volto a responder a você <t:1772582400:R>.
        ⚠️ Respondo a no máximo 1 mensagem por minuto de cada pessoa. Pergunte de novo <t:1772582400:R>.
        ⚠️ Respondo a no máximo 10 mensagens por minuto de cada pessoa. Pergunte de novo <t:1772582400:R>.
        ⚠️ Aqui não há servidor. Use `/usage scope:server` em um dos canais dele.
        ⚠️ Isso exige a permissão **Gerenciar servidor** ou **Gerenciar canais**. `/usage` mostra o seu próprio uso.
        ");
        assert_snapshot!(texts(EN), @"
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
        let texts = |language| {
            let texts = [
                reset_done(language).to_owned(),
                agent_current(language, Some("Docs Helper"), AGENT, true),
                agent_current(language, Some("Docs Helper"), AGENT, false),
                agent_current(language, None, AGENT, true),
                agent_switched(language, "Docs Helper", AGENT),
                agent_unknown(language, "8794"),
                agent_not_chat(language, "Painter"),
            ];
            texts.join("\n")
        };
        assert_snapshot!(texts(PT), @"
        ☑️ Começando do zero: o agente não vê mais o que foi dito aqui antes.
        ℹ️ Este canal conversa com **Docs Helper** (agente 8794, o padrão).
        ℹ️ Este canal conversa com **Docs Helper** (agente 8794).
        ℹ️ Este canal conversa com o agente 8794, o padrão.
        ☑️ Este canal agora conversa com **Docs Helper** (agente 8794). Ele vê a conversa até aqui.
        ⚠️ A Tess não tem um agente 8794 que este bot possa usar. Confira o número, ou escolha outro com `/agent`.
        ⚠️ **Painter** não é um agente de chat, e por isso não pode conversar aqui. Escolha outro com `/agent`.
        ");
        assert_snapshot!(texts(EN), @"
        ☑️ A fresh start: the agent no longer sees what was said here before.
        ℹ️ This channel talks to **Docs Helper** (agent 8794, the default).
        ℹ️ This channel talks to **Docs Helper** (agent 8794).
        ℹ️ This channel talks to agent 8794, the default.
        ☑️ This channel now talks to **Docs Helper** (agent 8794). It sees the conversation so far.
        ⚠️ Tess has no agent 8794 that this bot may use. Check the number, or choose another with `/agent`.
        ⚠️ **Painter** is not a chat agent, so it can not talk here. Choose another with `/agent`.
        ");
        assert_snapshot!(help(PT, RespondTo::Mentions), @"
        ℹ️ Respondo quando você me menciona ou responde a mim, e a toda mensagem direta, levando em conta a conversa até aqui. O que vocês escreverem enquanto trabalho é respondido em seguida, tudo de uma vez.
        - `/agent` mostra o agente deste canal, ou escolhe outro
        - `/agents` lista os agentes que podem ser escolhidos
        - `/settings` mostra como ele está configurado aqui, ou muda isso
        - `/reset` faz o agente esquecer o que foi dito aqui
        - `/stop` interrompe a resposta em andamento
        - `/retry` refaz a última pergunta
        - `/usage` mostra quanto suas mensagens custaram
        - `/help` mostra isto
        ");
        assert_snapshot!(help(EN, RespondTo::All), @"
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
        assert_snapshot!(help(EN, RespondTo::Mentions).lines().next().unwrap(), @"ℹ️ I answer when you mention me or reply to me, and every direct message, with the conversation so far in mind. What you write while I work is answered next, all at once.");
    }

    #[test]
    fn a_title_can_neither_format_nor_mention_nor_link() {
        let title = "**x**\n@everyone <@1> [a](https://b) `c`";
        assert_snapshot!(agent_not_chat(EN, title).replace('\u{200b}', "·"), @r"⚠️ **\*\*x\*\* @·everyone \<@·1\> \[a\]\(https\://b\) \`c\`** is not a chat agent, so it can not talk here. Choose another with `/agent`.");
        assert!(agent_current(EN, Some(&"x".repeat(5_000)), AGENT, false).chars().count() < 200);
    }

    #[test]
    fn the_long_answers_line_is_a_part_of_the_answer() {
        assert_snapshot!(long_answer_in_file(EN), @"*This is the beginning; the whole answer is in the attached file.*");
        assert_snapshot!(long_answer_in_file(PT), @"*Este é o começo; a resposta inteira está no arquivo anexado.*");
        assert!([EN, PT].into_iter().all(|language| is_answer(long_answer_in_file(language))));
    }

    #[test]
    fn only_an_agents_words_are_an_answer() {
        assert!(is_answer("Hello!") && is_answer("It is ⚠️ dangerous"));
        for language in [EN, PT] {
            let (help, waiting) = (help(language, RespondTo::All), waiting(language, 0, Duration::ZERO));
            let own = [part_failed(language), reset_done(language), &help, &waiting, " ⚠️ x"];
            assert!(own.iter().all(|text| !is_answer(text)));
            assert!(errors().iter().all(|error| !is_answer(&for_tess_error(language, error))));
        }
    }
}
