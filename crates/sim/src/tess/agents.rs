//! The agents of the simulator.

use serde_json::{Value, json};

/// The default chat agent.
pub const HELPER: u64 = 8_794;

/// A chat agent with a Portuguese name.
pub const POET: u64 = 46_589;

/// A chat agent with questions of its own.
pub const REVIEWER: u64 = 51_002;

/// An agent of type `image`, which accepts no conversation.
pub const PAINTER: u64 = 60_314;

/// The agents at the start.
pub(super) fn seeded_agents() -> Vec<Value> {
    let mut reviewer = agent(REVIEWER, "Code Reviewer", "code-reviewer-para-times-xK29dQ", "chat");
    reviewer["description"] = json!("Reads a diff and says what it would change");
    if let Some(questions) = reviewer["questions"].as_array_mut() {
        questions.push(json!({"type": "text", "name": "nome-da-empresa", "description": "Empresa", "required": false}));
        questions.push(json!({"type": "select", "name": "max_mode", "required": false, "options": [true, false]}));
    }
    vec![
        agent(HELPER, "Tess Helper", "tess-helper-pB9ujA", "chat"),
        agent(POET, "Poeta Brasileiro", "poeta-brasileiro", "chat"),
        reviewer,
        agent(PAINTER, "Aquarela", "aquarela", "image"),
    ]
}

/// An agent with the questions that every chat agent has.
pub(super) fn agent(id: u64, title: &str, slug: &str, kind: &str) -> Value {
    let select = |name: &str, options: &[&str]| json!({"type": "select", "name": name, "description": "", "required": true, "options": options});
    json!({
        "id": id, "title": title, "description": null, "long_description": null, "workspace_id": 11,
        "visibility": "public", "slug": slug, "active": 1, "type": kind,
        "questions": [
            select("temperature", &["0", "0.25", "0.5", "0.75", "1"]),
            select("model", &["auto", "tess-5", "gpt-4o-mini", "claude-4-sonnet"]),
            select("tools", &["no-tools", "internet", "wikipedia"]),
            {"type": "number", "name": "root_id", "description": "", "required": false},
            {"type": "array", "name": "messages", "description": "", "required": true},
        ],
        "created_at": "2026-09-01T18:09:18.000000Z", "updated_at": "2026-09-01T18:09:18.000000Z",
    })
}
