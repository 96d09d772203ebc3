//! Texts about agents: the list, the channel's agent, and why an agent cannot answer.

use super::format::{escape, escape_to};
use crate::{
    config::Language,
    ids::AgentId,
    tess::{Agent, Question},
};

/// Agents on one page of the list.
pub(crate) const PER_PAGE: usize = 5;

/// Most characters of a title in the list. Escaping can double them, and a page still fits into one message.
const TITLE_CHARS: usize = 60;

/// Most characters of a description in the list; see [`TITLE_CHARS`].
const DESCRIPTION_CHARS: usize = 110;

/// Most questions that are named in one text.
const MAX_QUESTIONS: usize = 8;

/// The number of pages that a list of agents takes; at least 1.
#[must_use]
pub(crate) fn page_count(agents: usize) -> usize {
    agents.div_ceil(PER_PAGE).max(1)
}

/// One page of the list of agents. `page` counts from 0 and is capped at the last one. `current` is the channel's agent.
#[must_use]
pub(crate) fn page(language: Language, agents: &[Agent], page: usize, current: AgentId) -> String {
    if agents.is_empty() {
        let none = language.say(
            "ℹ️ Tess offers this bot no chat agent to choose from.",
            "ℹ️ A Tess não oferece a este bot nenhum agente de chat para escolher.",
        );
        return none.to_owned();
    }
    let pages = page_count(agents.len());
    let page = page.min(pages - 1);
    let (word, of) = language.say(("page", "of"), ("página", "de"));
    let place = if pages > 1 { format!(", {word} {} {of} {pages}", page + 1) } else { String::new() };
    let shown = agents.iter().skip(page * PER_PAGE).take(PER_PAGE);
    let entries: String = shown.map(|agent| entry(language, agent, current)).collect();
    let head = language.say("The agents that `/agent` can choose", "Os agentes que `/agent` pode escolher");
    format!("ℹ️ {head}{place}:{entries}")
}

fn entry(language: Language, agent: &Agent, current: AgentId) -> String {
    let word = language.say("agent", "agente");
    let here = if agent.id == current { language.say(", answers here", ", responde aqui") } else { "" };
    let mut entry = format!("\n- **{}** ({word} {}{here})", escape_to(&agent.title, TITLE_CHARS), agent.id);
    if let Some(description) = &agent.description {
        entry.push_str(&format!("\n  {}", escape_to(description.trim(), DESCRIPTION_CHARS)));
    }
    entry
}

/// Names the agent of the channel; `title` is `None` when Tess did not report it.
#[must_use]
pub(crate) fn current(language: Language, title: Option<&str>, id: AgentId, is_default: bool) -> String {
    let default = if is_default { language.say(", the default", ", o padrão") } else { "" };
    match title.map(escape) {
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

/// Says that the channel has another agent now.
#[must_use]
pub(crate) fn switched(language: Language, title: &str, id: AgentId) -> String {
    let title = escape(title);
    language.say(
        format!("☑️ This channel now talks to **{title}** (agent {id}). It sees the conversation so far."),
        format!("☑️ Este canal agora conversa com **{title}** (agente {id}). Ele vê a conversa até aqui."),
    )
}

/// Says that there is no such agent, or none that the workspace sees. `id` is what was typed.
#[must_use]
pub(crate) fn unknown(language: Language, id: &str) -> String {
    let id = escape(id);
    language.say(
        format!("⚠️ Tess has no agent {id} that this bot may use. Check the number, or choose another with `/agent`."),
        format!(
            "⚠️ A Tess não tem um agente {id} que este bot possa usar. Confira o número, ou escolha outro com `/agent`."
        ),
    )
}

/// Says that the agent is not a chat agent, but one that makes images, videos or the like.
#[must_use]
pub(crate) fn not_chat(language: Language, title: &str) -> String {
    let title = escape(title);
    language.say(
        format!("⚠️ **{title}** is not a chat agent, so it cannot answer here. Choose another with `/agent`."),
        format!(
            "⚠️ **{title}** não é um agente de chat, e por isso não pode responder aqui. Escolha outro com `/agent`."
        ),
    )
}

/// Says that Tess could not be asked about an agent.
#[must_use]
pub(crate) fn unavailable(language: Language) -> &'static str {
    language.say(
        "⚠️ Tess could not be asked about that agent. Nothing was changed. Try again in a minute.",
        "⚠️ Não foi possível consultar a Tess sobre esse agente. Nada mudou. Tente de novo em um minuto.",
    )
}

/// Says that Tess could not be asked for the list of agents.
#[must_use]
pub(crate) fn list_unavailable(language: Language) -> &'static str {
    language.say(
        "⚠️ Tess could not be asked for its agents. Try again in a minute.",
        "⚠️ Não foi possível pedir à Tess a lista de agentes. Tente de novo em um minuto.",
    )
}

/// Says that `TESS_AGENTS` does not allow the agent.
#[must_use]
pub(crate) fn not_allowed(language: Language, id: AgentId) -> String {
    language.say(
        format!("⚠️ Agent {id} is not one of those that may answer here. `/agents` lists them."),
        format!("⚠️ O agente {id} não é um dos que podem responder aqui. `/agents` lista quais são."),
    )
}

/// Says that the agent needs answers to questions, which a chat cannot give.
#[must_use]
pub(crate) fn needs_answers(language: Language, title: &str, missing: &[&Question]) -> String {
    let named = missing.iter().take(MAX_QUESTIONS).map(|question| format!("**{}**", escape(&question.name)));
    let mut names: Vec<_> = named.collect();
    if missing.len() > MAX_QUESTIONS {
        let more = missing.len() - MAX_QUESTIONS;
        names.push(language.say(format!("{more} more"), format!("mais {more}")));
    }
    let (title, names) = (escape(title), names.join(", "));
    language.say(
        format!(
            "⚠️ **{title}** cannot answer here. It needs {names} with every message. Choose another with `/agent`."
        ),
        format!(
            "⚠️ **{title}** não pode responder aqui. Precisa de {names} em cada mensagem. Escolha outro com `/agent`."
        ),
    )
}

/// Says that the channel's agent no longer exists in Tess, and that the default one answers from now on.
#[must_use]
pub(crate) fn gone_from_tess(language: Language, gone: AgentId, default: AgentId) -> String {
    language.say(
        format!(
            "⚠️ This channel's agent ({gone}) no longer exists in Tess. The default (agent {default}) answers from \
             now on. Choose another with `/agent`."
        ),
        format!(
            "⚠️ O agente deste canal ({gone}) não existe mais na Tess. O padrão (agente {default}) responde a partir \
             de agora. Escolha outro com `/agent`."
        ),
    )
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    const EN: Language = Language::English;
    const AGENT: AgentId = AgentId(8794);

    fn agent(id: u64, title: &str, description: Option<&str>) -> Agent {
        Agent {
            id: AgentId(id),
            title: title.to_owned(),
            slug: String::new(),
            description: description.map(str::to_owned),
            workspace: None,
            kind: "chat".to_owned(),
            questions: Vec::new(),
        }
    }

    #[test]
    fn page_lists_five_agents_and_its_number() {
        let mut agents: Vec<_> = (1..=6).map(|id| agent(id, &format!("Agent {id}"), None)).collect();
        agents[5].description = Some("Reads\n@everyone's diff".to_owned());
        assert_snapshot!(page(EN, &agents, 0, AgentId(2)), @"
        ℹ️ The agents that `/agent` can choose, page 1 of 2:
        - **Agent 1** (agent 1)
        - **Agent 2** (agent 2, answers here)
        - **Agent 3** (agent 3)
        - **Agent 4** (agent 4)
        - **Agent 5** (agent 5)
        ");
        assert_snapshot!(page(EN, &agents, 9, AgentId(2)).replace('\u{200b}', "·"), @"
        ℹ️ The agents that `/agent` can choose, page 2 of 2:
        - **Agent 6** (agent 6)
          Reads @·everyone's diff
        ");
        assert_snapshot!(page(Language::Portuguese, &agents, 0, AgentId(2)), @"
        ℹ️ Os agentes que `/agent` pode escolher, página 1 de 2:
        - **Agent 1** (agente 1)
        - **Agent 2** (agente 2, responde aqui)
        - **Agent 3** (agente 3)
        - **Agent 4** (agente 4)
        - **Agent 5** (agente 5)
        ");
        assert_snapshot!(page(EN, &[], 0, AgentId(2)), @"ℹ️ Tess offers this bot no chat agent to choose from.");
        assert!(!page(EN, &agents[..5], 0, AgentId(2)).contains("page"));
    }

    #[test]
    fn longest_page_fits_into_one_message() {
        let agents: Vec<_> = (0..5).map(|n| agent(u64::MAX - n, &"*".repeat(500), Some(&"_".repeat(5_000)))).collect();
        for language in Language::ALL {
            let longest = page(language, &[&*agents, &*agents].concat(), 0, AgentId(u64::MAX));
            assert!(longest.chars().count() <= 2_000, "{}", longest.chars().count());
        }
    }

    #[test]
    fn texts_about_the_channels_agent_read_well_in_both_languages() {
        let texts = |language| {
            let texts = [
                current(language, Some("Docs Helper"), AGENT, true),
                current(language, Some("Docs Helper"), AGENT, false),
                current(language, None, AGENT, true),
                switched(language, "Docs Helper", AGENT),
                unknown(language, "8794"),
                not_chat(language, "Painter"),
                unavailable(language).to_owned(),
            ];
            texts.join("\n")
        };
        assert_snapshot!(texts(Language::Portuguese), @"
        ℹ️ Este canal conversa com **Docs Helper** (agente 8794, o padrão).
        ℹ️ Este canal conversa com **Docs Helper** (agente 8794).
        ℹ️ Este canal conversa com o agente 8794, o padrão.
        ☑️ Este canal agora conversa com **Docs Helper** (agente 8794). Ele vê a conversa até aqui.
        ⚠️ A Tess não tem um agente 8794 que este bot possa usar. Confira o número, ou escolha outro com `/agent`.
        ⚠️ **Painter** não é um agente de chat, e por isso não pode responder aqui. Escolha outro com `/agent`.
        ⚠️ Não foi possível consultar a Tess sobre esse agente. Nada mudou. Tente de novo em um minuto.
        ");
        assert_snapshot!(texts(EN), @"
        ℹ️ This channel talks to **Docs Helper** (agent 8794, the default).
        ℹ️ This channel talks to **Docs Helper** (agent 8794).
        ℹ️ This channel talks to agent 8794, the default.
        ☑️ This channel now talks to **Docs Helper** (agent 8794). It sees the conversation so far.
        ⚠️ Tess has no agent 8794 that this bot may use. Check the number, or choose another with `/agent`.
        ⚠️ **Painter** is not a chat agent, so it cannot answer here. Choose another with `/agent`.
        ⚠️ Tess could not be asked about that agent. Nothing was changed. Try again in a minute.
        ");
    }

    #[test]
    fn refusals_say_what_to_do() {
        let texts = |language| {
            let vanished = gone_from_tess(language, AgentId(7), AgentId(8));
            [not_allowed(language, AgentId(7)), vanished, list_unavailable(language).to_owned()].join("\n")
        };
        assert_snapshot!(texts(Language::Portuguese), @"
        ⚠️ O agente 7 não é um dos que podem responder aqui. `/agents` lista quais são.
        ⚠️ O agente deste canal (7) não existe mais na Tess. O padrão (agente 8) responde a partir de agora. Escolha outro com `/agent`.
        ⚠️ Não foi possível pedir à Tess a lista de agentes. Tente de novo em um minuto.
        ");
        assert_snapshot!(texts(EN), @"
        ⚠️ Agent 7 is not one of those that may answer here. `/agents` lists them.
        ⚠️ This channel's agent (7) no longer exists in Tess. The default (agent 8) answers from now on. Choose another with `/agent`.
        ⚠️ Tess could not be asked for its agents. Try again in a minute.
        ");
    }
}
