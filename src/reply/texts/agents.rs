//! What the bot says of agents to choose from.

use super::{escaped, escaped_to};
use crate::{
    config::AgentId,
    tess::{Agent, Question},
};

/// Agents on one page of the list.
pub const PER_PAGE: usize = 5;

/// Characters of a title and of a description in the list. Escaping may double each, and a page still fits into one
/// message.
const TITLE_CHARS: usize = 60;
const DESCRIPTION_CHARS: usize = 110;

/// Questions that are named in one text.
const QUESTIONS_NAMED: usize = 8;

/// Pages of a list of so many agents; at least 1.
#[must_use]
pub fn pages(agents: usize) -> usize {
    agents.div_ceil(PER_PAGE).max(1)
}

/// One page of the list, from 0; the last one stands for all beyond it. `current` answers in the channel.
#[must_use]
pub fn page(agents: &[Agent], page: usize, current: AgentId) -> String {
    if agents.is_empty() {
        return "ℹ️ Tess shows this bot no chat agent that a channel may choose.".to_owned();
    }
    let pages = pages(agents.len());
    let page = page.min(pages - 1);
    let place = if pages > 1 { format!(", page {} of {pages}", page + 1) } else { String::new() };
    let shown = agents.iter().skip(page * PER_PAGE).take(PER_PAGE);
    let entries: String = shown.map(|agent| entry(agent, current)).collect();
    format!("ℹ️ The agents that `/agent` can choose{place}:{entries}")
}

fn entry(agent: &Agent, current: AgentId) -> String {
    let here = if agent.id == current { ", answers here" } else { "" };
    let mut entry = format!("\n- **{}** (agent {}{here})", escaped_to(&agent.title, TITLE_CHARS), agent.id);
    if let Some(description) = &agent.description {
        entry.push_str(&format!("\n  {}", escaped_to(description.trim(), DESCRIPTION_CHARS)));
    }
    entry
}

/// The list could not be had from Tess.
#[must_use]
pub fn list_unavailable() -> &'static str {
    "⚠️ Tess could not be asked for its agents. Try again in a minute."
}

/// `TESS_AGENTS` leaves the agent out.
#[must_use]
pub fn not_allowed(id: AgentId) -> String {
    format!("⚠️ Agent {id} is not one of those that may answer here. `/agents` lists them.")
}

/// The agent wants answers to questions that a chat has no place for.
#[must_use]
pub fn needs_answers(title: &str, missing: &[&Question]) -> String {
    let named = missing.iter().take(QUESTIONS_NAMED).map(|question| format!("**{}**", escaped(&question.name)));
    let mut names: Vec<_> = named.collect();
    if missing.len() > QUESTIONS_NAMED {
        names.push(format!("{} more", missing.len() - QUESTIONS_NAMED));
    }
    format!(
        "⚠️ **{}** can not talk here: it wants to be told {} with every message. Choose another with `/agent`.",
        escaped(title),
        names.join(", ")
    )
}

/// The channel's agent is gone from Tess; the default one answers from now on.
#[must_use]
pub fn vanished(gone: AgentId, default: AgentId) -> String {
    format!(
        "⚠️ This channel's agent ({gone}) is gone from Tess. The default (agent {default}) answers from now on; choose \
         another with `/agent`."
    )
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn agent(id: u64, title: &str, description: Option<&str>) -> Agent {
        Agent {
            id: AgentId(id),
            title: title.to_owned(),
            slug: String::new(),
            description: description.map(str::to_owned),
            kind: "chat".to_owned(),
            questions: Vec::new(),
        }
    }

    #[test]
    fn a_page_has_five_agents_and_says_where_it_is() {
        let mut agents: Vec<_> = (1..=6).map(|id| agent(id, &format!("Agent {id}"), None)).collect();
        agents[5].description = Some("Reads\n@everyone's diff".to_owned());
        assert_snapshot!(page(&agents, 0, AgentId(2)), @"
        ℹ️ The agents that `/agent` can choose, page 1 of 2:
        - **Agent 1** (agent 1)
        - **Agent 2** (agent 2, answers here)
        - **Agent 3** (agent 3)
        - **Agent 4** (agent 4)
        - **Agent 5** (agent 5)
        ");
        assert_snapshot!(page(&agents, 9, AgentId(2)).replace('\u{200b}', "·"), @"
        ℹ️ The agents that `/agent` can choose, page 2 of 2:
        - **Agent 6** (agent 6)
          Reads @·everyone's diff
        ");
        assert_snapshot!(page(&[], 0, AgentId(2)), @"ℹ️ Tess shows this bot no chat agent that a channel may choose.");
        assert!(!page(&agents[..5], 0, AgentId(2)).contains("page"));
    }

    #[test]
    fn the_longest_page_fits_into_one_message() {
        let agents: Vec<_> = (0..5).map(|n| agent(u64::MAX - n, &"*".repeat(500), Some(&"_".repeat(5_000)))).collect();
        let longest = page(&[agents.clone(), agents].concat(), 0, AgentId(u64::MAX));
        assert!(longest.chars().count() <= 2_000, "{}", longest.chars().count());
    }

    #[test]
    fn what_keeps_an_agent_from_a_channel_is_told() {
        let texts = [not_allowed(AgentId(7)), vanished(AgentId(7), AgentId(8)), list_unavailable().to_owned()];
        assert_snapshot!(texts.join("\n"), @"
        ⚠️ Agent 7 is not one of those that may answer here. `/agents` lists them.
        ⚠️ This channel's agent (7) is gone from Tess. The default (agent 8) answers from now on; choose another with `/agent`.
        ⚠️ Tess could not be asked for its agents. Try again in a minute.
        ");
    }
}
