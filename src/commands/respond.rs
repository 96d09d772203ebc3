//! Answers an interaction, within the three seconds that Discord gives for the first response.

use std::{pin::pin, time::Duration};

use serenity::builder::{
    AutocompleteChoice, CreateActionRow, CreateAutocompleteResponse, CreateInteractionResponse,
    CreateInteractionResponseFollowup, CreateInteractionResponseMessage, CreateModal, EditInteractionResponse,
};
use tokio::time::{Instant, timeout_at};

use crate::discord::{Discord, DiscordError, InteractionAddress, interaction::Request, no_mentions};

/// The time for the first response.
/// <https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-callback>
const RESPONSE_TIME: Duration = Duration::from_secs(3);

/// After this time work that goes on is acknowledged, so that its result may come later.
pub(super) const ACKNOWLEDGE_AFTER: Duration = Duration::from_millis(1500);

/// Time limit of a message that says that something failed.
const REPORT_TIME: Duration = Duration::from_secs(10);

/// Who sees a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visibility {
    /// The caller alone.
    Private,
    /// Everybody in the channel.
    Public,
}

/// A message in response to an interaction.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    visibility: Visibility,
    content: String,
    rows: Vec<CreateActionRow>,
}

impl Reply {
    pub(super) fn private(content: impl Into<String>) -> Self {
        Self { visibility: Visibility::Private, content: content.into(), rows: Vec::new() }
    }

    pub(super) fn public(content: impl Into<String>) -> Self {
        Self { visibility: Visibility::Public, ..Self::private(content) }
    }

    /// The reply with these components.
    pub(super) fn rows(self, rows: Vec<CreateActionRow>) -> Self {
        Self { rows, ..self }
    }

    fn message(self) -> CreateInteractionResponseMessage {
        let message = CreateInteractionResponseMessage::new().content(self.content).components(self.rows);
        message.allowed_mentions(no_mentions())
    }

    fn edit(self) -> EditInteractionResponse {
        EditInteractionResponse::new().content(self.content).components(self.rows).allowed_mentions(no_mentions())
    }
}

/// What Discord knows about the response so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing yet.
    Open,
    /// A message will come: `@original` is a placeholder.
    MessageDeferred,
    /// The message with the component will be changed: `@original` is that message.
    UpdateDeferred,
    /// It has its response.
    Done,
}

/// Responds to one interaction. Work that takes long is acknowledged first, and its result is then edited in.
pub(super) struct Responder {
    discord: Discord,
    address: InteractionAddress,
    received: Instant,
    stage: Stage,
    /// Only choices answer a completion.
    is_completion: bool,
}

impl Responder {
    /// For an interaction that was received just now.
    pub(super) fn new(discord: Discord, address: InteractionAddress, request: &Request) -> Self {
        let is_completion = matches!(request, Request::Completion { .. });
        Self { discord, address, received: Instant::now(), stage: Stage::Open, is_completion }
    }

    /// Responds with a message.
    pub(super) async fn reply(&mut self, reply: Reply) -> Result<(), DiscordError> {
        match self.stage {
            Stage::Open => {
                let is_private = reply.visibility == Visibility::Private;
                let message = reply.message().ephemeral(is_private);
                self.respond(CreateInteractionResponse::Message(message), Stage::Done).await
            }
            _ => self.edit(reply).await,
        }
    }

    /// Responds with the message that `work` results in. When that takes long, `late` decides who sees the message.
    pub(super) async fn reply_with(
        &mut self,
        late: Visibility,
        work: impl Future<Output = Reply>,
    ) -> Result<(), DiscordError> {
        let deferred = CreateInteractionResponseMessage::new().ephemeral(late == Visibility::Private);
        let deferred = CreateInteractionResponse::Defer(deferred);
        let reply = self.in_time(work, deferred, Stage::MessageDeferred).await?;
        self.reply(reply).await
    }

    /// Changes the message whose component was used.
    pub(super) async fn update(&mut self, reply: Reply) -> Result<(), DiscordError> {
        match self.stage {
            Stage::Open => self.respond(CreateInteractionResponse::UpdateMessage(reply.message()), Stage::Done).await,
            _ => self.edit(reply).await,
        }
    }

    /// Changes the message whose component was used into what `work` results in.
    pub(super) async fn update_with(&mut self, work: impl Future<Output = Reply>) -> Result<(), DiscordError> {
        let reply = self.in_time(work, CreateInteractionResponse::Acknowledge, Stage::UpdateDeferred).await?;
        self.update(reply).await
    }

    /// Responds to a component with nothing to see.
    pub(super) async fn acknowledge(&mut self) -> Result<(), DiscordError> {
        self.respond(CreateInteractionResponse::Acknowledge, Stage::UpdateDeferred).await
    }

    /// Opens a form.
    pub(super) async fn open_form(&mut self, form: CreateModal) -> Result<(), DiscordError> {
        self.respond(CreateInteractionResponse::Modal(form), Stage::Done).await
    }

    /// Offers choices for the option that is being typed.
    pub(super) async fn complete(&mut self, choices: Vec<AutocompleteChoice>) -> Result<(), DiscordError> {
        let response = CreateAutocompleteResponse::new().set_choices(choices);
        self.respond(CreateInteractionResponse::Autocomplete(response), Stage::Done).await
    }

    /// Tells the caller that something failed, whatever was responded so far.
    pub(super) async fn report(&mut self, text: &str) -> Result<(), DiscordError> {
        match self.stage {
            Stage::Open if self.is_completion => self.complete(Vec::new()).await,
            Stage::Open | Stage::MessageDeferred => self.reply(Reply::private(text)).await,
            Stage::UpdateDeferred | Stage::Done => {
                let message = CreateInteractionResponseFollowup::new().content(text).ephemeral(true);
                let message = message.allowed_mentions(no_mentions());
                self.discord.follow_up(&self.address, &message, Instant::now() + REPORT_TIME).await
            }
        }
    }

    /// Waits for `work`; acknowledges it when it takes long.
    async fn in_time<T>(
        &mut self,
        work: impl Future<Output = T>,
        acknowledgement: CreateInteractionResponse,
        stage: Stage,
    ) -> Result<T, DiscordError> {
        let mut work = pin!(work);
        match timeout_at(self.received + ACKNOWLEDGE_AFTER, &mut work).await {
            Ok(result) => Ok(result),
            Err(_) => {
                self.respond(acknowledgement, stage).await?;
                Ok(work.await)
            }
        }
    }

    async fn respond(&mut self, response: CreateInteractionResponse, stage: Stage) -> Result<(), DiscordError> {
        self.discord.respond(&self.address, &response, self.received + RESPONSE_TIME).await?;
        self.stage = stage;
        Ok(())
    }

    async fn edit(&mut self, reply: Reply) -> Result<(), DiscordError> {
        self.discord.edit_response(&self.address, &reply.edit()).await?;
        self.stage = Stage::Done;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sim::discord::{DiscordOptions, DiscordSim, InteractionHandle, Route};
    use tokio::time::sleep;

    use super::*;
    use crate::{
        config::{DiscordConfig, Timings},
        ids::{ApplicationId, InteractionId},
        telemetry::Metrics,
    };

    const COMMAND: Request = Request::Unreadable;

    /// A command that was used `age` ago, and its responder.
    async fn used(age: Duration) -> (DiscordSim, InteractionHandle, Responder) {
        let sim = DiscordSim::start(DiscordOptions::default()).await.unwrap();
        let used = sim.slash(sim.general(), "alice", "help", &json!({}));
        let responder = Responder { received: Instant::now() - age, ..responder(&sim, &used, &COMMAND) };
        (sim, used, responder)
    }

    fn responder(sim: &DiscordSim, used: &InteractionHandle, request: &Request) -> Responder {
        let config =
            DiscordConfig { token: sim.token().into(), api_url: sim.url().to_owned(), requests_per_second: 50 };
        let discord = Discord::new(reqwest::Client::new(), &config, &Timings::default(), Metrics::new()).unwrap();
        let address = InteractionAddress {
            application: ApplicationId::new(1),
            id: InteractionId::new(used.id()),
            token: format!("sim-interaction-{}", used.id()).into(),
        };
        Responder::new(discord, address, request)
    }

    async fn late_work() -> Reply {
        sleep(Duration::from_millis(10)).await;
        Reply::public("done")
    }

    #[tokio::test]
    async fn work_that_ends_in_time_is_the_response_itself() {
        let (sim, used, mut responder) = used(Duration::ZERO).await;
        responder.reply_with(Visibility::Private, late_work()).await.unwrap();
        let shown = used.response().await;
        assert_eq!((shown.content.as_str(), shown.deferred, shown.ephemeral), ("done", false, false));
        assert_eq!(sim.violations(), [""; 0]);
    }

    #[tokio::test]
    async fn late_work_is_acknowledged_and_edited_in() {
        let (sim, used, mut responder) = used(ACKNOWLEDGE_AFTER).await;
        responder.reply_with(Visibility::Private, late_work()).await.unwrap();
        let shown = used.response().await;
        assert_eq!((shown.content.as_str(), shown.deferred, shown.ephemeral), ("done", true, true));
        assert!(used.followups().is_empty());
        assert_eq!(sim.violations(), [""; 0]);
    }

    #[tokio::test]
    async fn failure_is_reported_in_the_place_of_a_deferred_message() {
        let (sim, used, mut responder) = used(ACKNOWLEDGE_AFTER).await;
        let deferred = CreateInteractionResponse::Defer(CreateInteractionResponseMessage::new().ephemeral(true));
        responder.respond(deferred, Stage::MessageDeferred).await.unwrap();
        responder.report("failed").await.unwrap();
        assert_eq!(used.response().await.content, "failed");
        assert!(used.followups().is_empty());
        assert_eq!(sim.violations(), [""; 0]);
    }

    #[tokio::test]
    async fn failure_after_the_response_is_a_private_message_of_its_own() {
        let (sim, used, mut responder) = used(Duration::ZERO).await;
        responder.reply(Reply::public("done")).await.unwrap();
        responder.report("failed").await.unwrap();
        assert_eq!(used.response().await.content, "done");
        let contents: Vec<_> = used.followups().into_iter().map(|message| message.content).collect();
        assert_eq!(contents, ["failed"]);
        assert_eq!(sim.violations(), [""; 0]);
    }

    #[tokio::test]
    async fn follow_up_that_may_have_been_posted_is_not_sent_again() {
        let (sim, used, mut responder) = used(Duration::ZERO).await;
        responder.reply(Reply::public("done")).await.unwrap();
        sim.lose_response_next(Route::Followup, sim::discord::LostResponse::BadGateway);
        assert!(responder.report("failed").await.is_err());
        assert_eq!((used.followups().len(), sim.requests_of(Route::Followup)), (1, 1));
    }

    #[tokio::test]
    async fn failed_completion_is_answered_with_no_choices() {
        let (sim, _, _) = used(Duration::ZERO).await;
        let typed = sim.autocomplete(sim.general(), "alice", "agent", "id", "x");
        let request = Request::Completion { name: "agent".to_owned(), typed: "x".to_owned() };
        responder(&sim, &typed, &request).report("failed").await.unwrap();
        assert_eq!(typed.callback().await["data"]["choices"], json!([]));
        assert_eq!(sim.violations(), [""; 0]);
    }

    #[test]
    fn reply_never_pings() {
        let reply = || Reply::public("@everyone");
        for body in [serde_json::to_value(reply().message()), serde_json::to_value(reply().edit())] {
            let mentions: Value = body.unwrap()["allowed_mentions"].clone();
            assert_eq!(mentions, json!({"parse": [], "users": [], "roles": [], "replied_user": false}));
        }
    }
}
