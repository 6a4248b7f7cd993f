//! Encodes a scrape, family by family.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::control::{CheckMetrics, LATENCY_BOUNDS, MetricsSnapshot, ReloadResult};
use crate::health::{Reason, Status, Timestamp};
use crate::model::ResponseCode;
use crate::query_logging;
use crate::requestor::Transport;
use crate::stats::{Durations, Family, QUERY_TYPES, RateLimited, ZoneReading};

use super::ScrapeData;
use super::families;
use super::output::{Counter, Exposition};

/// NOERROR and NXDOMAIN: every zone has these series from the start, so that `increase()` sees the
/// first response.
const ALWAYS_SHOWN: [ResponseCode; 2] = [ResponseCode(0), ResponseCode(3)];

impl Collector for ScrapeData {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut exposition = Exposition(&mut encoder);
        exposition.gauge(&families::BUILD_INFO)?.sample(&[env!("CARGO_PKG_VERSION")], &1u32)?;
        exposition.gauge(&families::READY)?.sample(&[], &u32::from(self.ready))?;
        exposition.gauge(&families::CONTROL_RUNNING)?.sample(&[], &u32::from(self.control.is_some()))?;
        self.dns(&mut exposition)?;
        self.log(&mut exposition)?;
        self.query_logging(&mut exposition)?;
        if let Some(last) = &self.control {
            self.health(last, &mut exposition)?;
            configuration(last, &mut exposition)?;
            if let Some(opinions) = last.opinions {
                exposition.gauge(&families::CLUSTER_OPINIONS)?.sample(&[], &(opinions.nodes as u64))?;
                exposition.gauge(&families::CLUSTER_DISAGREEMENTS)?.sample(&[], &(opinions.disagreements as u64))?;
            }
        }
        if let Some(cluster) = &self.cluster {
            exposition.gauge(&families::CLUSTER_CONNECTED)?.sample(&[], &u32::from(cluster.is_connected))?;
            exposition.gauge(&families::CLUSTER_FILES)?.sample(&[], &(cluster.files as u64))?;
            exposition.gauge(&families::CLUSTER_NODES)?.sample(&[], &(cluster.nodes as u64))?;
            exposition.gauge(&families::CLUSTER_REGISTERED)?.sample(&[], &u32::from(cluster.is_registered))?;
            exposition.gauge(&families::CLUSTER_REVISION)?.sample(&[], &cluster.revision)?;
        }
        #[cfg(target_os = "linux")]
        super::process::encode(&mut exposition)?;
        Ok(())
    }
}

impl ScrapeData {
    fn dns(&self, exposition: &mut Exposition<'_, '_>) -> fmt::Result {
        let totals = &self.dns.totals;
        let mut requests = exposition.counter(&families::DNS_REQUESTS)?;
        self.dns.zones.iter().try_for_each(|zone| requests_of(zone, &mut requests))?;
        let mut responses = exposition.counter(&families::DNS_RESPONSES)?;
        for zone in &self.dns.zones {
            for (code, count) in (0..).map(ResponseCode).zip(&zone.totals.responses) {
                let always = zone.is_zone() && ALWAYS_SHOWN.contains(&code);
                if *count > 0 || always {
                    responses.sample(&[&code.to_string(), &zone.zone], count)?;
                }
            }
        }
        if !self.dns.answers.is_empty() {
            let mut answers = exposition.counter(&families::DNS_ANSWERS)?;
            for (labels, count) in &self.dns.answers {
                answers.sample(&[&labels.zone, &labels.name, labels.policy, &labels.target], count)?;
            }
        }
        exposition.counter(&families::DNS_TRUNCATED)?.sample(&[], &totals.truncated)?;
        exposition.counter(&families::DNS_IGNORED)?.sample(&[], &totals.dropped)?;
        exposition.counter(&families::DNS_FAILURES)?.sample(&[], &totals.failures)?;
        let mut rate_limited = exposition.counter(&families::DNS_RATE_LIMITED)?;
        for (outcome, count) in RateLimited::ALL.into_iter().zip(&totals.rate_limited) {
            rate_limited.sample(&[outcome.as_str()], count)?;
        }
        exposition.counter(&families::DNS_OUT_OF_TIME)?.sample(&[], &totals.out_of_time)?;
        let mut durations = exposition.histogram(&families::DNS_DURATION)?;
        for (transport, durations_of) in Transport::ALL.iter().zip([&totals.udp_durations, &totals.tcp_durations]) {
            let bounds = Durations::bounds().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(durations_of.counts).collect();
            durations.sample(&[proto(*transport)], durations_of.sum.as_secs_f64(), &buckets)?;
        }
        Ok(())
    }

    fn log(&self, exposition: &mut Exposition<'_, '_>) -> fmt::Result {
        let mut lost = exposition.counter(&families::LOG_DROPPED)?;
        lost.sample(&["full"], &self.log.full)?;
        lost.sample(&["write"], &self.log.write)
    }

    /// Functions that are off have no series.
    fn query_logging(&self, exposition: &mut Exposition<'_, '_>) -> fmt::Result {
        if let Some(log) = self.query_logging.query_log {
            exposition.counter(&families::QUERY_LOG_LINES)?.sample(&[], &log.delivered)?;
            dropped(exposition.counter(&families::QUERY_LOG_DROPPED)?, &log)?;
        }
        if let Some(dnstap) = self.query_logging.dnstap {
            exposition.gauge(&families::DNSTAP_CONNECTED)?.sample(&[], &u32::from(dnstap.connected))?;
            exposition.counter(&families::DNSTAP_FRAMES)?.sample(&[], &dnstap.delivered)?;
            dropped(exposition.counter(&families::DNSTAP_DROPPED)?, &dnstap)?;
        }
        Ok(())
    }

    fn checks(&self) -> impl Iterator<Item = &CheckMetrics> {
        self.control.iter().flat_map(|figures| &figures.checks)
    }

    fn health(&self, last: &MetricsSnapshot, exposition: &mut Exposition<'_, '_>) -> fmt::Result {
        let mut status = exposition.gauge(&families::HEALTH_STATUS)?;
        self.checks()
            .try_for_each(|check| status.sample(&[&check.name], &u32::from(check.final_status == Status::Healthy)))?;
        let mut overridden = exposition.gauge(&families::HEALTH_OVERRIDDEN)?;
        self.checks()
            .try_for_each(|check| overridden.sample(&[&check.name], &u32::from(check.overridden.is_some())))?;
        let mut results = exposition.counter(&families::HEALTH_CHECKS)?;
        self.checks().try_for_each(|check| results_of(check, &mut results))?;
        let mut durations = exposition.histogram(&families::HEALTH_DURATION)?;
        for (result, latencies) in ["pass", "fail", "missing"].into_iter().zip(last.latencies) {
            let bounds = LATENCY_BOUNDS.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(latencies.counts).collect();
            durations.sample(&[result], latencies.sum.as_secs_f64(), &buckets)?;
        }
        let mut last_durations = exposition.gauge(&families::HEALTH_LAST_DURATION)?;
        for check in self.checks() {
            if let Some(took) = check.counters.last_duration {
                last_durations.sample(&[&check.name], &took.as_secs_f64())?;
            }
        }
        let mut transitions = exposition.counter(&families::HEALTH_TRANSITIONS)?;
        for check in self.checks() {
            for (to, count) in ["healthy", "unhealthy"].into_iter().zip(check.counters.transitions) {
                transitions.sample(&[&check.name, to], &count)?;
            }
        }
        let mut last_transition = exposition.gauge(&families::HEALTH_LAST_TRANSITION)?;
        for check in self.checks() {
            if let Some(at) = check.last_transition {
                last_transition.sample(&[&check.name], &timestamp(at))?;
            }
        }
        exposition.gauge(&families::HEALTH_PENDING)?.sample(&[], &last.pending)?;
        exposition.gauge(&families::OVERRIDES)?.sample(&[], &last.overrides)
    }
}

fn dropped(mut counts: Counter<'_>, totals: &query_logging::Totals) -> fmt::Result {
    counts.sample(&["full"], &totals.dropped_full)?;
    counts.sample(&["write"], &totals.dropped_write)
}

/// Only series with a count: a zone with queries for five types has five series, not eighty.
fn requests_of(zone: &ZoneReading, requests: &mut Counter<'_>) -> fmt::Result {
    for transport in Transport::ALL {
        for (family, name) in Family::ALL.into_iter().zip(["1", "2"]) {
            let counts = &zone.totals.queries[transport as usize][family as usize];
            for ((_, kind), count) in QUERY_TYPES.iter().zip(counts).filter(|(_, count)| **count > 0) {
                requests.sample(&[proto(transport), name, kind, &zone.zone], count)?;
            }
        }
    }
    Ok(())
}

/// A check has a series of passes from the start, and one of failures once there is a failure.
fn results_of(check: &CheckMetrics, results: &mut Counter<'_>) -> fmt::Result {
    let counts = check.counters.results;
    if counts.iter().all(|count| *count == 0) {
        return Ok(());
    }
    for (reason, count) in Reason::ALL.into_iter().zip(counts) {
        if count > 0 || reason == Reason::Good {
            results.sample(&[&check.name, reason.result(), reason.as_str()], &count)?;
        }
    }
    Ok(())
}

fn configuration(figures: &MetricsSnapshot, exposition: &mut Exposition<'_, '_>) -> fmt::Result {
    let reloads = &figures.reloads;
    let mut counts = exposition.counter(&families::RELOADS)?;
    for (result, count) in ReloadResult::ALL.into_iter().zip(reloads.counts) {
        counts.sample(&[result.as_str()], &count)?;
    }
    exposition.counter(&families::RELOADS_UNRESPONSIVE)?.sample(&[], &reloads.unresponsive)?;
    let successful = reloads.last == Some(ReloadResult::Success);
    exposition.gauge(&families::RELOAD_SUCCESSFUL)?.sample(&[], &u32::from(successful))?;
    let mut last_success = exposition.gauge(&families::RELOAD_SUCCESS_TIMESTAMP)?;
    if let Some(at) = reloads.last_success {
        last_success.sample(&[], &timestamp(at))?;
    }
    exposition.gauge(&families::CONFIG_ERRORS)?.sample(&[], &reloads.errors)?;
    exposition.gauge(&families::CONFIG_DEFERRED)?.sample(&[], &reloads.deferred)?;
    exposition.gauge(&families::CONFIG_ZONES)?.sample(&[], &figures.served.zones)?;
    exposition.gauge(&families::CONFIG_UNAVAILABLE)?.sample(&[], &figures.served.unavailable)?;
    exposition.gauge(&families::CONFIG_RECORD_SETS)?.sample(&[], &figures.served.records)?;
    exposition.gauge(&families::CONFIG_CHECKS)?.sample(&[], &figures.served.checks)
}

fn proto(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
    }
}

fn timestamp(at: Timestamp) -> f64 {
    at.0.as_secs_f64()
}
