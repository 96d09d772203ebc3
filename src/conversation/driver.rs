//! Drives the channels: performs the effects of their inputs, and runs their turns one after the other in one task a channel.
//!
//! A panic anywhere in a turn's path ends that turn with an outcome, is counted and told, and leaves the channel able to go on.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use tokio::time::{Duration, Instant, timeout_at};
use tracing::{Instrument, debug, error, field::Empty, info, info_span, warn};

use crate::{
    conversation::{
        attachments,
        channel::{
            Channel, Effect, Input, NewMessage, Received, Reply,
            batch::{Batch, Queued},
        },
        channels::{Slot, TurnSignals},
        shared::Shared,
        turn_context::TurnContext,
    },
    discord::{DiscordError, Nonce, model::Message},
    history::Entry,
    ids::{ChannelId, GuildId, MessageId},
    intake::{self, Decision},
    reply::texts,
    telemetry::{FailReason, Outcome},
};

/// How long a channel's turns wait for its missed messages. While Discord does not tell them, nothing could be posted either.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(600);

/// Carries a batch from [`Shared::dispatch`] to the driver.
type Taken = (Batch, TurnSignals);

impl Shared {
    /// Receives a person's message, or records the bot's own. Whether it comes once, twice or late makes no difference. `guild`: the
    /// one it was posted in, which a message from REST does not tell.
    pub(super) fn receive(self: &Arc<Self>, message: &Message, guild: Option<GuildId>) {
        if self.tasks.draining.is_cancelled() {
            return;
        }
        let (id, bot_user, services) = (message.channel_id, self.bot_user(), &self.services);
        if message.author.id == bot_user {
            self.dispatch(id, Input::OwnMessage(message.id));
            return;
        }
        let decision = intake::decide(message, bot_user, &services.config.intake, self.place(id, guild));
        if decision == Decision::Ignore || services.state.reset_mark(id).is_some_and(|mark| message.id <= mark) {
            return;
        }
        self.channels.ensure(id, guild, || services.state.handled_mark(id));
        let is_question = decision == Decision::Answer;
        let with_files = is_question && services.config.intake.files;
        let reply = self.dispatch_with(id, |channel| {
            let text = intake::render(message, bot_user, channel.quote(message));
            Input::Message(NewMessage {
                id: message.id,
                author: message.author.id,
                entry: Entry::person(message.id, message.author_name(), &text),
                is_question,
                files: if with_files { attachments::attached_files(message, bot_user) } else { Vec::new() },
            })
        });
        if let Reply::Received(Received::Duplicate) = reply {
            debug!(message.id = %message.id, "message received again");
        }
    }

    /// Hands an input to a channel, if that is in memory, and performs what follows from it.
    pub(super) fn dispatch(self: &Arc<Self>, id: ChannelId, input: Input<'_>) -> Reply {
        self.dispatch_with(id, |_| input)
    }

    /// The same for an input that depends on the channel.
    fn dispatch_with<'i>(self: &Arc<Self>, id: ChannelId, input: impl FnOnce(&Channel) -> Input<'i>) -> Reply {
        let handled = self.channels.update(id, |slot| {
            let input = input(&slot.channel);
            (slot.handle(input), slot.channel.guild)
        });
        let Some((effects, guild)) = handled else { return Reply::None };
        for effect in effects.list {
            self.perform(id, guild, effect);
        }
        effects.reply
    }

    fn perform(self: &Arc<Self>, id: ChannelId, guild: Option<GuildId>, effect: Effect) {
        let (state, metrics) = (&self.services.state, &self.services.metrics);
        match effect {
            Effect::Accept(messages) => metrics.take(messages as u64),
            Effect::Settle(messages, outcome) => {
                if matches!(outcome, Outcome::Cancelled(_) | Outcome::Skipped(_)) {
                    let [_, reason] = outcome.labels();
                    debug!(channel.id = %id, messages = messages.len(), reason, "messages not answered");
                }
                metrics.settle(outcome, messages.len() as u64);
            }
            Effect::StartDriver => {
                self.tasks.tracker.spawn(run(Arc::clone(self), id));
            }
            Effect::RecordActive(message) => state.track_channel(id, message, guild),
            Effect::RecordLate(message) => state.add_late_message(id, message),
            Effect::SettleLate(messages) => state.remove_late_messages(id, &messages),
            // Where the bot was never active there is no mark, and nothing says which guild the channel is in.
            Effect::AdvanceHandled(message) if state.handled_mark(id).is_some() => {
                state.advance_handled_mark(id, message);
            }
            Effect::RemoveRetryButton(message) => self.remove_retry_button(id, message),
            Effect::ReportPanic(messages) => self.report_lost_driver(id, messages),
            // The slot has given these signals.
            Effect::CancelTurn | Effect::StopTurn | Effect::ResumeTurns | Effect::AdvanceHandled(_) => {}
        }
    }

    /// Only the last turn can be repeated: the button of an earlier one is removed, for which nobody has to wait.
    fn remove_retry_button(self: &Arc<Self>, id: ChannelId, message: MessageId) {
        let shared = Arc::clone(self);
        self.tasks.tracker.spawn(async move {
            let edit = shared.services.discord.edit(id, message, None, &[]);
            if let Some(Err(error)) = shared.tasks.aborted.run_until_cancelled(edit).await {
                warn!(%error, "retry button not removed");
            }
        });
    }

    /// The next batch of a channel, or nothing when the channel falls idle.
    fn take_batch(self: &Arc<Self>, id: ChannelId) -> Option<Taken> {
        if self.tasks.draining.is_cancelled() {
            self.dispatch(id, Input::Shutdown);
        }
        let Reply::Batch(batch, is_stopped) = self.dispatch(id, Input::TakeBatch) else { return None };
        let signals = self.channels.update(id, |slot| slot.begin_turn(is_stopped))?;
        Some((batch, signals))
    }

    /// Gets a channel ready for its next turn, before the batch is taken: what comes meanwhile is part of it.
    async fn prepare(&self, id: ChannelId) {
        let preparation = async {
            self.wait_for_catch_up(id).await;
            self.first_contact(id).await;
            // A session that began meanwhile has missed messages, too.
            self.wait_for_catch_up(id).await;
        };
        let prepared = AssertUnwindSafe(self.tasks.aborted.run_until_cancelled(preparation)).catch_unwind().await;
        if prepared.is_err() {
            self.services.metrics.panicked();
            error!(channel.id = %id, "preparing a channel panicked; this is a bug in the bot");
        }
    }

    /// Waits until the channel's missed messages are received, which come before those of now.
    async fn wait_for_catch_up(&self, id: ChannelId) {
        let deadline = Instant::now() + CATCH_UP_LIMIT;
        // Again and again, because a new session may begin meanwhile.
        while let Some(caught_up) = self.channels.update(id, Slot::caught_up).flatten() {
            match timeout_at(deadline, self.tasks.draining.run_until_cancelled(caught_up.cancelled())).await {
                Ok(Some(())) => {}
                Ok(None) => return,
                Err(_) => {
                    warn!(channel.id = %id, "missed messages still unknown; answering the new ones first");
                    return;
                }
            }
        }
    }

    /// Rebuilds the history; beside it, typing tells whether the bot may speak here at all, before an answer is paid for.
    async fn first_contact(&self, id: ChannelId) {
        let is_due = |channel: &Channel| {
            !channel.is_closed(Instant::now()) && (!channel.is_rebuilt || channel.closed_until.is_some())
        };
        if !self.channels.get(id).is_some_and(|channel| is_due(&channel)) {
            return;
        }
        let (typing, ()) = tokio::join!(self.services.discord.trigger_typing(id), self.rebuild(id));
        let closed_until = match typing {
            // Without a code it is not Discord's word about this channel, but a proxy's.
            Err(error @ DiscordError::Refused { code: 1.., .. }) if error.closes_channel() => {
                warn!(channel.id = %id, %error, "the bot may not speak in this channel");
                Some(Instant::now() + self.services.config.timings.refused_channel_pause)
            }
            _ => None,
        };
        self.channels.update(id, |slot| slot.channel.closed_until = closed_until);
    }

    /// Answers what is within the budgets, then refuses the rest: a refusal that is posted must not look, after a crash, like the
    /// answer to an older message.
    async fn answer_batch(self: &Arc<Self>, id: ChannelId, batch: &Batch, signals: &TurnSignals) {
        let turn = TurnContext { shared: self, channel: id, batch, signals };
        let guild = self.channels.get(id).and_then(|channel| channel.guild);
        let refused = self.spending.refused(batch, guild);
        if refused.is_empty() {
            self.run_turn(turn).await;
            return;
        }
        let is_refused = |message| refused.iter().any(|refused| refused.queued.message == message);
        if let Some(kept) = batch.without(is_refused) {
            self.dispatch(id, Input::Narrowed { kept: &kept });
            self.run_turn(turn.with_batch(&kept)).await;
        }
        for refused in &refused {
            let outcome = match self.tasks.aborted.is_cancelled() {
                true => None,
                false => turn.post_refusal(refused).await,
            };
            self.dispatch(id, Input::Refused { message: refused.queued.message, outcome });
        }
    }

    /// The one boundary of a turn: whatever happens inside ends here as one outcome, one log line and one count.
    async fn run_turn(self: &Arc<Self>, turn: TurnContext<'_>) {
        let started = Instant::now();
        let outcome = match AssertUnwindSafe(turn.run()).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(panic) => {
                self.report_panic(turn, panic).await;
                Some(Outcome::Failed(FailReason::Panic))
            }
        };
        if let Some(outcome) = outcome {
            let ([outcome, reason], duration_ms) = (outcome.labels(), started.elapsed().as_millis());
            info!(outcome, reason, messages = turn.batch.messages.len(), duration_ms, "turn finished");
        }
        self.dispatch(turn.channel, Input::TurnEnded { batch: turn.batch, outcome });
    }

    /// Counts a panic and tells those who wait for an answer.
    async fn report_panic(&self, turn: TurnContext<'_>, panic: Box<dyn Any + Send>) {
        // Its text may quote a message.
        drop(panic);
        self.services.metrics.panicked();
        error!("turn panicked; this is a bug in the bot");
        // This may run into the same bug.
        let report = turn.post_failure(texts::errors::internal(turn.language()));
        if AssertUnwindSafe(report).catch_unwind().await.is_err() {
            error!("failed to report the panic");
        }
    }

    /// Tells the authors of messages that nobody is going to answer.
    fn report_lost_driver(self: &Arc<Self>, id: ChannelId, messages: Vec<MessageId>) {
        let shared = Arc::clone(self);
        self.tasks.tracker.spawn(async move {
            let user = shared.bot_user();
            let messages: Vec<_> = messages.into_iter().map(|message| Queued { message, user }).collect();
            let Some(newest) = messages.iter().max().copied() else { return };
            let batch = Batch::new(messages, newest, Vec::new());
            let signals = TurnSignals::default();
            let turn = TurnContext { shared: &shared, channel: id, batch: &batch, signals: &signals };
            let text = texts::errors::internal(turn.language());
            turn.post_text(&batch.messages, text, Nonce::part(newest.message, 0), &[]).await;
        });
    }
}

/// Runs a channel's turns until nothing waits in it.
async fn run(shared: Arc<Shared>, id: ChannelId) {
    let mut guard = DriverGuard { shared: Arc::clone(&shared), channel: id, is_finished: false };
    loop {
        shared.prepare(id).await;
        let Some((batch, signals)) = shared.take_batch(id) else { break };
        let span = info_span!(
            "turn",
            channel.id = %id,
            message.id = %batch.newest,
            user.id = %batch.requester,
            agent.id = Empty,
            execution.id = Empty,
            credits = Empty,
        );
        run_batch(&shared, id, &batch, &signals).instrument(span).await;
    }
    guard.is_finished = true;
}

async fn run_batch(shared: &Arc<Shared>, id: ChannelId, batch: &Batch, signals: &TurnSignals) {
    let answer = AssertUnwindSafe(shared.answer_batch(id, batch, signals));
    if let Err(panic) = answer.catch_unwind().await {
        shared.report_panic(TurnContext { shared, channel: id, batch, signals }, panic).await;
        shared.dispatch(id, Input::BatchPanicked);
    }
}

/// Sets the channel's phase right when its driver panics outside of a batch.
struct DriverGuard {
    shared: Arc<Shared>,
    channel: ChannelId,
    is_finished: bool,
}

impl Drop for DriverGuard {
    fn drop(&mut self) {
        // Without a panic the task was dropped with its runtime.
        if !self.is_finished && std::thread::panicking() {
            self.shared.services.metrics.panicked();
            error!(channel.id = %self.channel, "driver of a channel panicked; this is a bug in the bot");
            self.shared.dispatch(self.channel, Input::DriverLost);
        }
    }
}
