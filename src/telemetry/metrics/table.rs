//! Registers metrics and keeps a row of each for the documentation.

use std::{array, fmt, sync::atomic::AtomicU64};

use prometheus_client::{
    metrics::{counter, family::Family},
    registry::{Metric, Registry},
};

pub(super) use prometheus_client::metrics::{counter::Counter, gauge::Gauge, histogram::Histogram};

/// Upper bounds of the buckets of a duration in seconds, up to the longest `TESS_TIMEOUT`.
const BUCKETS: [f64; 11] = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 100.0, 300.0, 900.0, 3_600.0];

/// A counter of amounts that are not whole.
pub(super) type Sum = counter::Counter<f64, AtomicU64>;

/// A counter for each combination of label values. The values are static text, so that nothing from outside can make a new
/// time series.
pub(super) struct Labelled<const N: usize> {
    labels: [&'static str; N],
    family: Family<[(&'static str, &'static str); N], Counter>,
}

/// What the documentation says of one metric.
pub(super) struct Row {
    /// The name as it is scraped.
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) labels: Vec<&'static str>,
    help: &'static str,
}

/// The metrics registered so far.
#[derive(Default)]
pub(super) struct Table {
    pub(super) registry: Registry,
    pub(super) rows: Vec<Row>,
}

impl Table {
    pub(super) fn counter(&mut self, name: &'static str, help: &'static str) -> Counter {
        self.add(name, "counter", &[], help, Counter::default())
    }

    pub(super) fn sum(&mut self, name: &'static str, help: &'static str) -> Sum {
        self.add(name, "counter", &[], help, Sum::default())
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str) -> Gauge {
        self.add(name, "gauge", &[], help, Gauge::default())
    }

    pub(super) fn histogram(&mut self, name: &'static str, help: &'static str) -> Histogram {
        self.add(name, "histogram", &[], help, Histogram::new(BUCKETS))
    }

    pub(super) fn labelled<const N: usize>(
        &mut self,
        name: &'static str,
        labels: [&'static str; N],
        help: &'static str,
    ) -> Labelled<N> {
        Labelled { labels, family: self.add(name, "counter", &labels, help, Family::default()) }
    }

    fn add<M: Metric + Clone>(
        &mut self,
        name: &'static str,
        kind: &'static str,
        labels: &[&'static str],
        help: &'static str,
        metric: M,
    ) -> M {
        // The encoder appends `_total` to the name of a counter.
        self.registry.register(name.trim_end_matches("_total"), help, metric.clone());
        self.rows.push(Row { name, kind, labels: labels.to_vec(), help });
        metric
    }
}

impl<const N: usize> Labelled<N> {
    pub(super) fn add(&self, values: [&'static str; N], n: u64) {
        self.family.get_or_create(&self.pairs(values)).inc_by(n);
    }

    pub(super) fn get(&self, values: [&'static str; N]) -> u64 {
        self.family.get(&self.pairs(values)).map_or(0, |count| count.get())
    }

    fn pairs(&self, values: [&'static str; N]) -> [(&'static str, &'static str); N] {
        array::from_fn(|index| (self.labels[index], values[index]))
    }
}

/// A row of the Markdown table.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<_> = self.labels.iter().map(|label| format!("`{label}`")).collect();
        writeln!(f, "| `{}` | {} | {} | {}. |", self.name, self.kind, labels.join(", "), self.help)
    }
}
