//! A turn: what waits in a channel is asked, and answered or told why not.

use std::{convert::Infallible, panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{
    Instrument, Span, error,
    field::{Empty, display},
    info, info_span, warn,
};

use crate::{
    config::ReplyMode,
    conversation::{
        Inner,
        channel::{Batch, Channel},
        control::stop_button,
        live::LiveReply,
        request::{Nothing, Prepared},
    },
    discord::{DiscordError, Nonce, Post},
    ids::{ChannelId, MessageId},
    reply::{
        self,
        texts::{self, files::UnreadFile},
    },
    telemetry::Outcome,
    tess::{Answer, TessError},
};

/// How long what is said now waits for what was missed before: while Discord does not tell it, nothing could be posted either.
const MISSED_WITHIN: Duration = Duration::from_secs(600);

/// What is told beside an answer, behind it: told before, it would look after a kill as if it were the answer.
#[derive(Default)]
struct Beside {
    /// Files that do not reach the agent.
    unread: Vec<UnreadFile>,
    /// That the channel's agent is gone.
    vanished: Option<String>,
}

/// How asking ended.
enum Asked {
    Answered(Answer),
    Failed(TessError),
    /// Nothing was said but with files, and none of them could be read.
    Unread,
    /// There is nothing to answer any more.
    Cancelled(&'static str),
    /// Somebody does not want to wait any longer.
    Stopped,
}

/// Takes turns in a channel until nothing waits in it.
pub(super) async fn run(inner: Arc<Inner>, id: ChannelId) {
    loop {
        inner.get_ready(id).await;
        let Some(batch) = inner.next_batch(id) else { return };
        let span = info_span!(
            "turn",
            channel.id = %id,
            message.id = %batch.newest,
            user.id = %batch.asker,
            agent.id = Empty,
            execution.id = Empty,
            credits = Empty,
        );
        let offered = inner.change(id, |channel| channel.offer.take()).flatten();
        inner.settle(id, batch).instrument(span).await;
        if let Some(offered) = offered {
            inner.withdraw_offer(id, offered);
        }
    }
}

impl Inner {
    /// Rebuilds the history before the batch is taken: what is heard meanwhile is seen by the agent, so it has to be in it.
    async fn get_ready(&self, id: ChannelId) {
        let ready = self.given_up.run_until_cancelled(async {
            self.wait_for_missed(id).await;
            self.first_contact(id).await;
            // A session that began meanwhile left a gap, too.
            self.wait_for_missed(id).await;
        });
        if AssertUnwindSafe(ready).catch_unwind().await.is_err() {
            self.metrics.panicked();
            error!(channel.id = %id, "getting ready for a channel panicked; this is a bug in the bot");
        }
    }

    /// What was missed in the channel comes before what is said now, unless Discord does not tell it in time.
    async fn wait_for_missed(&self, id: ChannelId) {
        let deadline = Instant::now() + MISSED_WITHIN;
        // Again and again, for a new session may begin meanwhile.
        while let Some(over) = self.held.get(&id).map(|held| held.over.clone()) {
            let looked_at = self.stopping.run_until_cancelled(over.cancelled());
            match timeout_at(deadline, looked_at).await {
                Ok(Some(())) => {}
                Ok(None) => return,
                Err(_) => {
                    warn!(channel.id = %id, "what was missed is still not known; what is said now is answered first");
                    return;
                }
            }
        }
    }

    /// Beside rebuilding, "is typing" tells whether the bot may speak here at all, before an answer is paid for.
    async fn first_contact(&self, id: ChannelId) {
        let is_new = |channel: &Channel| !channel.is_closed() && (!channel.rebuilt || channel.closed_until.is_some());
        if !self.channels.get(&id).is_some_and(|channel| is_new(&channel)) {
            return;
        }
        let (typed, ()) = tokio::join!(self.discord.trigger_typing(id), self.rebuild(id));
        match typed {
            // Without a code it is not Discord's word about this channel, but something in between.
            Err(error @ DiscordError::Refused { code: 1.., .. }) if error.closes_channel() => {
                warn!(channel.id = %id, %error, "the bot may not speak here");
                self.close_channel(id);
            }
            _ => {
                self.change(id, |channel| channel.closed_until = None);
            }
        }
    }

    fn next_batch(&self, id: ChannelId) -> Option<Batch> {
        let batch = self.change(id, |channel| {
            if self.stopping.is_cancelled() {
                channel.rest();
                return None;
            }
            channel.next_batch()
        });
        let batch = batch.flatten()?;
        if batch.is_repeat() {
            self.metrics.take(batch.len());
        }
        Some(batch)
    }

    /// Only the last turn can be repeated: the button of an earlier one is taken away, which nobody has to wait for.
    pub(super) fn withdraw_offer(self: &Arc<Self>, id: ChannelId, offered: MessageId) {
        let inner = Arc::clone(self);
        self.turns.spawn(async move {
            let edit = inner.discord.edit(id, offered, None, &[]);
            if let Some(Err(error)) = inner.given_up.run_until_cancelled(edit).await {
                warn!(%error, "an old button could not be taken away");
            }
        });
    }

    /// Answers what is within the budgets, refuses the rest, and only then moves the mark past all of it. In this order: a refusal
    /// that stands in Discord must not look like the answer to an older message whose turn a crash took away.
    async fn settle(&self, id: ChannelId, taken: Batch) {
        let (batch, refused) = self.within_budgets(id, &taken);
        let answered = match batch {
            Some(batch) => {
                if !refused.is_empty() {
                    self.change(id, |channel| channel.narrow(&batch));
                }
                self.take_turn(id, &batch).await
            }
            None => true,
        };
        if !answered {
            self.metrics.settle(Outcome::Cancelled("stopped"), refused.len() as u64);
        } else if self.refuse(id, &taken, &refused).await {
            let handled = self.channels.get(&id).map_or(taken.newest, |channel| channel.handled_up_to(taken.newest));
            self.advance_handled_mark(id, handled);
            self.state.remove_late_messages(id, &taken.messages);
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
                let telling = self.say_failure(id, batch, texts::errors::internal(self.language));
                if AssertUnwindSafe(telling).catch_unwind().await.is_err() {
                    error!("nor could it be told");
                }
                Some(Outcome::Failed("panic"))
            }
        };
        let Some(outcome) = outcome else {
            self.metrics.settle(Outcome::Cancelled("stopped"), batch.len());
            return false;
        };
        if !batch.cancelled.is_cancelled() {
            self.change(id, |channel| channel.remember_turn(batch));
        }
        self.metrics.settle(outcome, batch.len());
        info!(?outcome, messages = batch.len(), duration_ms = started.elapsed().as_millis(), "turn ended");
        true
    }

    /// `None` when the bot stops before it is over.
    async fn turn(&self, id: ChannelId, batch: &Batch) -> Option<Outcome> {
        if self.is_closed(id) {
            return Some(Outcome::Skipped("channel_closed"));
        }
        let seen = CancellationToken::new();
        let work = async {
            let ended = self.answer(id, batch, &seen).await;
            seen.cancel();
            ended
        };
        // Pinned here, for it is large: 20 kB that would be copied.
        let whole = pin!(async { tokio::join!(work, self.note_the_wait(id, batch, &seen)).0 });
        // A note that is left behind then is taken away by the next start.
        self.given_up.run_until_cancelled(whole).await
    }

    /// Whether Discord refused the bot here a while ago.
    pub(super) fn is_closed(&self, id: ChannelId) -> bool {
        self.channels.get(&id).is_some_and(|channel| channel.is_closed())
    }

    /// `seen` is cancelled when the answer begins to be seen.
    async fn answer(&self, id: ChannelId, batch: &Batch, seen: &CancellationToken) -> Outcome {
        let mut beside = Beside::default();
        let mut reply = LiveReply::new(self, id, batch, seen);
        let (text, growing) = watch::channel(String::new());
        let (asked, ()) = tokio::join!(self.asked(id, batch, text, &mut beside), reply.grow(growing));
        let outcome = match asked {
            Asked::Answered(answer) => self.deliver(reply, &answer.output).await,
            Asked::Failed(error) => {
                reply.break_off().await;
                self.tell_failure(id, batch, &error).await
            }
            Asked::Unread => Outcome::Failed("files_unread"),
            Asked::Stopped => {
                reply.break_off().await;
                beside.unread.clear();
                self.say(id, batch, texts::turns::stopped(self.language)).await;
                Outcome::Cancelled("stopped_by_user")
            }
            Asked::Cancelled(why) => {
                beside.unread.clear();
                reply.take_away().await;
                Outcome::Cancelled(why)
            }
        };
        if let Some(vanished) = &beside.vanished {
            self.tell_beside(id, batch, vanished, 'v').await;
        }
        if !beside.unread.is_empty() {
            self.tell_beside(id, batch, &texts::files::not_read(self.language, &beside.unread), 'u').await;
        }
        outcome
    }

    /// Asks while typing is shown, until there is an answer or none is wanted. `text` is what of it is written so far; `beside` gets
    /// what else is to be told.
    async fn asked(&self, id: ChannelId, batch: &Batch, text: watch::Sender<String>, beside: &mut Beside) -> Asked {
        tokio::select! {
            // Nothing is asked that nobody wants; and the request that is waited for goes out before the one that shows typing.
            biased;
            () = batch.cancelled.cancelled() => Asked::Cancelled("reset"),
            () = batch.stopped.cancelled() => Asked::Stopped,
            asked = self.ask(id, batch, &text, beside) => asked,
            never = self.keep_typing(id) => match never {},
        }
    }

    async fn ask(&self, id: ChannelId, batch: &Batch, text: &watch::Sender<String>, beside: &mut Beside) -> Asked {
        let prepared = match self.prepare(id, batch, &mut beside.unread).await {
            Ok(prepared) => prepared,
            Err(Nothing::Deleted) => return Asked::Cancelled("deleted"),
            Err(Nothing::Read) => return Asked::Unread,
        };
        match self.ask_agent(id, batch, &prepared, text).await {
            Asked::Failed(TessError::AgentNotFound { .. }) if prepared.agent != self.agent => {
                self.fall_back(id, batch, prepared, text, beside).await
            }
            asked => asked,
        }
    }

    /// The channel's agent is gone, and nothing ran: the default one answers, now and from now on. Should that one be
    /// gone as well, it is Tess that is not itself, and the choice stays.
    async fn fall_back(
        &self,
        id: ChannelId,
        batch: &Batch,
        mut prepared: Prepared,
        text: &watch::Sender<String>,
        beside: &mut Beside,
    ) -> Asked {
        let gone = prepared.agent;
        prepared.hand_to(self.agent);
        let asked = self.ask_agent(id, batch, &prepared, text).await;
        if matches!(asked, Asked::Failed(TessError::AgentNotFound { .. })) {
            return asked;
        }
        let mut told = texts::agents::gone_from_tess(self.language, gone, self.agent);
        if self.state.agent(id) == Some(gone) && self.set_agent(id, self.agent) {
            told.push_str(texts::settings::dropped(self.language));
        }
        beside.vanished = Some(told);
        asked
    }

    async fn ask_agent(
        &self,
        id: ChannelId,
        batch: &Batch,
        prepared: &Prepared,
        text: &watch::Sender<String>,
    ) -> Asked {
        let (agent, started, request) = (prepared.agent, Instant::now(), prepared.request());
        let result = match self.reply_mode {
            ReplyMode::Final => self.tess.execute(&request).await,
            ReplyMode::Live => {
                let grow = |so_far: &str| text.send_modify(|text| text.push_str(&so_far[text.len()..]));
                self.tess.stream(&request, grow).await
            }
        };
        self.metrics.executed(result.as_ref().map_or_else(TessError::name, |_| "succeeded"), started.elapsed());
        if let Ok(Answer { credits, .. }) | Err(TessError::Empty { credits }) = result {
            self.charge(id, batch, agent, credits);
        }
        match result {
            Ok(answer) => {
                // Into the turn's last line: one of its own costs as much as a twentieth of the turn.
                let turn = Span::current();
                turn.record("agent.id", display(agent));
                turn.record("execution.id", display(&answer.execution)).record("credits", answer.credits);
                with_media(answer)
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

    /// Shows "is typing" at once and until it is dropped. A failure is only cosmetic.
    async fn keep_typing(&self, id: ChannelId) -> Infallible {
        loop {
            // An answer that says why is the one to the message.
            let _ = self.discord.trigger_typing(id).await;
            sleep(self.timings.typing_interval).await;
        }
    }

    /// After a while, says that it takes longer, until something of the answer is `seen`.
    async fn note_the_wait(&self, id: ChannelId, batch: &Batch, seen: &CancellationToken) {
        if self.notice_after.is_zero() || seen.run_until_cancelled(sleep(self.notice_after)).await.is_none() {
            return;
        }
        let ahead = self.tess.queued_executions();
        let about = self.request_interval.saturating_mul(u32::try_from(ahead).unwrap_or(u32::MAX));
        let text = texts::turns::progress(self.language, ahead, about);
        let post = Post {
            content: &text,
            reply_to: Some(batch.newest),
            nonce: Nonce::note(batch.named, 'w'),
            file: None,
            silent: true,
            buttons: &[stop_button(self.language, batch.newest)],
        };
        // Once begun it is finished, so that its id is known and it can be taken away again.
        let Ok(Some(note)) = self.discord.post(id, &post).await else { return };
        seen.cancelled().await;
        if let Err(error) = self.discord.delete(id, note).await {
            warn!(%error, "a note about waiting could not be deleted");
        }
    }
}

/// An answer with what there is to see in it as lines of their addresses. One of nothing that may be shown is none.
fn with_media(mut answer: Answer) -> Asked {
    answer.output = reply::media::with_media_urls(&answer.output, &answer.files);
    if reply::is_blank(&answer.output) {
        Asked::Failed(TessError::Empty { credits: answer.credits })
    } else {
        Asked::Answered(answer)
    }
}
