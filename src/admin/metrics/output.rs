//! The output of a scrape: one family at a time, each kind with its own kind of samples.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder};
use prometheus_client::metrics::MetricType;

use super::families::Family;

/// The text of a scrape (Prometheus exposition format), one family at a time.
pub(super) struct Exposition<'p, 'e>(pub(super) &'p mut DescriptorEncoder<'e>);

/// Each kind of family has its own kind of samples.
pub(super) struct Counter<'m>(MetricEncoder<'m>, &'static Family);
pub(super) struct Gauge<'m>(MetricEncoder<'m>, &'static Family);
pub(super) struct Histogram<'m>(MetricEncoder<'m>, &'static Family);

impl Exposition<'_, '_> {
    pub(super) fn counter(&mut self, family: &'static Family) -> Result<Counter<'_>, fmt::Error> {
        Ok(Counter(self.begin(family)?, family))
    }

    pub(super) fn gauge(&mut self, family: &'static Family) -> Result<Gauge<'_>, fmt::Error> {
        Ok(Gauge(self.begin(family)?, family))
    }

    pub(super) fn histogram(&mut self, family: &'static Family) -> Result<Histogram<'_>, fmt::Error> {
        Ok(Histogram(self.begin(family)?, family))
    }

    fn begin(&mut self, family: &'static Family) -> Result<MetricEncoder<'_>, fmt::Error> {
        // The encoder puts the suffix of counters back, where the format has it.
        let name = match family.kind {
            MetricType::Counter => family.name.strip_suffix("_total").unwrap_or(family.name),
            _ => family.name,
        };
        self.0.encode_descriptor(name, family.help, None, family.kind)
    }
}

impl Counter<'_> {
    pub(super) fn sample(&mut self, labels: &[&str], value: &impl EncodeCounterValue) -> fmt::Result {
        self.0.encode_family(&named(self.1, labels))?.encode_counter::<[(&str, &str); 0], _, u64>(value, None)
    }
}

impl Gauge<'_> {
    pub(super) fn sample(&mut self, labels: &[&str], value: &impl EncodeGaugeValue) -> fmt::Result {
        self.0.encode_family(&named(self.1, labels))?.encode_gauge(value)
    }
}

impl Histogram<'_> {
    /// `buckets` are upper bounds with their counts.
    pub(super) fn sample(&mut self, labels: &[&str], sum: f64, buckets: &[(f64, u64)]) -> fmt::Result {
        let count = buckets.iter().map(|(_, count)| count).sum();
        self.0.encode_family(&named(self.1, labels))?.encode_histogram::<[(&str, &str); 0]>(sum, count, buckets, None)
    }
}

fn named<'l>(family: &Family, values: &[&'l str]) -> Vec<(&'static str, &'l str)> {
    debug_assert_eq!(family.labels.len(), values.len(), "{}", family.name);
    family.labels.iter().copied().zip(values.iter().copied()).collect()
}
