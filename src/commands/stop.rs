//! `/stop` and the Stop button: end the answer that is in progress.

use super::{
    caller::Right,
    error::CommandError,
    respond::Reply,
    table::{Call, Command, Components, Pressed, Text, Usage, Users},
};
use crate::{config::Language, conversation::control::StopResult, reply::texts};

pub(super) const COMMAND: Command = Command {
    name: "stop",
    description: Text {
        english: "End the answer that is being worked on",
        portuguese: "Interrompe a resposta em andamento",
    },
    options: &[],
    usage: &[Usage {
        options: "",
        effect: Text {
            english: "stops the answer in progress; its button does the same",
            portuguese: "interrompe a resposta em andamento; o botão dela também",
        },
        users: Users::RequesterOr(Right::ModerateTurns),
    }],
    // Whoever asked may stop the answer, and so may moderators.
    requires: None,
    run: |call, _| Box::pin(stop(call)),
    complete: None,
    components: Some(Components {
        prefix: "stop",
        requires: None,
        press: |call, pressed| Box::pin(press(call, pressed)),
        submit: None,
    }),
};

async fn stop(call: Call<'_>) -> Result<(), CommandError> {
    let Call { data, caller, respond, .. } = call;
    let stopping = data.conversations.stop(caller.channel()?, None, caller.requester()?);
    let text = problem(caller.language, stopping).unwrap_or(texts::turns::stopping(caller.language));
    Ok(respond.reply(Reply::private(text)).await?)
}

/// The custom id names the newest message of the button's turn.
async fn press(call: Call<'_>, pressed: Pressed<'_>) -> Result<(), CommandError> {
    let Call { data, caller, respond, .. } = call;
    let stopping = match pressed.subject.parse() {
        Ok(message) => data.conversations.stop(caller.channel()?, Some(message), caller.requester()?),
        Err(_) => StopResult::NothingRuns,
    };
    match problem(caller.language, stopping) {
        // The channel will show it.
        None => respond.acknowledge().await?,
        Some(text) => respond.reply(Reply::private(text)).await?,
    }
    Ok(())
}

/// Why nothing is stopped.
fn problem(language: Language, stopping: StopResult) -> Option<&'static str> {
    match stopping {
        StopResult::Stopping => None,
        StopResult::NotAllowed => Some(texts::turns::not_requester(language)),
        StopResult::NothingRuns => Some(texts::turns::nothing_to_stop(language)),
    }
}
