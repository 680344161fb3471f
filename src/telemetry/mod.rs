//! What an operator sees of a running node: log lines and metrics, without secrets.

mod log;
mod metrics;
mod told;

pub use log::{AlreadyLogging, log_as_json, log_as_text};
pub use metrics::{Effect, Metrics, NotMeasurable, Queue};
pub use told::Told;
