//! A turn: what waits in a channel is asked, and answered or told why not.

use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use serenity::model::id::{ChannelId, MessageId};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info, info_span, warn};

use crate::{
    config::AgentId,
    conversation::{
        Inner,
        channel::{Batch, Channel},
    },
    discord::{DiscordError, Nonce, Post},
    history::Entry,
    reply::{self, Reply, texts},
    telemetry::Outcome,
    tess::{Answer, ChatMessage, Options, Request, TessError},
};

/// How asking ended.
enum Asked {
    Answered(Answer),
    Failed(TessError),
    /// There is nothing to answer any more.
    Cancelled(&'static str),
}

/// How far posting came.
enum Posted {
    All(Vec<MessageId>),
    /// Some parts are there, and the next was refused.
    Part(DiscordError),
    Nothing(DiscordError),
}

/// Takes turns in a channel until nothing waits in it.
pub(super) async fn run(inner: Arc<Inner>, id: ChannelId) {
    while let Some(batch) = inner.next_batch(id) {
        let span = info_span!("turn", channel.id = %id, message.id = %batch.newest, user.id = %batch.asker);
        inner.settle(id, batch).instrument(span).await;
    }
}

impl Inner {
    fn next_batch(&self, id: ChannelId) -> Option<Batch> {
        let mut channel = self.channels.get_mut(&id)?;
        if self.stopping.is_cancelled() {
            channel.rest();
            return None;
        }
        channel.next_batch()
    }

    /// Answers what is within the budgets, refuses the rest, and only then moves the mark past all of it. In this order: a refusal
    /// that stands in Discord must not look like the answer to an older message whose turn a crash took away.
    async fn settle(&self, id: ChannelId, taken: Batch) {
        let (batch, refused) = self.within_budgets(id, taken.clone());
        let answered = match batch {
            Some(batch) => self.take_turn(id, &batch).await,
            None => true,
        };
        if !answered {
            self.metrics.settle(Outcome::Cancelled("stopped"), refused.len() as u64);
        } else if self.refuse(id, &taken, &refused).await {
            let handled = self.channels.get(&id).map_or(taken.newest, |channel| channel.handled_up_to(taken.newest));
            self.state.set_handled(id, handled);
        }
    }

    /// The one boundary of a turn: whatever happens inside ends here as one outcome, one log line, one count. `false` when the bot
    /// stops before it is over: it is left for the next start.
    async fn take_turn(&self, id: ChannelId, batch: &Batch) -> bool {
        let started = Instant::now();
        let outcome = match AssertUnwindSafe(self.turn(id, batch)).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.metrics.panicked();
                error!("a turn panicked; this is a bug in the bot");
                // Telling it may run into the same bug.
                if AssertUnwindSafe(self.say(id, batch, texts::internal_error())).catch_unwind().await.is_err() {
                    error!("nor could it be told");
                }
                Some(Outcome::Failed("panic"))
            }
        };
        let Some(outcome) = outcome else {
            self.metrics.settle(Outcome::Cancelled("stopped"), batch.len());
            return false;
        };
        self.metrics.settle(outcome, batch.len());
        info!(?outcome, messages = batch.len(), duration_ms = started.elapsed().as_millis(), "turn ended");
        true
    }

    /// `None` when the bot stops before it is over.
    async fn turn(&self, id: ChannelId, batch: &Batch) -> Option<Outcome> {
        if self.is_closed(id) {
            return Some(Outcome::Skipped("channel_closed"));
        }
        let done = CancellationToken::new();
        let work = async {
            let ended = self.answer(id, batch).await;
            done.cancel();
            ended
        };
        let (outcome, note) = tokio::join!(work, self.note_the_wait(id, batch, &done));
        if let Some(note) = note
            && let Err(error) = self.discord.delete(id, note).await
        {
            warn!(%error, "a note about waiting could not be deleted");
        }
        outcome
    }

    /// Whether Discord refused the bot here a while ago.
    pub(super) fn is_closed(&self, id: ChannelId) -> bool {
        let closed = self.channels.get(&id).and_then(|channel| channel.closed_until);
        closed.is_some_and(|until| Instant::now() < until)
    }

    async fn answer(&self, id: ChannelId, batch: &Batch) -> Option<Outcome> {
        let asked = tokio::select! {
            asked = self.ask(id, batch) => asked,
            never = self.keep_typing(id) => match never {},
            () = batch.cancelled.cancelled() => Asked::Cancelled("reset"),
            () = self.given_up.cancelled() => return None,
        };
        let posting = async {
            match asked {
                Asked::Answered(answer) => self.deliver(id, batch, &answer.output).await,
                Asked::Failed(error) => self.tell_failure(id, batch, &error).await,
                Asked::Cancelled(why) => Outcome::Cancelled(why),
            }
        };
        self.given_up.run_until_cancelled(posting).await
    }

    async fn ask(&self, id: ChannelId, batch: &Batch) -> Asked {
        self.rebuild(id, batch).await;
        let agent = self.agent(id);
        match self.ask_agent(id, batch, agent).await {
            Asked::Failed(TessError::AgentNotFound { .. }) if agent != self.agent => {
                self.fall_back(id, batch, agent).await
            }
            asked => asked,
        }
    }

    /// The channel's agent is gone, and nothing ran: the default one answers, now and from now on. Should that one be
    /// gone as well, it is Tess that is not itself, and the choice stays.
    async fn fall_back(&self, id: ChannelId, batch: &Batch, gone: AgentId) -> Asked {
        let asked = self.ask_agent(id, batch, self.agent).await;
        if matches!(asked, Asked::Failed(TessError::AgentNotFound { .. })) {
            return asked;
        }
        if self.state.agent(id) == Some(gone) {
            self.state.set_agent(id, None);
        }
        let text = texts::agents::vanished(gone, self.agent);
        self.speak(id, batch, &text, Nonce::note(batch.newest, 'v')).await;
        asked
    }

    async fn ask_agent(&self, id: ChannelId, batch: &Batch, agent: AgentId) -> Asked {
        let Some(messages) = self.messages(id, batch) else { return Asked::Cancelled("deleted") };
        let started = Instant::now();
        let request = Request { agent, messages: &messages, options: &Options::default(), files: &[] };
        let result = self.tess.execute(&request).await;
        self.metrics.executed(result.as_ref().map_or_else(TessError::name, |_| "succeeded"), started.elapsed());
        match result {
            Ok(answer) => {
                self.charge(id, batch, agent, answer.credits);
                info!(agent.id = %agent, execution.id = %answer.execution, credits = answer.credits, "executed");
                Asked::Answered(answer)
            }
            Err(error) => {
                let advice = self.tess.advice(&error);
                warn!(agent.id = %agent, %error, advice, "no answer from Tess");
                if matches!(error, TessError::NoCredits { .. }) {
                    self.alert_no_credits();
                }
                Asked::Failed(error)
            }
        }
    }

    /// What the agent is sent, as the channel's history is now. `None` when what should be answered is gone from it.
    fn messages(&self, id: ChannelId, batch: &Batch) -> Option<Vec<ChatMessage>> {
        let channel = self.channels.get(&id)?;
        let wanted = batch.messages.iter().any(|message| channel.history.contains(*message));
        wanted.then(|| channel.history.chat(channel.guild.is_some(), self.instructions.as_deref()))
    }

    /// Shows "is typing" at once and until it is dropped. A failure is only cosmetic.
    async fn keep_typing(&self, id: ChannelId) -> Infallible {
        loop {
            // An answer that says why is the one to the message.
            let _ = self.discord.type_in(id).await;
            sleep(self.pace.typing_every).await;
        }
    }

    /// After a while, says that it takes longer; the note's id.
    async fn note_the_wait(&self, id: ChannelId, batch: &Batch, done: &CancellationToken) -> Option<MessageId> {
        if self.notice_after.is_zero() || done.run_until_cancelled(sleep(self.notice_after)).await.is_none() {
            return None;
        }
        let ahead = self.tess.ahead();
        let about = self.request_interval.saturating_mul(u32::try_from(ahead).unwrap_or(u32::MAX));
        let text = texts::waiting(ahead, about);
        let nonce = Nonce::note(batch.newest, 'w');
        let post = Post { content: &text, reply_to: Some(batch.newest), nonce, file: None, silent: true };
        // Once begun it is finished, so that its id is known and it can be taken away again.
        self.discord.post(id, &post).await.ok().flatten()
    }

    async fn deliver(&self, id: ChannelId, batch: &Batch, output: &str) -> Outcome {
        if batch.cancelled.is_cancelled() {
            return Outcome::Cancelled("reset");
        }
        match self.post(id, batch, output).await {
            Posted::All(parts) => {
                self.remember(id, batch, &parts, output);
                Outcome::Answered
            }
            Posted::Part(error) => {
                warn!(%error, "a part of a reply was refused");
                self.note_failure(id, batch, texts::part_failed()).await;
                Outcome::Failed("partly_delivered")
            }
            Posted::Nothing(error) => self.not_delivered(id, batch, &error).await,
        }
    }

    async fn post(&self, id: ChannelId, batch: &Batch, output: &str) -> Posted {
        let (contents, file) = match reply::cut(output) {
            Reply::Messages(parts) => (parts, None),
            Reply::File { first, whole } => (vec![first], Some(whole)),
        };
        let mut posted = Vec::with_capacity(contents.len());
        for (number, content) in contents.iter().enumerate() {
            let reply_to = (number == 0).then_some(batch.newest);
            let nonce = Nonce::part(batch.newest, number);
            let post = Post { content, reply_to, nonce, file: file.as_deref(), silent: false };
            match self.discord.post(id, &post).await {
                Ok(part) => posted.extend(part),
                Err(error) if number == 0 => return Posted::Nothing(error),
                Err(error) => return Posted::Part(error),
            }
        }
        Posted::All(posted)
    }

    /// The answer becomes part of the history, unless that was reset meanwhile.
    fn remember(&self, id: ChannelId, batch: &Batch, parts: &[MessageId], output: &str) {
        if parts.is_empty() || batch.cancelled.is_cancelled() {
            return;
        }
        self.change(id, |channel: &mut Channel| {
            channel.history.insert(Entry::answer(parts, batch.newest, output));
            channel.history.trim(&self.limits);
        });
        self.keep_within_bound();
    }

    async fn tell_failure(&self, id: ChannelId, batch: &Batch, error: &TessError) -> Outcome {
        if batch.cancelled.is_cancelled() {
            return Outcome::Cancelled("reset");
        }
        self.say(id, batch, &texts::for_tess_error(error)).await;
        Outcome::Failed(error.name())
    }

    /// Discord did not take the first message of the answer. Where it would take another, it is told.
    async fn not_delivered(&self, id: ChannelId, batch: &Batch, error: &DiscordError) -> Outcome {
        warn!(%error, "the reply could not be posted");
        if error.closes_channel() {
            let until = Instant::now() + self.pace.refused_channel;
            self.change(id, |channel| channel.closed_until = Some(until));
            return Outcome::Failed("channel_closed");
        }
        if matches!(error, DiscordError::Refused { .. }) {
            self.note_failure(id, batch, texts::reply_refused()).await;
            return Outcome::Failed("reply_refused");
        }
        Outcome::Failed("not_delivered")
    }

    /// Says one thing in place of the answer.
    async fn say(&self, id: ChannelId, batch: &Batch, text: &str) {
        self.speak(id, batch.newest, text, Nonce::part(batch.newest, 0)).await;
    }

    /// Says one thing beside what was posted of the answer.
    async fn note_failure(&self, id: ChannelId, batch: &Batch, text: &str) {
        self.speak(id, batch.newest, text, Nonce::note(batch.newest, 'f')).await;
    }

    pub(super) async fn speak(&self, id: ChannelId, reply_to: MessageId, text: &str, nonce: Nonce) {
        let post = Post { content: text, reply_to: Some(reply_to), nonce, file: None, silent: false };
        if let Err(error) = self.discord.post(id, &post).await {
            warn!(%error, "not even an error text could be posted");
            if error.closes_channel() {
                let until = Instant::now() + self.pace.refused_channel;
                self.change(id, |channel| channel.closed_until = Some(until));
            }
        }
    }
}
