//! The seconds since something happened, reckoned when they are read.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// The time since it was last restarted, as a gauge in seconds; not written at all before the first time.
///
/// Not for a call's way: there is a lock inside.
#[derive(Clone, Debug, Default)]
pub struct Age(Arc<Mutex<Option<Instant>>>);

impl Age {
    /// It has happened now.
    pub fn restart(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

impl TypedMetric for Age {
    const TYPE: MetricType = MetricType::Gauge;
}

impl EncodeMetric for Age {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), fmt::Error> {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(since) => encoder.encode_gauge(&since.elapsed().as_secs_f64()),
            None => Ok(()),
        }
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn is_absent_until_it_happens() {
        let (age, mut registry) = (Age::default(), Registry::default());
        registry.register("age_seconds", "Age", age.clone());
        let written = || {
            let mut text = String::new();
            encode(&mut text, &registry).unwrap();
            text.lines().find_map(|line| line.strip_prefix("age_seconds ")?.parse::<f64>().ok())
        };
        assert_eq!(written(), None);
        age.restart();
        assert!(written().is_some_and(|seconds| (0.0..60.0).contains(&seconds)));
    }
}
