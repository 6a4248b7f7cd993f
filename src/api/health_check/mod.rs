//! Health checks between the API and the model.
//!
//! - `config`: the shape HealthCheckConfig, read from XML and written to it.
//! - `rules`: which members a type of check must and must not have.
//! - `convert`: a check of the model from a shape, and the nearest shape of any check.
//! - `update`: the members of UpdateHealthCheck.
//! - `name`: the name of a check in its file.
//! - `strict`: what only strict mode refuses.

mod config;
mod convert;
mod name;
mod rules;
mod strict;
#[cfg(test)]
mod tests;
mod update;

pub(super) use config::HealthCheckConfig;
pub(crate) use name::free_name;
pub(super) use update::Update;

use crate::api::xml::Writer;
use crate::model::{ComparisonOperator, HealthCheck, HealthCheckKind, MetricCheck};

/// API MetricName.
const MAX_METRIC_NAME_CHARACTERS: usize = 255;

/// The element `HealthCheck`. A check from a file without a caller reference has its id as one.
pub(super) fn write(xml: &mut Writer, check: &HealthCheck) {
    xml.parent("HealthCheck", |xml| {
        xml.element("Id", &check.id.0);
        xml.element("CallerReference", check.caller_reference.as_ref().unwrap_or(&check.id.0));
        HealthCheckConfig::of(check).write(xml);
        xml.element("HealthCheckVersion", check.version);
        if let HealthCheckKind::Metric(metric) = &check.kind {
            write_alarm(xml, metric);
        }
    });
}

/// The query of a metric check, as the alarm that it is nearest to. The worst of several series
/// counts.
fn write_alarm(xml: &mut Writer, metric: &MetricCheck) {
    let statistic = match metric.comparison {
        ComparisonOperator::GreaterThanThreshold | ComparisonOperator::GreaterThanOrEqualToThreshold => "Maximum",
        ComparisonOperator::LessThanThreshold | ComparisonOperator::LessThanOrEqualToThreshold => "Minimum",
    };
    xml.parent("CloudWatchAlarmConfiguration", |xml| {
        xml.element("EvaluationPeriods", metric.evaluation_periods);
        xml.element("Threshold", metric.threshold);
        xml.element("ComparisonOperator", format_args!("{:?}", metric.comparison));
        xml.element("Period", metric.period.as_secs());
        xml.element("MetricName", metric.query.chars().take(MAX_METRIC_NAME_CHARACTERS).collect::<String>());
        xml.element("Namespace", "Prometheus");
        xml.element("Statistic", statistic);
        xml.parent("Dimensions", |_| {});
    });
}
