//! A simulator of Tess: agents, executions, polls, streams, files, and their faults.
//!
//! The simulator is strict. It refuses what the real service refuses. What no configuration of the bot can cause (an
//! unknown route, a missing header, roles in the wrong order, a request during a rate limit) is also recorded in
//! [`TessSim::violations`]. An execution ends after a delay, after some polls or by [`TessSim::release`]; it needs no task.
//!
//! The files import each other in one direction. From bottom to top:
//!
//! - data: `answers`, `agents`, `fault`, `files`, `validate`, `net`, then `world` and `state`, which contain them;
//! - the server: `responses`, `stream`, `file_routes`, then `routes`;
//! - the handle of a test: `sim`, then `inject`.

mod agents;
mod answers;
mod fault;
mod file_routes;
mod files;
mod inject;
mod net;
mod responses;
mod routes;
mod sim;
mod state;
mod stream;
mod validate;
mod world;

pub use self::{
    agents::{HELPER, PAINTER, POET, REVIEWER},
    answers::default_answer,
    fault::{Fault, Route, StreamFault},
    files::StoredFile,
    sim::TessSim,
    state::{AtWaitLimit, TessOptions},
    world::Execution,
};
