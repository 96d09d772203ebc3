//! The channel's behaviour, one input after the other.

use super::{
    batch::{AttachedFile, Batch},
    *,
};
use crate::{discord::model::Attachment, ids::UserId, telemetry::FailReason};

const ALICE: Requester = Requester { user: UserId::new(1), is_moderator: false };
const BOB: Requester = Requester { user: UserId::new(2), is_moderator: false };

fn id(n: u64) -> MessageId {
    MessageId::new(n)
}

fn ids(numbers: &[u64]) -> Vec<MessageId> {
    numbers.iter().copied().map(id).collect()
}

/// A channel, and what the driver would have seen of it.
struct Fixture {
    channel: Channel,
    log: Vec<Effect>,
}

impl Fixture {
    fn new() -> Self {
        Self::handled_up_to(None)
    }

    fn handled_up_to(handled: Option<u64>) -> Self {
        Self { channel: Channel::new(None, handled.map(id), Instant::now()), log: Vec::new() }
    }

    fn handle(&mut self, input: Input<'_>) -> Reply {
        let effects = self.channel.handle(input, Instant::now());
        self.log.extend(effects.list);
        effects.reply
    }

    fn receive(&mut self, message: NewMessage) -> Received {
        match self.handle(Input::Message(message)) {
            Reply::Received(received) => received,
            other => panic!("{other:?}"),
        }
    }

    fn ask(&mut self, n: u64) -> Received {
        self.receive(question(n, Vec::new()))
    }

    fn ask_with_files(&mut self, n: u64, files: Vec<AttachedFile>) -> Received {
        self.receive(question(n, files))
    }

    fn take(&mut self) -> Option<Batch> {
        match self.handle(Input::TakeBatch) {
            Reply::Batch(batch, _) => Some(batch),
            _ => None,
        }
    }

    fn end(&mut self, batch: &Batch) {
        self.handle(Input::TurnEnded { batch, outcome: Some(Outcome::Answered) });
    }

    fn stop(&mut self, message: Option<u64>, by: Requester) -> StopResult {
        match self.handle(Input::Stop { message: message.map(id), by }) {
            Reply::Stop(result) => result,
            other => panic!("{other:?}"),
        }
    }

    fn retry(&mut self, message: Option<u64>, by: Requester, request: u64) -> RetryResult {
        match self.handle(Input::Retry { message: message.map(id), by, request: id(request) }) {
            Reply::Retry(result) => result,
            other => panic!("{other:?}"),
        }
    }

    fn has(&self, is_wanted: impl Fn(&Effect) -> bool) -> bool {
        self.log.iter().any(is_wanted)
    }

    fn drivers(&self) -> usize {
        self.log.iter().filter(|effect| matches!(effect, Effect::StartDriver)).count()
    }

    fn mark(&self) -> Option<u64> {
        let marks = self.log.iter().filter_map(|effect| match effect {
            Effect::AdvanceHandled(mark) => Some(mark.get()),
            _ => None,
        });
        marks.max()
    }

    /// What was settled, in order.
    fn settled(&self) -> Vec<(u64, Outcome)> {
        let settled = self.log.iter().filter_map(|effect| match effect {
            Effect::Settle(messages, outcome) => Some(messages.iter().map(|message| (message.get(), *outcome))),
            _ => None,
        });
        settled.flatten().collect()
    }
}

fn question(n: u64, files: Vec<AttachedFile>) -> NewMessage {
    let entry = Entry::person(id(n), "alice", "hi");
    NewMessage { id: id(n), author: ALICE.user, entry, is_question: true, files }
}

fn file(message: u64, number: u64) -> AttachedFile {
    let file = Attachment { id: Some(number.into()), ..Attachment::default() };
    AttachedFile { message: id(message), source: id(message), is_whole_message: false, file }
}

#[test]
fn messages_during_a_turn_are_answered_together_by_the_next() {
    let mut channel = Fixture::new();
    assert_eq!(channel.ask(1), Received::Queued);
    let first = channel.take().unwrap();
    assert_eq!(first.ids(), ids(&[1]));
    channel.ask(3);
    channel.ask(2);
    channel.end(&first);
    let second = channel.take().unwrap();
    assert_eq!((second.ids(), second.newest), (ids(&[2, 3]), id(3)));
    channel.end(&second);
    assert!(channel.take().is_none());
    assert!(channel.channel.is_idle());
    assert_eq!(channel.drivers(), 1);
}

#[test]
fn message_before_the_batch_is_taken_starts_no_second_driver() {
    let mut channel = Fixture::new();
    channel.ask(1);
    channel.ask(2);
    assert_eq!(channel.drivers(), 1);
    assert_eq!(channel.take().unwrap().ids(), ids(&[1, 2]));
}

#[test]
fn messages_that_an_earlier_process_handled_are_duplicates() {
    let mut channel = Fixture::handled_up_to(Some(10));
    assert_eq!((channel.ask(10), channel.ask(11)), (Received::Duplicate, Received::Queued));
}

#[test]
fn handled_mark_does_not_pass_a_late_message() {
    let mut channel = Fixture::new();
    channel.ask(5);
    let batch = channel.take().unwrap();
    channel.ask(4);
    assert!(channel.has(|effect| matches!(effect, Effect::RecordLate(late) if late.get() == 4)));
    channel.end(&batch);
    assert_eq!(channel.mark(), Some(3));
    let late = channel.take().unwrap();
    channel.end(&late);
    assert_eq!(channel.mark(), Some(4));
}

#[test]
fn handled_mark_stays_during_a_catch_up_and_moves_when_it_ends_idle() {
    let mut channel = Fixture::new();
    channel.handle(Input::CatchUpBegan { after: id(1) });
    channel.ask(9);
    assert!(channel.has(|effect| matches!(effect, Effect::RecordActive(first) if first.get() == 2)));
    let batch = channel.take().unwrap();
    channel.end(&batch);
    channel.take();
    assert_eq!(channel.mark(), None);
    channel.handle(Input::CatchUpEnded { newest: Some(id(8)) });
    assert_eq!(channel.mark(), Some(8));
    assert!(channel.has(|effect| matches!(effect, Effect::ResumeTurns)));
}

#[test]
fn reset_cancels_the_turn_and_what_is_queued_but_nothing_later() {
    let mut channel = Fixture::new();
    channel.ask(1);
    let batch = channel.take().unwrap();
    channel.ask(2);
    channel.ask(9);
    channel.handle(Input::Reset(id(5)));
    assert!(channel.has(|effect| matches!(effect, Effect::CancelTurn)));
    assert_eq!(channel.settled(), [(2, Outcome::Cancelled(CancelReason::Reset))]);
    channel.handle(Input::TurnEnded { batch: &batch, outcome: Some(Outcome::Cancelled(CancelReason::Reset)) });
    assert_eq!(channel.take().unwrap().ids(), ids(&[9]));
    assert_eq!(channel.ask(4), Received::Duplicate);
}

#[test]
fn deleted_message_is_not_answered() {
    let mut channel = Fixture::new();
    channel.ask(1);
    channel.ask(2);
    channel.handle(Input::Deletion(&ids(&[1])));
    assert_eq!(channel.settled(), [(1, Outcome::Cancelled(CancelReason::Deleted))]);
    assert_eq!(channel.take().unwrap().ids(), ids(&[2]));
}

#[test]
fn turn_of_a_channel_that_is_gone_moves_no_mark() {
    let mut channel = Fixture::new();
    channel.ask(1);
    let batch = channel.take().unwrap();
    channel.handle(Input::Gone);
    channel.end(&batch);
    assert_eq!(channel.settled().len(), 1);
    assert_eq!(channel.mark(), None);
    assert!(channel.take().is_none());
    assert!(channel.channel.is_empty());
}

#[test]
fn turn_is_stopped_by_its_requester_or_a_moderator() {
    let mut channel = Fixture::new();
    assert_eq!(channel.stop(None, ALICE), StopResult::NothingRuns);
    channel.ask(1);
    channel.take();
    assert_eq!(channel.stop(None, BOB), StopResult::NotAllowed);
    assert_eq!(channel.stop(Some(9), ALICE), StopResult::NothingRuns);
    assert!(!channel.has(|effect| matches!(effect, Effect::StopTurn)));
    assert_eq!(channel.stop(Some(1), Requester { is_moderator: true, ..BOB }), StopResult::Stopping);
    assert!(channel.has(|effect| matches!(effect, Effect::StopTurn)));
}

#[test]
fn turn_that_is_stopped_before_its_batch_is_taken_begins_stopped() {
    let mut channel = Fixture::new();
    channel.ask(1);
    assert_eq!(channel.stop(None, ALICE), StopResult::Stopping);
    let Reply::Batch(_, is_stopped) = channel.handle(Input::TakeBatch) else { panic!("no batch") };
    assert!(is_stopped);
}

#[test]
fn only_the_last_turn_is_repeated_with_its_own_nonces_and_before_what_is_queued() {
    let mut channel = Fixture::new();
    channel.ask(1);
    let first = channel.take().unwrap();
    channel.end(&first);
    assert!(channel.take().is_none());
    assert_eq!(channel.retry(Some(5), ALICE, 7), RetryResult::NothingToRepeat);
    assert_eq!(channel.retry(Some(1), BOB, 7), RetryResult::NotAllowed);
    assert_eq!(channel.retry(Some(1), ALICE, 7), RetryResult::Repeating);
    assert_eq!(channel.retry(None, ALICE, 8), RetryResult::Busy);
    channel.ask(9);
    let again = channel.take().unwrap();
    assert_eq!((again.newest, again.nonce_key, again.is_repeat()), (id(1), id(7), true));
    channel.end(&again);
    assert_eq!(channel.retry(None, ALICE, 7), RetryResult::NothingToRepeat, "the same request, delivered again");
    assert_eq!(channel.take().unwrap().newest, id(9));
}

#[test]
fn turn_can_be_repeated_as_soon_as_it_has_ended_and_not_while_the_next_runs() {
    let mut channel = Fixture::new();
    channel.ask(1);
    let first = channel.take().unwrap();
    channel.end(&first);
    assert_eq!(channel.retry(None, ALICE, 7), RetryResult::Repeating);
    channel.ask(9);
    assert!(channel.take().unwrap().is_repeat());
    assert_eq!(channel.retry(None, ALICE, 8), RetryResult::Busy);
    assert_eq!(channel.drivers(), 1, "the driver that ran the first turn runs the second");
}

#[test]
fn reset_leaves_nothing_to_repeat() {
    let mut channel = Fixture::new();
    channel.ask(1);
    let batch = channel.take().unwrap();
    channel.end(&batch);
    channel.take();
    channel.handle(Input::Reset(id(5)));
    assert_eq!(channel.retry(None, ALICE, 7), RetryResult::NothingToRepeat);
}

#[test]
fn refused_messages_are_settled_before_the_mark_moves() {
    let mut channel = Fixture::new();
    channel.ask(1);
    channel.ask(2);
    let batch = channel.take().unwrap();
    let kept = batch.without(|message| message == id(2)).unwrap();
    channel.handle(Input::Narrowed { kept: &kept });
    channel.end(&kept);
    assert_eq!(channel.mark(), None);
    let refused = Outcome::Skipped(SkipReason::UserBudget);
    channel.handle(Input::Refused { message: id(2), outcome: Some(refused) });
    assert_eq!(channel.settled(), [(1, Outcome::Answered), (2, refused)]);
    assert_eq!(channel.mark(), Some(2));
}

#[test]
fn interrupted_turn_is_left_for_the_next_start() {
    let mut channel = Fixture::new();
    channel.ask(3);
    let batch = channel.take().unwrap();
    channel.handle(Input::OwnMessage(id(9)));
    channel.handle(Input::AgeOwnMessages);
    channel.handle(Input::TurnEnded { batch: &batch, outcome: None });
    channel.handle(Input::Shutdown);
    assert!(channel.take().is_none());
    channel.handle(Input::AgeOwnMessages);
    assert_eq!(channel.settled(), [(3, Outcome::Cancelled(CancelReason::Shutdown))]);
    assert_eq!(channel.mark(), Some(2));
}

#[test]
fn answered_late_message_is_late_no_more_when_shutdown_interrupts_a_refusal() {
    let mut channel = Fixture::new();
    channel.ask(5);
    let first = channel.take().unwrap();
    channel.ask(3);
    channel.ask(4);
    channel.end(&first);
    let late = channel.take().unwrap();
    let kept = late.without(|message| message == id(4)).unwrap();
    channel.handle(Input::Narrowed { kept: &kept });
    channel.end(&kept);
    channel.handle(Input::Refused { message: id(4), outcome: None });
    let is_settled =
        |n: u64| channel.has(|effect| matches!(effect, Effect::SettleLate(messages) if messages.contains(&id(n))));
    assert_eq!((is_settled(3), is_settled(4)), (true, false));
}

#[test]
fn panic_in_a_batch_leaves_the_channel_able_to_go_on() {
    let mut channel = Fixture::new();
    channel.ask(1);
    channel.take();
    channel.ask(2);
    channel.handle(Input::BatchPanicked);
    assert_eq!(channel.settled(), [(1, Outcome::Failed(FailReason::Panic))]);
    assert_eq!(channel.take().unwrap().ids(), ids(&[2]));
}

#[test]
fn panic_while_refusals_are_posted_settles_them_and_keeps_the_one_driver() {
    let mut channel = Fixture::new();
    channel.ask(1);
    channel.ask(2);
    let batch = channel.take().unwrap();
    let kept = batch.without(|message| message == id(2)).unwrap();
    channel.handle(Input::Narrowed { kept: &kept });
    channel.end(&kept);
    channel.handle(Input::BatchPanicked);
    assert_eq!(channel.settled(), [(1, Outcome::Answered), (2, Outcome::Failed(FailReason::Panic))]);
    assert_eq!(channel.mark(), Some(2));
    channel.ask(3);
    assert_eq!(channel.drivers(), 1);
    assert_eq!(channel.take().unwrap().ids(), ids(&[3]));
}

#[test]
fn lost_driver_settles_everything_and_the_next_message_starts_another() {
    let mut channel = Fixture::new();
    channel.ask(1);
    channel.take();
    channel.ask(2);
    channel.handle(Input::DriverLost);
    assert_eq!(channel.settled(), [(1, Outcome::Failed(FailReason::Panic)), (2, Outcome::Failed(FailReason::Panic))]);
    assert!(channel.has(|effect| matches!(effect, Effect::ReportPanic(messages) if *messages == ids(&[2]))));
    channel.ask(3);
    assert_eq!(channel.drivers(), 2);
    assert_eq!(channel.take().unwrap().ids(), ids(&[3]));
}

#[test]
fn own_message_moves_the_mark_once_it_is_old_and_nothing_is_queued() {
    let mut channel = Fixture::new();
    channel.handle(Input::OwnMessage(id(5)));
    channel.handle(Input::AgeOwnMessages);
    assert_eq!(channel.mark(), None);
    channel.handle(Input::OwnMessage(id(7)));
    channel.handle(Input::OwnMessage(id(6)));
    channel.handle(Input::AgeOwnMessages);
    assert_eq!(channel.mark(), Some(5));
    channel.ask(8);
    channel.handle(Input::AgeOwnMessages);
    assert_eq!(channel.mark(), Some(5));
}

#[test]
fn files_come_with_their_turn_each_once_and_within_a_limit() {
    let mut channel = Fixture::new();
    channel.ask_with_files(1, (1..=30).map(|number| file(1, number)).collect());
    channel.ask_with_files(2, vec![AttachedFile { message: id(2), ..file(1, 30) }]);
    let batch = channel.take().unwrap();
    let numbers: Vec<_> = batch.files.iter().map(|attached| attached.file.id.unwrap().get()).collect();
    assert_eq!(numbers, (11..=30).collect::<Vec<_>>());
    channel.ask(3);
    channel.end(&batch);
    assert!(channel.take().unwrap().files.is_empty());
}

#[test]
fn repeated_turn_has_its_files_again() {
    let mut channel = Fixture::new();
    channel.ask_with_files(1, vec![file(1, 1)]);
    channel.ask_with_files(2, vec![file(2, 2)]);
    let batch = channel.take().unwrap();
    channel.end(&batch);
    assert_eq!(channel.retry(None, ALICE, 7), RetryResult::Repeating);
    assert_eq!(channel.take().unwrap().files.len(), 2);
}

#[test]
fn deleted_message_takes_its_files_with_it() {
    let mut channel = Fixture::new();
    channel.ask_with_files(1, vec![file(1, 1)]);
    channel.ask_with_files(2, vec![file(2, 2)]);
    channel.handle(Input::Deletion(&ids(&[1])));
    assert_eq!(channel.take().unwrap().files.len(), 1);
}

#[test]
fn oldest_message_is_skipped_when_too_many_are_queued() {
    let mut channel = Fixture::new();
    for n in 1..=queue::MAX_QUEUED as u64 + 1 {
        channel.ask(n);
    }
    assert_eq!(channel.settled(), [(1, Outcome::Skipped(SkipReason::Overload))]);
    assert!(channel.has(|effect| matches!(effect, Effect::SettleLate(messages) if *messages == ids(&[1]))));
    assert_eq!(channel.take().unwrap().ids().len(), queue::MAX_QUEUED);
}
