//! What an operator sees: metrics, health, status, logs.

pub mod health;
pub mod http;
pub mod logs;
pub mod metrics;
