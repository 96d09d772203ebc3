//! `/reset`: starts a channel's conversation afresh.

use tracing::info;

use super::{
    error::CommandError,
    respond::Reply,
    table::{Call, Command, Text, Usage, Users},
};
use crate::{ids::MessageId, reply::texts};

pub(super) const COMMAND: Command = Command {
    name: "reset",
    description: Text {
        english: "Forget what was said in this channel and start afresh",
        portuguese: "Esquece o que foi dito neste canal e começa de novo",
    },
    options: &[],
    usage: &[Usage {
        options: "",
        effect: Text {
            english: "forgets the channel's conversation for good",
            portuguese: "esquece de vez a conversa do canal",
        },
        users: Users::Everyone,
    }],
    requires: None,
    run: |call, _| Box::pin(reset(call)),
    complete: None,
    components: None,
};

async fn reset(call: Call<'_>) -> Result<(), CommandError> {
    let channel = call.caller.channel()?;
    // Everything older than the command is forgotten.
    call.data.conversations.reset(channel, MessageId::new(call.id.get()));
    info!(channel.id = %channel, "history reset");
    Ok(call.respond.reply(Reply::public(texts::commands::reset_done(call.data.language))).await?)
}
