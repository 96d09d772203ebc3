//! Executions, look-ups, and what is refused; one fact a test.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use sim::tess::{AtWaitLimit, Fault, HELPER, PAINTER, POET, REVIEWER, Route, TessOptions};
use tokio::time::{Instant, timeout};

use super::{
    super::{Agent, ChatMessage, Options, Role, TessError},
    A_MOMENT, AGENT, Harness, answer_of, http, user,
};
use crate::ids::{AgentId, WorkspaceId};

// What is sent.

#[tokio::test]
async fn an_execution_carries_the_key_the_workspace_and_the_options_that_are_set() {
    let options = TessOptions { workspace: Some(1_234), ..TessOptions::default() };
    let t = Harness::with(options, |config, _| {
        config.workspace = Some(WorkspaceId(1_234));
        config.model = Some("tess-5".to_owned());
        config.temperature = Some("0.25".to_owned());
        config.tools = Some("internet".to_owned());
    })
    .await;
    let messages = [
        ChatMessage { role: Role::Developer, content: "be kind".to_owned() },
        user("alice: hi"),
        ChatMessage { role: Role::Assistant, content: "hello".to_owned() },
        user("bob: \"quoted\""),
    ];
    t.ask_agent(AgentId(POET), &messages).await.unwrap();
    let execution = t.sim.next_execution().await.unwrap();
    assert_eq!(execution.agent, POET);
    assert_eq!(
        execution.body,
        json!({
            "messages": [
                {"role": "developer", "content": "be kind"},
                {"role": "user", "content": "alice: hi"},
                {"role": "assistant", "content": "hello"},
                {"role": "user", "content": "bob: \"quoted\""},
            ],
            "waitExecution": true, "model": "tess-5", "temperature": "0.25", "tools": "internet",
        })
    );
    assert_eq!(execution.headers["accept"], "application/json");
    assert_eq!(execution.headers["content-type"], "application/json");
    assert_eq!(execution.headers["x-workspace-id"], "1234");
    assert!(t.sim.violations().is_empty());
}

#[tokio::test]
async fn options_that_are_not_set_are_not_sent() {
    let t = Harness::new().await;
    t.ask("hi").await.unwrap();
    let execution = t.sim.next_execution().await.unwrap();
    assert_eq!(execution.body, json!({"messages": [{"role": "user", "content": "hi"}], "waitExecution": true}));
    assert!(!execution.headers.contains_key("x-workspace-id"));
}

#[tokio::test]
async fn a_base_url_without_api_works() {
    let t = Harness::with(TessOptions::default(), |config, _| {
        config.api_url = config.api_url.trim_end_matches("/api").to_owned();
    })
    .await;
    t.ask("hi").await.unwrap();
    assert!(t.sim.violations().is_empty());
}

#[tokio::test]
async fn the_options_of_a_channel_override_the_defaults() {
    let t = Harness::with(TessOptions::default(), |config, _| {
        config.model = Some("tess-5".to_owned());
        config.tools = Some("internet".to_owned());
    })
    .await;
    t.sim.add_question(HELPER, json!({"type": "text", "name": "nome-da-empresa", "required": true}));
    let mut options = Options::default();
    options.set("model", json!("auto")).unwrap();
    assert!(matches!(t.ask_with(&options, &[]).await, Err(TessError::Refused { .. })), "a required answer is missing");
    options.set("nome-da-empresa", json!("Pareto")).unwrap();
    t.ask_with(&options, &[]).await.unwrap();
    let body = t.sim.next_execution().await.unwrap().body;
    assert_eq!((&body["model"], &body["tools"]), (&json!("auto"), &json!("internet")));
    assert_eq!(body["nome-da-empresa"], "Pareto");
    assert_eq!(t.sim.violations(), [""; 0]);
}

#[tokio::test]
async fn invalid_defaults_are_reported_with_the_options_of_the_agent() {
    let t = Harness::with(TessOptions::default(), |config, _| {
        config.model = Some("Auto".to_owned());
        config.temperature = Some("0.7".to_owned());
        config.tools = Some("internet".to_owned());
    })
    .await;
    let lines = |agent: &Agent| {
        let bad: Vec<_> = t.tess.invalid_defaults(agent).iter().map(ToString::to_string).collect();
        bad.join("\n")
    };
    let mut agent = t.tess.agent(AGENT).await.unwrap();
    insta::assert_snapshot!(lines(&agent), @r"
    TESS_TEMPERATURE=0.7: the agent takes one of `0`, `0.25`, `0.5`, `0.75`, `1`
    TESS_MODEL=Auto: the agent takes one of `auto`, `tess-5`, `gpt-4o-mini`, `claude-4-sonnet`
    ");
    agent.questions.retain(|question| !["model", "temperature", "tools"].contains(&question.name.as_str()));
    insta::assert_snapshot!(lines(&agent), @r"
    TESS_TEMPERATURE=0.7: the agent has no such option; unset TESS_TEMPERATURE
    TESS_MODEL=Auto: the agent has no such option; unset TESS_MODEL
    TESS_TOOLS=internet: the agent has no such option; unset TESS_TOOLS
    ");
    agent.questions.clear();
    assert_eq!(lines(&agent), "", "nothing is known");
}

#[tokio::test]
async fn tess_accepts_every_answer_that_a_question_accepts() {
    let t = Harness::new().await;
    t.sim.add_question(HELPER, json!({"type": "select", "name": "max_mode", "options": [true, false]}));
    t.sim.add_question(HELPER, json!({"type": "multiselect", "name": "nets", "options": ["a", "b", "c"]}));
    let agent = t.tess.agent(AGENT).await.unwrap();
    let mut options = Options::default();
    for (name, text) in [("max_mode", "True"), ("nets", "c, a"), ("temperature", "0.25")] {
        let value = agent.question(name).unwrap().check(text).unwrap();
        options.set(name, value).unwrap();
    }
    t.ask_with(&options, &[]).await.unwrap();
    let body = t.sim.next_execution().await.unwrap().body;
    assert_eq!(
        (&body["max_mode"], &body["nets"], &body["temperature"]),
        (&json!(true), &json!(["c", "a"]), &json!("0.25"))
    );
}

// The end of an execution.

#[tokio::test]
async fn an_answer_has_its_execution_output_and_credits() {
    let t = Harness::new().await;
    t.sim.answers(["# Hello"]);
    let answer = t.ask("123").await.unwrap();
    assert_eq!(answer.output, "# Hello");
    assert_eq!(answer.execution.0, t.sim.executions()[0].id);
    assert_eq!(answer.credits, 0.01);
    assert_eq!((t.sim.polls(), t.sim.charged()), (0, 1));
}

#[tokio::test]
async fn an_execution_longer_than_the_wait_is_polled_to_its_end() {
    let options = TessOptions { wait_limit: Duration::from_millis(20), ..TessOptions::default() };
    let t = Harness::with(options, |_, _| {}).await;
    t.sim.unfinished_next(3);
    t.ask("polled").await.unwrap();
    assert_eq!((t.sim.polls(), t.sim.charged()), (4, 1));
    t.sim.hold();
    let (answer, ()) = tokio::join!(t.ask("held"), async {
        t.sim.wait_for_polls(6).await;
        t.sim.release();
    });
    answer.unwrap();
    assert_eq!((t.sim.execute_requests(), t.sim.charged()), (2, 2));
}

#[tokio::test]
async fn every_status_for_success_returns_an_answer() {
    let t = Harness::new().await;
    for word in ["succeeded", "completed", "done", "Completed"] {
        t.sim.status_next(word);
        t.ask("hi").await.unwrap();
    }
    assert_eq!(t.sim.polls(), 0);
}

#[tokio::test]
async fn every_status_for_failure_returns_an_error() {
    let t = Harness::new().await;
    for word in ["failed", "error", "canceled", "cancelled"] {
        t.sim.status_next(word);
        let error = t.ask("hi").await.unwrap_err();
        assert!(matches!(error, TessError::Failed { .. }), "{word}: {error:?}");
    }
    assert_eq!(t.sim.polls(), 0);
}

#[tokio::test]
async fn an_unknown_status_is_polled_as_unfinished() {
    let t = Harness::new().await;
    for word in ["weird", "processing", "starting", ""] {
        t.sim.status_next(word);
        t.ask("hi").await.unwrap();
    }
    assert_eq!((t.sim.polls(), t.sim.charged()), (4, 4));
}

#[tokio::test]
async fn the_error_of_a_failed_execution_is_read_in_every_form() {
    let t = Harness::new().await;
    for (error, expected) in [
        (Value::Null, ""),
        (json!("agent execution failed"), "agent execution failed"),
        (json!({"message": "model overloaded"}), "model overloaded"),
        (json!({"reason": "too long"}), "too long"),
        (json!(["odd"]), ""),
    ] {
        t.sim.fail_execution_next(error);
        match t.ask("hi").await {
            Err(TessError::Failed { detail }) => assert_eq!(detail, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_execution_that_fails_while_polled_is_a_failure() {
    let t = Harness::new().await;
    t.sim.status_next("running");
    let body = json!({"id": 1, "status": "failed", "output": "", "error": "agent execution failed"});
    t.sim.fault_on(Route::Poll, answer_of(200, &body));
    assert!(matches!(t.ask("hi").await, Err(TessError::Failed { .. })));
}

#[tokio::test]
async fn a_success_without_output_is_empty() {
    let t = Harness::new().await;
    t.sim.succeed_empty_next();
    assert!(matches!(t.ask("hi").await, Err(TessError::Empty { .. })));
    t.sim.answers([" \n\t"]);
    assert!(matches!(t.ask("hi").await, Err(TessError::Empty { .. })));
}

#[tokio::test]
async fn unknown_credits_count_as_zero() {
    let t = Harness::new().await;
    t.sim.null_credits_next();
    assert_eq!(t.ask("hi").await.unwrap().credits, 0.0);
}

#[tokio::test]
async fn an_execution_that_never_ends_times_out() {
    let options = TessOptions { wait_limit: Duration::from_millis(20), ..TessOptions::default() };
    let t = Harness::with(options, |config, _| config.timeout = A_MOMENT * 2).await;
    t.sim.hold();
    match t.ask("hi").await {
        Err(TessError::TimedOut { waited }) => assert_eq!(waited, A_MOMENT * 2),
        other => panic!("{other:?}"),
    }
    assert_eq!((t.sim.execute_requests(), t.sim.charged()), (1, 1));
    assert!(t.sim.polls() > 1);
}

// Refusals.

#[tokio::test]
async fn a_wrong_key_is_unauthorized() {
    let t = Harness::with(TessOptions::default(), |config, _| config.api_key = SecretString::from("101|wrong")).await;
    assert!(matches!(t.ask("hi").await, Err(TessError::Unauthorized { .. })));
    assert!(matches!(t.tess.agent(AGENT).await, Err(TessError::Unauthorized { .. })));
    assert_eq!(t.sim.execute_requests(), 1);
}

#[tokio::test]
async fn a_foreign_workspace_is_distinguished_from_a_wrong_key() {
    let options = TessOptions { workspace: Some(1), ..TessOptions::default() };
    let t = Harness::with(options, |config, _| config.workspace = Some(WorkspaceId(2))).await;
    assert!(matches!(t.ask("hi").await, Err(TessError::WrongWorkspace { .. })));
}

#[tokio::test]
async fn a_missing_workspace_is_reported() {
    let t = Harness::with(TessOptions { workspace: Some(1), ..TessOptions::default() }, |_, _| {}).await;
    assert!(matches!(t.ask("hi").await, Err(TessError::WorkspaceRequired { .. })));
}

#[tokio::test]
async fn a_deleted_agent_is_not_found() {
    let t = Harness::new().await;
    t.sim.remove_agent(HELPER);
    assert!(matches!(t.ask("hi").await, Err(TessError::AgentNotFound { agent: AGENT, .. })));
    assert!(matches!(t.tess.agent(AGENT).await, Err(TessError::AgentNotFound { agent: AGENT, .. })));
}

#[tokio::test]
async fn an_option_that_the_agent_lacks_is_refused() {
    let t = Harness::with(TessOptions::default(), |config, _| config.temperature = Some("0.7".to_owned())).await;
    match t.ask("hi").await {
        Err(TessError::Refused { detail }) => {
            assert!(detail.contains("The selected temperature is invalid"), "{detail}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(t.sim.charged(), 0);
}

#[tokio::test]
async fn missing_credits_are_recognised() {
    let t = Harness::new().await;
    t.sim.no_credits_next();
    assert!(matches!(t.ask("hi").await, Err(TessError::NoCredits { .. })));
    t.sim.fail_execution_next(json!("User has no credits"));
    assert!(matches!(t.ask("hi").await, Err(TessError::NoCredits { .. })));
    t.sim.answers(["you have no credits"]);
    t.ask("an output may say so").await.unwrap();
}

#[tokio::test]
async fn an_error_contains_neither_the_key_nor_message_text() {
    let t = Harness::new().await;
    let echo = json!({"message": format!("bad: alice: my secret, {}", t.sim.key()), "input": "alice: my secret"});
    t.sim.fail_next(422, &echo);
    t.sim.fail_next(500, &echo);
    t.sim.fail_execution_next(echo);
    for _ in 0..3 {
        let error = t.ask("alice: my secret").await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("bad: […], […]"), "{shown}");
        assert!(!shown.contains("my secret") && !shown.contains("simulated-tess-key"), "{shown}");
    }
}

// The outcome is unknown: never asked twice.

#[tokio::test]
async fn a_524_in_plain_text_is_an_unknown_outcome_and_not_repeated() {
    let t = Harness::new().await;
    t.sim.plain_524_next();
    assert!(t.outcome_is_unknown().await.contains("error code: 524"));
    assert_eq!(t.sim.charged(), 1);
}

#[tokio::test]
async fn a_wait_that_a_proxy_ends_is_an_unknown_outcome() {
    let wait_limit = Duration::from_millis(20);
    let options = TessOptions { wait_limit, at_wait_limit: AtWaitLimit::Http524, ..TessOptions::default() };
    let t = Harness::with(options, |_, _| {}).await;
    t.sim.hold();
    t.outcome_is_unknown().await;
}

#[tokio::test]
async fn a_server_error_is_an_unknown_outcome() {
    let t = Harness::new().await;
    t.sim.fail_next(500, &json!({"error": "Internal server error"}));
    assert!(t.outcome_is_unknown().await.contains("HTTP 500: Internal server error"));
}

#[tokio::test]
async fn an_error_page_of_a_proxy_is_an_unknown_outcome() {
    let t = Harness::new().await;
    t.sim.html_next(502);
    let text = t.outcome_is_unknown().await;
    assert!(text.ends_with("HTTP 502"), "{text}");
}

#[tokio::test]
async fn a_web_page_with_status_200_is_an_unknown_outcome() {
    let t = Harness::new().await;
    t.sim.html_next(200);
    t.outcome_is_unknown().await;
}

#[tokio::test]
async fn a_truncated_reply_is_an_unknown_outcome() {
    let t = Harness::new().await;
    t.sim.truncate_next();
    t.outcome_is_unknown().await;
    assert_eq!((t.sim.charged(), t.sim.polls()), (1, 0));
}

#[tokio::test]
async fn an_endless_reply_is_cut_off_and_is_an_unknown_outcome() {
    let t = Harness::new().await;
    t.sim.endless_body_next();
    assert!(t.outcome_is_unknown().await.contains("longer than"));
}

#[tokio::test]
async fn a_request_without_a_reply_ends_after_its_own_timeout() {
    let t = Harness::with(TessOptions::default(), |_, timings| timings.execute_timeout = A_MOMENT).await;
    t.sim.hang_next();
    t.outcome_is_unknown().await;
}

#[tokio::test]
async fn a_request_without_a_reply_ends_at_the_deadline_if_that_is_earlier() {
    let t = Harness::with(TessOptions::default(), |config, _| config.timeout = A_MOMENT).await;
    t.sim.hang_next();
    assert!(matches!(t.ask("hi").await, Err(TessError::TimedOut { waited: A_MOMENT })));
    assert_eq!(t.sim.execute_requests(), 1);
}

#[tokio::test]
async fn a_dropped_connection_is_an_unknown_outcome() {
    let t = Harness::new().await;
    t.sim.drop_connection_next();
    t.outcome_is_unknown().await;
    assert_eq!(t.sim.charged(), 1);
}

#[tokio::test]
async fn an_odd_reply_with_an_id_is_polled() {
    let t = Harness::new().await;
    t.sim.answers(["one"]);
    let id = t.ask("hi").await.unwrap().execution;
    for odd in [json!({"id": id.0}), json!({"responses": [{"id": id.to_string(), "output": ["odd"]}]})] {
        t.sim.fail_next(200, &odd);
        assert_eq!(t.ask("again").await.unwrap().output, "one");
    }
    t.sim.fail_next(200, &json!({"responses": []}));
    assert!(matches!(t.ask("no id").await, Err(TessError::OutcomeUnknown { .. })));
}

// Nothing ran: asked again.

#[tokio::test]
async fn a_rate_limited_execution_waits_as_asked_and_runs_once() {
    let t = Harness::new().await;
    for _ in 0..3 {
        t.sim.rate_limit_next(Some(0.1), false);
    }
    let start = Instant::now();
    t.ask("hi").await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!((t.sim.execute_requests(), t.sim.charged()), (4, 1));
    assert_eq!(t.sim.violations(), [""; 0]);
}

#[tokio::test]
async fn the_header_of_a_429_is_honoured() {
    let t = Harness::new().await;
    t.sim.rate_limit_next(Some(1.0), true);
    let start = Instant::now();
    t.ask("hi").await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(t.sim.violations(), [""; 0]);
}

#[tokio::test]
async fn a_429_longer_than_the_time_left_is_reported_at_once() {
    let t = Harness::new().await;
    t.sim.rate_limit_next(Some(30.0), false);
    match timeout(Duration::from_secs(5), t.ask("hi")).await.unwrap() {
        Err(TessError::RateLimited { retry_after }) => assert_eq!(retry_after, Duration::from_secs(30)),
        other => panic!("{other:?}"),
    }
    assert_eq!(t.sim.charged(), 0);
}

#[tokio::test]
async fn a_429_delays_the_other_requests_of_the_token() {
    let t = Harness::new().await;
    t.sim.rate_limit_next(Some(0.2), false);
    let other = t.tess.clone();
    let start = Instant::now();
    let (asked, looked_up) = tokio::join!(t.ask("hi"), async {
        t.sim.wait_for_execute_requests(1).await;
        timeout(A_MOMENT, std::future::pending::<()>()).await.unwrap_err();
        other.agent(AGENT).await
    });
    asked.unwrap();
    looked_up.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert_eq!(t.sim.violations(), [""; 0]);
}

#[tokio::test]
async fn a_refused_connection_is_retried_until_tess_is_back() {
    let t = Harness::new().await;
    t.ask("over a connection that will be cut").await.unwrap();
    t.sim.refuse_connections(true).await;
    let mut asking = Box::pin(t.ask("hi"));
    assert!(timeout(A_MOMENT, &mut asking).await.is_err(), "given up");
    t.sim.refuse_connections(false).await;
    asking.await.unwrap();
    assert_eq!(t.sim.charged(), 2);
}

#[tokio::test]
async fn a_connection_that_stays_refused_is_reported_as_not_sent() {
    let t = Harness::with(TessOptions::default(), |config, _| config.timeout = A_MOMENT).await;
    t.sim.refuse_connections(true).await;
    assert!(matches!(t.ask("hi").await, Err(TessError::NotSent { .. })));
    assert!(matches!(t.tess.agent(AGENT).await, Err(TessError::NotSent { .. })));
}

// Polls.

#[tokio::test]
async fn a_failed_poll_is_followed_by_the_next_one() {
    let t = Harness::new().await;
    let html = Fault::Answer { status: 502, content_type: "text/html", body: "<html>".to_owned() };
    let faults = [
        answer_of(500, &json!({"error": "Internal server error"})),
        html,
        Fault::Http524,
        Fault::Truncate,
        Fault::DropConnection,
        Fault::EndlessBody,
        Fault::RateLimit { retry_after: Some(0.1), header: false },
        answer_of(200, &json!({"odd": true})),
    ];
    let count = faults.len();
    for fault in faults {
        t.sim.fault_on(Route::Poll, fault);
    }
    t.sim.unfinished_next(0);
    t.ask("hi").await.unwrap();
    assert_eq!((t.sim.polls(), t.sim.execute_requests()), (count + 1, 1));
    assert_eq!(t.sim.violations(), [""; 0]);
}

#[tokio::test]
async fn an_execution_that_polls_do_not_find_is_an_unknown_outcome() {
    let t = Harness::new().await;
    t.sim.unfinished_next(5);
    t.sim.fault_on(Route::Poll, answer_of(404, &json!({"message": "Not found"})));
    t.outcome_is_unknown().await;
    assert_eq!(t.sim.polls(), 1);
}

// The limiter, from outside.

#[tokio::test]
async fn requests_keep_the_interval_of_the_token() {
    let interval = Duration::from_millis(50);
    let t = Harness::with(TessOptions::default(), |config, _| config.request_interval = interval).await;
    let clone = t.tess.clone();
    let start = Instant::now();
    let (one, two, three) = tokio::join!(t.ask("one"), t.ask("two"), clone.agent(AGENT));
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    assert!(start.elapsed() >= interval * 2);
    let texts: Vec<_> = t.sim.executions().iter().map(|run| run.messages[0]["content"].clone()).collect();
    assert_eq!(texts, ["one", "two"]);
}

#[tokio::test]
async fn waiting_for_the_limiter_is_not_part_of_the_timeout() {
    let t = Harness::with(TessOptions::default(), |config, _| {
        config.request_interval = A_MOMENT * 3;
        config.timeout = A_MOMENT * 2;
    })
    .await;
    let (one, two) = tokio::join!(t.ask("one"), t.ask("two"));
    one.unwrap();
    two.unwrap();
}

#[tokio::test]
async fn queued_executions_are_counted_until_they_are_dropped() {
    let t = Harness::with(TessOptions::default(), |config, _| config.request_interval = Duration::from_secs(60)).await;
    t.ask("takes the only request").await.unwrap();
    assert_eq!(t.tess.queued_executions(), 0);
    let mut waiting: Vec<_> = (0..2).map(|_| Box::pin(t.ask("waits"))).collect();
    for asking in &mut waiting {
        assert!(timeout(Duration::ZERO, asking).await.is_err());
    }
    assert_eq!(t.tess.queued_executions(), 2);
    waiting.pop();
    assert_eq!(t.tess.queued_executions(), 1);
    assert_eq!(t.sim.execute_requests(), 1);
}

#[tokio::test]
async fn the_gauge_of_queued_requests_counts_executions_and_look_ups_until_they_leave() {
    let t = Harness::with(TessOptions::default(), |config, _| config.request_interval = Duration::from_secs(60)).await;
    let shows = |queued: usize| {
        let text = t.metrics.encode();
        assert!(text.contains(&format!("\ntess_discord_tess_ahead {queued}\n")), "{queued} is not in\n{text}");
    };
    t.ask("takes the only request").await.unwrap();
    shows(0);
    let (mut execution, mut look_up) = (Box::pin(t.ask("waits")), Box::pin(t.tess.agent(AGENT)));
    assert!(timeout(Duration::ZERO, &mut execution).await.is_err());
    shows(1);
    assert!(timeout(Duration::ZERO, &mut look_up).await.is_err());
    shows(2);
    drop(execution);
    shows(1);
    drop(look_up);
    shows(0);
}

// Agents.

#[tokio::test]
async fn an_agent_is_described_with_its_options() {
    let t = Harness::new().await;
    let agent = t.tess.agent(AgentId(REVIEWER)).await.unwrap();
    assert_eq!((agent.id, agent.title.as_str()), (AgentId(REVIEWER), "Code Reviewer"));
    assert!(agent.is_chat() && agent.description.is_some());
    let question = |name: &str| agent.questions.iter().find(|question| question.name == name).unwrap();
    assert_eq!(question("temperature").options, ["0", "0.25", "0.5", "0.75", "1"]);
    assert_eq!(question("max_mode").options, ["true", "false"]);
    assert_eq!(question("nome-da-empresa").kind, "text");
    assert!(!t.tess.agent(AgentId(PAINTER)).await.unwrap().is_chat());
}

#[tokio::test]
async fn the_chat_agents_of_every_page_are_listed() {
    let t = Harness::new().await;
    for id in 1..=120 {
        t.sim.add_agent(id, "One of many", if id == 60 { "text" } else { "chat" });
    }
    let agents = t.tess.chat_agents().await.unwrap();
    assert_eq!(agents.len(), 119 + 3);
    assert!(agents.iter().all(Agent::is_chat));
    assert_eq!(t.sim.violations(), [""; 0]);
}

#[tokio::test]
async fn a_look_up_waits_for_a_rate_limit_and_reports_other_errors() {
    let t = Harness::new().await;
    t.sim.fault_on(Route::Agents, Fault::RateLimit { retry_after: Some(0.1), header: false });
    t.tess.agent(AGENT).await.unwrap();
    for fault in [answer_of(500, &json!({})), answer_of(200, &json!([])), Fault::Truncate, Fault::DropConnection] {
        let name = format!("{fault:?}");
        t.sim.fault_on(Route::Agents, fault);
        let error = t.tess.agent(AGENT).await.unwrap_err();
        assert!(matches!(error, TessError::Unavailable { .. }), "{name}: {error:?}");
    }
    assert_eq!(t.sim.violations(), [""; 0]);
}

// The simulator's own strictness.

#[tokio::test]
async fn the_simulator_records_violations_whatever_the_configuration() {
    let t = Harness::with(TessOptions { requests_per_second: 1, ..TessOptions::default() }, |_, _| {}).await;
    let http = http();
    let agents = format!("{}/agents", t.sim.url());
    http.get(format!("{}/nothing", t.sim.url())).send().await.unwrap();
    http.delete(&agents).send().await.unwrap();
    http.get(&agents).send().await.unwrap();
    http.get(&agents).header("accept", "application/json").send().await.unwrap();
    let twice = ChatMessage { role: Role::Assistant, content: "hi".to_owned() };
    assert!(matches!(t.ask_agent(AGENT, &[twice]).await, Err(TessError::Refused { .. })));
    assert!(t.ask("one too many").await.is_ok(), "the client waits");
    assert_eq!(
        t.sim.violations(),
        [
            "unknown route GET /api/nothing",
            "unknown route DELETE /api/agents",
            "no Accept: application/json",
            "no Authorization header",
            "The last message must be the user's.",
            "more than 1 request(s) in a second",
        ]
    );
}

#[tokio::test]
async fn the_simulator_counts_repeated_executions() {
    let t = Harness::new().await;
    for text in ["one", "two", "one"] {
        t.ask(text).await.unwrap();
    }
    assert_eq!((t.sim.repeats(), t.sim.charged()), (1, 3));
}
