//! Limits the requests of one token: one per interval, and none while a 429 asks to wait.
//!
//! There are two first-in, first-out queues. Executions, which people wait for, come before polls and look-ups. So that
//! these do not starve, one of them is sent after [`MAX_OVERTAKING`] executions that overtook it.
//!
//! No task runs behind it: the first in the queue sleeps until its time, and a caller that leaves the queue wakes the
//! first. Each waiting caller holds one entry.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::telemetry::Metrics;

/// Executions that may overtake a waiting poll or look-up.
const MAX_OVERTAKING: u32 = 4;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// `POST execute`.
    Execution,
    /// Polls and look-ups.
    Other,
}

/// A position in the queue. It can be used again, so that an execution that was rate limited keeps its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    class: Class,
    number: u64,
}

/// The limiter of one token.
#[derive(Debug)]
pub(super) struct Limiter {
    /// Time between two requests; zero means no limit.
    interval: Duration,
    /// Never held across an await.
    queue: Mutex<Queue>,
    /// Shows the length of the queue.
    metrics: Metrics,
}

#[derive(Debug)]
struct Queue {
    /// Waiting tickets by number, with what wakes them.
    executions: BTreeMap<u64, Arc<Notify>>,
    others: BTreeMap<u64, Arc<Notify>>,
    next_number: u64,
    /// When the next request may be sent: after the interval, or the pause that a 429 asks for.
    next_at: Instant,
    /// Executions that have overtaken the first of `others`.
    overtaken: u32,
}

/// What a waiting caller does next.
enum Next {
    Send,
    SleepUntil(Instant),
    AwaitWake,
}

impl Limiter {
    pub(super) fn new(interval: Duration, metrics: Metrics) -> Self {
        let queue = Queue {
            executions: BTreeMap::new(),
            others: BTreeMap::new(),
            next_number: 0,
            next_at: Instant::now(),
            overtaken: 0,
        };
        Self { interval, queue: Mutex::new(queue), metrics }
    }

    /// Takes the last position of a class. It delays nobody before [`Limiter::acquire`].
    pub(super) fn ticket(&self, class: Class) -> Ticket {
        let mut queue = self.lock();
        queue.next_number += 1;
        Ticket { class, number: queue.next_number }
    }

    /// Waits until one request may be sent. Dropping the future leaves the queue.
    pub(super) async fn acquire(&self, ticket: &Ticket) {
        let waiting = Waiting::join(self, *ticket);
        loop {
            let next = self.lock().next(*ticket, Instant::now(), self.interval);
            match next {
                Next::Send => return,
                Next::SleepUntil(at) => tokio::select! {
                    () = sleep_until(at) => {}
                    () = waiting.wake.notified() => {}
                },
                Next::AwaitWake => waiting.wake.notified().await,
            }
        }
    }

    /// Sends nothing for `retry_after`, as a 429 asked.
    pub(super) fn pause(&self, retry_after: Duration) {
        let mut queue = self.lock();
        queue.next_at = queue.next_at.max(Instant::now() + retry_after);
    }

    pub(super) fn queued_executions(&self) -> usize {
        self.lock().executions.len()
    }

    /// Sets the gauge. The lock is still held, so that the last change of the queue also sets it last.
    fn report_length(&self, queue: &Queue) {
        self.metrics.set_tess_ahead(queue.executions.len() + queue.others.len());
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while it is held; the queue would be valid even then.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn class(&mut self, class: Class) -> &mut BTreeMap<u64, Arc<Notify>> {
        match class {
            Class::Execution => &mut self.executions,
            Class::Other => &mut self.others,
        }
    }

    fn first(&self) -> Option<(Ticket, &Notify)> {
        let execution = self.executions.first_key_value().map(|entry| (Class::Execution, entry));
        let other = self.others.first_key_value().map(|entry| (Class::Other, entry));
        let (class, (number, woken)) =
            if self.overtaken >= MAX_OVERTAKING { other.or(execution) } else { execution.or(other) }?;
        Some((Ticket { class, number: *number }, woken))
    }

    /// Decides what a ticket does; one that may send also starts the next interval.
    fn next(&mut self, ticket: Ticket, now: Instant, interval: Duration) -> Next {
        if self.first().is_some_and(|(first, _)| first != ticket) {
            return Next::AwaitWake;
        }
        if now < self.next_at {
            return Next::SleepUntil(self.next_at);
        }
        self.next_at = now + interval;
        self.overtaken = match ticket.class {
            Class::Execution if !self.others.is_empty() => self.overtaken + 1,
            _ => 0,
        };
        Next::Send
    }
}

/// A ticket in the queue; dropping it leaves the queue and wakes the first.
struct Waiting<'a> {
    limiter: &'a Limiter,
    ticket: Ticket,
    wake: Arc<Notify>,
}

impl<'a> Waiting<'a> {
    fn join(limiter: &'a Limiter, ticket: Ticket) -> Self {
        let wake = Arc::new(Notify::new());
        let mut queue = limiter.lock();
        queue.class(ticket.class).insert(ticket.number, wake.clone());
        limiter.report_length(&queue);
        drop(queue);
        Self { limiter, ticket, wake }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut queue = self.limiter.lock();
        queue.class(self.ticket.class).remove(&self.ticket.number);
        self.limiter.report_length(&queue);
        if let Some((_, woken)) = queue.first() {
            woken.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::{JoinSet, yield_now};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Callers that wait in tasks of their own, and end with their name and the seconds they waited.
    struct Callers {
        limiter: Arc<Limiter>,
        start: Instant,
        tasks: JoinSet<(&'static str, f64)>,
    }

    impl Callers {
        fn new(interval: Duration) -> Self {
            Self {
                limiter: Arc::new(Limiter::new(interval, Metrics::new())),
                start: Instant::now(),
                tasks: JoinSet::new(),
            }
        }

        async fn wait(&mut self, name: &'static str, class: Class) -> tokio::task::AbortHandle {
            let ticket = self.limiter.ticket(class);
            self.wait_with(name, ticket).await
        }

        async fn wait_with(&mut self, name: &'static str, ticket: Ticket) -> tokio::task::AbortHandle {
            let (limiter, start) = (self.limiter.clone(), self.start);
            let handle = self.tasks.spawn(async move {
                limiter.acquire(&ticket).await;
                (name, start.elapsed().as_secs_f64())
            });
            yield_now().await;
            handle
        }

        async fn sent(&mut self) -> String {
            let mut sent = Vec::new();
            while let Some(done) = self.tasks.join_next().await {
                if let Ok((name, at)) = done {
                    sent.push(format!("{name}@{at:.1}"));
                }
            }
            sent.join(" ")
        }
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_sent_one_interval_apart_in_order() {
        let mut callers = Callers::new(SECOND);
        for name in ["a", "b", "c"] {
            callers.wait(name, Class::Execution).await;
        }
        assert_eq!(callers.limiter.queued_executions(), 2);
        assert_eq!(callers.sent().await, "a@0.0 b@1.0 c@2.0");
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_interval_no_request_waits() {
        let mut callers = Callers::new(Duration::ZERO);
        for name in ["a", "b", "c"] {
            callers.wait(name, Class::Other).await;
        }
        assert_eq!(callers.sent().await, "a@0.0 b@0.0 c@0.0");
    }

    #[tokio::test(start_paused = true)]
    async fn executions_are_sent_before_earlier_polls() {
        let mut callers = Callers::new(SECOND);
        callers.wait("first", Class::Other).await;
        callers.wait("poll", Class::Other).await;
        callers.wait("execution", Class::Execution).await;
        assert_eq!(callers.sent().await, "first@0.0 execution@1.0 poll@2.0");
    }

    #[tokio::test(start_paused = true)]
    async fn a_poll_is_overtaken_by_at_most_four_executions() {
        let mut callers = Callers::new(SECOND);
        callers.wait("first", Class::Execution).await;
        callers.wait("poll", Class::Other).await;
        for name in ["a", "b", "c", "d", "e"] {
            callers.wait(name, Class::Execution).await;
        }
        assert_eq!(callers.sent().await, "first@0.0 a@1.0 b@2.0 c@3.0 d@4.0 poll@5.0 e@6.0");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_delays_every_waiting_request() {
        let mut callers = Callers::new(SECOND);
        callers.wait("first", Class::Execution).await;
        callers.wait("execution", Class::Execution).await;
        callers.wait("poll", Class::Other).await;
        callers.limiter.pause(SECOND * 10);
        callers.limiter.pause(SECOND);
        assert_eq!(callers.sent().await, "first@0.0 execution@10.0 poll@11.0");
    }

    #[tokio::test(start_paused = true)]
    async fn a_ticket_used_again_keeps_its_position() {
        let mut callers = Callers::new(SECOND);
        let ticket = callers.limiter.ticket(Class::Execution);
        callers.limiter.acquire(&ticket).await;
        callers.wait("later", Class::Execution).await;
        callers.wait_with("again", ticket).await;
        assert_eq!(callers.sent().await, "again@1.0 later@2.0");
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_stops_waiting_leaves_the_queue() {
        let mut callers = Callers::new(SECOND);
        callers.wait("first", Class::Execution).await;
        let head = callers.wait("head", Class::Execution).await;
        let middle = callers.wait("middle", Class::Execution).await;
        callers.wait("last", Class::Execution).await;
        head.abort();
        middle.abort();
        yield_now().await;
        assert_eq!(callers.limiter.queued_executions(), 1);
        assert_eq!(callers.sent().await, "first@0.0 last@1.0");
    }

    #[tokio::test(start_paused = true)]
    async fn idle_time_does_not_accumulate_requests() {
        let mut callers = Callers::new(SECOND);
        tokio::time::advance(SECOND * 10).await;
        callers.wait("a", Class::Execution).await;
        callers.wait("b", Class::Execution).await;
        assert_eq!(callers.sent().await, "a@10.0 b@11.0");
    }
}
