//! All metrics: name, kind, labels and help text. docs/observability.md has the same table.

use prometheus_client::metrics::MetricType;

/// A metric with all its series.
#[derive(Debug)]
pub(super) struct Family {
    /// The name in a scrape.
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
    &DNS_RATE_LIMITED,
    &DNS_OUT_OF_TIME,
    &DNS_DURATION,
    &LOG_DROPPED,
    &QUERY_LOG_LINES,
    &QUERY_LOG_DROPPED,
    &DNSTAP_CONNECTED,
    &DNSTAP_FRAMES,
    &DNSTAP_DROPPED,
    &HEALTH_STATUS,
    &HEALTH_OVERRIDDEN,
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
    &CLUSTER_CONNECTED,
    &CLUSTER_FILES,
    &CLUSTER_NODES,
    &CLUSTER_REGISTERED,
    &CLUSTER_REVISION,
    &CLUSTER_OPINIONS,
    &CLUSTER_DISAGREEMENTS,
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

pub(super) const BUILD_INFO: Family =
    gauge("fiftythree_build_info", &["version"], "Always 1; the label is the version that runs.");
pub(super) const READY: Family =
    gauge("fiftythree_ready", &[], "1 while queries are answered; 0 before that and while the server stops.");
pub(super) const CONTROL_RUNNING: Family = gauge(
    "fiftythree_control_running",
    &[],
    "1 while the control loop runs; 0 if it has failed, and answers no longer change.",
);

pub(super) const DNS_REQUESTS: Family = counter(
    "fiftythree_dns_requests_total",
    &["proto", "family", "type", "zone"],
    "Messages received; family 1 is IPv4, 2 is IPv6; zone none means no zone of this server.",
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
pub(super) const DNS_IGNORED: Family = counter(
    "fiftythree_dns_requests_ignored_total",
    &[],
    "Messages dropped without a response, for example packets with QR=1.",
);
pub(super) const DNS_FAILURES: Family = counter(
    "fiftythree_dns_failures_total",
    &[],
    "Messages without a response because of a fault of the server, or because the system refused to send it.",
);
pub(super) const DNS_RATE_LIMITED: Family = counter(
    "fiftythree_dns_rate_limited_total",
    &["outcome"],
    "UDP responses over the limit of their source: truncated (sent with the TC bit), badcookie (sent without records, to a client with a cookie), dropped (not sent), dry_run (sent as usual).",
);
pub(super) const DNS_OUT_OF_TIME: Family = counter(
    "fiftythree_dns_tcp_out_of_time_total",
    &[],
    "TCP connections that were closed because their client had used all its time per second.",
);
pub(super) const DNS_DURATION: Family = histogram(
    "fiftythree_dns_request_duration_seconds",
    &["proto"],
    "Time from reading a message to passing its response to the system, in seconds.",
);

pub(super) const LOG_DROPPED: Family = counter(
    "fiftythree_log_dropped_total",
    &["reason"],
    "Lost messages of the server's log: full means that its queue was full, write that it could not be written.",
);
pub(super) const QUERY_LOG_LINES: Family =
    counter("fiftythree_query_log_lines_total", &[], "Lines written to the query log.");
pub(super) const QUERY_LOG_DROPPED: Family = counter(
    "fiftythree_query_log_dropped_total",
    &["reason"],
    "Lost lines of the query log: full means that a worker's ring was full, write that the file could not be written.",
);
pub(super) const DNSTAP_CONNECTED: Family =
    gauge("fiftythree_dnstap_connected", &[], "Whether the dnstap reader is connected.");
pub(super) const DNSTAP_FRAMES: Family = counter(
    "fiftythree_dnstap_frames_total",
    &[],
    "Frames sent to the dnstap reader: one for the query, one for the response.",
);
pub(super) const DNSTAP_DROPPED: Family = counter(
    "fiftythree_dnstap_dropped_total",
    &["reason"],
    "Lost data: full counts queries while a worker's ring was full, write counts frames that no reader took.",
);

pub(super) const HEALTH_STATUS: Family =
    gauge("fiftythree_health_status", &["check"], "1 if the health check is healthy, else 0; includes overrides.");
pub(super) const HEALTH_OVERRIDDEN: Family =
    gauge("fiftythree_health_overridden", &["check"], "1 if an override sets the status of the health check, else 0.");
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
pub(super) const HEALTH_TRANSITIONS: Family = counter(
    "fiftythree_health_transitions_total",
    &["check", "to"],
    "Changes of the status in effect, overrides included.",
);
pub(super) const HEALTH_LAST_TRANSITION: Family = gauge(
    "fiftythree_health_last_transition_timestamp_seconds",
    &["check"],
    "When the status last changed, kept across restarts; absent if it never has.",
);
pub(super) const HEALTH_PENDING: Family =
    gauge("fiftythree_health_checks_pending", &[], "Health checks that have had no result yet.");
pub(super) const OVERRIDES: Family = gauge("fiftythree_overrides_active", &[], "Overrides in force.");

pub(super) const RELOADS: Family = counter(
    "fiftythree_config_reloads_total",
    &["result"],
    "Loads of the configuration, including the one at the start: success, partial (files with errors are served as before), failure (nothing was changed).",
);
pub(super) const RELOADS_UNRESPONSIVE: Family = counter(
    "fiftythree_config_reloads_unresponsive_total",
    &[],
    "Loads of the configuration that were given up because a file system did not respond for 30 s; they count as failures too.",
);
pub(super) const RELOAD_SUCCESSFUL: Family = gauge(
    "fiftythree_config_last_reload_successful",
    &[],
    "1 if the last load of the configuration had no errors, else 0.",
);
pub(super) const RELOAD_SUCCESS_TIMESTAMP: Family = gauge(
    "fiftythree_config_last_reload_success_timestamp_seconds",
    &[],
    "When the configuration was last loaded without errors; absent if it never was.",
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
    "Hosted zones that answer SERVFAIL, because their file is broken and there is no usable copy of it.",
);
pub(super) const CONFIG_RECORD_SETS: Family =
    gauge("fiftythree_config_record_sets", &[], "Record sets that are served.");
pub(super) const CONFIG_CHECKS: Family =
    gauge("fiftythree_config_health_checks", &[], "Health checks that are configured.");

pub(super) const CLUSTER_CONNECTED: Family = gauge(
    "fiftythree_cluster_connected",
    &[],
    "1 while this node follows etcd; 0 while it cannot, and serves the last files that it had. Only with [cluster].",
);
pub(super) const CLUSTER_FILES: Family = gauge(
    "fiftythree_cluster_files",
    &[],
    "Zone files in etcd, which this node shares with others. Only with [cluster].",
);
pub(super) const CLUSTER_NODES: Family =
    gauge("fiftythree_cluster_nodes", &[], "Nodes that are registered in etcd. Only with [cluster].");
pub(super) const CLUSTER_REGISTERED: Family = gauge(
    "fiftythree_cluster_registered",
    &[],
    "1 while the other nodes count this one; 0 while they do not, such as a node with the name of another. Only with [cluster].",
);
pub(super) const CLUSTER_REVISION: Family = gauge(
    "fiftythree_cluster_revision",
    &[],
    "The etcd revision up to which this node answers with every change; a node with a lower one is behind. Only with [cluster].",
);
pub(super) const CLUSTER_OPINIONS: Family = gauge(
    "fiftythree_cluster_opinions",
    &[],
    "Nodes whose opinions of health count, with this one unless it is isolated. Only with [cluster].",
);
pub(super) const CLUSTER_DISAGREEMENTS: Family = gauge(
    "fiftythree_cluster_disagreements",
    &[],
    "Health checks that some nodes consider healthy and others unhealthy. Only with [cluster].",
);

pub(super) const PROCESS_CPU: Family =
    counter("process_cpu_seconds_total", &[], "Processor time used, in user space and in the kernel, in seconds.");
pub(super) const PROCESS_MEMORY: Family = gauge("process_resident_memory_bytes", &[], "Memory in use, in bytes.");
pub(super) const PROCESS_VIRTUAL_MEMORY: Family =
    gauge("process_virtual_memory_bytes", &[], "Address space in use, in bytes.");
pub(super) const PROCESS_OPEN_FDS: Family = gauge("process_open_fds", &[], "Open file descriptors.");
pub(super) const PROCESS_MAX_FDS: Family = gauge("process_max_fds", &[], "The limit of open file descriptors.");
pub(super) const PROCESS_THREADS: Family = gauge("process_threads", &[], "Threads.");
pub(super) const PROCESS_START: Family =
    gauge("process_start_time_seconds", &[], "When the process started, in seconds since 1970.");
