//! A Discord bot that lets a channel chat with a Tess AI agent.
//!
//! People talk in a channel; the bot keeps the channel's history in memory, sends it to the channel's agent, waits for the
//! execution to end and posts the output as a reply.
//!
//! # The life of a message
//!
//! 1. [`gateway`] reads it from the socket, in order, and hands it on ([`event::Event::Message`]).
//! 2. [`conversation`] takes it in ([`conversation::Conversations::on_message`]): [`intake`] decides whether it is answered and what it says;
//!    it joins the channel's [`history`]. Idle channel: a turn starts. Busy channel: it waits, and the next turn answers all
//!    that waits at once.
//! 3. [`tess`] executes the agent with the history and waits for the end, through limits, polls and time-outs
//!    ([`tess::Tess::execute`]).
//! 4. [`reply`] cuts the output into messages ([`reply::split()`]) and [`discord`] posts them, in order, the first as a reply
//!    ([`discord::Discord::post`]).
//! 5. The answer joins the history; what it cost is added up, and the *handled* mark of the channel moves, in [`state`].
//!
//! Whatever goes wrong on the way ends at one place, the turn's end: one text for the person, one line in the log, one count.
//!
//! # The rooms
//!
//! | room | what it does |
//! |---|---|
//! | [`config`] | the environment, read once and checked out into one value |
//! | [`bot`] | builds the parts and runs them; the order of stopping |
//! | [`check`] | `tess-discord check`: whether the settings, Discord and Tess let the bot run, and what to do |
//! | [`gateway`] | keeps one connection to Discord up; turns its payloads into events |
//! | [`commands`] | the slash commands and their checks |
//! | [`ops`] | `/healthz`, `/readyz`, `/metrics` |
//! | [`conversation`] | the channels and their turns; rebuilding a history, catching up on what was missed |
//! | [`tess`] | the Tess client: execute, wait, poll, the request limiter |
//! | [`discord`] | Discord's REST: post, delete, typing, messages; its rate limits |
//! | [`intake`] | pure: a Discord message -> what it says, and whether it is answered |
//! | [`history`] | pure: the bounded list of messages -> what Tess accepts |
//! | [`reply`] | pure: an agent's output -> messages Discord accepts; every text the bot says |
//! | [`state`] | the small durable facts, in SQLite; never a message's text |
//! | [`telemetry`] | logs, and every metric's name |
//!
//! # Who may import whom
//!
//! One way: `bot` -> `check`, `commands` -> `conversation` -> `gateway`, `intake`, `history`, `reply`, `state` -> `discord`, `tess` -> `config`,
//! `telemetry`. `tess` does not know Discord's REST and `discord` does not know Tess; only `conversation` and `check` call both. `sim` knows
//! nobody. `tests/it/architecture.rs` holds it.
//!
//! # Decisions
//!
//! * **Discord is the database of the conversation.** Nothing that was said is written to disk. A channel's history is rebuilt from
//!   Discord's own messages when it is first spoken in.
//! * **One thread.** The work is waiting; a `current_thread` runtime costs least and keeps events in order. SQLite's writes
//!   have a thread of their own.
//! * **serenity for its models and commands, not for its connection**: see [`gateway`] and [`discord`] for the faults that decide it.
//! * **Marks instead of a queue on disk.** Each channel has a *handled* mark, behind everything that is settled. What a crash leaves
//!   unsettled lies after the mark, in Discord, and is found by catching up ([`conversation::catch_up`]).
//! * **A mark never passes what nobody has taken.** It may lag, which costs a request at the next start. Until a channel was looked at after
//!   a gap, its turns wait and its mark stays.
//! * **A reply refers to a message that is there.** Discord refuses it otherwise, and it goes to the next older message it answers: what
//!   was answered is known by that reference alone.
//! * **A nonce on every message.** A post whose outcome is unknown is repeated with the same nonce, which Discord enforces.
//! * **A growing reply has its Stop button until it is complete.** That is how the next start knows one that was left in the middle:
//!   it is deleted and its message answered afresh ([`conversation::control::STOP`]).
//! * **An execution is never repeated when it may have run**: it costs credits, and Tess has no idempotency key. The one exception is a
//!   turn that a kill or the end of `SHUTDOWN_GRACE` cut off: nobody has its answer, so the next start asks again.

mod backoff;
mod bot;
pub mod check;
mod clients;
mod commands;
mod config;
mod conversation;
mod discord;
mod event;
mod gateway;
mod history;
mod ids;
mod intake;
mod ops;
mod reply;
mod state;
mod telemetry;
mod tess;

pub use self::{
    bot::Bot,
    config::{Config, Credits, LogFormat, Problems, Timings},
    ops::probe as probe_health,
    telemetry::{Metrics, init as init_logs},
};

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
