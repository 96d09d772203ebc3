//! The whole bot between both simulators, by behaviour.

mod tess_client;
