//! Checks at Tess: the address, the key, the workspace, the agent, the defaults of its options.

use tokio::time::Instant;

use super::report::Line;
use crate::{
    config::TessConfig,
    ids::WorkspaceId,
    tess::{Agent, ChatMessage, Options, Request, Role, Tess, TessError},
};

/// In the order in which Tess checks a request: an error at one step means that the steps before it passed.
const STEPS: [&str; 4] = ["Tess host", "Tess key", "Workspace", "Agent"];
const HOST: usize = 0;
const KEY: usize = 1;
const WORKSPACE: usize = 2;
const AGENT: usize = 3;

const OPTIONS: &str = "Options";
const EXECUTION: &str = "Execution";

/// What `--execute` asks the agent: as little as possible.
const QUESTION: &str = "Reply with the one word OK.";

/// Returns the lines about Tess; steps after one that failed are left out.
pub(super) async fn lines(config: &TessConfig, tess: &Tess, execute: bool) -> Vec<Line> {
    let mut lines = match tess.agent(config.agent).await {
        Ok(agent) => agent_lines(config, tess, &agent),
        Err(error) => error_lines(config, tess, &error),
    };
    if execute && lines.iter().all(Line::has_passed) {
        lines.push(execution(config, tess).await);
    }
    lines
}

fn error_lines(config: &TessConfig, tess: &Tess, error: &TessError) -> Vec<Line> {
    let failed = match error {
        TessError::NotSent { .. } | TessError::Unavailable { .. } | TessError::WrongHost { .. } => HOST,
        TessError::Unauthorized { .. } => KEY,
        TessError::WrongWorkspace { .. } | TessError::WorkspaceRequired { .. } => WORKSPACE,
        _ => AGENT,
    };
    let mut lines = passed_before(failed, config);
    lines.push(Line::failed(STEPS[failed], explain(tess, error)));
    lines
}

/// Returns the lines of the steps before `step`.
fn passed_before(step: usize, config: &TessConfig) -> Vec<Line> {
    let workspace =
        config.workspace.map_or("not set, and Tess does not require it".to_owned(), |id| format!("{} accepted", id.0));
    let texts = [format!("{} answers", config.api_url), "accepted".to_owned(), workspace];
    STEPS.into_iter().zip(texts).take(step).map(|(name, text)| Line::passed(name, text)).collect()
}

fn agent_lines(config: &TessConfig, tess: &Tess, agent: &Agent) -> Vec<Line> {
    let mut lines = passed_before(AGENT, config);
    match agent_problem(agent) {
        Some(problem) => lines.push(Line::failed(STEPS[AGENT], problem)),
        None => lines.push(Line::passed(STEPS[AGENT], agent_text(config.workspace, agent))),
    }
    let invalid = tess.invalid_defaults(agent);
    if invalid.is_empty() {
        lines.push(Line::passed(OPTIONS, "TESS_MODEL, TESS_TEMPERATURE and TESS_TOOLS are the agent's, or not set"));
    }
    lines.extend(invalid.iter().map(|default| Line::failed(OPTIONS, default.to_string())));
    lines
}

/// Describes an agent that can answer. One of another workspace is worth a word: the key's workspace pays for its answers.
fn agent_text(paying: Option<WorkspaceId>, Agent { id, title, workspace, .. }: &Agent) -> String {
    let text = format!("{title} ({id}), a chat agent");
    match (workspace, paying) {
        (Some(WorkspaceId(owner)), Some(WorkspaceId(paying))) if *owner != paying => {
            format!("{text} of workspace {owner}; workspace {paying} pays for its answers")
        }
        _ => text,
    }
}

/// Returns why the agent would not answer with these settings, one sentence each, with what to do.
pub(super) fn problems(tess: &Tess, agent: &Agent) -> Vec<String> {
    let defaults = tess.invalid_defaults(agent);
    agent_problem(agent).into_iter().chain(defaults.iter().map(ToString::to_string)).collect()
}

fn agent_problem(agent: &Agent) -> Option<String> {
    let Agent { id, title, kind, .. } = agent;
    let advice = "set TESS_AGENT_ID to a plain chat agent";
    if !agent.is_chat() {
        return Some(format!("{title} ({id}) is of type {kind}, which accepts no conversation; {advice}"));
    }
    let missing: Vec<_> = agent.missing(&Options::default()).iter().map(|question| question.name.as_str()).collect();
    if missing.is_empty() {
        return None;
    }
    Some(format!("{title} ({id}) requires an answer to {} with every message; {advice}", missing.join(", ")))
}

/// Returns an error with what to do about it.
pub(super) fn explain(tess: &Tess, error: &TessError) -> String {
    let text = error.to_string();
    let advice = tess.advice(error).unwrap_or_else(|| "try again".to_owned());
    format!("{}; {advice}", text.trim_end_matches('.'))
}

async fn execution(config: &TessConfig, tess: &Tess) -> Line {
    let messages = [ChatMessage { role: Role::User, content: QUESTION.to_owned() }];
    let request = Request { agent: config.agent, messages: &messages, options: &Options::default(), files: &[] };
    let started = Instant::now();
    match tess.execute(&request).await {
        Ok(answer) => {
            let seconds = started.elapsed().as_secs_f64();
            Line::passed(EXECUTION, format!("answered in {seconds:.1} s for {} credits", answer.credits))
        }
        Err(error) => Line::failed(EXECUTION, explain(tess, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AgentId;

    #[test]
    fn an_agent_of_another_workspace_is_reported_with_who_pays() {
        let agent = |workspace: Option<u64>| Agent {
            id: AgentId(8_794),
            title: "Tess Helper".to_owned(),
            slug: String::new(),
            description: None,
            workspace: workspace.map(WorkspaceId),
            kind: "chat".to_owned(),
            questions: Vec::new(),
        };
        let text = |paying: Option<u64>, owner| agent_text(paying.map(WorkspaceId), &agent(owner));
        for same in [text(Some(11), Some(11)), text(Some(11), None), text(None, Some(11))] {
            assert_eq!(same, "Tess Helper (8794), a chat agent");
        }
        let other = "Tess Helper (8794), a chat agent of workspace 12; workspace 11 pays for its answers";
        assert_eq!(text(Some(11), Some(12)), other);
    }
}
