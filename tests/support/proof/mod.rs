//! What the proofs on a real cluster have in common: topics and a load, processors as processes of
//! their own, and the comparison of what came out with what must.

#![allow(dead_code, reason = "each of those who use this uses a part of it")]

pub(crate) mod checker;
pub(crate) mod cluster;
pub(crate) mod feed;
pub(crate) mod outputs;
pub(crate) mod process;
pub(crate) mod stage;
pub(crate) mod topics;
