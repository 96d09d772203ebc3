//! One channel: its history, what waits, and the turn that runs. Pure, but for the clock that tells when it was last used.

use std::{collections::VecDeque, mem};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    config::HistoryConfig,
    conversation::control::{Person, Repeating, Stopping},
    discord::model::{Attachment, Message},
    history::{Entry, History, Retention},
    ids::{GuildId, MessageId, UserId},
    state::before,
};

/// Messages of one channel that may wait for its next turn. Beyond it the oldest are no longer counted on: the turn that
/// comes sees the newest [`crate::config::HistoryConfig::messages`] anyway.
const MOST_WAITING: usize = 500;

/// Messages remembered by id so that each is taken once, however often it is delivered and in whatever order.
const MOST_RECENT: usize = 64;

/// The same, while what was missed in the channel is still to come: it is older than all of them.
const MOST_RECENT_WHILE_HELD: usize = 2_000;

/// Files that may wait for the next turn: two full messages of them. Beyond it the oldest are known by name alone.
const MOST_FILES: usize = 20;

/// Memory of a channel besides its history: the map's entry and the ids.
const OWN_BYTES: usize = mem::size_of::<Channel>() + 2 * mem::size_of::<u64>();

/// A channel that was spoken in since the start, and not evicted since.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) history: History,
    /// Whether what Discord has from before was already asked for.
    pub(super) rebuilt: bool,
    /// The guild it is in; none for a direct message, where nobody has to be told apart.
    pub(super) guild: Option<GuildId>,
    /// Until when nothing is posted, after Discord refused the bot here.
    pub(super) closed_until: Option<Instant>,
    /// Whether Discord lets the bot refer to messages here.
    pub(super) may_reply: bool,
    recent: Recent,
    waiting: Vec<Waiting>,
    /// The files that come with what waits.
    files: Vec<Attached>,
    running: Option<Running>,
    /// The newest message of any turn so far.
    begun: Option<MessageId>,
    /// A turn that somebody wants again. It comes before what waits.
    repeat: Option<Batch>,
    last: Option<Last>,
    /// The message with the button that repeats the last turn.
    pub(super) offer: Option<MessageId>,
    used: Instant,
}

#[derive(Debug)]
struct Running {
    newest: MessageId,
    /// What it answers; nothing while it has not begun, and what waits is counted to it.
    messages: Vec<MessageId>,
    askers: Vec<UserId>,
    cancelled: CancellationToken,
    stopped: CancellationToken,
    /// The turn is over, and whoever ran it is about to look for the next.
    ended: bool,
}

impl Running {
    /// Somebody is to take what waits.
    fn about_to_begin(newest: MessageId, asker: UserId) -> Self {
        Self {
            newest,
            messages: Vec::new(),
            askers: vec![asker],
            cancelled: CancellationToken::new(),
            stopped: CancellationToken::new(),
            ended: false,
        }
    }
}

/// The turn that ended last, as far as it takes to repeat it.
#[derive(Debug)]
struct Last {
    newest: MessageId,
    /// What asked for it: the same request, told of again, asks for nothing more.
    named: MessageId,
    askers: Vec<UserId>,
    files: Vec<Attached>,
}

impl Last {
    fn bytes(&self) -> usize {
        self.askers.capacity() * mem::size_of::<UserId>() + self.files.capacity() * mem::size_of::<Attached>()
    }
}

/// A message that is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Waiting {
    pub(super) message: MessageId,
    pub(super) user: UserId,
}

/// A file that is to reach the agent with a message that waits.
#[derive(Clone, Debug)]
pub(super) struct Attached {
    /// The message that is to be answered.
    pub(super) message: MessageId,
    /// The message it is in: that one, or the one that is replied to.
    pub(super) source: MessageId,
    /// Whether the message that is to be answered says nothing without its files.
    pub(super) alone: bool,
    pub(super) file: Attachment,
}

/// What became of a message that was heard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It was heard before.
    Again,
    /// It is in the history, and is not to be answered.
    Noted,
    /// It waits for a turn.
    Waits {
        /// Whether one has to be started.
        idle: bool,
        /// Older messages that no longer wait, because too many do.
        overflow: usize,
    },
}

/// What one turn answers.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// In order; never empty.
    pub(super) messages: Vec<MessageId>,
    /// Who wrote each of them.
    pub(super) users: Vec<UserId>,
    /// The last of them: the one that is replied to.
    pub(super) newest: MessageId,
    /// Who wrote that one, or wants it answered again.
    pub(super) asker: UserId,
    /// Whose messages they are, each once.
    askers: Vec<UserId>,
    /// What came with them.
    pub(super) files: Vec<Attached>,
    /// What the nonces of its messages are made of: the newest message, or, when it is repeated, the request to do so. A repeated
    /// turn with the nonces of the first would post nothing.
    pub(super) named: MessageId,
    /// A reset or the channel's end.
    pub(super) cancelled: CancellationToken,
    /// Somebody does not want the answer any more.
    pub(super) stopped: CancellationToken,
}

impl Batch {
    pub(super) fn len(&self) -> u64 {
        self.messages.len() as u64
    }

    /// Only the messages that `keep` wants; `None` when that is none of them.
    pub(super) fn keep(mut self, mut keep: impl FnMut(Waiting) -> bool) -> Option<Self> {
        let is_repeat = self.is_repeat();
        let waiting = self.messages.into_iter().zip(self.users).map(|(message, user)| Waiting { message, user });
        let kept: Vec<Waiting> = waiting.filter(|waiting| keep(*waiting)).collect();
        let last = kept.last()?;
        (self.newest, self.asker) = (last.message, last.user);
        if !is_repeat {
            self.named = self.newest;
            self.files.retain(|attached| kept.iter().any(|waiting| waiting.message == attached.message));
        }
        (self.messages, self.users) = kept.iter().map(|waiting| (waiting.message, waiting.user)).unzip();
        Some(self)
    }

    /// Whether it was answered before.
    pub(super) fn is_repeat(&self) -> bool {
        self.named != self.newest
    }

    /// What asks for an answer to one of its messages: that message, or the request to repeat it.
    pub(super) fn request_for(&self, message: MessageId) -> MessageId {
        if self.is_repeat() { self.named } else { message }
    }
}

impl Channel {
    /// A channel that is spoken in for the first time, up to `handled` by an earlier process.
    pub(super) fn new(guild: Option<GuildId>, handled: Option<MessageId>) -> Self {
        Self {
            history: History::new(),
            rebuilt: false,
            guild,
            closed_until: None,
            may_reply: true,
            recent: Recent { ids: VecDeque::new(), floor: handled },
            waiting: Vec::new(),
            files: Vec::new(),
            running: None,
            begun: None,
            repeat: None,
            last: None,
            offer: None,
            used: Instant::now(),
        }
    }

    /// Takes a message in. `is_held`: what was missed before it is still to come.
    pub(super) fn hear(&mut self, waiting: Waiting, entry: Entry, answer: bool, is_held: bool) -> Heard {
        let id = waiting.message;
        if !self.recent.insert(id, if is_held { MOST_RECENT_WHILE_HELD } else { MOST_RECENT }) {
            return Heard::Again;
        }
        self.used = Instant::now();
        self.history.insert(entry);
        if !answer {
            return Heard::Noted;
        }
        self.waiting.push(waiting);
        let overflow = self.waiting.len().saturating_sub(MOST_WAITING);
        self.waiting.drain(..overflow);
        let idle = self.running.is_none();
        if idle {
            // Until the turn has taken its batch, whoever else is heard must not start a second one.
            self.running = Some(Running::about_to_begin(id, waiting.user));
        }
        Heard::Waits { idle, overflow }
    }

    /// Files come with a message that waits. The same file may come twice, with its message and with a reply to that.
    pub(super) fn bring(&mut self, files: Vec<Attached>) {
        for new in files {
            let is_same = |known: &Attached| known.source == new.source && known.file.id == new.file.id;
            if new.file.id.is_none() || !self.files.iter().any(is_same) {
                self.files.push(new);
            }
        }
        self.files.drain(..self.files.len().saturating_sub(MOST_FILES));
    }

    /// The message replied to, when the agent would not see it otherwise.
    pub(super) fn quote<'m>(&self, message: &'m Message) -> Option<&'m Message> {
        message.referenced_message.as_deref().filter(|quoted| !self.history.contains(quoted.id))
    }

    /// All that waits, as one turn; or the channel falls idle.
    pub(super) fn next_batch(&mut self) -> Option<Batch> {
        if let Some(repeat) = self.repeat.take() {
            return Some(repeat);
        }
        let mut waiting = mem::take(&mut self.waiting);
        waiting.sort_unstable();
        let Some(newest) = waiting.last().copied() else {
            self.running = None;
            return None;
        };
        let mut askers: Vec<UserId> = waiting.iter().map(|waiting| waiting.user).collect();
        askers.sort_unstable();
        askers.dedup();
        let files = mem::take(&mut self.files);
        Some(self.begin(&waiting, newest, askers, files, newest.message))
    }

    fn begin(
        &mut self,
        waiting: &[Waiting],
        newest: Waiting,
        askers: Vec<UserId>,
        files: Vec<Attached>,
        named: MessageId,
    ) -> Batch {
        let Waiting { message: newest, user: asker } = newest;
        self.begun = self.begun.max(Some(newest));
        // Who stopped it before it had begun meant this one.
        let before = self.running.take().filter(|running| running.messages.is_empty());
        let (cancelled, stopped) =
            (CancellationToken::new(), before.map(|running| running.stopped).unwrap_or_default());
        let (messages, users): (Vec<_>, Vec<_>) = waiting.iter().map(|waiting| (waiting.message, waiting.user)).unzip();
        self.running = Some(Running {
            newest,
            messages: messages.clone(),
            askers: askers.clone(),
            cancelled: cancelled.clone(),
            stopped: stopped.clone(),
            ended: false,
        });
        Batch { messages, users, newest, asker, askers, files, named, cancelled, stopped }
    }

    /// The turn that runs answers only this part of what it had taken.
    pub(super) fn narrow(&mut self, batch: &Batch) {
        if let Some(running) = &mut self.running {
            running.newest = batch.newest;
        }
    }

    /// Drops the oldest messages beyond the bounds: first what is not to be answered, and never what a turn will reply to.
    pub(super) fn trim(&mut self, limits: &HistoryConfig) {
        let Self { history, waiting, running, .. } = self;
        let answers = running.as_ref().map_or(&[][..], |running| &running.messages);
        let replied_to =
            [running.as_ref().map(|running| running.newest), waiting.iter().max().map(|last| last.message)];
        history.trim(limits, |id| match id {
            id if replied_to.contains(&Some(id)) => Retention::ReplyTarget,
            id if answers.contains(&id) || waiting.iter().any(|waiting| waiting.message == id) => Retention::Queued,
            _ => Retention::Context,
        });
    }

    /// No turn runs any more, whatever waits.
    pub(super) fn rest(&mut self) {
        self.running = None;
        self.repeat = None;
    }

    /// Whether somebody takes the channel's turns, one after the other.
    pub(super) fn is_run(&self) -> bool {
        self.running.is_some()
    }

    /// A turn has ended, and can be repeated from now on.
    pub(super) fn remember_turn(&mut self, batch: &Batch) {
        if let Some(running) = &mut self.running {
            running.ended = true;
        }
        let mut askers = batch.askers.clone();
        askers.shrink_to_fit();
        self.last = Some(Last { newest: batch.newest, named: batch.named, askers, files: batch.files.clone() });
    }

    /// Stops the turn that runs, or only the one that answers `message`.
    pub(super) fn stop(&self, message: Option<MessageId>, by: Person) -> Stopping {
        match &self.running {
            Some(running) if !running.ended && message.is_none_or(|message| message == running.newest) => {
                if !by.may_decide(&running.askers) {
                    return Stopping::NotAllowed;
                }
                running.stopped.cancel();
                Stopping::Begun
            }
            _ => Stopping::Nothing,
        }
    }

    /// Lets the last turn come again, if it is the one that answered `message`. `request` names it. Unless somebody
    /// [runs](Self::is_run) the channel's turns still, that has to be started.
    pub(super) fn retry(&mut self, message: Option<MessageId>, by: Person, request: MessageId) -> Repeating {
        let is_meant = |last: &&Last| message.is_none_or(|message| message == last.newest);
        let Some(last) = self.last.as_ref().filter(is_meant) else { return Repeating::Nothing };
        if !by.may_decide(&last.askers) {
            return Repeating::NotAllowed;
        }
        if last.named == request {
            return Repeating::Nothing;
        }
        if self.running.as_ref().is_some_and(|running| !running.ended) {
            return Repeating::Busy;
        }
        let newest = last.newest;
        if !self.history.contains(newest) {
            return Repeating::Nothing;
        }
        let (mut askers, files) = (last.askers.clone(), last.files.clone());
        if !askers.contains(&by.user) {
            askers.push(by.user);
        }
        self.used = Instant::now();
        let again = Waiting { message: newest, user: by.user };
        let repeat = self.begin(&[again], again, askers, files, request);
        self.repeat = Some(repeat);
        Repeating::Begun
    }

    /// How far the channel is handled once all up to `newest` is: not past a message that came late and still waits.
    pub(super) fn handled_up_to(&self, newest: MessageId) -> MessageId {
        self.first_waiting().map_or(newest, |waiting| before(waiting).min(newest))
    }

    /// Stops waiting for some messages; how many.
    pub(super) fn give_up_waiting(&mut self, given_up: impl Fn(MessageId) -> bool) -> usize {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| !given_up(waiting.message));
        self.files.retain(|attached| !given_up(attached.message));
        before - self.waiting.len()
    }

    /// Forgets everything up to `mark`, the turn that answers any of it included; how many messages no longer wait.
    pub(super) fn clear(&mut self, mark: MessageId) -> usize {
        self.history.clear_up_to(mark);
        self.recent.floor = self.recent.floor.max(Some(mark));
        if let Some(running) = self.running.as_ref().filter(|running| running.newest <= mark) {
            running.cancelled.cancel();
        }
        self.last.take_if(|last| last.newest <= mark);
        self.give_up_waiting(|message| message <= mark)
    }

    /// The bot has nothing to do with the channel any more, for now; how many messages no longer wait.
    pub(super) fn leave(&mut self) -> usize {
        self.history = History::new();
        self.rebuilt = false;
        if let Some(running) = &self.running {
            running.cancelled.cancel();
        }
        (self.last, self.offer) = (None, None);
        self.give_up_waiting(|_| true)
    }

    /// The message whose button would repeat a turn that can not be repeated any more.
    pub(super) fn take_void_offer(&mut self) -> Option<MessageId> {
        self.offer.take_if(|_| self.last.is_none())
    }

    /// Whether a turn that answers a later message has begun already.
    pub(super) fn is_late(&self, message: MessageId) -> bool {
        self.begun.is_some_and(|begun| message < begun)
    }

    /// The oldest message that waits.
    pub(super) fn first_waiting(&self) -> Option<MessageId> {
        self.waiting.iter().min().map(|waiting| waiting.message)
    }

    /// Whether nothing is posted here for now.
    pub(super) fn is_closed(&self) -> bool {
        self.closed_until.is_some_and(|until| Instant::now() < until)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running.is_none() && self.waiting.is_empty()
    }

    pub(super) fn used(&self) -> Instant {
        self.used
    }

    pub(super) fn bytes(&self) -> usize {
        let last = self.last.as_ref().map_or(0, Last::bytes);
        let files = self.files.capacity() * mem::size_of::<Attached>();
        OWN_BYTES + last + self.history.heap_bytes() + files + self.recent.ids.capacity() * mem::size_of::<MessageId>()
    }
}

/// The ids of the latest messages.
#[derive(Debug)]
struct Recent {
    /// In order.
    ids: VecDeque<MessageId>,
    /// Everything up to here was heard, or is not to be.
    floor: Option<MessageId>,
}

impl Recent {
    /// Whether it was not there yet.
    fn insert(&mut self, id: MessageId, most: usize) -> bool {
        if self.floor.is_some_and(|floor| id <= floor) {
            return false;
        }
        let Err(place) = self.ids.binary_search(&id) else { return false };
        self.ids.insert(place, id);
        while self.ids.len() > most {
            self.floor = self.ids.pop_front();
        }
        self.ids.shrink_to(most.min(2 * self.ids.len()));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> MessageId {
        MessageId::new(n)
    }

    fn hear(channel: &mut Channel, n: u64) -> Heard {
        channel.hear(Waiting { message: id(n), user: UserId::new(1) }, Entry::person(id(n), "alice", "hi"), true, false)
    }

    fn channel() -> Channel {
        Channel::new(None, None)
    }

    #[test]
    fn what_comes_during_a_turn_is_answered_together_by_the_next() {
        let mut channel = channel();
        assert_eq!(hear(&mut channel, 1), Heard::Waits { idle: true, overflow: 0 });
        assert_eq!(channel.next_batch().unwrap().messages, [id(1)]);
        assert_eq!(hear(&mut channel, 3), Heard::Waits { idle: false, overflow: 0 });
        assert_eq!(hear(&mut channel, 2), Heard::Waits { idle: false, overflow: 0 });
        let batch = channel.next_batch().unwrap();
        assert_eq!((batch.messages, batch.newest), (vec![id(2), id(3)], id(3)));
        assert!(channel.next_batch().is_none());
        assert!(channel.is_idle());
    }

    #[test]
    fn a_message_heard_before_its_turn_has_begun_starts_no_second_one() {
        let mut channel = channel();
        hear(&mut channel, 1);
        assert_eq!(hear(&mut channel, 2), Heard::Waits { idle: false, overflow: 0 });
    }

    #[test]
    fn each_message_is_taken_once_whatever_the_order() {
        let mut channel = channel();
        for n in [5, 3, 4] {
            assert_ne!(hear(&mut channel, n), Heard::Again);
        }
        for n in [3, 4, 5] {
            assert_eq!(hear(&mut channel, n), Heard::Again);
        }
    }

    #[test]
    fn a_message_is_taken_once_even_when_it_comes_again_after_many_others() {
        let mut channel = channel();
        for n in 1..=200 {
            hear(&mut channel, n);
        }
        for n in 1..=200 {
            assert_eq!(hear(&mut channel, n), Heard::Again, "{n}");
        }
    }

    #[test]
    fn what_an_earlier_process_handled_is_not_taken_again() {
        let mut channel = Channel::new(None, Some(id(10)));
        assert_eq!(hear(&mut channel, 10), Heard::Again);
        assert_ne!(hear(&mut channel, 11), Heard::Again);
    }

    #[test]
    fn the_handled_mark_does_not_pass_a_message_that_came_late() {
        let mut channel = channel();
        hear(&mut channel, 5);
        let batch = channel.next_batch().unwrap();
        assert_eq!(channel.handled_up_to(batch.newest), id(5));
        hear(&mut channel, 4);
        assert_eq!(channel.handled_up_to(batch.newest), id(3));
    }

    #[test]
    fn a_reset_cancels_the_turn_and_what_waits_but_nothing_later() {
        let mut channel = channel();
        hear(&mut channel, 1);
        let batch = channel.next_batch().unwrap();
        hear(&mut channel, 2);
        hear(&mut channel, 9);
        assert_eq!(channel.clear(id(5)), 1);
        assert!(batch.cancelled.is_cancelled());
        assert_eq!(channel.next_batch().unwrap().messages, [id(9)]);
        assert_eq!(hear(&mut channel, 4), Heard::Again);
    }

    const ALICE: Person = Person { user: UserId::new(1), moderates: false };

    #[test]
    fn a_turn_is_stopped_by_who_asked_or_who_moderates() {
        let mut channel = channel();
        assert_eq!(channel.stop(None, ALICE), Stopping::Nothing);
        hear(&mut channel, 1);
        let batch = channel.next_batch().unwrap();
        let bob = Person { user: UserId::new(2), moderates: false };
        assert_eq!(channel.stop(None, bob), Stopping::NotAllowed);
        assert_eq!(channel.stop(Some(id(9)), ALICE), Stopping::Nothing);
        assert!(!batch.stopped.is_cancelled());
        assert_eq!(channel.stop(Some(id(1)), Person { moderates: true, ..bob }), Stopping::Begun);
        assert!(batch.stopped.is_cancelled() && !batch.cancelled.is_cancelled());
    }

    #[test]
    fn only_the_last_turn_comes_again_under_a_name_of_its_own_and_before_what_waits() {
        let mut channel = channel();
        hear(&mut channel, 1);
        let first = channel.next_batch().unwrap();
        channel.remember_turn(&first);
        assert!(channel.next_batch().is_none());
        assert_eq!(channel.retry(Some(id(5)), ALICE, id(7)), Repeating::Nothing);
        assert_eq!(channel.retry(Some(id(1)), ALICE, id(7)), Repeating::Begun);
        assert_eq!(channel.retry(None, ALICE, id(8)), Repeating::Busy);
        hear(&mut channel, 9);
        let again = channel.next_batch().unwrap();
        assert_eq!((again.newest, again.named, again.is_repeat()), (id(1), id(7), true));
        assert_eq!(channel.next_batch().unwrap().newest, id(9));
    }

    #[test]
    fn a_turn_can_be_repeated_as_soon_as_it_is_over_and_not_while_the_next_one_runs() {
        let mut channel = channel();
        hear(&mut channel, 1);
        let first = channel.next_batch().unwrap();
        channel.remember_turn(&first);
        assert!(channel.is_run());
        assert_eq!(channel.retry(None, ALICE, id(7)), Repeating::Begun);
        hear(&mut channel, 9);
        assert!(channel.next_batch().unwrap().is_repeat());
        assert_eq!(channel.retry(None, ALICE, id(8)), Repeating::Busy);
        assert_eq!(channel.next_batch().unwrap().newest, id(9));
        assert_eq!(channel.retry(None, ALICE, id(8)), Repeating::Busy);
    }

    #[test]
    fn a_reset_leaves_nothing_to_repeat() {
        let mut channel = channel();
        hear(&mut channel, 1);
        let batch = channel.next_batch().unwrap();
        channel.remember_turn(&batch);
        assert!(channel.next_batch().is_none());
        channel.clear(id(5));
        assert_eq!(channel.retry(None, ALICE, id(7)), Repeating::Nothing);
    }

    fn file(message: u64, number: u64) -> Attached {
        let file = Attachment { id: Some(number.into()), ..Attachment::default() };
        Attached { message: id(message), source: id(message), alone: false, file }
    }

    #[test]
    fn files_come_with_their_turn_each_once_and_not_too_many() {
        let mut channel = channel();
        hear(&mut channel, 1);
        hear(&mut channel, 2);
        channel.bring((1..=30).map(|number| file(1, number)).collect());
        channel.bring(vec![Attached { message: id(2), ..file(1, 30) }]);
        let batch = channel.next_batch().unwrap();
        let numbers: Vec<_> = batch.files.iter().map(|attached| attached.file.id.unwrap().get()).collect();
        assert_eq!(numbers, (11..=30).collect::<Vec<_>>());
        hear(&mut channel, 3);
        assert!(channel.next_batch().unwrap().files.is_empty());
    }

    #[test]
    fn a_turn_that_is_repeated_has_its_files_again() {
        let mut channel = channel();
        hear(&mut channel, 1);
        hear(&mut channel, 2);
        channel.bring(vec![file(1, 1), file(2, 2)]);
        let batch = channel.next_batch().unwrap();
        channel.remember_turn(&batch);
        assert!(channel.next_batch().is_none());
        assert_eq!(channel.retry(None, ALICE, id(7)), Repeating::Begun);
        assert_eq!(channel.next_batch().unwrap().keep(|_| true).unwrap().files.len(), 2);
    }

    #[test]
    fn the_files_of_a_message_that_is_refused_do_not_reach_the_agent() {
        let mut channel = channel();
        hear(&mut channel, 1);
        hear(&mut channel, 2);
        channel.bring(vec![file(1, 1), file(2, 2)]);
        let kept = channel.next_batch().unwrap().keep(|waiting| waiting.message == id(1)).unwrap();
        let messages: Vec<_> = kept.files.iter().map(|attached| attached.message).collect();
        assert_eq!(messages, [id(1)]);
    }

    #[test]
    fn the_files_of_a_message_that_is_gone_go_with_it() {
        let mut channel = channel();
        hear(&mut channel, 1);
        hear(&mut channel, 2);
        channel.bring(vec![file(1, 1), file(2, 2)]);
        channel.give_up_waiting(|message| message == id(1));
        assert_eq!(channel.next_batch().unwrap().files.len(), 1);
    }

    #[test]
    fn too_many_waiting_messages_push_out_the_oldest() {
        let mut channel = channel();
        for n in 1..=500 {
            hear(&mut channel, n);
        }
        assert_eq!(hear(&mut channel, 501), Heard::Waits { idle: false, overflow: 1 });
        assert_eq!(channel.next_batch().unwrap().messages.len(), MOST_WAITING);
    }
}
