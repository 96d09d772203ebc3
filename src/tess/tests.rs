//! The Tess client against the simulated service.

mod client;
mod files;
mod stream;

use std::{fs, time::Duration};

use secrecy::SecretString;
use serde_json::Value;
use sim::tess::{Fault, HELPER, TessOptions, TessSim};

use super::{Answer, ChatMessage, Options, Request, Role, Tess, TessError};
use crate::{
    config::{AllowedAgents, TessConfig, Timings},
    ids::{AgentId, FileId},
    telemetry::Metrics,
};

const AGENT: AgentId = AgentId(HELPER);

/// Long enough for a request to a simulator, short enough to be waited for.
const A_MOMENT: Duration = Duration::from_millis(300);

/// A client beside its simulator.
struct Harness {
    sim: TessSim,
    tess: Tess,
    metrics: Metrics,
}

impl Harness {
    async fn new() -> Self {
        Self::with(TessOptions::default(), |_, _| {}).await
    }

    async fn with(options: TessOptions, change: impl FnOnce(&mut TessConfig, &mut Timings)) -> Self {
        let sim = TessSim::start(options).await.expect("a free port");
        let mut config = TessConfig {
            api_url: sim.url(),
            api_key: SecretString::from(sim.key()),
            workspace: None,
            agent: AGENT,
            allowed_agents: AllowedAgents::default(),
            instructions: None,
            model: None,
            temperature: None,
            tools: None,
            timeout: Duration::from_secs(10),
            request_interval: Duration::ZERO,
        };
        let mut timings = Timings {
            poll_interval: Duration::from_millis(5),
            backoff_min: Duration::from_millis(5),
            backoff_max: Duration::from_millis(20),
            ..Timings::default()
        };
        change(&mut config, &mut timings);
        let metrics = Metrics::new();
        Self { tess: Tess::new(http(), &config, &timings, metrics.clone()), sim, metrics }
    }

    async fn ask(&self, text: &str) -> Result<Answer, TessError> {
        self.ask_agent(AGENT, &[user(text)]).await
    }

    async fn ask_agent(&self, agent: AgentId, messages: &[ChatMessage]) -> Result<Answer, TessError> {
        self.tess.execute(&Request { agent, messages, options: &Options::default(), files: &[] }).await
    }

    async fn ask_with(&self, options: &Options, files: &[FileId]) -> Result<Answer, TessError> {
        self.tess.execute(&Request { agent: AGENT, messages: &[user("hi")], options, files }).await
    }

    /// Asks, and demands that the outcome is unknown and that the request was not repeated.
    async fn outcome_is_unknown(&self) -> String {
        let error = self.ask("hi").await.expect_err("no answer");
        assert!(matches!(error, TessError::OutcomeUnknown { .. }), "{error:?}");
        assert_eq!(self.sim.execute_requests(), 1);
        error.to_string()
    }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

fn user(text: &str) -> ChatMessage {
    ChatMessage { role: Role::User, content: text.to_owned() }
}

fn answer_of(status: u16, body: &Value) -> Fault {
    Fault::Answer { status, content_type: "application/json", body: body.to_string() }
}

/// The table of facts in the documentation of `tess` names tests, which may be renamed.
#[test]
fn every_test_that_the_table_of_facts_names_exists() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tess");
    let read = |file: &str| fs::read_to_string(format!("{folder}/{file}.rs")).unwrap();
    let of_client = ["client", "files", "stream"].map(|file| read(&format!("tests/{file}"))).concat();
    let rows = include_str!("../tess.rs").lines().filter(|line| line.starts_with("//! |")).skip(2);
    let names = rows.flat_map(|row| row.rsplit('|').nth(1).unwrap().split('`').skip(1).step_by(2));
    let mut count = 0;
    for name in names {
        let (source, test) = name.split_once("::").map_or((of_client.clone(), name), |(file, test)| (read(file), test));
        assert!(source.contains(&format!("fn {test}()")), "{name}");
        count += 1;
    }
    assert!(count > 30, "{count}");
}
