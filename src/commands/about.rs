//! `/about`: which version runs, and where its source is.

use super::{
    error::CommandError,
    respond::Reply,
    table::{Call, Command, Text, Usage, Users},
};
use crate::reply::texts;

/// The address that `Cargo.toml` names as the repository; empty when it names none.
const SOURCE: &str = env!("CARGO_PKG_REPOSITORY");

pub(super) const COMMAND: Command = Command {
    name: "about",
    description: Text {
        english: "Show which version of this bot runs and where its source is",
        portuguese: "Mostra a versão deste bot e onde está o código dele",
    },
    options: &[],
    usage: &[Usage {
        options: "",
        effect: Text {
            english: "shows the bot's version and where its source is",
            portuguese: "mostra a versão do bot e onde está o código dele",
        },
        users: Users::Everyone,
    }],
    requires: None,
    run: |call, _| Box::pin(about(call)),
    complete: None,
    components: None,
};

async fn about(call: Call<'_>) -> Result<(), CommandError> {
    let text = texts::commands::about(call.caller.language, env!("CARGO_PKG_VERSION"), SOURCE);
    Ok(call.respond.reply(Reply::private(text)).await?)
}
