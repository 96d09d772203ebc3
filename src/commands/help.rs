//! `/help`: what the bot does, and its commands.

use super::{
    error::CommandError,
    respond::Reply,
    table::{Call, Command, Text, Usage, Users},
};
use crate::reply::texts;

pub(super) const COMMAND: Command = Command {
    name: "help",
    description: Text {
        english: "Show what this bot does and its commands",
        portuguese: "Mostra o que este bot faz e os comandos dele",
    },
    options: &[],
    usage: &[Usage {
        options: "",
        effect: Text { english: "explains what the bot does", portuguese: "explica o que o bot faz" },
        users: Users::Everyone,
    }],
    requires: None,
    run: |call, _| Box::pin(help(call)),
    complete: None,
    components: None,
};

async fn help(call: Call<'_>) -> Result<(), CommandError> {
    let text = texts::commands::help(call.caller.language, call.data.respond_to);
    Ok(call.respond.reply(Reply::private(text)).await?)
}
