//! What holds for any order of inputs: each accepted message is settled once, no mark passes an unsettled message, nothing is asked of
//! a channel that is gone, and there is never a second driver.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{batch::Batch, *};
use crate::ids::UserId;

/// Ids are few, so that duplicates, late messages and deletions of queued messages are frequent.
const IDS: std::ops::Range<u64> = 2..42;

const MODERATOR: Requester = Requester { user: UserId::new(7), is_moderator: true };

/// Something that happens to a channel; the last group is what its driver does next.
#[derive(Clone, Copy, Debug)]
enum Event {
    Question(u64),
    Context(u64),
    OwnMessage(u64),
    Edit(u64),
    Deletion(u64, u64),
    Reset(u64),
    Gone,
    CatchUpBegan(u64),
    CatchUpEnded(Option<u64>),
    AgeOwnMessages,
    Stop(Option<u64>),
    Retry(Option<u64>, u64),
    Shutdown,
    Driver(Step),
}

/// The next step of a driver, where there is a choice.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// It goes on, and refuses the batch's first messages, so many of them.
    GoOn { refused: usize },
    /// Shutdown interrupts it.
    Interrupted,
    /// Its batch panics.
    BatchPanicked,
    /// It panics outside of a batch.
    Lost,
}

fn events() -> impl Strategy<Value = Event> {
    let maybe_id = || prop::option::of(IDS);
    prop_oneof![
        8 => IDS.prop_map(Event::Question),
        1 => IDS.prop_map(Event::Context),
        2 => IDS.prop_map(Event::OwnMessage),
        1 => IDS.prop_map(Event::Edit),
        2 => (IDS, IDS).prop_map(|(a, b)| Event::Deletion(a, b)),
        1 => IDS.prop_map(Event::Reset),
        1 => Just(Event::Gone),
        1 => IDS.prop_map(Event::CatchUpBegan),
        2 => maybe_id().prop_map(Event::CatchUpEnded),
        3 => Just(Event::AgeOwnMessages),
        1 => maybe_id().prop_map(Event::Stop),
        3 => (maybe_id(), 100..200_u64).prop_map(|(message, request)| Event::Retry(message, request)),
        1 => Just(Event::Shutdown),
        12 => (0..3_usize).prop_map(|refused| Event::Driver(Step::GoOn { refused })),
        1 => Just(Event::Driver(Step::Interrupted)),
        1 => Just(Event::Driver(Step::BatchPanicked)),
        1 => Just(Event::Driver(Step::Lost)),
    ]
}

/// What the driver's task is at.
#[derive(Debug)]
enum Driver {
    None,
    Preparing,
    /// It runs the turn that answers `kept`.
    Running {
        batch: Batch,
        kept: Option<Batch>,
    },
    /// The turn is over, and refusals are posted.
    Refusing {
        left: Vec<MessageId>,
    },
}

/// A channel, its driver, and what is true of its messages.
struct World {
    channel: Channel,
    driver: Driver,
    /// Accepted and not settled, but for repeats.
    open: BTreeSet<MessageId>,
    /// Repeats that are accepted and not settled.
    repeats: Vec<MessageId>,
    /// Settled without an answer, for the next start to find.
    left: BTreeSet<MessageId>,
    is_gone: bool,
    /// Whether nothing is started any more, as the driver sees it.
    is_draining: bool,
}

impl World {
    fn new() -> Self {
        Self {
            channel: Channel::new(None, None, Instant::now()),
            driver: Driver::None,
            open: BTreeSet::new(),
            repeats: Vec::new(),
            left: BTreeSet::new(),
            is_gone: false,
            is_draining: false,
        }
    }

    fn happen(&mut self, event: Event) {
        let id = MessageId::new;
        match event {
            Event::Question(n) => self.message(id(n), true),
            Event::Context(n) => self.message(id(n), false),
            Event::OwnMessage(n) => {
                self.is_gone = false;
                self.handle(Input::OwnMessage(id(n)));
            }
            Event::Edit(n) => drop(self.handle(Input::Edit { message: id(n), text: "edited" })),
            Event::Deletion(a, b) => drop(self.handle(Input::Deletion(&[id(a), id(b)]))),
            Event::Reset(n) => drop(self.handle(Input::Reset(id(n)))),
            Event::Gone => {
                self.is_gone = true;
                self.handle(Input::Gone);
            }
            Event::CatchUpBegan(n) => {
                self.is_gone = false;
                self.handle(Input::CatchUpBegan { after: id(n) });
            }
            Event::CatchUpEnded(n) => drop(self.handle(Input::CatchUpEnded { newest: n.map(id) })),
            Event::AgeOwnMessages => drop(self.handle(Input::AgeOwnMessages)),
            Event::Stop(n) => drop(self.handle(Input::Stop { message: n.map(id), by: MODERATOR })),
            Event::Retry(n, request) => {
                drop(self.handle(Input::Retry { message: n.map(id), by: MODERATOR, request: id(request) }));
            }
            Event::Shutdown => {
                self.is_draining = true;
                self.handle(Input::Shutdown);
            }
            Event::Driver(step) => self.drive(step),
        }
    }

    fn message(&mut self, id: MessageId, is_question: bool) {
        if self.is_draining {
            return;
        }
        let message = NewMessage {
            id,
            author: UserId::new(1),
            entry: Entry::person(id, "alice", "hi"),
            is_question,
            files: Vec::new(),
        };
        let effects = self.channel.handle(Input::Message(message), Instant::now());
        if let Reply::Received(Received::Queued) = effects.reply {
            self.is_gone = false;
            assert!(self.open.insert(id), "{id} is accepted a second time");
            assert!(matches!(effects.list[0], Effect::Accept(1)));
            self.perform(effects.list.into_iter().skip(1));
        } else {
            assert!(effects.list.is_empty());
        }
    }

    fn handle(&mut self, input: Input<'_>) -> Reply {
        let Effects { reply, list } = self.channel.handle(input, Instant::now());
        let mut list = list.into_iter();
        if let Reply::Batch(batch, _) = &reply
            && batch.is_repeat()
        {
            self.repeats.extend(batch.ids());
            list = list.filter(|effect| !matches!(effect, Effect::Accept(_))).collect::<Vec<_>>().into_iter();
        }
        self.perform(list);
        reply
    }

    fn perform(&mut self, effects: impl Iterator<Item = Effect>) {
        for effect in effects {
            let is_quiet = matches!(effect, Effect::Settle(..) | Effect::CancelTurn | Effect::ResumeTurns);
            assert!(!self.is_gone || is_quiet, "{effect:?} of a channel that is gone");
            match effect {
                Effect::Accept(_) => panic!("accepted out of nothing"),
                Effect::Settle(messages, outcome) => messages.into_iter().for_each(|id| self.settle(id, outcome)),
                Effect::StartDriver => {
                    assert!(matches!(self.driver, Driver::None), "a second driver");
                    self.driver = Driver::Preparing;
                }
                Effect::AdvanceHandled(mark) => {
                    let passed = self.open.iter().chain(&self.left).find(|id| **id <= mark);
                    assert_eq!(passed, None, "the mark moves to {mark}");
                }
                Effect::CancelTurn | Effect::StopTurn => {
                    let has_turn = matches!(self.driver, Driver::Running { .. } | Driver::Refusing { .. });
                    assert!(has_turn, "{effect:?} without a turn");
                }
                _ => {}
            }
        }
    }

    fn settle(&mut self, id: MessageId, outcome: Outcome) {
        if !self.open.remove(&id) {
            let repeat = self.repeats.iter().position(|repeat| *repeat == id);
            self.repeats.remove(repeat.unwrap_or_else(|| panic!("{id} is settled and was not open")));
        } else if outcome == Outcome::Cancelled(CancelReason::Shutdown) {
            self.left.insert(id);
        }
    }

    /// Lets the driver take its next step, as `driver.rs` does.
    fn drive(&mut self, step: Step) {
        if let (Step::Lost, Driver::Preparing | Driver::Running { .. } | Driver::Refusing { .. }) = (step, &self.driver)
        {
            self.driver = Driver::None;
            self.handle(Input::DriverLost);
            return;
        }
        match std::mem::replace(&mut self.driver, Driver::None) {
            Driver::None => {}
            Driver::Preparing => self.take_batch(step),
            Driver::Running { batch, kept } => self.end_turn(step, &batch, kept),
            Driver::Refusing { .. } if matches!(step, Step::BatchPanicked) => {
                self.driver = Driver::Preparing;
                self.handle(Input::BatchPanicked);
            }
            Driver::Refusing { mut left } => match left.pop() {
                Some(message) => {
                    let outcome = (!self.is_draining).then_some(Outcome::Skipped(SkipReason::UserBudget));
                    self.driver = Driver::Refusing { left };
                    self.handle(Input::Refused { message, outcome });
                }
                None => {
                    self.driver = Driver::Preparing;
                    self.drive(step);
                }
            },
        }
    }

    fn take_batch(&mut self, step: Step) {
        self.driver = Driver::Preparing;
        if self.is_draining {
            self.handle(Input::Shutdown);
        }
        let Reply::Batch(batch, _) = self.handle(Input::TakeBatch) else {
            self.driver = Driver::None;
            return;
        };
        let refused = if let Step::GoOn { refused } = step { refused } else { 0 };
        let first: Vec<MessageId> = batch.ids().into_iter().take(refused).collect();
        let kept = batch.without(|message| first.contains(&message));
        self.driver = Driver::Running { batch, kept: kept.clone() };
        if let Some(kept) = kept.filter(|_| refused > 0) {
            self.handle(Input::Narrowed { kept: &kept });
        }
    }

    fn end_turn(&mut self, step: Step, batch: &Batch, kept: Option<Batch>) {
        let is_kept = |id: &MessageId| kept.as_ref().is_some_and(|kept| kept.ids().contains(id));
        let left = batch.ids().into_iter().filter(|id| !is_kept(id)).collect();
        self.driver = Driver::Refusing { left };
        match (step, kept) {
            (Step::BatchPanicked, _) => {
                self.driver = Driver::Preparing;
                self.handle(Input::BatchPanicked);
            }
            (_, None) => {}
            (Step::Interrupted, Some(kept)) => {
                self.is_draining = true;
                self.handle(Input::TurnEnded { batch: &kept, outcome: None });
            }
            (_, Some(kept)) => {
                self.handle(Input::TurnEnded { batch: &kept, outcome: Some(Outcome::Answered) });
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_accepted_message_is_settled_once_and_no_mark_passes_an_open_one(
        events in prop::collection::vec(events(), 1..80),
    ) {
        let mut world = World::new();
        for event in events {
            world.happen(event);
        }
        for _ in 0..1_000 {
            if matches!(world.driver, Driver::None) {
                break;
            }
            world.drive(Step::GoOn { refused: 0 });
        }
        prop_assert!(matches!(world.driver, Driver::None), "the driver never ends: {:?}", world.driver);
        prop_assert!(world.open.is_empty() && world.repeats.is_empty(), "without an outcome: {:?}", world.open);
        prop_assert!(world.channel.is_idle());
    }
}
