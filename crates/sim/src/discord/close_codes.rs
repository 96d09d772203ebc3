//! Close codes of the gateway.
//! <https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes>

pub(super) const UNKNOWN_ERROR: u16 = 4000;
pub(super) const UNKNOWN_OPCODE: u16 = 4001;
pub(super) const DECODE_ERROR: u16 = 4002;
pub(super) const NOT_AUTHENTICATED: u16 = 4003;
pub(super) const AUTHENTICATION_FAILED: u16 = 4004;
pub(super) const ALREADY_AUTHENTICATED: u16 = 4005;
pub(super) const INVALID_SEQ: u16 = 4007;
pub(super) const RATE_LIMITED: u16 = 4008;
pub(super) const SESSION_TIMED_OUT: u16 = 4009;
pub(super) const UNKNOWN_VERSION: u16 = 4012;
pub(super) const INVALID_INTENTS: u16 = 4013;
pub(super) const DISALLOWED_INTENTS: u16 = 4014;

/// Whether a client has to begin a new session after a connection closed with this code.
pub(super) fn ends_session(code: u16) -> bool {
    matches!(code, AUTHENTICATION_FAILED | INVALID_SEQ | SESSION_TIMED_OUT | 4010..=4014)
}
