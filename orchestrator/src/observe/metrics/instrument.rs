//! One metric in both its forms: scraped by Prometheus, and pushed over OTLP where that is configured.

use std::sync::atomic::{AtomicI64, AtomicU64};

use opentelemetry::{KeyValue, metrics::Meter};
use prometheus_client::{
    metrics::{counter, family::Family, gauge, histogram},
    registry::Registry,
};

use super::names::{Kind, Metric};

/// Values of labels, with their names.
pub(super) type Labels = Vec<(&'static str, String)>;

/// Where metrics are registered.
pub(super) struct Home<'a> {
    pub(super) registry: &'a mut Registry,
    /// `None`: nothing is pushed.
    pub(super) meter: Option<Meter>,
}

impl Home<'_> {
    /// Registers what is scraped under the metric's name.
    fn register(&mut self, metric: &Metric, family: impl prometheus_client::registry::Metric) {
        // The encoder adds it again.
        let name = metric.name.strip_suffix("_total").unwrap_or(metric.name);
        self.registry.register(name, metric.help, family);
    }
}

fn labelled(metric: &Metric, values: &[&str]) -> Labels {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
    let values = values.iter().map(|value| (*value).to_owned());
    metric.labels.iter().copied().zip(values).collect()
}

fn attributes(labels: &Labels) -> Vec<KeyValue> {
    let attribute = |(name, value): &(&'static str, String)| KeyValue::new(*name, value.clone());
    labels.iter().map(attribute).collect()
}

/// A counter with its labels.
pub(super) struct Counters<N, A> {
    metric: Metric,
    family: Family<Labels, counter::Counter<N, A>>,
    pushed: Option<opentelemetry::metrics::Counter<N>>,
}

/// One series of `Counters`, for whoever adds to it often.
#[derive(Clone)]
pub struct Count<N = u64, A = AtomicU64> {
    scraped: counter::Counter<N, A>,
    pushed: Option<(opentelemetry::metrics::Counter<N>, Vec<KeyValue>)>,
}

pub(super) type RowCounters = Counters<u64, AtomicU64>;
pub(super) type SecondsCounters = Counters<f64, AtomicU64>;
/// Seconds that are added up.
pub type Seconds = Count<f64, AtomicU64>;

impl RowCounters {
    pub(super) fn new(home: &mut Home<'_>, metric: Metric) -> Self {
        debug_assert_eq!(metric.kind, Kind::Counter);
        let family = Family::default();
        home.register(&metric, family.clone());
        let pushed = home.meter.as_ref().map(|meter| {
            let counter = meter.u64_counter(metric.name.trim_end_matches("_total"));
            counter.with_description(metric.help).with_unit(metric.unit).build()
        });
        Self { metric, family, pushed }
    }
}

impl SecondsCounters {
    pub(super) fn of_seconds(home: &mut Home<'_>, metric: Metric) -> Self {
        debug_assert_eq!((metric.kind, metric.unit), (Kind::Counter, "seconds"));
        let family = Family::default();
        home.register(&metric, family.clone());
        let pushed = home.meter.as_ref().map(|meter| {
            let counter = meter.f64_counter(metric.name.trim_end_matches("_total"));
            counter.with_description(metric.help).with_unit("s").build()
        });
        Self { metric, family, pushed }
    }
}

impl<N: Clone, A> Counters<N, A>
where
    counter::Counter<N, A>: Default + Clone,
{
    /// The series with these values of the metric's labels.
    pub(super) fn of(&self, values: &[&str]) -> Count<N, A> {
        let labels = labelled(&self.metric, values);
        Count {
            scraped: self.family.get_or_create_owned(&labels),
            pushed: self
                .pushed
                .as_ref()
                .map(|counter| (counter.clone(), attributes(&labels))),
        }
    }
}

impl<N: Copy, A: counter::Atomic<N>> Count<N, A> {
    /// Adds.
    pub fn add(&self, value: N) {
        self.scraped.inc_by(value);
        if let Some((counter, attributes)) = &self.pushed {
            counter.add(value, attributes);
        }
    }

    /// The sum so far.
    #[must_use]
    pub fn get(&self) -> N {
        self.scraped.get()
    }
}

/// A number that goes up and down, with its labels.
pub(super) struct Gauges {
    metric: Metric,
    family: Family<Labels, gauge::Gauge<i64, AtomicI64>>,
    pushed: Option<opentelemetry::metrics::UpDownCounter<i64>>,
}

/// One series of `Gauges`.
#[derive(Clone)]
pub struct Level {
    scraped: gauge::Gauge<i64, AtomicI64>,
    pushed: Option<(opentelemetry::metrics::UpDownCounter<i64>, Vec<KeyValue>)>,
}

impl Gauges {
    pub(super) fn new(home: &mut Home<'_>, metric: Metric) -> Self {
        debug_assert_eq!(metric.kind, Kind::Gauge);
        let family = Family::default();
        home.register(&metric, family.clone());
        let pushed = home.meter.as_ref().map(|meter| {
            let counter = meter.i64_up_down_counter(metric.name);
            counter.with_description(metric.help).with_unit(metric.unit).build()
        });
        Self { metric, family, pushed }
    }

    /// The series with these values of the metric's labels.
    pub(super) fn of(&self, values: &[&str]) -> Level {
        let labels = labelled(&self.metric, values);
        Level {
            scraped: self.family.get_or_create_owned(&labels),
            pushed: self
                .pushed
                .as_ref()
                .map(|counter| (counter.clone(), attributes(&labels))),
        }
    }

    /// Ends the series with these values. What is pushed can not be ended and falls to 0.
    pub(super) fn remove(&self, values: &[&str]) {
        self.of(values).set(0);
        self.family.remove(&labelled(&self.metric, values));
    }
}

impl Level {
    /// Moves it by so much.
    pub fn add(&self, change: i64) {
        self.scraped.inc_by(change);
        if let Some((counter, attributes)) = &self.pushed {
            counter.add(change, attributes);
        }
    }

    /// Puts it there. For a series that one alone moves.
    pub fn set(&self, value: i64) {
        self.add(value - self.scraped.get());
    }

    /// Where it is.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.scraped.get()
    }
}

/// Observations in buckets, with their labels.
pub(super) struct Histograms {
    metric: Metric,
    family: Family<Labels, histogram::Histogram, Buckets>,
    pushed: Option<opentelemetry::metrics::Histogram<f64>>,
}

#[derive(Clone, Copy)]
struct Buckets(&'static [f64]);

impl prometheus_client::metrics::family::MetricConstructor<histogram::Histogram> for Buckets {
    fn new_metric(&self) -> histogram::Histogram {
        histogram::Histogram::new(self.0.iter().copied())
    }
}

impl Histograms {
    pub(super) fn new(home: &mut Home<'_>, metric: Metric, buckets: &'static [f64]) -> Self {
        debug_assert_eq!((metric.kind, metric.unit), (Kind::Histogram, "seconds"));
        let family = Family::new_with_constructor(Buckets(buckets));
        home.register(&metric, family.clone());
        let pushed = home.meter.as_ref().map(|meter| {
            let histogram = meter.f64_histogram(metric.name).with_description(metric.help);
            histogram.with_unit("s").with_boundaries(buckets.to_vec()).build()
        });
        Self { metric, family, pushed }
    }

    /// Counts one observation.
    pub(super) fn observe(&self, values: &[&str], seconds: f64) {
        let labels = labelled(&self.metric, values);
        self.family.get_or_create(&labels).observe(seconds);
        if let Some(histogram) = &self.pushed {
            histogram.record(seconds, &attributes(&labels));
        }
    }
}
