//! The keys of every table that users write: name, shape, meaning. The readers and the JSON Schemas
//! use the same lists, so that they cannot differ.

use std::time::Duration;

use crate::model::{AliasService, MAX_TTL, StrictRule};

/// The keys that a table may have.
pub(super) struct Keys {
    /// The table's name in messages.
    pub(super) what: &'static str,
    pub(super) keys: &'static [Key],
}

/// A key.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) need: Need,
    pub(super) secrecy: Secrecy,
    /// The description in the JSON Schema, which editors show.
    pub(super) about: &'static str,
}

/// Whether a key is required.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Optional,
    Required,
}

/// Whether a value may be shown in excerpts and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrecy {
    Open,
    /// A password, a token, or a URL that contains one.
    Secret,
}

/// The type of a key's value.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    String,
    Choice(&'static [&'static str]),
    Strings,
    /// A list whose elements are strings or tables.
    StringsOrTables(&'static Keys),
    Integer {
        least: i64,
        most: i64,
    },
    Number {
        least: i64,
        most: i64,
    },
    AnyNumber,
    Boolean,
    /// `true` for all of these words, or a list of some.
    Switches(&'static [&'static str]),
    Duration(Bounds),
    /// A number of bytes with a unit, up to this many.
    Size {
        most: u64,
    },
    Table(&'static Keys),
    Tables(&'static Keys),
    /// A list of HTTP statuses and ranges of them.
    Statuses,
    /// How many nodes must consider an endpoint healthy.
    Agreement,
    /// A table with the user's own keys and strings.
    NamedStrings,
    /// A table with the user's own keys and lists of strings.
    NamedStringLists,
    /// A table with the user's own keys and durations.
    NamedDurations(Bounds),
}

/// The bounds of a duration.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    least: Duration,
    most: Duration,
    resolution: Resolution,
}

/// The smallest unit of a duration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Resolution {
    Second,
    Millisecond,
}

impl Keys {
    pub(super) fn get(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The key that is meant by a name from Route 53, from other tools or from earlier versions.
    pub(super) fn key_by_other_name(&self, name: &str) -> Option<String> {
        let nicknames: &[(&str, &str)] = &[
            ("ResourceRecords", "values"),
            ("resource_records", "values"),
            ("records", "values"),
            ("AliasTarget", "alias"),
            ("alias_target", "alias"),
            ("HostedZoneId", "hosted_zone_id"),
            ("DNSName", "target"),
            ("dns_name", "target"),
            ("GeoLocation", "geolocation"),
            ("GeoProximityLocation", "geoproximity"),
            ("CidrRoutingConfig", "cidr"),
            ("MultiValueAnswer", "multivalue"),
            ("multi_value", "multivalue"),
            ("HealthCheckId", "health_check"),
            ("health_check_id", "health_check"),
            ("FullyQualifiedDomainName", "fqdn"),
            ("host", "fqdn"),
            ("hostname", "fqdn"),
            ("domain", "fqdn"),
            ("IPAddress", "ip_address"),
            ("address", "ip_address"),
            ("path", "resource_path"),
            ("interval", "request_interval"),
            ("threshold", "failure_threshold"),
            ("ComparisonOperator", "comparison"),
            ("url", "prometheus"),
            ("headers", "request_headers"),
            ("expected_statuses", "expected_status"),
            ("status_code", "expected_status"),
            ("timeout", "response_timeout"),
            ("judge_certificate", "verify_certificate"),
            ("tls_verify", "verify_certificate"),
            ("ca_file", "certificate_authorities"),
            ("expression", "query"),
            ("EnableSNI", "enable_sni"),
            ("children", "child_health_checks"),
            ("health_checks", "child_health_checks"),
            ("set_id", "set_identifier"),
            ("ContinentCode", "continent"),
            ("CountryCode", "country"),
            ("SubdivisionCode", "subdivision"),
            ("state", "subdivision"),
            ("AWSRegion", "region"),
            ("aws_region", "region"),
            ("CollectionId", "collection"),
            ("LocationName", "location"),
            ("lat", "latitude"),
            ("lon", "longitude"),
            ("networks", "cidrs"),
            ("blocks", "cidrs"),
            ("cidr_blocks", "cidrs"),
            ("records", "record"),
            ("groups", "record_group"),
            ("health_checks", "health_check"),
            ("domain_name", "name"),
            ("origin", "name"),
            ("vpc", "vpcs"),
        ];
        let known = |(other, key): &&(&str, &str)| *other == name && self.get(key).is_some();
        nicknames.iter().find(known).map(|(_, key)| (*key).to_owned())
    }

    /// The hint for a key of Route 53 that this server does not support.
    pub(super) fn unsupported(&self, name: &str) -> Option<&'static str> {
        let reserved: &[(&str, &str)] = &[
            (
                "alarm_identifier",
                "a metric check queries Prometheus: write `prometheus`, `query`, `comparison` and `threshold`",
            ),
            ("regions", "this server probes from the machine it runs on; there are no checker regions"),
        ];
        reserved.iter().find(|(reserved, _)| *reserved == name).map(|(_, hint)| *hint)
    }
}

impl Shape {
    /// A description that follows "must be" in messages.
    pub(super) fn describe(self) -> String {
        match self {
            Shape::String | Shape::Choice(_) => "a string".to_owned(),
            Shape::Strings => "a list of strings".to_owned(),
            Shape::StringsOrTables(_) => "a list of strings or tables".to_owned(),
            Shape::Integer { least, most } => format!("an integer from {least} to {most}"),
            Shape::Number { least, most } => format!("a number from {least} to {most}"),
            Shape::AnyNumber => "a finite number".to_owned(),
            Shape::Boolean => "`true` or `false`".to_owned(),
            Shape::Switches(_) => "`true`, `false` or a list of strings".to_owned(),
            Shape::Duration(bounds) => format!("a duration: {}", bounds.describe()),
            Shape::Size { most } => format!("a size of at most {}GiB, such as \"64MiB\"", most >> 30),
            Shape::Table(_) => "a table".to_owned(),
            Shape::Tables(_) => "a list of tables".to_owned(),
            Shape::Statuses => "a list of statuses and ranges, such as [\"200-299\", 404]".to_owned(),
            Shape::Agreement => {
                "a percentage such as \"18%\", \"majority\", \"all\", \"any\", or a number of nodes".to_owned()
            }
            Shape::NamedStrings => "a table of names with strings".to_owned(),
            Shape::NamedStringLists => "a table of names with lists of strings".to_owned(),
            Shape::NamedDurations(_) => "a table of names with durations".to_owned(),
        }
    }

    pub(super) fn duration(self) -> Option<Bounds> {
        match self {
            Shape::Duration(bounds) | Shape::NamedDurations(bounds) => Some(bounds),
            _ => None,
        }
    }
}

impl Bounds {
    const fn seconds(least: u64, most: u64) -> Bounds {
        Bounds { least: Duration::from_secs(least), most: Duration::from_secs(most), resolution: Resolution::Second }
    }

    const fn milliseconds(least: u64, most: u64) -> Bounds {
        Bounds {
            least: Duration::from_millis(least),
            most: Duration::from_millis(most),
            resolution: Resolution::Millisecond,
        }
    }

    pub(super) fn holds(self, duration: Duration) -> bool {
        let fine = self.resolution == Resolution::Second && duration.subsec_nanos() != 0;
        self.least <= duration && duration <= self.most && !fine
    }

    /// Such as "from 1 to 3600 whole seconds".
    pub(super) fn describe(self) -> String {
        let whole = if self.resolution == Resolution::Second { "whole " } else { "" };
        let most = self.most.as_secs();
        match self.least.subsec_millis() {
            0 => format!("from {} to {most} {whole}seconds", self.least.as_secs()),
            milliseconds => format!("from {milliseconds} milliseconds to {most} seconds"),
        }
    }

    /// Examples of valid strings.
    pub(super) fn examples(self) -> &'static str {
        match self.resolution {
            Resolution::Second => "\"10s\", \"5m\", \"1h\"",
            Resolution::Millisecond => "\"250ms\", \"10s\", \"5m\"",
        }
    }

    /// The form of such strings, as a regular expression.
    pub(super) fn pattern(self) -> &'static str {
        match self.resolution {
            Resolution::Second => "^[0-9]+(s|m|h|d|w)$",
            Resolution::Millisecond => "^[0-9]+(ms|s|m|h|d|w)$",
        }
    }

    /// The bounds in whole seconds, for the form without a unit.
    pub(super) fn in_seconds(self) -> (u64, u64) {
        (self.least.as_millis().div_ceil(1000) as u64, self.most.as_secs())
    }
}

const fn required(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, need: Need::Required, secrecy: Secrecy::Open, about }
}

const fn optional(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, need: Need::Optional, secrecy: Secrecy::Open, about }
}

/// An optional key whose value must not be shown.
const fn secret(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { secrecy: Secrecy::Secret, ..optional(name, shape, about) }
}

/// So far there is one version, for all kinds of file.
const VERSION: Key = optional("version", Shape::Integer { least: 1, most: 1 }, "The version of the file format: 1.");

const CALLER_REFERENCE: Key = optional(
    "caller_reference",
    Shape::String,
    "What the program that created this through the API identified the request by.",
);

const TAGS: Key = optional("tags", Shape::NamedStrings, "Tags, such as { Owner = \"dns\" }; the API shows them.");

/// Unlike [`VERSION`] this counts changes.
const DEFINITION_VERSION: Key = optional(
    "version",
    Shape::Integer { least: 1, most: i64::MAX },
    "The number that the API shows as the version; each change through the API adds 1. Default: 1.",
);

pub(super) const SETTINGS: Keys = Keys {
    what: "the settings",
    keys: &[
        VERSION,
        optional("dns", Shape::Table(&DNS), "How queries are answered."),
        optional(
            "rate_limit",
            Shape::Table(&RATE_LIMIT),
            "How many responses over UDP one source gets. Source addresses can be forged.",
        ),
        optional("cookies", Shape::Table(&COOKIES), "DNS cookies, which show that a client's address is not forged."),
        optional("zones", Shape::Table(&ZONES), "Where the zone files are."),
        optional("location", Shape::Table(&LOCATION), "Where clients are."),
        optional("vpc", Shape::Tables(&VPC), "Named client networks, for private zones."),
        optional("health", Shape::Table(&HEALTH), "Settings for all health checks."),
        optional("state", Shape::Table(&STATE), "Where the server keeps its state."),
        optional("admin", Shape::Table(&ADMIN), "The admin server: status page, metrics."),
        optional("api", Shape::Table(&API), "The Route 53 API. Default: there is none."),
        optional(
            "cluster",
            Shape::Table(&CLUSTER),
            "The etcd in which several nodes share their configuration. Default: this server is on its own.",
        ),
        secret("webhook", Shape::Table(&WEBHOOK), "Where status changes of health checks are posted."),
        optional("process", Shape::Table(&PROCESS), "The user of the process, and what it may do."),
        optional("log", Shape::Table(&LOG), "The log on stderr."),
        optional("metrics", Shape::Table(&METRICS), "Optional metrics."),
        optional("lab", Shape::Table(&LAB), "Web servers to try health checks on. Default: none."),
        optional("query_log", Shape::Table(&QUERY_LOG), "Logs a line for each query. Default: off."),
        optional("dnstap", Shape::Table(&DNSTAP), "Sends each query and response to a dnstap reader. Default: off."),
    ],
};

/// A place file for `fiftythree simulate`.
pub(super) const PLACES: Keys = Keys {
    what: "a place file",
    keys: &[VERSION, optional("place", Shape::Tables(&PLACE), "A place and its clients.")],
};

pub(super) const PLACE: Keys = Keys {
    what: "`[[place]]`",
    keys: &[
        required("name", Shape::String, "Its name; unique in the file."),
        optional(
            "weight",
            // Enough for the smallest share of a large total.
            Shape::Integer { least: 1, most: 1_000_000 },
            "Its share of all clients: this weight over the sum of all weights. Default: 1.",
        ),
        required("networks", Shape::Strings, "The networks of its clients, such as \"192.0.2.0/24\"."),
    ],
};

pub(super) const DNS: Keys = Keys {
    what: "`[dns]`",
    keys: &[
        optional(
            "listen",
            Shape::Strings,
            "Addresses with ports; each serves UDP and TCP. Default: port 53 of every address.",
        ),
        // More threads than this do not help on any machine.
        optional(
            "workers",
            Shape::Integer { least: 0, most: 1024 },
            "The number of UDP workers. Default: 0, one per core.",
        ),
        // 512 is the minimum of RFC 6891 section 6.2.5, 4096 is Route 53's maximum.
        optional(
            "udp_payload_max",
            Shape::Integer { least: 512, most: 4096 },
            "The largest UDP response in bytes, 512 to 4096. Default: 1232, which is not fragmented.",
        ),
        optional(
            "nsid",
            Shape::String,
            "The name server identifier (RFC 5001), sent to clients that request it. Default: none.",
        ),
        optional(
            "chaos",
            Shape::Boolean,
            "Whether TXT queries of class CHAOS are answered: version.bind and version.server with the version, id.server and hostname.bind with `nsid`. Default: false, they are refused.",
        ),
        optional(
            "name_servers",
            Shape::Tables(&NAME_SERVER),
            "The name servers in the NS and SOA records of zones that have no NS records of their own. Default: ns1.<zone> with the listen addresses.",
        ),
    ],
};

pub(super) const RATE_LIMIT: Keys = Keys {
    what: "`[rate_limit]`",
    keys: &[
        optional("enabled", Shape::Boolean, "Whether responses over UDP are limited. Default: true."),
        // Users who need more turn it off, or allow the network.
        optional(
            "rate",
            Shape::Integer { least: 1, most: 100_000 },
            "Responses per second to one address in the long run; networks have multiples. Default: 200.",
        ),
        // With fewer, single responses would make the limit coarse.
        optional(
            "instant",
            Shape::Integer { least: 10, most: 100_000 },
            "Responses at once to one address, after a silence. Default: 500.",
        ),
        optional(
            "slip",
            Shape::Integer { least: 0, most: 1000 },
            "One in this many responses over the limit is truncated, so that the client can repeat the query over TCP; the others are not sent. 0 sends none. Default: 1.",
        ),
        optional(
            "dry_run",
            Shape::Boolean,
            "Whether responses over the limit are only counted and logged. Default: false.",
        ),
        optional("allow", Shape::Strings, "Networks without a limit. Loopback never has one. Default: none."),
        optional(
            "tcp_time",
            Shape::Duration(Bounds::milliseconds(0, 1000)),
            "The server's time per second that one address can use over TCP; beyond it, its connections are closed. 0 sets no limit. Default: \"5ms\".",
        ),
    ],
};

pub(super) const COOKIES: Keys = Keys {
    what: "`[cookies]`",
    keys: &[
        optional("enabled", Shape::Boolean, "Whether clients get DNS cookies (RFC 7873). Default: true."),
        optional(
            "secrets_file",
            Shape::String,
            "The file with the secrets, relative to this file; `fiftythree cookie-secret` edits it. Default: the server makes one in its state directory.",
        ),
        optional(
            "require_above",
            Shape::Integer { least: 0, most: 4096 },
            "Responses over UDP with more bytes than this need a valid cookie; without one they are truncated. 0, the default, or 512 to 4096.",
        ),
    ],
};

pub(super) const NAME_SERVER: Keys = Keys {
    what: "a name server",
    keys: &[
        required("name", Shape::String, "Its absolute name, such as \"ns1.lab.test.\"."),
        optional(
            "addresses",
            Shape::Strings,
            "Its addresses. Zones that contain its name get them as A and AAAA records.",
        ),
    ],
};

pub(super) const ZONES: Keys = Keys {
    what: "`[zones]`",
    keys: &[
        optional(
            "directory",
            Shape::String,
            "The directory of the zone files, relative to this file. Default: \"../zones\".",
        ),
        optional("watch", Shape::Boolean, "Whether edited zone files are reloaded automatically. Default: true."),
    ],
};

pub(super) const LOCATION: Keys = Keys {
    what: "`[location]`",
    keys: &[
        optional(
            "geoip",
            Shape::Strings,
            "Geolocation databases in MaxMind format, relative to this file. The first database with an entry is used.",
        ),
        optional(
            "client_subnet",
            Shape::Choice(&["use", "ignore"]),
            "EDNS Client Subnet: \"use\", the default, or \"ignore\".",
        ),
        optional(
            "network",
            Shape::Tables(&NETWORK),
            "Locations of your own networks. The longest prefix wins; they take precedence over `geoip`.",
        ),
        optional(
            "latency",
            Shape::Tables(&LATENCY),
            "Measured round-trip times. Regions without one are compared by distance.",
        ),
    ],
};

pub(super) const NETWORK: Keys = Keys {
    what: "`[[location.network]]`",
    keys: &[
        required("cidr", Shape::String, "The clients' network."),
        optional("country", Shape::String, "The ISO 3166-1 code of the country; the continent follows from it."),
        optional("subdivision", Shape::String, "The US state or Ukrainian oblast."),
        optional("coordinates", Shape::Table(&COORDINATES), "Latitude and longitude."),
        optional("region", Shape::String, "The AWS region of these clients."),
    ],
};

pub(super) const LATENCY: Keys = Keys {
    what: "`[[location.latency]]`",
    keys: &[
        optional(
            "cidr",
            Shape::String,
            "Applies to clients in this network. Exactly one of `cidr`, `country` and `region` is required.",
        ),
        optional(
            "country",
            Shape::String,
            "Applies to clients in this country. Exactly one of `cidr`, `country` and `region` is required.",
        ),
        optional(
            "region",
            Shape::String,
            "Applies to clients in this AWS region. Exactly one of `cidr`, `country` and `region` is required.",
        ),
        // No round trip takes a minute.
        required(
            "round_trip",
            Shape::NamedDurations(Bounds::milliseconds(0, 60_000)),
            "Round-trip times by AWS region, such as { eu-central-1 = \"4ms\" }.",
        ),
    ],
};

pub(super) const COORDINATES: Keys = Keys {
    what: "coordinates",
    keys: &[
        required("latitude", Shape::Number { least: -90, most: 90 }, "Degrees; south is negative."),
        required("longitude", Shape::Number { least: -180, most: 180 }, "Degrees; west is negative."),
    ],
};

pub(super) const VPC: Keys = Keys {
    what: "`[[vpc]]`",
    keys: &[
        optional("name", Shape::String, "A name for use in `vpcs` of zones."),
        optional("id", Shape::String, "The id in the API, such as \"vpc-lab1\". Default: derived from the name."),
        required("region", Shape::String, "The AWS region of its clients, for latency routing in private zones."),
        required("cidrs", Shape::Strings, "The networks of its clients. Two VPCs cannot have the same block."),
    ],
};

pub(super) const HEALTH: Keys = Keys {
    what: "`[health]`",
    keys: &[
        optional(
            "wait_for_first_result",
            // A longer wait than an hour is a mistake.
            Shape::Duration(Bounds::milliseconds(0, 3_600_000)),
            "How long the server waits for the first result of each check before it answers queries. Default: \"10s\".",
        ),
        optional(
            "certificate_authorities",
            Shape::Strings,
            "PEM files with the authorities that checks with `verify_certificate` trust, relative to this file. Default: the system's.",
        ),
        optional(
            "sentinels",
            Shape::Strings,
            "Health checks, by name or id. While all of them are unhealthy, this server counts as offline and other checks keep their status.",
        ),
    ],
};

pub(super) const PROCESS: Keys = Keys {
    what: "`[process]`",
    keys: &[
        optional(
            "user",
            Shape::String,
            "The user that a server started by root changes to when its ports are open: a name or number, and a group after a colon. Default: none.",
        ),
        optional(
            "no_new_privileges",
            Shape::Boolean,
            "Whether the process can gain no privileges by executing a program. Default: true.",
        ),
        optional(
            "landlock",
            Shape::Boolean,
            "Whether the process can open only the files that it needs, where the kernel has Landlock. Default: true.",
        ),
        optional(
            "seccomp",
            Shape::Boolean,
            "Whether system calls that the server never makes are refused. Default: true.",
        ),
    ],
};

pub(super) const STATE: Keys = Keys {
    what: "`[state]`",
    keys: &[optional(
        "directory",
        Shape::String,
        "The directory for the last good zone files, health check states and API data, relative to this file. Default: \"/var/lib/fiftythree\".",
    )],
};

pub(super) const LAB: Keys = Keys {
    what: "`[lab]`",
    keys: &[optional(
        "backends",
        Shape::Strings,
        "Addresses in 127.0.0.0/8 with ports. The server starts a small web server at each: 200 to every GET, 503 after POST /fail until POST /recover. Default: none.",
    )],
};

pub(super) const ADMIN: Keys = Keys {
    what: "`[admin]`",
    keys: &[
        optional(
            "listen",
            Shape::String,
            "The address and port to listen on, or \"off\". Default: \"127.0.0.1:8053\".",
        ),
        optional(
            "token_file",
            Shape::String,
            "A file with the token that every change over HTTP requires, relative to this file. Default: none.",
        ),
        optional(
            "allowed_hosts",
            Shape::Strings,
            "Host names accepted in the Host header, in addition to IP addresses, localhost and names without a dot.",
        ),
        optional(
            "public_url",
            Shape::String,
            "The URL at which a proxy serves the status page, such as \"https://ops.example.net/dns/\". Default: none.",
        ),
    ],
};

pub(super) const API: Keys = Keys {
    what: "`[api]`",
    keys: &[
        required("listen", Shape::Strings, "The addresses and ports to listen on, such as [\"127.0.0.1:4566\"]."),
        optional(
            "listen_with_keys",
            Shape::Strings,
            "The addresses and ports to listen on instead if there is a keys file or a key in the environment. Default: those of `listen`.",
        ),
        optional(
            "keys_file",
            Shape::String,
            "A file with the access keys of clients: [[key]] tables with access_key_id, secret_access_key, rights and zones. Only the server's user may read it. Relative to this file. Default: none.",
        ),
        optional(
            "trust",
            Shape::Strings,
            "The networks of clients whose signatures are not verified. Default: loopback while there are no keys, else none.",
        ),
        optional("tls_certificate", Shape::String, "The certificate chain for HTTPS, in PEM format. Default: HTTP."),
        optional("tls_key", Shape::String, "The private key for HTTPS, in PEM format."),
        optional(
            "allowed_hosts",
            Shape::Strings,
            "Host names accepted from clients in `trust`, in addition to IP addresses, localhost, names without a dot and Route 53's own.",
        ),
        optional(
            "insync_delay",
            // A test of a client that waits needs seconds.
            Shape::Duration(Bounds::milliseconds(0, 600_000)),
            "How long GetChange says PENDING after a change. The answers are never late. Default: \"0s\".",
        ),
        optional(
            "zones_directory",
            Shape::String,
            "Where the files of new zones, checks and collections are written. Relative to this file. Default: `[zones] directory`.",
        ),
        optional(
            "cache",
            Shape::Size { most: 64 << 30 },
            "How much memory the record sets of zones that are read or changed may take, such as \"512KiB\" or \"1GiB\". Default: \"64MiB\".",
        ),
        optional(
            "strict",
            Shape::Switches(&StrictRule::NAMES),
            "Refuses what Route 53 refuses and this server does not need: true for all of it, or a list of single rules. Default: false.",
        ),
        optional(
            "largest_removal",
            Shape::String,
            "The largest share of a zone's record sets that one change may remove, such as \"50%\"; zones with fewer than 20 are not limited. Default: no limit.",
        ),
    ],
};

pub(super) const CLUSTER: Keys = Keys {
    what: "`[cluster]`",
    keys: &[
        required(
            "endpoints",
            Shape::Strings,
            "The URLs of etcd's members, such as [\"http://127.0.0.1:2379\"]. They are tried in turn.",
        ),
        optional(
            "node",
            Shape::String,
            "The name of this node, such as \"berlin-1\". No other node has it. $FIFTYTHREE_CLUSTER_NODE comes before it.",
        ),
        optional(
            "prefix",
            Shape::String,
            "The beginning of all keys in etcd, the same on all nodes. Default: \"/fiftythree\".",
        ),
        optional("region", Shape::String, "The AWS region that this node is in or near. Default: none."),
        optional(
            "agreement",
            Shape::Agreement,
            "How many nodes must consider an endpoint healthy; a check can have another rule. Default: \"18%\".",
        ),
        optional(
            "certificate_authorities",
            Shape::Strings,
            "PEM files with the authorities of etcd's certificates, relative to this file. Default: those of the system.",
        ),
        optional("tls_certificate", Shape::String, "The certificate with which this node connects, in PEM format."),
        optional("tls_key", Shape::String, "Its private key, in PEM format."),
        optional("user", Shape::String, "The user of etcd. Default: no authentication."),
        optional("password_file", Shape::String, "The file with the password of the user, relative to this file."),
        optional(
            "secret_file",
            Shape::String,
            "A file with a secret that all nodes have, as `openssl rand -base64 32` prints it. With it they share the secrets of DNS cookies. Only the server's user may read it. Relative to this file. Default: none.",
        ),
    ],
};

pub(super) const WEBHOOK: Keys = Keys {
    what: "`[webhook]`",
    keys: &[secret(
        "url",
        Shape::String,
        "The URL to which each status change of a health check is posted as JSON, with a `text` that Slack shows. Default: none.",
    )],
};

pub(super) const LOG: Keys = Keys {
    what: "`[log]`",
    keys: &[optional(
        "format",
        Shape::Choice(&["auto", "text", "json"]),
        "\"auto\", the default, and \"text\" are readable text, coloured on a terminal; \"json\" is one JSON object per line.",
    )],
};

pub(super) const METRICS: Keys = Keys {
    what: "`[metrics]`",
    keys: &[optional(
        "count_answers",
        Shape::Strings,
        "Names for which answers are counted by record set; at most 100. Default: none.",
    )],
};

/// At a million queries a second, the highest value still logs one a second.
const SAMPLE: Shape = Shape::Integer { least: 1, most: 1_000_000 };

pub(super) const QUERY_LOG: Keys = Keys {
    what: "`[query_log]`",
    keys: &[
        required(
            "to",
            Shape::String,
            "\"stdout\", or a file, relative to this one. It is reopened when it is moved away.",
        ),
        optional(
            "format",
            Shape::Choice(&["route53", "json"]),
            "\"route53\", the default, is the format of Route 53's public query log; \"json\" has the same fields.",
        ),
        optional("sample", SAMPLE, "Logs one in this many queries, at random. Default: 1, every query."),
        optional(
            "zones",
            Shape::Strings,
            "Logs only queries in these zones. Default: all queries, also those outside all zones.",
        ),
        optional(
            "response_codes",
            Shape::Strings,
            "Logs only queries with these response codes, such as \"NXDOMAIN\". Default: all.",
        ),
        optional("types", Shape::Strings, "Logs only queries of these types, such as \"A\". Default: all."),
        optional(
            "clients",
            Shape::Strings,
            "Logs only queries from these networks, by the client subnet if there is one, else by the resolver's address. Default: all.",
        ),
    ],
};

pub(super) const DNSTAP: Keys = Keys {
    what: "`[dnstap]`",
    keys: &[
        optional(
            "socket",
            Shape::String,
            "The Unix socket of the reader, relative to this file. Exactly one of `socket` and `tcp` is required.",
        ),
        optional(
            "tcp",
            Shape::String,
            "The address and port of the reader. Exactly one of `socket` and `tcp` is required.",
        ),
        optional("identity", Shape::String, "The identity in the messages. Default: `dns.nsid`, else the host name."),
        optional("sample", SAMPLE, "Sends one in this many queries, at random. Default: 1, every query."),
    ],
};

pub(super) const ZONE_FILE: Keys = Keys {
    what: "a zone file",
    keys: &[
        VERSION,
        optional(
            "name",
            Shape::String,
            "The name of the hosted zone. A file without it can define only health checks and CIDR collections.",
        ),
        optional(
            "id",
            Shape::String,
            "The id of the hosted zone in the API: Z and up to 31 capital letters and digits. Default: derived from the name.",
        ),
        optional("comment", Shape::String, "A comment about the zone."),
        optional(
            "vpcs",
            Shape::StringsOrTables(&ZONE_VPC),
            "Makes the zone private: it is served only to clients in these VPCs, given by name or id, or as { id = …, region = … }.",
        ),
        CALLER_REFERENCE,
        TAGS,
        optional(
            "authorized_vpcs",
            Shape::StringsOrTables(&ZONE_VPC),
            "VPCs that may be associated with the zone through the API, by id or as { id = …, region = … }.",
        ),
        optional(
            "delegation_set",
            Shape::String,
            "The id of the reusable delegation set that the zone was created with.",
        ),
        optional(
            "query_logging",
            Shape::Table(&QUERY_LOGGING),
            "The query logging configuration of the API: queries for the zone are logged if there is a [query_log].",
        ),
        optional(
            "accelerated_recovery",
            Shape::Boolean,
            "Whether the API shows accelerated recovery as enabled. It has no effect here.",
        ),
        optional("protections", Shape::Tables(&PROTECTION), "Record sets that programs must not change."),
        optional(
            "traffic_policy_instances",
            Shape::Tables(&POLICY_INSTANCE),
            "Names whose records come from a [[traffic_policy]].",
        ),
        optional("record", Shape::Tables(&RECORD), "Resource record sets."),
        optional("record_group", Shape::Tables(&RECORD_GROUP), "Settings for all records of one name and type."),
        optional("health_check", Shape::Tables(&HEALTH_CHECK), "Health checks; records in any file can use them."),
        optional(
            "cidr_collection",
            Shape::Tables(&CIDR_COLLECTION),
            "CIDR collections; records in any file can use them.",
        ),
        optional(
            "reusable_delegation_set",
            Shape::Tables(&DELEGATION_SET),
            "Name servers of several zones, as the API creates them.",
        ),
        optional(
            "traffic_policy",
            Shape::Tables(&TRAFFIC_POLICY),
            "Traffic policies, as the API creates them; zones in any file can use them.",
        ),
        optional(
            "alias_target",
            Shape::Tables(&ALIAS_TARGET),
            "What resources of AWS answer; aliases in any file can target them.",
        ),
    ],
};

pub(super) const QUERY_LOGGING: Keys = Keys {
    what: "`query_logging`",
    keys: &[
        required("id", Shape::String, "The id in the API, a UUID in lower case."),
        required("log_group", Shape::String, "The ARN of a log group of CloudWatch Logs, which the API shows."),
    ],
};

pub(super) const PROTECTION: Keys = Keys {
    what: "a protection",
    keys: &[
        required("name", Shape::String, "The name of the record sets, relative or absolute."),
        required("type", Shape::String, "The type of the record sets."),
        optional("comment", Shape::String, "Why they must not change. A refused change shows it."),
    ],
};

pub(super) const POLICY_INSTANCE: Keys = Keys {
    what: "a traffic policy instance",
    keys: &[
        required("id", Shape::String, "The id in the API, a UUID in lower case."),
        required("name", Shape::String, "The name, relative or absolute."),
        required("type", Shape::String, "The type of the records: that of the policy's document."),
        required("ttl", Shape::Integer { least: 0, most: MAX_TTL as i64 }, "The TTL of the records."),
        required("policy", Shape::String, "The id of the traffic policy."),
        required("version", Shape::Integer { least: 1, most: 1000 }, "The version of the policy."),
    ],
};

pub(super) const TRAFFIC_POLICY: Keys = Keys {
    what: "`[[traffic_policy]]`",
    keys: &[
        required("id", Shape::String, "The id in the API, a UUID in lower case."),
        required("name", Shape::String, "The name; unique in all files."),
        required("versions", Shape::Tables(&POLICY_VERSION), "The versions of the policy."),
    ],
};

pub(super) const POLICY_VERSION: Keys = Keys {
    what: "a version of a traffic policy",
    keys: &[
        required("number", Shape::Integer { least: 1, most: 1000 }, "Its number: 1 for the first."),
        optional("comment", Shape::String, "A comment."),
        required("document", Shape::String, "The document: JSON, as the API takes it."),
        optional("deleted", Shape::Boolean, "Whether it was deleted. It can still be read. Default: false."),
    ],
};

pub(super) const DELEGATION_SET: Keys = Keys {
    what: "`[[reusable_delegation_set]]`",
    keys: &[
        required("id", Shape::String, "The id in the API: N and up to 31 capital letters and digits."),
        CALLER_REFERENCE,
        optional("hosted_zone", Shape::String, "The id of the zone whose name servers were made reusable."),
        required("name_servers", Shape::Strings, "The names of the name servers."),
    ],
};

pub(super) const ZONE_VPC: Keys = Keys {
    what: "a VPC of a zone",
    keys: &[
        required("id", Shape::String, "The name or id of the VPC."),
        required("region", Shape::String, "The AWS region of the VPC, as the API shows it."),
    ],
};

pub(super) const RECORD_GROUP: Keys = Keys {
    what: "`[[record_group]]`",
    keys: &[
        required("name", Shape::String, "The name of the group's records, relative or absolute."),
        required("type", Shape::String, "The type of the group's records."),
        optional(
            "when_all_unhealthy",
            Shape::Choice(&["all", "none", "last_healthy"]),
            "What the group answers when none of its records is healthy: \"all\", the default and Route 53's rule, all records; \"none\", no records; \"last_healthy\", the records that were healthy last.",
        ),
        optional(
            "failback_delay",
            // A longer delay than a day is a mistake.
            Shape::Duration(Bounds::seconds(0, 86_400)),
            "How long a recovered record must stay healthy before it is used again. Default: 0.",
        ),
        optional(
            "slow_start",
            Shape::Duration(Bounds::seconds(0, 86_400)),
            "For weighted records: how long the share of a recovered record grows until it reaches its weight. Default: 0.",
        ),
    ],
};

pub(super) const RECORD: Keys = Keys {
    what: "`[[record]]`",
    keys: &[
        required(
            "name",
            Shape::String,
            "The name, relative to the zone or absolute with a trailing dot; \"@\" is the zone itself.",
        ),
        required("type", Shape::String, "One of Route 53's 17 record types."),
        optional(
            "ttl",
            Shape::Duration(Bounds::seconds(0, MAX_TTL as u64)),
            "How long resolvers may cache the records. Required with `values`.",
        ),
        optional("values", Shape::Strings, "The records' values, as Route 53 writes them."),
        optional(
            "alias",
            Shape::Table(&ALIAS),
            "Answers with the records of another name in the zone, or of an [[alias_target]].",
        ),
        optional(
            "set_identifier",
            Shape::String,
            "Distinguishes the records of one name and type. Required with a routing policy.",
        ),
        optional("weight", Shape::Integer { least: 0, most: 255 }, "Weighted routing: this record's weight, 0 to 255."),
        optional("region", Shape::String, "Latency routing: the AWS region of this record's resource."),
        optional(
            "failover",
            Shape::Choice(&["primary", "secondary"]),
            "Failover routing: \"primary\" or \"secondary\".",
        ),
        optional(
            "geolocation",
            Shape::Table(&GEOLOCATION),
            "Geolocation routing: the area of the clients that get this record.",
        ),
        optional(
            "geoproximity",
            Shape::Table(&GEOPROXIMITY),
            "Geoproximity routing: the location of this record's resource.",
        ),
        optional(
            "cidr",
            Shape::Table(&CIDR),
            "IP-based routing: the CIDR location of the clients that get this record.",
        ),
        optional("multivalue", Shape::Boolean, "Multivalue answer routing: up to eight healthy records at random."),
        optional("health_check", Shape::String, "The name or id of the health check for this record."),
    ],
};

pub(super) const ALIAS: Keys = Keys {
    what: "`alias`",
    keys: &[
        required(
            "target",
            Shape::String,
            "A name in the same zone, relative or absolute with a trailing dot; with another `hosted_zone_id`, the DNS name of a resource of AWS.",
        ),
        required(
            "evaluate_target_health",
            Shape::Boolean,
            "Whether the alias counts as unhealthy while its target is unhealthy.",
        ),
        optional(
            "hosted_zone_id",
            Shape::String,
            "The id of the hosted zone of a resource of AWS, for which an [[alias_target]] says what it answers. Default: this zone.",
        ),
    ],
};

pub(super) const ALIAS_TARGET: Keys = Keys {
    what: "`[[alias_target]]`",
    keys: &[
        required("name", Shape::String, "A name for people; unique in all files."),
        required(
            "target",
            Shape::String,
            "The DNS name of the resource, or a pattern for several: `*` stands for any number of characters.",
        ),
        optional(
            "service",
            Shape::Choice(&AliasService::WORDS),
            "The service of AWS. Aliases must name one of its hosted zones, unless `hosted_zone_id` is another.",
        ),
        optional(
            "hosted_zone_id",
            Shape::String,
            "The hosted zone that aliases name for the resource. Default: any of the service; without a service, any.",
        ),
        optional("addresses", Shape::Strings, "The IPv4 and IPv6 addresses that A and AAAA aliases answer with."),
        optional(
            "addresses_of",
            Shape::String,
            "Instead of `addresses`: a name whose A and AAAA records aliases answer with.",
        ),
        optional(
            "ttl",
            Shape::Duration(Bounds::seconds(0, MAX_TTL as u64)),
            "How long resolvers may cache the addresses. Default: 60.",
        ),
        optional(
            "health_check",
            Shape::String,
            "The name or id of the health check of the resource, for aliases with `evaluate_target_health = true`.",
        ),
    ],
};

pub(super) const GEOLOCATION: Keys = Keys {
    what: "`geolocation`",
    keys: &[
        optional("continent", Shape::Choice(&["AF", "AN", "AS", "EU", "NA", "OC", "SA"]), "A continent's code."),
        optional("country", Shape::String, "A country's ISO 3166-1 code, or \"*\" for all other clients."),
        optional("subdivision", Shape::String, "The code of a US state or a Ukrainian oblast; requires `country`."),
    ],
};

pub(super) const GEOPROXIMITY: Keys = Keys {
    what: "`geoproximity`",
    keys: &[
        optional("region", Shape::String, "The AWS region of the resource."),
        optional(
            "coordinates",
            Shape::Table(&COORDINATES),
            "The coordinates of the resource, with at most two decimals.",
        ),
        optional(
            "local_zone_group",
            Shape::String,
            "The local zone group of the resource, such as \"us-east-1-bue-1\".",
        ),
        optional(
            "bias",
            Shape::Integer { least: -99, most: 99 },
            "-99 to 99; a positive bias attracts clients from farther away. Default: 0.",
        ),
    ],
};

pub(super) const CIDR: Keys = Keys {
    what: "`cidr`",
    keys: &[
        required("collection", Shape::String, "The name or id of a CIDR collection."),
        required("location", Shape::String, "A location of the collection, or \"*\" for all other clients."),
    ],
};

pub(super) const ALARM: Keys = Keys {
    what: "`alarm`",
    keys: &[
        required("region", Shape::String, "The AWS region of the alarm."),
        required("name", Shape::String, "The name of the alarm."),
    ],
};

pub(super) const HEALTH_CHECK: Keys = Keys {
    what: "`[[health_check]]`",
    keys: &[
        required("name", Shape::String, "The name that records refer to; unique in all files."),
        optional("id", Shape::String, "The id in the API, a lower-case UUID. Default: derived from the name."),
        CALLER_REFERENCE,
        DEFINITION_VERSION,
        TAGS,
        optional(
            "type",
            Shape::Choice(&["http", "https", "tcp", "calculated", "metric", "manual"]),
            "The type: \"http\", \"https\" and \"tcp\" probe an endpoint, \"calculated\" counts other checks, \"metric\" queries Prometheus, \"manual\" has the status you set.",
        ),
        optional("ip_address", Shape::String, "The endpoint's address."),
        optional(
            "fqdn",
            Shape::String,
            "The name in the Host header and the TLS handshake. Without `ip_address` it is resolved before every probe.",
        ),
        optional(
            "port",
            Shape::Integer { least: 1, most: 65_535 },
            "The port. Default: 80 for http, 443 for https; required for tcp.",
        ),
        optional("resource_path", Shape::String, "The path that http and https request. Default: \"/\"."),
        optional("search_string", Shape::String, "The string that must be in the first 5120 bytes of the body."),
        // Probing less than once an hour is a mistake.
        optional(
            "request_interval",
            Shape::Duration(Bounds::seconds(1, 3600)),
            "The time between two probes. Route 53 allows 10 and 30. Default: 30.",
        ),
        optional(
            "failure_threshold",
            Shape::Integer { least: 1, most: 10 },
            "The number of consecutive failed or passed probes that change the status. Default: 3.",
        ),
        optional(
            "recovery_threshold",
            Shape::Integer { least: 1, most: 10 },
            "The number of consecutive passed probes that make the check healthy. Default: `failure_threshold`.",
        ),
        optional(
            "agreement",
            Shape::Agreement,
            "How many nodes of a cluster must consider the endpoint healthy. Default: that of `[cluster]`.",
        ),
        optional("inverted", Shape::Boolean, "Whether the status is inverted. Default: false."),
        optional("disabled", Shape::Boolean, "Whether the check is disabled: not probed, and healthy. Default: false."),
        optional("measure_latency", Shape::Boolean, "Whether latencies are recorded. Default: false."),
        optional("enable_sni", Shape::Boolean, "Whether https sends `fqdn` in the TLS handshake. Default: true."),
        optional("expected_status", Shape::Statuses, "The HTTP statuses that pass. Default: [\"200-399\"]."),
        secret("request_headers", Shape::NamedStrings, "Additional headers that http and https send."),
        // A timeout longer than a minute is of no use for failover.
        optional(
            "connect_timeout",
            Shape::Duration(Bounds::milliseconds(10, 60_000)),
            "The timeout for the connection, TLS included. Default: 4 s, for tcp 10 s.",
        ),
        optional(
            "response_timeout",
            Shape::Duration(Bounds::milliseconds(10, 60_000)),
            "The timeout of http and https for the status line. Default: 2 s.",
        ),
        optional(
            "body_timeout",
            Shape::Duration(Bounds::milliseconds(10, 60_000)),
            "The timeout for `search_string` after the status line. Default: 2 s.",
        ),
        optional(
            "verify_certificate",
            Shape::Boolean,
            "Whether https requires a valid certificate, for `fqdn` or else the address. Default: false.",
        ),
        optional(
            "address_family",
            Shape::Choice(&["ipv4", "ipv6"]),
            "Which addresses of `fqdn` are probed without `ip_address`. Default: \"ipv4\".",
        ),
        optional(
            "regions",
            Shape::Strings,
            "The regions of Route 53's checkers, at least three; kept for the API. Default: all.",
        ),
        optional(
            "child_health_checks",
            Shape::Strings,
            "The names or ids of the checks that a calculated check counts, at most 256.",
        ),
        optional(
            "health_threshold",
            Shape::Integer { least: 0, most: 256 },
            "How many children must be healthy for a calculated check to be healthy.",
        ),
        // The URL can contain a user name and a password.
        secret(
            "prometheus",
            Shape::String,
            "The base URL of the Prometheus server that a metric check queries, such as \"http://127.0.0.1:9090\".",
        ),
        optional(
            "query",
            Shape::String,
            "A PromQL query with a number or several as the result. The check is unhealthy if any of them is bad.",
        ),
        optional(
            "comparison",
            Shape::Choice(&[
                "greater_than_threshold",
                "greater_than_or_equal_to_threshold",
                "less_than_threshold",
                "less_than_or_equal_to_threshold",
            ]),
            "Which numbers are bad: the comparison with `threshold` that makes a metric check unhealthy.",
        ),
        optional("threshold", Shape::AnyNumber, "The number that results of a metric check are compared with."),
        optional(
            "period",
            Shape::Duration(Bounds::seconds(1, 86_400)),
            "The time between two evaluations of a metric check. Default: 60.",
        ),
        optional(
            "evaluation_periods",
            // More than a hundred is a mistake.
            Shape::Integer { least: 1, most: 100 },
            "How many consecutive evaluations must be bad, or without data. Default: 1.",
        ),
        optional(
            "insufficient_data_health_status",
            Shape::Choice(&["healthy", "unhealthy", "last_known_status"]),
            "The status of a metric check without data. Default: \"last_known_status\".",
        ),
        optional(
            "alarm",
            Shape::Table(&ALARM),
            "What the API calls the query of a metric check. Default: the name of the check.",
        ),
        optional(
            "status",
            Shape::Choice(&["healthy", "unhealthy"]),
            "The status of a manual check. In Route 53: On and Off.",
        ),
        optional(
            "routing_control_arn",
            Shape::String,
            "What the API calls a manual check. Default: made from the id of the check.",
        ),
        optional(
            "deleted",
            Shape::Boolean,
            "Marks a check that was deleted through the API while records used it; it counts as healthy.",
        ),
    ],
};

pub(super) const CIDR_COLLECTION: Keys = Keys {
    what: "`[[cidr_collection]]`",
    keys: &[
        required("name", Shape::String, "The name that records refer to; unique in all files."),
        optional("id", Shape::String, "The id in the API, a lower-case UUID. Default: derived from the name."),
        CALLER_REFERENCE,
        DEFINITION_VERSION,
        required(
            "locations",
            Shape::NamedStringLists,
            "The locations and their networks, such as { berlin = [\"10.53.1.0/24\"] }.",
        ),
    ],
};
