//! Errors of the gateway that end the program.

/// Why the bot cannot continue. The text tells the operator what to do, and is printed as one line.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Fatal {
    /// HTTP 401, or close code 4004.
    #[error(
        "Discord refuses DISCORD_TOKEN: open https://discord.com/developers/applications, choose the application, Bot, Reset Token, \
         and put the new token into DISCORD_TOKEN"
    )]
    BadToken,
    /// Close code 4014.
    #[error(
        "Discord does not let this bot read messages yet: open https://discord.com/developers/applications, choose the application, \
         Bot, switch on MESSAGE CONTENT INTENT under Privileged Gateway Intents, save, and start the bot again"
    )]
    IntentNotAllowed,
    /// Close code 4010 or 4011.
    #[error(
        "Discord wants this bot to be sharded (it is in more than 2500 servers), which this version does not do (close code {0})"
    )]
    ShardingRequired(u16),
    /// Close code 4012 or 4013.
    #[error("Discord does not accept this version of the bot any more (close code {0}): update it")]
    Outdated(u16),
}

impl Fatal {
    /// <https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes>
    pub(super) fn from_close_code(code: u16) -> Option<Self> {
        match code {
            4004 => Some(Self::BadToken),
            4010 | 4011 => Some(Self::ShardingRequired(code)),
            4012 | 4013 => Some(Self::Outdated(code)),
            4014 => Some(Self::IntentNotAllowed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fatal_close_codes_say_what_to_do_and_the_others_are_retried() {
        assert_eq!(Fatal::from_close_code(4004), Some(Fatal::BadToken));
        assert!(Fatal::from_close_code(4014).unwrap().to_string().contains("MESSAGE CONTENT INTENT"));
        for code in [1000, 1001, 1006, 4000, 4001, 4002, 4003, 4005, 4007, 4008, 4009, 4999] {
            assert_eq!(Fatal::from_close_code(code), None, "{code}");
        }
    }
}
