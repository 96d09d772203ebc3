//! The whole bot between both simulators, by behaviour.
