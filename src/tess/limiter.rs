//! When the next request of the token may go out.
//!
//! Two queues, first come first served: executions, which people wait for, before polls and look-ups. So that these
//! do not starve, one of them goes out after [`EXECUTIONS_IN_A_ROW`] executions that overtook it.
//!
//! There is no task behind it: the first of the queue sleeps until its time, and whoever leaves the queue wakes the
//! first. The queues are as long as callers wait, each of which holds one place.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// Executions that may overtake a waiting poll or look-up.
const EXECUTIONS_IN_A_ROW: u32 = 4;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// `POST execute`.
    Execution,
    /// Polls and look-ups.
    Other,
}

/// A place in the order of requests. It can be used again: an execution that was rate limited is not the last one then.
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
}

#[derive(Debug)]
struct Queue {
    /// Waiting tickets by number, with what wakes them.
    executions: BTreeMap<u64, Arc<Notify>>,
    others: BTreeMap<u64, Arc<Notify>>,
    next_number: u64,
    /// No request goes out before: the interval, or a 429's pause.
    free_at: Instant,
    /// Executions that have overtaken the first of `others`.
    overtaken: u32,
}

/// What a waiting ticket does next.
enum Next {
    Go,
    SleepUntil(Instant),
    AwaitWaking,
}

impl Limiter {
    pub(super) fn new(interval: Duration) -> Self {
        let queue = Queue {
            executions: BTreeMap::new(),
            others: BTreeMap::new(),
            next_number: 0,
            free_at: Instant::now(),
            overtaken: 0,
        };
        Self { interval, queue: Mutex::new(queue) }
    }

    /// The next place of a class. It holds nobody up until [`Limiter::turn`].
    pub(super) fn ticket(&self, class: Class) -> Ticket {
        let mut queue = self.lock();
        queue.next_number += 1;
        Ticket { class, number: queue.next_number }
    }

    /// Waits until one request may go out. Dropping the future gives the place back.
    pub(super) async fn turn(&self, ticket: &Ticket) {
        let place = Place::take(self, *ticket);
        loop {
            let next = self.lock().next(*ticket, Instant::now(), self.interval);
            match next {
                Next::Go => return,
                Next::SleepUntil(at) => tokio::select! {
                    () = sleep_until(at) => {}
                    () = place.woken.notified() => {}
                },
                Next::AwaitWaking => place.woken.notified().await,
            }
        }
    }

    /// A 429 was received: nothing goes out for `retry_after`.
    pub(super) fn pause(&self, retry_after: Duration) {
        let mut queue = self.lock();
        queue.free_at = queue.free_at.max(Instant::now() + retry_after);
    }

    pub(super) fn queued_executions(&self) -> usize {
        self.lock().executions.len()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while it is held; if something did, the queue would still be one.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn of(&mut self, class: Class) -> &mut BTreeMap<u64, Arc<Notify>> {
        match class {
            Class::Execution => &mut self.executions,
            Class::Other => &mut self.others,
        }
    }

    fn first(&self) -> Option<(Ticket, &Notify)> {
        let execution = self.executions.first_key_value().map(|entry| (Class::Execution, entry));
        let other = self.others.first_key_value().map(|entry| (Class::Other, entry));
        let (class, (number, woken)) =
            if self.overtaken >= EXECUTIONS_IN_A_ROW { other.or(execution) } else { execution.or(other) }?;
        Some((Ticket { class, number: *number }, woken))
    }

    /// Lets the first go when it is time.
    fn next(&mut self, ticket: Ticket, now: Instant, interval: Duration) -> Next {
        if self.first().is_some_and(|(first, _)| first != ticket) {
            return Next::AwaitWaking;
        }
        if now < self.free_at {
            return Next::SleepUntil(self.free_at);
        }
        self.free_at = now + interval;
        self.overtaken = match ticket.class {
            Class::Execution if !self.others.is_empty() => self.overtaken + 1,
            _ => 0,
        };
        Next::Go
    }
}

/// A ticket that waits; leaves the queue and wakes the first when dropped.
struct Place<'a> {
    limiter: &'a Limiter,
    ticket: Ticket,
    woken: Arc<Notify>,
}

impl<'a> Place<'a> {
    fn take(limiter: &'a Limiter, ticket: Ticket) -> Self {
        let woken = Arc::new(Notify::new());
        limiter.lock().of(ticket.class).insert(ticket.number, woken.clone());
        Self { limiter, ticket, woken }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queue = self.limiter.lock();
        queue.of(self.ticket.class).remove(&self.ticket.number);
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

    /// Tickets taken in the order given, each waiting in its own task; returns (index, seconds waited) as they go.
    struct Waiting {
        limiter: Arc<Limiter>,
        start: Instant,
        tasks: JoinSet<(&'static str, f64)>,
    }

    impl Waiting {
        fn new(interval: Duration) -> Self {
            Self { limiter: Arc::new(Limiter::new(interval)), start: Instant::now(), tasks: JoinSet::new() }
        }

        async fn wait(&mut self, name: &'static str, class: Class) -> tokio::task::AbortHandle {
            let ticket = self.limiter.ticket(class);
            self.wait_with(name, ticket).await
        }

        async fn wait_with(&mut self, name: &'static str, ticket: Ticket) -> tokio::task::AbortHandle {
            let (limiter, start) = (self.limiter.clone(), self.start);
            let handle = self.tasks.spawn(async move {
                limiter.turn(&ticket).await;
                (name, start.elapsed().as_secs_f64())
            });
            yield_now().await;
            handle
        }

        async fn gone(&mut self) -> String {
            let mut gone = Vec::new();
            while let Some(done) = self.tasks.join_next().await {
                if let Ok((name, at)) = done {
                    gone.push(format!("{name}@{at:.1}"));
                }
            }
            gone.join(" ")
        }
    }

    #[tokio::test(start_paused = true)]
    async fn requests_go_out_one_interval_apart_first_come_first_served() {
        let mut waiting = Waiting::new(SECOND);
        for name in ["a", "b", "c"] {
            waiting.wait(name, Class::Execution).await;
        }
        assert_eq!(waiting.limiter.queued_executions(), 2);
        assert_eq!(waiting.gone().await, "a@0.0 b@1.0 c@2.0");
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_interval_nobody_waits() {
        let mut waiting = Waiting::new(Duration::ZERO);
        for name in ["a", "b", "c"] {
            waiting.wait(name, Class::Other).await;
        }
        assert_eq!(waiting.gone().await, "a@0.0 b@0.0 c@0.0");
    }

    #[tokio::test(start_paused = true)]
    async fn executions_go_before_polls_that_came_earlier() {
        let mut waiting = Waiting::new(SECOND);
        waiting.wait("first", Class::Other).await;
        waiting.wait("poll", Class::Other).await;
        waiting.wait("execution", Class::Execution).await;
        assert_eq!(waiting.gone().await, "first@0.0 execution@1.0 poll@2.0");
    }

    #[tokio::test(start_paused = true)]
    async fn a_poll_is_overtaken_by_four_executions_at_most() {
        let mut waiting = Waiting::new(SECOND);
        waiting.wait("first", Class::Execution).await;
        waiting.wait("poll", Class::Other).await;
        for name in ["a", "b", "c", "d", "e"] {
            waiting.wait(name, Class::Execution).await;
        }
        assert_eq!(waiting.gone().await, "first@0.0 a@1.0 b@2.0 c@3.0 d@4.0 poll@5.0 e@6.0");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_all_even_those_already_counting_down() {
        let mut waiting = Waiting::new(SECOND);
        waiting.wait("first", Class::Execution).await;
        waiting.wait("execution", Class::Execution).await;
        waiting.wait("poll", Class::Other).await;
        waiting.limiter.pause(SECOND * 10);
        waiting.limiter.pause(SECOND);
        assert_eq!(waiting.gone().await, "first@0.0 execution@10.0 poll@11.0");
    }

    #[tokio::test(start_paused = true)]
    async fn a_ticket_used_again_keeps_its_place() {
        let mut waiting = Waiting::new(SECOND);
        let ticket = waiting.limiter.ticket(Class::Execution);
        waiting.limiter.turn(&ticket).await;
        waiting.wait("later", Class::Execution).await;
        waiting.wait_with("again", ticket).await;
        assert_eq!(waiting.gone().await, "again@1.0 later@2.0");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_stops_waiting_gives_the_place_back() {
        let mut waiting = Waiting::new(SECOND);
        waiting.wait("first", Class::Execution).await;
        let head = waiting.wait("head", Class::Execution).await;
        let middle = waiting.wait("middle", Class::Execution).await;
        waiting.wait("last", Class::Execution).await;
        head.abort();
        middle.abort();
        yield_now().await;
        assert_eq!(waiting.limiter.queued_executions(), 1);
        assert_eq!(waiting.gone().await, "first@0.0 last@1.0");
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_time_saves_up_no_requests() {
        let mut waiting = Waiting::new(SECOND);
        tokio::time::advance(SECOND * 10).await;
        waiting.wait("a", Class::Execution).await;
        waiting.wait("b", Class::Execution).await;
        assert_eq!(waiting.gone().await, "a@10.0 b@11.0");
    }
}
