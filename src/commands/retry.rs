//! `/retry` and the Retry button: ask the last question again.

use super::{
    caller::Right,
    error::CommandError,
    respond::Reply,
    table::{Call, Command, Components, Pressed, Text, Usage, Users},
};
use crate::{config::Language, conversation::control::RetryResult, ids::MessageId, reply::texts};

pub(super) const COMMAND: Command = Command {
    name: "retry",
    description: Text { english: "Ask the last question again", portuguese: "Refaz a última pergunta" },
    options: &[],
    usage: &[Usage {
        options: "",
        effect: Text {
            english: "asks the last question again; the button under the last reply or under an error does the same",
            portuguese: "refaz a última pergunta; o botão da última resposta ou do erro também",
        },
        users: Users::RequesterOr(Right::ModerateTurns),
    }],
    // Whoever asked may retry, and so may moderators.
    requires: None,
    run: |call, _| Box::pin(retry(call)),
    complete: None,
    components: Some(Components {
        prefix: "retry",
        requires: None,
        press: |call, pressed| Box::pin(press(call, pressed)),
        submit: None,
    }),
};

async fn retry(call: Call<'_>) -> Result<(), CommandError> {
    let Call { data, caller, respond, id } = call;
    let request = MessageId::new(id.get());
    let repeating = data.conversations.retry(caller.channel()?, None, caller.requester()?, request);
    let text = problem(caller.language, repeating).unwrap_or(texts::turns::retrying(caller.language));
    Ok(respond.reply(Reply::private(text)).await?)
}

/// The custom id names the newest message of the button's turn.
async fn press(call: Call<'_>, pressed: Pressed<'_>) -> Result<(), CommandError> {
    let Call { data, caller, respond, id } = call;
    let request = MessageId::new(id.get());
    let repeating = match pressed.subject.parse() {
        Ok(message) => data.conversations.retry(caller.channel()?, Some(message), caller.requester()?, request),
        Err(_) => RetryResult::NothingToRepeat,
    };
    match problem(caller.language, repeating) {
        // The channel will show it.
        None => respond.acknowledge().await?,
        Some(text) => respond.reply(Reply::private(text)).await?,
    }
    Ok(())
}

/// Why nothing is retried.
fn problem(language: Language, repeating: RetryResult) -> Option<&'static str> {
    match repeating {
        RetryResult::Repeating => None,
        RetryResult::NotAllowed => Some(texts::turns::not_requester(language)),
        RetryResult::NothingToRepeat => Some(texts::turns::nothing_to_retry(language)),
        RetryResult::Busy => Some(texts::turns::busy(language)),
    }
}
