//! Answers to commands that have no file of their own.

use crate::config::{Language, RespondTo};

/// The answer to `/help`: what the bot does, and its commands.
#[must_use]
pub(crate) fn help(language: Language, respond_to: RespondTo) -> String {
    let when = match respond_to {
        RespondTo::All => language.say("I answer every message here", "Respondo a todas as mensagens daqui"),
        RespondTo::Mentions => language.say(
            "I answer when you mention me or reply to me, and every direct message",
            "Respondo quando você me menciona ou responde a mim, e a toda mensagem direta",
        ),
    };
    language.say(
        format!(
            "ℹ️ {when}. I take the conversation so far into account. What you write while I work is answered \
             next, all at once.\n\
             - `/agent` shows this channel's agent, or chooses another\n\
             - `/agents` lists the agents to choose from\n\
             - `/settings` shows the agent's settings in this channel, or changes them\n\
             - `/reset` makes the agent forget what was said here\n\
             - `/stop` stops the current answer\n\
             - `/retry` asks the last question again\n\
             - `/usage` shows what your messages have cost\n\
             - `/help` shows this\n\
             - `/about` shows the bot's version"
        ),
        format!(
            "ℹ️ {when}. Levo em conta a conversa até aqui. O que vocês escreverem enquanto trabalho é respondido \
             em seguida, tudo de uma vez.\n\
             - `/agent` mostra o agente deste canal, ou escolhe outro\n\
             - `/agents` lista os agentes que podem ser escolhidos\n\
             - `/settings` mostra as configurações do agente neste canal, ou as muda\n\
             - `/reset` faz o agente esquecer o que foi dito aqui\n\
             - `/stop` interrompe a resposta em andamento\n\
             - `/retry` refaz a última pergunta\n\
             - `/usage` mostra quanto suas mensagens custaram\n\
             - `/help` mostra isto\n\
             - `/about` mostra a versão do bot"
        ),
    )
}

/// The answer to `/about`: which version runs and, unless `source` is empty, the address of its README and source.
#[must_use]
pub(crate) fn about(language: Language, version: &str, source: &str) -> String {
    let mut text = language.say(
        format!("ℹ️ This is tess-discord {version}. It lets a channel chat with an agent of Tess AI."),
        format!("ℹ️ Este é o tess-discord {version}. Com ele, um canal conversa com um agente da Tess AI."),
    );
    if !source.is_empty() {
        let label = language.say("Documentation and source", "Documentação e código");
        text.push_str(&format!("\n{label}: <{source}>"));
    }
    text
}

/// Says that the channel's history was cleared.
#[must_use]
pub(crate) fn reset_done(language: Language) -> &'static str {
    language.say(
        "☑️ Starting over. The agent no longer sees what was said here before.",
        "☑️ Começando do zero. O agente não vê mais o que foi dito aqui antes.",
    )
}

/// Says that a command, button or form could not be understood.
#[must_use]
pub(crate) fn not_understood(language: Language) -> &'static str {
    language.say(
        "⚠️ The bot could not understand this request. Try it again with a command; `/help` lists them.",
        "⚠️ O bot não conseguiu entender este pedido. Tente de novo com um comando; `/help` mostra todos.",
    )
}

/// Says that a command takes the permission to manage channels.
#[must_use]
pub(crate) fn needs_manage_channels(language: Language) -> &'static str {
    language.say(
        "⚠️ This needs the permission **Manage Channels**. Ask someone who has it.",
        "⚠️ Isso exige a permissão **Gerenciar canais**. Peça a alguém que a tenha.",
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
    fn help_lists_the_commands() {
        assert_snapshot!(help(PT, RespondTo::Mentions), @"
        ℹ️ Respondo quando você me menciona ou responde a mim, e a toda mensagem direta. Levo em conta a conversa até aqui. O que vocês escreverem enquanto trabalho é respondido em seguida, tudo de uma vez.
        - `/agent` mostra o agente deste canal, ou escolhe outro
        - `/agents` lista os agentes que podem ser escolhidos
        - `/settings` mostra as configurações do agente neste canal, ou as muda
        - `/reset` faz o agente esquecer o que foi dito aqui
        - `/stop` interrompe a resposta em andamento
        - `/retry` refaz a última pergunta
        - `/usage` mostra quanto suas mensagens custaram
        - `/help` mostra isto
        - `/about` mostra a versão do bot
        ");
        assert_snapshot!(help(EN, RespondTo::All), @"
        ℹ️ I answer every message here. I take the conversation so far into account. What you write while I work is answered next, all at once.
        - `/agent` shows this channel's agent, or chooses another
        - `/agents` lists the agents to choose from
        - `/settings` shows the agent's settings in this channel, or changes them
        - `/reset` makes the agent forget what was said here
        - `/stop` stops the current answer
        - `/retry` asks the last question again
        - `/usage` shows what your messages have cost
        - `/help` shows this
        - `/about` shows the bot's version
        ");
        assert_snapshot!(help(EN, RespondTo::Mentions).lines().next().unwrap(), @"ℹ️ I answer when you mention me or reply to me, and every direct message. I take the conversation so far into account. What you write while I work is answered next, all at once.");
    }

    #[test]
    fn about_names_the_version_and_links_the_source_if_it_is_known() {
        let source = "https://git.example/tess-discord";
        assert_snapshot!(about(PT, "1.2.3", source), @"
        ℹ️ Este é o tess-discord 1.2.3. Com ele, um canal conversa com um agente da Tess AI.
        Documentação e código: <https://git.example/tess-discord>
        ");
        assert_snapshot!(about(EN, "1.2.3", source), @"
        ℹ️ This is tess-discord 1.2.3. It lets a channel chat with an agent of Tess AI.
        Documentation and source: <https://git.example/tess-discord>
        ");
        assert_snapshot!(about(EN, "1.2.3", ""), @"ℹ️ This is tess-discord 1.2.3. It lets a channel chat with an agent of Tess AI.");
    }

    #[test]
    fn no_text_is_taken_for_an_answer() {
        let texts = |language| {
            let texts = [reset_done(language), needs_manage_channels(language)];
            assert!(!is_answer(&about(language, "1.2.3", "https://git.example")));
            assert!(!is_answer(&help(language, RespondTo::All)) && texts.iter().all(|text| !is_answer(text)));
            texts.join("\n")
        };
        assert_snapshot!(texts(PT), @"
        ☑️ Começando do zero. O agente não vê mais o que foi dito aqui antes.
        ⚠️ Isso exige a permissão **Gerenciar canais**. Peça a alguém que a tenha.
        ");
        assert_snapshot!(texts(EN), @"
        ☑️ Starting over. The agent no longer sees what was said here before.
        ⚠️ This needs the permission **Manage Channels**. Ask someone who has it.
        ");
    }
}
