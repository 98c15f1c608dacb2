//! The seconds since an event, computed at each read.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// The time since the last restart, as a gauge in seconds. Before the first restart nothing is written.
///
/// It has a lock: not for a call's way.
#[derive(Clone, Debug, Default)]
pub struct Age(Arc<Mutex<Option<Instant>>>);

impl Age {
    /// The event happens now.
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
    fn an_age_is_absent_before_the_first_event() {
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
