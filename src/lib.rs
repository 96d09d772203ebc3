//! A Discord bot that lets a channel chat with a Tess AI agent.
//!
//! People talk in a channel. The bot keeps the channel's history in memory, sends it to the channel's agent at Tess, waits for
//! the execution to end, and posts the answer as a reply. `docs/architecture.md` is the long version of this page, with the
//! phases of a channel and a glossary.
//!
//! # The modules
//!
//! | module | what it does |
//! |---|---|
//! | `bot` | builds the parts, runs them, stops them in order |
//! | `check` | `tess-discord check`: whether the settings, Discord and Tess let the bot run, and what to do |
//! | `gateway` | keeps one connection to Discord open and decodes its payloads into events |
//! | `commands` | slash commands, buttons, menus and forms: a table, permission checks, responses |
//! | `conversation` | the channels and their turns, catch-up and rebuild, budgets |
//! | `clients` | builds the clients of Discord and Tess over one HTTP client |
//! | `ops` | `/healthz`, `/readyz`, `/metrics` |
//! | `event` | what can happen: the vocabulary between `gateway` and `conversation` |
//! | `intake` | pure: a Discord message -> is it answered, and what does it say |
//! | `history` | pure: the bounded list of messages -> what Tess accepts |
//! | `reply` | pure: an answer's Markdown -> messages that Discord accepts; everything the bot says, in both languages |
//! | `state` | facts that outlive a restart, in memory and in SQLite; never the text of a message |
//! | `discord` | Discord's REST API: one request engine, one method for each route, the lenient message model |
//! | `tess` | the Tess client: execute, stream, poll, files, request limiter, errors |
//! | `telemetry` | logs; the metrics as one table |
//! | `config` | environment -> `Config`; reports every problem at once |
//! | `backoff`, `ids` | pauses between attempts; ids, and the time that an id contains |
//!
//! Imports go down this list only, and the files of a module do not import each other in circles. `tess` does not know Discord, and
//! `discord` does not know Tess. `tests/it/architecture.rs` has the exact table and checks it.
//!
//! # The life of a message
//!
//! 1. `gateway` receives it and hands it on as an `Event`, in order.
//! 2. `intake` decides whether it is answered and reads its text. `conversation` passes it to its channel. If the channel is idle, a
//!    turn starts. If a turn runs, the message waits, and the next turn takes everything that waits as one batch.
//! 3. The turn prepares the request: history, file contents, budgets. `tess` executes the channel's agent and waits for the end,
//!    through rate limits, polls and time-outs.
//! 4. `reply` converts the answer's Markdown and cuts it into messages. `discord` posts them in order, the first as a reply to the
//!    newest message of the batch.
//! 5. The answer joins the history. `state` records what it cost and moves the channel's handled mark.
//!
//! Whatever goes wrong on the way ends at one place, the end of the turn: one text for people, one log line, one count.
//!
//! # A channel is a state machine
//!
//! Everything about order and time in a channel (messages during a turn, late, twice, edited, deleted, a reset, a catch-up, a stop) is
//! decided by one pure type: `Channel::handle(Input, now) -> Effects`, in `conversation/channel.rs`. It knows no network, no task and
//! no clock. The driver performs the effects; `conversation/turn.rs` is one turn as linear code: prepare, execute, deliver.
//!
//! # Decisions
//!
//! * **Discord is the database of the conversation.** Nothing that people say is stored. A channel's history is rebuilt from Discord's own
//!   messages when the channel is first used.
//! * **One thread.** The bot mostly waits: a `current_thread` runtime costs least and keeps events in order. SQLite has a thread of its own.
//! * **serenity for its models and builders, not for its client.** The documentation of `gateway` and `discord` lists the faults that decide it.
//! * **Marks instead of a queue on disk.** A channel's handled mark is the id up to which every message is settled. Whatever a crash
//!   leaves unsettled lies after the mark, in Discord, and the next start's catch-up finds it.
//! * **A mark never passes an unsettled message.** It may lag, which costs a request at the next start. Until a channel's catch-up is
//!   complete, its turns wait and its mark stays.
//! * **A reply refers to a message that exists.** Discord refuses it otherwise; it then goes to the next older message of the batch. By
//!   this reference a rebuild recognises which messages were answered.
//! * **Every message has a nonce.** A post whose outcome is unknown is repeated with the same nonce, and Discord creates the message once.
//! * **A growing reply has a Stop button until it is complete.** The next start deletes a reply that still has one, and answers its
//!   messages again.
//! * **An execution that may have run is not repeated.** It costs credits, and Tess has no idempotency key. The exception is a turn
//!   that a crash or the end of `SHUTDOWN_GRACE` interrupted: its answer is lost, so the next start asks again.

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
