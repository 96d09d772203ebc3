//! The story of one turn: prepare the request, execute the agent, deliver the answer or say why there is none.

use std::{convert::Infallible, future::pending, pin::pin};

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{Span, field::display, warn};

use crate::{
    config::ReplyMode,
    conversation::{
        live::LiveReply,
        notices::Notices,
        prompt::{NothingToAsk, Prompt},
        turn_context::TurnContext,
    },
    reply::{self, texts},
    telemetry::{CancelReason, FailReason, Outcome, SkipReason},
    tess::{Answer, TessError},
};

/// How executing the agent ended.
enum Execution {
    Answered(Answer),
    Failed(TessError),
    /// There was nothing but files, and none of them could be read.
    NoReadableFiles,
    /// There is nothing to answer any more.
    Cancelled(CancelReason),
    /// Somebody stopped it.
    Stopped,
}

impl TurnContext<'_> {
    /// Runs the turn to its end. `None`: shutdown interrupted it, and its messages are left for the next start.
    pub(super) async fn run(&self) -> Option<Outcome> {
        if self.is_channel_closed() {
            return Some(Outcome::Skipped(SkipReason::ChannelClosed));
        }
        let visible = CancellationToken::new();
        let answer = async {
            let outcome = self.answer(&visible).await;
            visible.cancel();
            outcome
        };
        // Pinned here, for it is large: 20 kB that would be copied.
        let turn = pin!(async { tokio::join!(answer, self.notify_of_delay(&visible)).0 });
        self.shared.tasks.aborted.run_until_cancelled(turn).await
    }

    /// `visible` is cancelled when something of the answer can be seen.
    async fn answer(&self, visible: &CancellationToken) -> Outcome {
        let mut notices = Notices::default();
        let mut reply = LiveReply::new(*self, visible);
        let (text, growing) = watch::channel(String::new());
        let (execution, ()) = tokio::join!(self.execute_while_wanted(text, &mut notices), reply.grow(growing));
        let outcome = match execution {
            Execution::Answered(answer) => self.deliver(reply, &answer.output).await,
            Execution::Failed(error) => {
                reply.break_off().await;
                self.report_failure(&error).await
            }
            Execution::NoReadableFiles => Outcome::Failed(FailReason::FilesUnread),
            Execution::Stopped => {
                reply.break_off().await;
                notices.unread.clear();
                self.post_in_place(texts::turns::stopped(self.language())).await;
                Outcome::Cancelled(CancelReason::StoppedByUser)
            }
            Execution::Cancelled(reason) => {
                notices.unread.clear();
                reply.delete().await;
                Outcome::Cancelled(reason)
            }
        };
        notices.post(self).await;
        outcome
    }

    /// Executes the agent and shows typing, until there is an answer or none is wanted. `text` is what of it is written so far.
    async fn execute_while_wanted(&self, text: watch::Sender<String>, notices: &mut Notices) -> Execution {
        tokio::select! {
            // Nothing is asked that nobody wants; and the execution is requested before typing is.
            biased;
            () = self.signals.cancelled.cancelled() => Execution::Cancelled(CancelReason::Reset),
            () = self.signals.stopped.cancelled() => Execution::Stopped,
            execution = self.prepare_and_execute(&text, notices) => execution,
            never = self.keep_typing() => match never {},
        }
    }

    async fn prepare_and_execute(&self, text: &watch::Sender<String>, notices: &mut Notices) -> Execution {
        let prompt = match self.prepare(&mut notices.unread).await {
            Ok(prompt) => prompt,
            Err(NothingToAsk::Deleted) => return Execution::Cancelled(CancelReason::Deleted),
            Err(NothingToAsk::NoReadableFiles) => return Execution::NoReadableFiles,
        };
        match self.execute(&prompt, text).await {
            Execution::Failed(TessError::AgentNotFound { .. }) if prompt.agent != self.config().tess.agent => {
                self.fall_back(prompt, text, notices).await
            }
            execution => execution,
        }
    }

    /// The channel's agent is gone, and nothing ran: the default agent answers, now and from now on. When that one is not found
    /// either, the fault is Tess's, and the channel keeps its choice.
    async fn fall_back(&self, mut prompt: Prompt, text: &watch::Sender<String>, notices: &mut Notices) -> Execution {
        let (vanished, default) = (prompt.agent, self.config().tess.agent);
        prompt.set_agent(default);
        let execution = self.execute(&prompt, text).await;
        if matches!(execution, Execution::Failed(TessError::AgentNotFound { .. })) {
            return execution;
        }
        let mut notice = texts::agents::gone_from_tess(self.language(), vanished, default);
        let is_chosen = self.services().state.agent(self.channel) == Some(vanished);
        if is_chosen && self.shared.set_agent(self.channel, default) {
            notice.push_str(texts::settings::dropped(self.language()));
        }
        notices.vanished_agent = Some(notice);
        execution
    }

    async fn execute(&self, prompt: &Prompt, text: &watch::Sender<String>) -> Execution {
        let (agent, started, request) = (prompt.agent, Instant::now(), prompt.request());
        let tess = &self.services().tess;
        let result = match self.config().reply.mode {
            ReplyMode::Final => tess.execute(&request).await,
            ReplyMode::Live => {
                let grow = |so_far: &str| text.send_modify(|text| text.push_str(&so_far[text.len()..]));
                tess.stream(&request, grow).await
            }
        };
        let counted = result.as_ref().map(drop).map_err(TessError::failure);
        self.services().metrics.executed(counted, started.elapsed());
        if let Ok(Answer { credits, .. }) | Err(TessError::Empty { credits }) = result {
            self.charge(agent, credits);
        }
        match result {
            Ok(answer) => {
                // Fields of the turn's last log line: a line of its own costs a twentieth of the turn.
                let turn = Span::current();
                turn.record("agent.id", display(agent));
                turn.record("execution.id", display(&answer.execution)).record("credits", answer.credits);
                with_media(answer)
            }
            Err(error) => {
                let advice = tess.advice(&error);
                warn!(agent.id = %agent, %error, advice, "execution failed");
                if matches!(error, TessError::NoCredits { .. }) {
                    self.shared.spending.alert_no_credits();
                }
                Execution::Failed(error)
            }
        }
    }

    /// Triggers typing at once and again until it is dropped, unless it is switched off. A failure is only cosmetic.
    async fn keep_typing(&self) -> Infallible {
        if !self.config().reply.typing {
            return pending().await;
        }
        loop {
            let _ = self.services().discord.trigger_typing(self.channel).await;
            sleep(self.config().timings.typing_interval).await;
        }
    }
}

/// Appends media addresses to the answer. An answer with nothing to show counts as empty.
fn with_media(mut answer: Answer) -> Execution {
    answer.output = reply::media::with_media_urls(&answer.output, &answer.files);
    if reply::is_blank(&answer.output) {
        Execution::Failed(TessError::Empty { credits: answer.credits })
    } else {
        Execution::Answered(answer)
    }
}
