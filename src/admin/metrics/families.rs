//! Every metric: its name, its kind, its labels, what it says. docs/observability.md has the same table.

use prometheus_client::metrics::MetricType;

/// A metric with all its series.
#[derive(Debug)]
pub(super) struct Family {
    /// As it is scraped.
    pub(super) name: &'static str,
    pub(super) kind: MetricType,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

/// All of them.
#[cfg(test)]
pub(super) const ALL: &[&Family] = &[
    &BUILD_INFO,
    &READY,
    &CONTROL_RUNNING,
    &DNS_REQUESTS,
    &DNS_RESPONSES,
    &DNS_ANSWERS,
    &DNS_TRUNCATED,
    &DNS_IGNORED,
    &DNS_FAILURES,
    &DNS_DURATION,
    &LOG_DROPPED,
    &QUERY_LOG_LINES,
    &QUERY_LOG_DROPPED,
    &DNSTAP_CONNECTED,
    &DNSTAP_FRAMES,
    &DNSTAP_DROPPED,
    &HEALTH_STATUS,
    &HEALTH_FORCED,
    &HEALTH_CHECKS,
    &HEALTH_DURATION,
    &HEALTH_LAST_DURATION,
    &HEALTH_TRANSITIONS,
    &HEALTH_LAST_TRANSITION,
    &HEALTH_PENDING,
    &OVERRIDES,
    &RELOADS,
    &RELOADS_UNRESPONSIVE,
    &RELOAD_SUCCESSFUL,
    &RELOAD_SUCCESS_TIMESTAMP,
    &CONFIG_ERRORS,
    &CONFIG_DEFERRED,
    &CONFIG_ZONES,
    &CONFIG_UNAVAILABLE,
    &CONFIG_RECORD_SETS,
    &CONFIG_CHECKS,
    &PROCESS_CPU,
    &PROCESS_MEMORY,
    &PROCESS_VIRTUAL_MEMORY,
    &PROCESS_OPEN_FDS,
    &PROCESS_MAX_FDS,
    &PROCESS_THREADS,
    &PROCESS_START,
];

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    Family { name, kind: MetricType::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    Family { name, kind: MetricType::Gauge, labels, help }
}

const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    Family { name, kind: MetricType::Histogram, labels, help }
}

pub(super) const BUILD_INFO: Family = gauge("fiftythree_build_info", &["version"], "1; the label says what runs.");
pub(super) const READY: Family =
    gauge("fiftythree_ready", &[], "Whether queries are answered: 1, or 0 before and while it stops.");
pub(super) const CONTROL_RUNNING: Family = gauge(
    "fiftythree_control_running",
    &[],
    "Whether the loop that changes the world runs: 1, or 0 when it has failed and answers stay as they are.",
);

pub(super) const DNS_REQUESTS: Family = counter(
    "fiftythree_dns_requests_total",
    &["proto", "family", "type", "zone"],
    "Messages received; family 1 is IPv4, 2 is IPv6; zone none is no zone of ours.",
);
pub(super) const DNS_RESPONSES: Family =
    counter("fiftythree_dns_responses_total", &["rcode", "zone"], "Responses by response code.");
pub(super) const DNS_ANSWERS: Family = counter(
    "fiftythree_answers_total",
    &["zone", "name", "policy", "target"],
    "How often each record set of the names in [metrics] count_answers was chosen; target is its set identifier.",
);
pub(super) const DNS_TRUNCATED: Family =
    counter("fiftythree_dns_responses_truncated_total", &[], "Responses with the TC bit.");
pub(super) const DNS_IGNORED: Family =
    counter("fiftythree_dns_requests_ignored_total", &[], "Messages that deserve no response, such as responses.");
pub(super) const DNS_FAILURES: Family = counter(
    "fiftythree_dns_failures_total",
    &[],
    "Messages left without a response by a fault of the server, or that the system would not send.",
);
pub(super) const DNS_DURATION: Family = histogram(
    "fiftythree_dns_request_duration_seconds",
    &["proto"],
    "From when a message was read to when its response was handed to the system, in seconds.",
);

pub(super) const LOG_DROPPED: Family = counter(
    "fiftythree_log_dropped_total",
    &["reason"],
    "Messages of the server's log that were lost: full means that nobody reads it, write that it cannot be written.",
);
pub(super) const QUERY_LOG_LINES: Family =
    counter("fiftythree_query_log_lines_total", &[], "Lines written to the query log.");
pub(super) const QUERY_LOG_DROPPED: Family = counter(
    "fiftythree_query_log_dropped_total",
    &["reason"],
    "Lines that are lost: full is a worker's ring that was full, write a file that took nothing.",
);
pub(super) const DNSTAP_CONNECTED: Family =
    gauge("fiftythree_dnstap_connected", &[], "Whether the dnstap reader is connected.");
pub(super) const DNSTAP_FRAMES: Family =
    counter("fiftythree_dnstap_frames_total", &[], "Frames sent to the dnstap reader, two a query.");
pub(super) const DNSTAP_DROPPED: Family = counter(
    "fiftythree_dnstap_dropped_total",
    &["reason"],
    "What is lost: full counts queries that found a worker's ring full, write frames that no reader took.",
);

pub(super) const HEALTH_STATUS: Family =
    gauge("fiftythree_health_status", &["check"], "1 when the health check is healthy, 0 when not; overrides count.");
pub(super) const HEALTH_FORCED: Family =
    gauge("fiftythree_health_forced", &["check"], "1 when an override decides over the health check, else 0.");
pub(super) const HEALTH_CHECKS: Family =
    counter("fiftythree_health_checks_total", &["check", "result", "reason"], "Results of health checks.");
pub(super) const HEALTH_DURATION: Family = histogram(
    "fiftythree_health_check_duration_seconds",
    &["result"],
    "How long probes and evaluations took, all health checks together, in seconds.",
);
pub(super) const HEALTH_LAST_DURATION: Family = gauge(
    "fiftythree_health_check_last_duration_seconds",
    &["check"],
    "How long the last probe or evaluation took, in seconds.",
);
pub(super) const HEALTH_TRANSITIONS: Family =
    counter("fiftythree_health_transitions_total", &["check", "to"], "Changes of the verdict that counts.");
pub(super) const HEALTH_LAST_TRANSITION: Family = gauge(
    "fiftythree_health_last_transition_timestamp_seconds",
    &["check"],
    "When the verdict last changed, restarts outlived; absent when it never has.",
);
pub(super) const HEALTH_PENDING: Family =
    gauge("fiftythree_health_checks_pending", &[], "Health checks that have had no result yet.");
pub(super) const OVERRIDES: Family = gauge("fiftythree_overrides_active", &[], "Overrides in force.");

pub(super) const RELOADS: Family = counter(
    "fiftythree_config_reloads_total",
    &["result"],
    "Loads of the configuration, the one at the start included: success, partial (files with errors are served as they were), failure (nothing was taken over).",
);
pub(super) const RELOADS_UNRESPONSIVE: Family = counter(
    "fiftythree_config_reloads_unresponsive_total",
    &[],
    "Loads of the configuration that were given up because a file system did not respond for 30 s; they count as failures too.",
);
pub(super) const RELOAD_SUCCESSFUL: Family = gauge(
    "fiftythree_config_last_reload_successful",
    &[],
    "1 when the last load of the configuration was without errors, else 0.",
);
pub(super) const RELOAD_SUCCESS_TIMESTAMP: Family = gauge(
    "fiftythree_config_last_reload_success_timestamp_seconds",
    &[],
    "When the configuration was last loaded without errors; absent when it never was.",
);
pub(super) const CONFIG_ERRORS: Family =
    gauge("fiftythree_config_errors", &[], "Errors in the files at the last load.");
pub(super) const CONFIG_DEFERRED: Family = gauge(
    "fiftythree_config_files_deferred",
    &[],
    "Files that were being written, or looked half written, at the last load; they are served as before.",
);
pub(super) const CONFIG_ZONES: Family = gauge("fiftythree_config_zones", &[], "Hosted zones that are served.");
pub(super) const CONFIG_UNAVAILABLE: Family = gauge(
    "fiftythree_config_zones_unavailable",
    &[],
    "Hosted zones that answer SERVFAIL, since their file is broken and no usable copy of it is kept.",
);
pub(super) const CONFIG_RECORD_SETS: Family =
    gauge("fiftythree_config_record_sets", &[], "Record sets that are served.");
pub(super) const CONFIG_CHECKS: Family =
    gauge("fiftythree_config_health_checks", &[], "Health checks that are configured.");

pub(super) const PROCESS_CPU: Family =
    counter("process_cpu_seconds_total", &[], "Processor time used, in user space and in the kernel, in seconds.");
pub(super) const PROCESS_MEMORY: Family = gauge("process_resident_memory_bytes", &[], "Memory in use, in bytes.");
pub(super) const PROCESS_VIRTUAL_MEMORY: Family =
    gauge("process_virtual_memory_bytes", &[], "Address space in use, in bytes.");
pub(super) const PROCESS_OPEN_FDS: Family = gauge("process_open_fds", &[], "Open file descriptors.");
pub(super) const PROCESS_MAX_FDS: Family = gauge("process_max_fds", &[], "Most open file descriptors.");
pub(super) const PROCESS_THREADS: Family = gauge("process_threads", &[], "Threads.");
pub(super) const PROCESS_START: Family =
    gauge("process_start_time_seconds", &[], "When the process started, in seconds since 1970.");
