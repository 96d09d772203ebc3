//! How to reach Tess, and what to ask its agents with.

use std::{collections::BTreeSet, time::Duration};

use secrecy::SecretString;

use super::{
    parse::{self, Parsed},
    reader::Reader,
    setting::{Accepts, DefaultValue, Section, Setting},
};
use crate::ids::{AgentId, WorkspaceId};

/// Longest `TESS_INSTRUCTIONS` in characters; they are sent with every request.
const MAX_INSTRUCTIONS_CHARS: usize = 10_000;

/// Longest value of `TESS_MODEL`, `TESS_TEMPERATURE` and `TESS_TOOLS` in characters.
const MAX_OPTION_CHARS: usize = 100;

/// Most ids in `TESS_AGENTS`.
const MAX_AGENTS: usize = 100;

static API_KEY: Setting = Setting {
    name: "TESS_API_KEY",
    section: Section::Required,
    default: DefaultValue::Required { placeholder: "your-tess-api-key", example: "your-tess-api-key" },
    accepts: Accepts::Text("the key made in Tess under API Tokens, on one line"),
    summary: "The key for Tess, from its page API Tokens. Keep it secret.",
    details: "",
};

static AGENT: Setting = Setting {
    name: "TESS_AGENT_ID",
    section: Section::Required,
    default: DefaultValue::Required { placeholder: "your-agent-id", example: "12345" },
    accepts: Accepts::Text("the agent's number, which its page in Tess has in the URL"),
    summary: "The agent that answers in every channel where no other was chosen with /agent.",
    details: "",
};

static WORKSPACE: Setting = Setting {
    name: "TESS_WORKSPACE_ID",
    section: Section::Required,
    default: DefaultValue::Unset { example: "678" },
    accepts: Accepts::Text("the workspace's number, from Settings > Workspace in Tess"),
    summary: "The workspace that the key belongs to and that pays. Tess requires it of most accounts.",
    details: "",
};

static ALLOWED_AGENTS: Setting = Setting {
    name: "TESS_AGENTS",
    section: Section::Agent,
    default: DefaultValue::Unset { example: "12345,67890" },
    accepts: Accepts::Text("at most 100 agents' numbers with commas or spaces between them"),
    summary: "The agents that /agent can choose, besides TESS_AGENT_ID. Unset: every chat agent of the workspace.",
    details: "",
};

static INSTRUCTIONS: Setting = Setting {
    name: "TESS_INSTRUCTIONS",
    section: Section::Agent,
    default: DefaultValue::Unset { example: "Answer in one short paragraph." },
    accepts: Accepts::Text("a text of at most 10000 characters"),
    summary: "A text that the agent gets before every conversation, in addition to its own instructions.",
    details: "",
};

static MODEL: Setting = Setting {
    name: "TESS_MODEL",
    section: Section::Agent,
    default: DefaultValue::Unset { example: "tess-5" },
    accepts: Accepts::Text("one of the agent's models, at most 100 characters"),
    summary: "The model to use. Unset: the agent's own.",
    details: "",
};

static TEMPERATURE: Setting = Setting {
    name: "TESS_TEMPERATURE",
    section: Section::Agent,
    default: DefaultValue::Unset { example: "0.5" },
    accepts: Accepts::Text("one of the agent's own options, at most 100 characters"),
    summary: "One of the temperatures that the agent offers, usually 0, 0.25, 0.5, 0.75 or 1. Unset: the agent's own.",
    details: "",
};

static TOOLS: Setting = Setting {
    name: "TESS_TOOLS",
    section: Section::Agent,
    default: DefaultValue::Unset { example: "no-tools" },
    accepts: Accepts::Text("one of the agent's tools, at most 100 characters"),
    summary: "The tool that the agent may use. Unset: the agent's own.",
    details: "",
};

static TIMEOUT: Setting = Setting {
    name: "TESS_TIMEOUT",
    section: Section::Connections,
    default: DefaultValue::Value("300"),
    accepts: Accepts::seconds(10, 3_600),
    summary: "How long one answer may take, in seconds. After that, the channel gets an error text.",
    details: "",
};

static REQUESTS_PER_SECOND: Setting = Setting {
    name: "TESS_REQUESTS_PER_SECOND",
    section: Section::Connections,
    default: DefaultValue::Value("1"),
    accepts: Accepts::Text("a number from 0.01 to 100, or 0 for no limit"),
    summary: "The most requests to Tess in a second. Tess's own limit is 1. 0: no limit.",
    details: "",
};

static API_URL: Setting = Setting {
    name: "TESS_API_URL",
    section: Section::Connections,
    default: DefaultValue::Value("https://tess.pareto.io/api"),
    accepts: Accepts::Text("the https URL of the API, without /agents"),
    summary: "The address of Tess's API, with its path. Plain http is accepted for this machine only.",
    details: "",
};

/// How to reach Tess, and what to ask its agents with.
#[derive(Clone, Debug)]
pub struct TessConfig {
    /// `TESS_API_URL` without a trailing slash; paths such as `/agents/{id}/execute` are appended.
    pub api_url: String,
    /// `TESS_API_KEY`.
    pub api_key: SecretString,
    /// `TESS_WORKSPACE_ID`.
    pub workspace: Option<WorkspaceId>,
    /// `TESS_AGENT_ID`: the agent of every channel that has not chosen another.
    pub agent: AgentId,
    /// `TESS_AGENTS`.
    pub allowed_agents: AllowedAgents,
    /// `TESS_INSTRUCTIONS`: sent as a first `developer` message.
    pub instructions: Option<String>,
    /// `TESS_MODEL`: sent only when set.
    pub model: Option<String>,
    /// `TESS_TEMPERATURE`: one of the agent's own option strings; sent only when set.
    pub temperature: Option<String>,
    /// `TESS_TOOLS`: sent only when set.
    pub tools: Option<String>,
    /// `TESS_TIMEOUT`: how long one execution may take, counted from when its request is first sent.
    pub timeout: Duration,
    /// `TESS_REQUESTS_PER_SECOND` as the time between two requests; zero means no limit.
    pub request_interval: Duration,
}

impl TessConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let base = |path: &str| if path.contains("/agents") { Err("has /agents in it") } else { Ok(()) };
        let option = |text: &str| parse::text(text, MAX_OPTION_CHARS);
        let api_key = reader.value(&API_KEY, |text| parse::secret(text, "Bearer "));
        let agent = AgentId(reader.value(&AGENT, parse::agent_id));
        let allowed_agents = reader.optional(&ALLOWED_AGENTS, allowed_agents);
        Self {
            api_key,
            agent,
            allowed_agents: AllowedAgents::new(allowed_agents, agent),
            workspace: reader.optional(&WORKSPACE, parse::id).map(WorkspaceId),
            instructions: reader.optional(&INSTRUCTIONS, |text| parse::text(text, MAX_INSTRUCTIONS_CHARS)),
            model: reader.optional(&MODEL, option),
            temperature: reader.optional(&TEMPERATURE, option),
            tools: reader.optional(&TOOLS, option),
            timeout: reader.seconds(&TIMEOUT),
            request_interval: reader.value(&REQUESTS_PER_SECOND, parse::interval),
            api_url: reader.value(&API_URL, |text| parse::url(text, base)),
        }
    }
}

/// `TESS_AGENTS`: the agents that a channel may choose. The default one is always among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedAgents(Option<BTreeSet<AgentId>>);

impl AllowedAgents {
    fn new(listed: Option<BTreeSet<u64>>, default: AgentId) -> Self {
        Self(listed.map(|ids| ids.into_iter().map(AgentId).chain([default]).collect()))
    }

    /// Whether a channel may choose this agent.
    #[must_use]
    pub fn contains(&self, agent: AgentId) -> bool {
        self.0.as_ref().is_none_or(|allowed| allowed.contains(&agent))
    }

    /// The listed agents, in order; none when every agent is allowed.
    pub fn listed(&self) -> impl Iterator<Item = AgentId> {
        self.0.iter().flatten().copied()
    }
}

fn allowed_agents(text: &str) -> Parsed<BTreeSet<u64>> {
    let ids = parse::ids(text)?;
    if ids.len() > MAX_AGENTS { Err("has more than 100 numbers in it") } else { Ok(ids) }
}
