//! Answers that are streamed, and what becomes of them when the stream does not go to its end.

use std::time::Duration;

use serde_json::{Value, json};
use sim::tess::{Route, StreamFault, TessOptions};
use tokio::{
    sync::watch,
    time::{self, Instant},
};

use super::{
    super::{Answer, Options, Request, TessError},
    A_MOMENT, AGENT, Harness, answer_of, user,
};

/// Eight pieces of one word.
const OUTPUT: &str = "One, two, three, four: **ação** and 日本 🦀.";

/// An answer with all that was shown before it.
struct Streamed {
    texts: Vec<String>,
    answer: Result<Answer, TessError>,
}

/// The number of texts shown.
struct Shown(watch::Receiver<usize>);

impl Shown {
    async fn pieces(&mut self, count: usize) {
        self.0.wait_for(|shown| *shown >= count).await.expect("the stream goes on");
    }
}

impl Harness {
    async fn words() -> Self {
        Self::with(TessOptions { words_per_event: 1, ..TessOptions::default() }, |_, _| {}).await
    }

    /// Streams [`OUTPUT`].
    async fn stream(&self) -> Streamed {
        self.stream_while(async |_| {}).await
    }

    async fn stream_while(&self, meanwhile: impl AsyncFnOnce(Shown)) -> Streamed {
        self.sim.answers([OUTPUT]);
        let (messages, options) = ([user("hi")], Options::default());
        let request = Request { agent: AGENT, messages: &messages, options: &options, files: &[] };
        let mut texts = Vec::new();
        let (shown, seen) = watch::channel(0);
        let show = |text: &str| {
            texts.push(text.to_owned());
            shown.send_replace(texts.len());
        };
        let (answer, ()) = tokio::join!(self.tess.stream(&request, show), meanwhile(Shown(seen)));
        Streamed { texts, answer }
    }

    /// Demands that the execution was asked for and ran once, and that all of its output came by polling.
    fn was_finished_by_polling(&self, streamed: Streamed, pieces: usize) {
        assert_eq!(streamed.texts.len(), pieces);
        assert_eq!(streamed.answer.expect("an answer").output, OUTPUT);
        assert_eq!((self.sim.execute_requests(), self.sim.charged()), (1, 1));
        assert!(self.sim.polls() > 0);
        assert_eq!(self.sim.violations(), [""; 0]);
    }

    fn outcome_of_the_only_request_is_unknown(&self, streamed: Streamed) -> String {
        let error = streamed.answer.expect_err("no answer");
        assert!(matches!(error, TessError::OutcomeUnknown { .. }), "{error:?}");
        assert_eq!((self.sim.execute_requests(), streamed.texts.len(), self.sim.polls()), (1, 0, 0));
        error.to_string()
    }
}

#[tokio::test]
async fn a_streamed_text_grows_piece_by_piece() {
    let t = Harness::words().await;
    let streamed = t.stream().await;
    let answer = streamed.answer.unwrap();
    assert_eq!(streamed.texts.len(), 8);
    assert_eq!(streamed.texts[..2], ["One, ", "One, two, "]);
    assert!(streamed.texts.is_sorted_by(|a, b| b.starts_with(a.as_str())));
    assert_eq!((streamed.texts[7].as_str(), answer.output.as_str()), (OUTPUT, OUTPUT));
    let run = t.sim.next_execution().await.unwrap();
    assert_eq!(answer.execution.0, run.id);
    assert!(answer.credits > 0.0);
    let body = json!({"messages": [{"role": "user", "content": "hi"}], "waitExecution": false, "stream": true});
    assert_eq!(run.body, body);
    assert_eq!((t.sim.polls(), t.sim.charged()), (0, 1));
    assert_eq!(t.sim.violations(), [""; 0]);
}

#[tokio::test]
async fn a_text_is_reported_while_the_agent_is_writing() {
    let t = Harness::words().await;
    t.sim.hold_stream_after(2);
    let streamed = t.stream_while(async |mut shown| {
        shown.pieces(2).await;
        t.sim.release();
    });
    assert_eq!(streamed.await.answer.unwrap().output, OUTPUT);
}

#[tokio::test]
async fn pieces_arrive_as_the_agent_writes_them() {
    let options =
        TessOptions { words_per_event: 4, event_interval: Duration::from_millis(30), ..TessOptions::default() };
    let t = Harness::with(options, |_, _| {}).await;
    let start = Instant::now();
    let streamed = t.stream().await;
    assert_eq!(streamed.texts.len(), 2);
    assert!(start.elapsed() >= Duration::from_millis(30));
}

// A stream that breaks off.

#[tokio::test]
async fn a_stream_that_breaks_off_is_completed_by_polling() {
    for fault in [StreamFault::Break, StreamFault::End] {
        for pieces in [1, 4, 8] {
            let t = Harness::words().await;
            t.sim.stream_fault_next(pieces, fault.clone());
            let streamed = t.stream().await;
            t.was_finished_by_polling(streamed, pieces);
        }
    }
}

#[tokio::test]
async fn an_execution_whose_stream_broke_off_is_polled_to_its_end() {
    let t = Harness::words().await;
    t.sim.hold();
    // Held before its first word, it could not break after one.
    t.sim.hold_stream_after(3);
    t.sim.break_stream_next(2);
    let streamed = t.stream_while(async |_| {
        t.sim.wait_for_polls(3).await;
        t.sim.release();
    });
    t.was_finished_by_polling(streamed.await, 2);
    assert!(t.sim.polls() >= 3);
}

#[tokio::test]
async fn a_stream_that_breaks_off_before_its_id_is_an_unknown_outcome() {
    for fault in [StreamFault::Break, StreamFault::End] {
        let t = Harness::words().await;
        t.sim.stream_fault_next(0, fault);
        let streamed = t.stream().await;
        t.outcome_of_the_only_request_is_unknown(streamed);
        assert_eq!(t.sim.charged(), 1);
    }
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_completed_by_polling() {
    let t = Harness::with(TessOptions { words_per_event: 1, ..TessOptions::default() }, |config, _| {
        config.timeout = Duration::from_secs(600);
    });
    let t = t.await;
    t.sim.stream_fault_next(3, StreamFault::Silence);
    let streamed = t.stream_while(async |mut shown| {
        shown.pieces(3).await;
        time::pause();
        time::advance(Duration::from_secs(61)).await;
        time::resume();
    });
    t.was_finished_by_polling(streamed.await, 3);
}

#[tokio::test]
async fn a_stream_that_never_begins_is_an_unknown_outcome() {
    let t = Harness::with(TessOptions::default(), |_, timings| timings.execute_timeout = A_MOMENT).await;
    t.sim.stream_fault_next(0, StreamFault::Silence);
    let streamed = t.stream().await;
    assert!(t.outcome_of_the_only_request_is_unknown(streamed).contains("no event within"));
}

#[tokio::test]
async fn a_stream_that_exceeds_the_deadline_times_out() {
    let t = Harness::with(TessOptions { words_per_event: 1, ..TessOptions::default() }, |config, _| {
        config.timeout = A_MOMENT * 3;
    });
    let t = t.await;
    t.sim.hold_stream_after(1);
    let streamed = t.stream().await;
    assert!(matches!(streamed.answer, Err(TessError::TimedOut { .. })), "{:?}", streamed.answer);
    assert_eq!((streamed.texts.len(), t.sim.execute_requests()), (1, 1));
}

#[tokio::test]
async fn an_endless_line_is_cut_off_and_the_execution_polled() {
    let t = Harness::words().await;
    t.sim.stream_fault_next(2, StreamFault::EndlessLine);
    let streamed = t.stream().await;
    t.was_finished_by_polling(streamed, 2);
}

#[tokio::test]
async fn a_line_that_is_not_json_is_ignored() {
    let t = Harness::words().await;
    t.sim.stream_fault_next(2, StreamFault::Garbage);
    let streamed = t.stream().await;
    assert_eq!((streamed.texts.len(), streamed.answer.unwrap().output.as_str()), (8, OUTPUT));
    assert_eq!(t.sim.polls(), 0);
}

#[tokio::test]
async fn an_event_with_an_unknown_status_is_not_the_end() {
    let t = Harness::words().await;
    t.sim.status_next("finishing");
    let streamed = t.stream().await;
    t.was_finished_by_polling(streamed, 8);
}

// The end, and refusals: as of an execution that is not streamed.

#[tokio::test]
async fn a_stream_that_ends_as_failed_is_a_failure() {
    let t = Harness::words().await;
    t.sim.fail_stream_next(2, "model overloaded");
    let streamed = t.stream().await;
    match streamed.answer {
        Err(TessError::Failed { detail }) => assert_eq!(detail, "model overloaded"),
        other => panic!("{other:?}"),
    }
    assert_eq!((streamed.texts.len(), t.sim.polls()), (2, 0));
    t.sim.fail_execution_next(json!("user has no credits"));
    assert!(matches!(t.stream().await.answer, Err(TessError::NoCredits { .. })));
}

#[tokio::test]
async fn a_stream_without_text_is_an_empty_answer() {
    let t = Harness::words().await;
    t.sim.succeed_empty_next();
    assert!(matches!(t.stream().await.answer, Err(TessError::Empty { .. })));
}

#[tokio::test]
async fn an_answer_that_is_not_streamed_is_accepted() {
    let t = Harness::words().await;
    t.sim.no_stream_next();
    let streamed = t.stream().await;
    assert_eq!((streamed.texts.len(), streamed.answer.unwrap().output.as_str()), (0, OUTPUT));
    t.sim.no_stream_next();
    t.sim.hold_next();
    let streamed = t.stream_while(async |_| {
        t.sim.wait_for_polls(2).await;
        t.sim.release();
    });
    assert_eq!(streamed.await.answer.unwrap().output, OUTPUT);
    assert_eq!(t.sim.charged(), 2);
}

#[tokio::test]
async fn a_stream_is_refused_and_rate_limited_like_an_execution() {
    let t = Harness::words().await;
    t.sim.rate_limit_next(Some(A_MOMENT.as_secs_f64()), false);
    let start = Instant::now();
    t.stream().await.answer.unwrap();
    assert!(start.elapsed() >= A_MOMENT);
    assert_eq!((t.sim.execute_requests(), t.sim.charged()), (2, 1));
    t.sim.fail_next(422, &json!({"message": "The x-workspace-id header is required."}));
    assert!(matches!(t.stream().await.answer, Err(TessError::WorkspaceRequired { .. })));
    for fault in [500, 524] {
        t.sim.fail_next(fault, &Value::Null);
        assert!(matches!(t.stream().await.answer, Err(TessError::OutcomeUnknown { .. })));
    }
    assert_eq!((t.sim.charged(), t.sim.violations()), (1, vec![]));
}

#[tokio::test]
async fn a_broken_stream_whose_execution_is_not_found_is_an_unknown_outcome() {
    let t = Harness::words().await;
    t.sim.break_stream_next(1);
    t.sim.fault_on(Route::Poll, answer_of(404, &json!({"message": "Not found"})));
    assert!(matches!(t.stream().await.answer, Err(TessError::OutcomeUnknown { .. })));
    assert_eq!(t.sim.execute_requests(), 1);
}

#[tokio::test]
async fn generated_files_come_with_streamed_and_complete_answers() {
    let t = Harness::words().await;
    let files = json!([{"url": "https://cdn.tess.im/a.png", "name": "a.png"}]);
    for _ in 0..3 {
        t.sim.generated_files_next(files.clone());
    }
    t.sim.succeed_empty_next();
    let whole = t.ask("paint").await.unwrap();
    assert_eq!((whole.output.as_str(), whole.files.len()), ("", 1));
    let streamed = t.stream().await.answer.unwrap();
    t.sim.break_stream_next(1);
    let polled = t.stream().await.answer.unwrap();
    assert_eq!(whole.files, streamed.files);
    assert_eq!(whole.files, polled.files);
}
