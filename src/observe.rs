//! What an administrator sees of the running service.
//!
//! - [`logging`]: log lines, on stderr
//! - [`mask`]: numbers and names, as logs show them
//! - `throttle`: how often something is logged
//! - [`metrics`]: counters, for Prometheus
//! - [`panics`]: how far a panic reaches, and what is logged of it

pub mod logging;
pub mod mask;
pub mod metrics;
pub mod panics;
pub(crate) mod throttle;
