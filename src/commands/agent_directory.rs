//! The account's chat agents, cached so that typing a command does not cost a request for each letter.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Mutex as AsyncMutex,
    time::{Instant, timeout},
};
use tracing::warn;

use crate::{
    config::AllowedAgents,
    ids::AgentId,
    tess::{Agent, Tess, TessError},
};

/// How old the list may be before it is refreshed.
const FRESH_FOR: Duration = Duration::from_secs(600);

/// Most choices of a completion, and most characters of a choice's name.
/// <https://discord.com/developers/docs/interactions/application-commands#application-command-object-application-command-option-choice-structure>
const MOST_CHOICES: usize = 25;
const NAME_CHARS: usize = 100;

/// The cached list. Cheap to clone.
#[derive(Clone)]
pub(super) struct AgentDirectory {
    inner: Arc<Inner>,
}

struct Inner {
    tess: Tess,
    allowed: AllowedAgents,
    known: Mutex<Option<Known>>,
    /// Held during a refresh, so that only one runs at a time.
    refreshing: AsyncMutex<()>,
}

#[derive(Clone)]
struct Known {
    agents: Arc<[Agent]>,
    at: Instant,
}

impl AgentDirectory {
    pub(super) fn new(tess: Tess, allowed: AllowedAgents) -> Self {
        Self { inner: Arc::new(Inner { tess, allowed, known: Mutex::new(None), refreshing: AsyncMutex::new(()) }) }
    }

    /// Whether a channel may choose the agent.
    pub(super) fn allows(&self, id: AgentId) -> bool {
        self.inner.allowed.contains(id)
    }

    /// The agents that match what was typed, best first; none when there is no list within `limit`.
    pub(super) async fn matching(&self, typed: &str, limit: Duration) -> Vec<Agent> {
        self.list(limit).await.map_or_else(Vec::new, |agents| best(&agents, typed))
    }

    /// All agents that a channel may choose, by title. An old list is returned as it is and refreshed in the background; without
    /// any list it waits for one, up to `limit`. `None`: there is none yet.
    pub(super) async fn list(&self, limit: Duration) -> Option<Arc<[Agent]>> {
        let known = self.known();
        if known.as_ref().is_none_or(|known| known.at.elapsed() > FRESH_FOR) {
            let refresh = tokio::spawn(self.clone().refresh());
            if known.is_none() {
                // Whatever the result, the list is used as far as it is known by then.
                let _ = timeout(limit, refresh).await;
            }
        }
        Some(self.known()?.agents)
    }

    /// One agent, from the list or from Tess.
    pub(super) async fn find(&self, id: AgentId) -> Result<Agent, TessError> {
        let known = self.known().and_then(|known| known.agents.iter().find(|agent| agent.id == id).cloned());
        match known {
            Some(agent) => Ok(agent),
            None => self.inner.tess.agent(id).await,
        }
    }

    fn known(&self) -> Option<Known> {
        self.inner.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn refresh(self) {
        let Ok(_refreshing) = self.inner.refreshing.try_lock() else {
            // Another refresh runs already; wait for its end.
            drop(self.inner.refreshing.lock().await);
            return;
        };
        match self.allowed_agents().await {
            Ok(mut agents) => {
                agents.sort_by_cached_key(|agent| (fold(&agent.title), agent.id));
                let known = Known { agents: agents.into(), at: Instant::now() };
                *self.inner.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
            }
            Err(error) => warn!(%error, "agent list unavailable"),
        }
    }

    /// The chat agents that may be chosen. An agent that `TESS_AGENTS` names and the account's list leaves out, such as a public
    /// agent of another workspace, is requested by itself.
    async fn allowed_agents(&self) -> Result<Vec<Agent>, TessError> {
        let Inner { tess, allowed, .. } = &*self.inner;
        let mut agents = tess.chat_agents().await?;
        agents.retain(|agent| allowed.contains(agent.id));
        for id in allowed.listed() {
            if agents.iter().any(|agent| agent.id == id) {
                continue;
            }
            match tess.agent(id).await {
                Ok(agent) if agent.is_chat() => agents.push(agent),
                Ok(_) => warn!(agent.id = %id, "TESS_AGENTS names an agent that is not for chats"),
                Err(error) => warn!(agent.id = %id, %error, "TESS_AGENTS names an agent that cannot be looked up"),
            }
        }
        Ok(agents)
    }
}

/// At most 25 agents: titles that begin with what was typed, then titles that contain it, then slugs and ids.
fn best(agents: &[Agent], typed: &str) -> Vec<Agent> {
    let typed = fold(typed.trim());
    let mut ranked: Vec<(u8, String, &Agent)> = agents
        .iter()
        .filter_map(|agent| {
            let title = fold(&agent.title);
            Some((rank(agent, &title, &typed)?, title, agent))
        })
        .collect();
    ranked.sort_by(|a, b| (a.0, &a.1, a.2.id).cmp(&(b.0, &b.1, b.2.id)));
    ranked.into_iter().take(MOST_CHOICES).map(|(_, _, agent)| agent.clone()).collect()
}

fn rank(agent: &Agent, title: &str, typed: &str) -> Option<u8> {
    if title.starts_with(typed) {
        Some(0)
    } else if title.split_whitespace().any(|word| word.starts_with(typed)) {
        Some(1)
    } else if title.contains(typed) {
        Some(2)
    } else if fold(&agent.slug).contains(typed) {
        Some(3)
    } else {
        agent.id.to_string().contains(typed).then_some(4)
    }
}

/// Lower case without accents, as people type it.
fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).map(without_accent).collect()
}

/// The letters of Portuguese and its neighbours; others stay as they are.
fn without_accent(letter: char) -> char {
    match letter {
        'á' | 'à' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' => 'o',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        other => other,
    }
}

/// The name of an agent in the list of choices.
pub(super) fn choice_name(agent: &Agent) -> String {
    let id = format!(" ({})", agent.id);
    let title: String = agent.title.chars().take(NAME_CHARS - id.chars().count()).collect();
    format!("{title}{id}")
}
