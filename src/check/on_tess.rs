//! What is checked at Tess: the address, the key, the workspace, the agent, the defaults of its options.

use tokio::time::Instant;

use super::Line;
use crate::{
    config::TessConfig,
    tess::{Agent, ChatMessage, Options, Request, Role, Tess, TessError},
};

/// In the order in which Tess looks at a request: an error at one means that those before it are good.
const STEPS: [&str; 4] = ["Tess host", "Tess key", "Workspace", "Agent"];
const HOST: usize = 0;
const KEY: usize = 1;
const WORKSPACE: usize = 2;
const AGENT: usize = 3;

const OPTIONS: &str = "Options";
const EXECUTION: &str = "Execution";

/// What the agent is asked by `--execute`: as little as possible.
const QUESTION: &str = "Reply with the one word OK.";

/// What can only be asked after something that failed is left out.
pub(super) async fn lines(config: &TessConfig, tess: &Tess, execute: bool) -> Vec<Line> {
    let mut lines = match tess.agent(config.agent).await {
        Ok(agent) => of_agent(config, tess, &agent),
        Err(error) => of_error(config, tess, &error),
    };
    if execute && lines.iter().all(Line::is_good) {
        lines.push(execution(config, tess).await);
    }
    lines
}

fn of_error(config: &TessConfig, tess: &Tess, error: &TessError) -> Vec<Line> {
    let failed = match error {
        TessError::NotSent { .. } | TessError::Unavailable { .. } | TessError::WrongHost { .. } => HOST,
        TessError::Unauthorized { .. } => KEY,
        TessError::WrongWorkspace { .. } | TessError::WorkspaceRequired { .. } => WORKSPACE,
        _ => AGENT,
    };
    let mut lines = good_up_to(failed, config);
    lines.push(Line::bad(STEPS[failed], explained(tess, error)));
    lines
}

/// The lines of the steps before `step`.
fn good_up_to(step: usize, config: &TessConfig) -> Vec<Line> {
    let workspace =
        config.workspace.map_or("not set, and Tess does not ask for it".to_owned(), |id| format!("{} accepted", id.0));
    let texts = [format!("{} answers", config.api_url), "accepted".to_owned(), workspace];
    STEPS.into_iter().zip(texts).take(step).map(|(name, text)| Line::good(name, text)).collect()
}

fn of_agent(config: &TessConfig, tess: &Tess, agent: &Agent) -> Vec<Line> {
    let mut lines = good_up_to(AGENT, config);
    match unfit(agent) {
        Some(problem) => lines.push(Line::bad(STEPS[AGENT], problem)),
        None => lines.push(Line::good(STEPS[AGENT], format!("{} ({}), a chat agent", agent.title, agent.id))),
    }
    let bad = tess.invalid_defaults(agent);
    if bad.is_empty() {
        lines.push(Line::good(OPTIONS, "TESS_MODEL, TESS_TEMPERATURE and TESS_TOOLS are the agent's, or not set"));
    }
    lines.extend(bad.iter().map(|default| Line::bad(OPTIONS, default.to_string())));
    lines
}

/// Why the agent would not answer as it is set up, one sentence each, with what to do.
pub(super) fn problems(tess: &Tess, agent: &Agent) -> Vec<String> {
    let defaults = tess.invalid_defaults(agent);
    unfit(agent).into_iter().chain(defaults.iter().map(ToString::to_string)).collect()
}

fn unfit(agent: &Agent) -> Option<String> {
    let Agent { id, title, kind, .. } = agent;
    let advice = "set TESS_AGENT_ID to a plain chat agent";
    if !agent.is_chat() {
        return Some(format!("{title} ({id}) is of type {kind} and takes no conversation; {advice}"));
    }
    let missing: Vec<_> = agent.missing(&Options::default()).iter().map(|question| question.name.as_str()).collect();
    if missing.is_empty() {
        return None;
    }
    Some(format!("{title} ({id}) wants to be told {} with every message; {advice}", missing.join(", ")))
}

/// An error and what to do about it.
pub(super) fn explained(tess: &Tess, error: &TessError) -> String {
    let said = error.to_string();
    let advice = tess.advice(error).unwrap_or_else(|| "try again".to_owned());
    format!("{}; {advice}", said.trim_end_matches('.'))
}

async fn execution(config: &TessConfig, tess: &Tess) -> Line {
    let messages = [ChatMessage { role: Role::User, content: QUESTION.to_owned() }];
    let request = Request { agent: config.agent, messages: &messages, options: &Options::default(), files: &[] };
    let started = Instant::now();
    match tess.execute(&request).await {
        Ok(answer) => {
            let seconds = started.elapsed().as_secs_f64();
            Line::good(EXECUTION, format!("answered in {seconds:.1} s for {} credits", answer.credits))
        }
        Err(error) => Line::bad(EXECUTION, explained(tess, &error)),
    }
}
