//! Every table that users write, as data: its keys, their shapes, what they mean. The readers and the JSON Schemas work
//! from these lists, so that what is allowed and what is documented cannot drift apart.

use std::time::Duration;

use crate::model::MAX_TTL;

/// The keys that a table may have.
pub(super) struct Keys {
    /// What the table is called in messages.
    pub(super) what: &'static str,
    pub(super) keys: &'static [Key],
}

/// A key.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) need: Need,
    pub(super) secrecy: Secrecy,
    /// What it means, for editors.
    pub(super) about: &'static str,
}

/// Whether a key must be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Optional,
    Required,
}

/// Whether a value may be shown in excerpts and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrecy {
    Open,
    /// A password, a token, or an address that holds one.
    Secret,
}

/// What may stand at a key.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Text,
    Choice(&'static [&'static str]),
    Texts,
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
    Duration(Bounds),
    Table(&'static Keys),
    Tables(&'static Keys),
    /// A list of HTTP statuses and ranges of them.
    Statuses,
    /// A table with the user's own keys and texts.
    NamedText,
    /// A table with the user's own keys and lists of texts.
    NamedTexts,
    /// A table with the user's own keys and durations.
    NamedDurations(Bounds),
}

/// How long a duration may be.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    least: Duration,
    most: Duration,
    grain: Grain,
}

/// The smallest difference that counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grain {
    Second,
    Millisecond,
}

impl Keys {
    pub(super) fn get(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// What other tools, and Route 53 itself, call our keys.
    pub(super) fn nickname(&self, name: &str) -> Option<String> {
        let nicknames: &[(&str, &str)] = &[
            ("ResourceRecords", "values"),
            ("resource_records", "values"),
            ("records", "values"),
            ("AliasTarget", "alias"),
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
        let known = |(nickname, key): &&(&str, &str)| *nickname == name && self.get(key).is_some();
        nicknames.iter().find(known).map(|(_, key)| (*key).to_owned())
    }

    /// What to say about a key that is kept free for what this server does not do yet.
    pub(super) fn later(&self, name: &str) -> Option<&'static str> {
        let kept: &[(&str, &str)] = &[
            ("alias_target", "`[[alias_target]]` is kept for later and not supported yet"),
            ("traffic_policy", "`[[traffic_policy]]` is kept for later and not supported yet"),
            (
                "alarm_identifier",
                "a metric check asks a Prometheus: write `prometheus`, `query`, `comparison` and `threshold`",
            ),
            ("regions", "the checks of this server come from where it runs; there are no checker regions"),
        ];
        kept.iter().find(|(kept, _)| *kept == name).map(|(_, hint)| *hint)
    }
}

impl Shape {
    /// In words, to follow "must be".
    pub(super) fn describe(self) -> String {
        match self {
            Shape::Text | Shape::Choice(_) => "a text in quotes".to_owned(),
            Shape::Texts => "a list of texts".to_owned(),
            Shape::Integer { least, most } => format!("a whole number from {least} to {most}"),
            Shape::Number { least, most } => format!("a number from {least} to {most}"),
            Shape::AnyNumber => "a finite number".to_owned(),
            Shape::Boolean => "`true` or `false`".to_owned(),
            Shape::Duration(bounds) => format!("a duration: {}", bounds.describe()),
            Shape::Table(_) => "a table".to_owned(),
            Shape::Tables(_) => "a list of tables".to_owned(),
            Shape::Statuses => "a list of statuses and ranges, such as [\"200-299\", 404]".to_owned(),
            Shape::NamedText => "a table of names with texts".to_owned(),
            Shape::NamedTexts => "a table of names with lists of texts".to_owned(),
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
        Bounds { least: Duration::from_secs(least), most: Duration::from_secs(most), grain: Grain::Second }
    }

    const fn milliseconds(least: u64, most: u64) -> Bounds {
        Bounds { least: Duration::from_millis(least), most: Duration::from_millis(most), grain: Grain::Millisecond }
    }

    pub(super) fn holds(self, duration: Duration) -> bool {
        let fine = self.grain == Grain::Second && duration.subsec_nanos() != 0;
        self.least <= duration && duration <= self.most && !fine
    }

    /// Such as "from 1 to 3600 whole seconds".
    pub(super) fn describe(self) -> String {
        let whole = if self.grain == Grain::Second { "whole " } else { "" };
        let most = self.most.as_secs();
        match self.least.subsec_millis() {
            0 => format!("from {} to {most} {whole}seconds", self.least.as_secs()),
            milliseconds => format!("from {milliseconds} milliseconds to {most} seconds"),
        }
    }

    /// Texts that fit.
    pub(super) fn examples(self) -> &'static str {
        match self.grain {
            Grain::Second => "\"10s\", \"5m\", \"1h\"",
            Grain::Millisecond => "\"250ms\", \"10s\", \"5m\"",
        }
    }

    /// What such texts look like, as a regular expression.
    pub(super) fn pattern(self) -> &'static str {
        match self.grain {
            Grain::Second => "^[0-9]+(s|m|h|d|w)$",
            Grain::Millisecond => "^[0-9]+(ms|s|m|h|d|w)$",
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

/// The only version of all kinds of file so far.
const VERSION: Key = optional("version", Shape::Integer { least: 1, most: 1 }, "The version of the file's form: 1.");

pub(super) const SETTINGS: Keys = Keys {
    what: "the settings",
    keys: &[
        VERSION,
        optional("dns", Shape::Table(&DNS), "How queries are answered."),
        optional("zones", Shape::Table(&ZONES), "Where the zone files are."),
        optional("location", Shape::Table(&LOCATION), "Where clients are."),
        optional("vpc", Shape::Tables(&VPC), "Client networks with a name; private zones belong to such."),
        optional("health", Shape::Table(&HEALTH), "How health checks start."),
        optional("state", Shape::Table(&STATE), "Where the server keeps what it must remember."),
        optional("admin", Shape::Table(&ADMIN), "Status page, metrics, explain, Route 53 API."),
        secret("webhook", Shape::Table(&WEBHOOK), "Who is told when a health check changes."),
        optional("log", Shape::Table(&LOG), "What is written to stderr."),
        optional("metrics", Shape::Table(&METRICS), "What is counted beyond what always is."),
        optional("query_log", Shape::Table(&QUERY_LOG), "A line for each query; off when absent."),
        optional("dnstap", Shape::Table(&DNSTAP), "Each query and response to a dnstap reader; off when absent."),
    ],
};

/// A file of places for `fiftythree simulate`.
pub(super) const PLACES: Keys = Keys {
    what: "a file of places",
    keys: &[VERSION, optional("place", Shape::Tables(&PLACE), "Where clients come from.")],
};

pub(super) const PLACE: Keys = Keys {
    what: "`[[place]]`",
    keys: &[
        required("name", Shape::Text, "What people call it; each name once."),
        optional(
            "weight",
            // Enough for the share of a village among all of a country's clients.
            Shape::Integer { least: 1, most: 1_000_000 },
            "Its part of all clients, over the sum of all weights. Default: 1.",
        ),
        required("networks", Shape::Texts, "Where its clients' addresses are, such as \"192.0.2.0/24\"."),
    ],
};

pub(super) const DNS: Keys = Keys {
    what: "`[dns]`",
    keys: &[
        optional(
            "listen",
            Shape::Texts,
            "Addresses with ports; each serves UDP and TCP. Default: port 53 of every address.",
        ),
        // More threads than this help on no machine that answers DNS.
        optional("workers", Shape::Integer { least: 0, most: 1024 }, "UDP workers; 0, the default, is one a core."),
        // RFC 6891 section 6.2.5 has 512 as the least; 4096 is Route 53's ceiling.
        optional(
            "udp_payload_max",
            Shape::Integer { least: 512, most: 4096 },
            "The largest UDP answer in octets, 512 to 4096. Default: 1232, which is never fragmented.",
        ),
        optional("nsid", Shape::Text, "The name server identifier (RFC 5001) for whoever asks; off when absent."),
        optional(
            "name_servers",
            Shape::Tables(&NAME_SERVER),
            "What a zone without NS records of its own names in its NS set and SOA. Default: ns1.<zone> with the listen addresses.",
        ),
    ],
};

pub(super) const NAME_SERVER: Keys = Keys {
    what: "a name server",
    keys: &[
        required("name", Shape::Text, "Its absolute name, such as \"ns1.lab.test.\"."),
        optional("addresses", Shape::Texts, "Its addresses; written into zones that hold its name."),
    ],
};

pub(super) const ZONES: Keys = Keys {
    what: "`[zones]`",
    keys: &[
        optional(
            "directory",
            Shape::Text,
            "The directory of the zone files, relative to this file. Default: \"../zones\".",
        ),
        optional("watch", Shape::Boolean, "Whether edits are picked up by themselves. Default: true."),
    ],
};

pub(super) const LOCATION: Keys = Keys {
    what: "`[location]`",
    keys: &[
        optional(
            "geoip",
            Shape::Texts,
            "Geo databases in MaxMind's format, relative to this file; the first hit wins.",
        ),
        optional(
            "client_subnet",
            Shape::Choice(&["use", "ignore"]),
            "EDNS Client Subnet: \"use\", the default, or \"ignore\".",
        ),
        optional("network", Shape::Tables(&NETWORK), "Your own places; the longest prefix wins, before geoip."),
        optional("latency", Shape::Tables(&LATENCY), "Measured round trips; a region not listed counts by distance."),
    ],
};

pub(super) const NETWORK: Keys = Keys {
    what: "`[[location.network]]`",
    keys: &[
        required("cidr", Shape::Text, "The clients' network."),
        optional("country", Shape::Text, "The ISO 3166-1 code of their country; the continent follows."),
        optional("subdivision", Shape::Text, "The US state or Ukrainian oblast they are in."),
        optional("coordinates", Shape::Table(&COORDINATES), "Where exactly."),
        optional("region", Shape::Text, "The AWS region that they count as being in."),
    ],
};

pub(super) const LATENCY: Keys = Keys {
    what: "`[[location.latency]]`",
    keys: &[
        optional("cidr", Shape::Text, "For the clients of this network; or `country`, or `region`."),
        optional("country", Shape::Text, "For the clients in this country; or `cidr`, or `region`."),
        optional("region", Shape::Text, "For the clients in this AWS region; or `cidr`, or `country`."),
        // No round trip on this planet takes a minute.
        required(
            "round_trip",
            Shape::NamedDurations(Bounds::milliseconds(0, 60_000)),
            "Round trips by AWS region, such as { eu-central-1 = \"4ms\" }.",
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
        optional("name", Shape::Text, "What zones may call it."),
        optional("id", Shape::Text, "What the API calls it, such as \"vpc-lab1\"; follows from the name when absent."),
        required("region", Shape::Text, "The AWS region where its clients count as being."),
        required("cidrs", Shape::Texts, "Its clients' networks; no other VPC may have the same block."),
    ],
};

pub(super) const HEALTH: Keys = Keys {
    what: "`[health]`",
    keys: &[
        optional(
            "wait_for_first_result",
            // Who waits longer than an hour for port 53 has other troubles.
            Shape::Duration(Bounds::milliseconds(0, 3_600_000)),
            "How long the server waits for the first result of each check before it answers. Default: \"10s\".",
        ),
        optional(
            "certificate_authorities",
            Shape::Texts,
            "PEM files that `verify_certificate` trusts, relative to this file. Default: those of the system.",
        ),
        optional(
            "sentinels",
            Shape::Texts,
            "Health checks, by name or id. While all of them are unhealthy, the uplink is gone and other verdicts stand.",
        ),
    ],
};

pub(super) const STATE: Keys = Keys {
    what: "`[state]`",
    keys: &[optional(
        "directory",
        Shape::Text,
        "Last good sources, health across restarts, the API's bookkeeping; relative to this file. Default: \"/var/lib/fiftythree\".",
    )],
};

pub(super) const ADMIN: Keys = Keys {
    what: "`[admin]`",
    keys: &[
        optional("listen", Shape::Text, "Address and port; \"off\" for none. Default: \"127.0.0.1:8053\"."),
        optional(
            "token_file",
            Shape::Text,
            "A file with the token without which nothing is changed over HTTP, relative to this file; none when absent.",
        ),
        optional(
            "allowed_hosts",
            Shape::Texts,
            "Names in the Host header that are accepted besides IP addresses, localhost and names without a dot.",
        ),
        optional(
            "public_url",
            Shape::Text,
            "The address at which a proxy shows the status page, such as \"https://ops.example.net/dns/\"; none when absent.",
        ),
    ],
};

pub(super) const WEBHOOK: Keys = Keys {
    what: "`[webhook]`",
    keys: &[secret(
        "url",
        Shape::Text,
        "Where each change of a health check is posted as JSON, with a `text` that Slack shows; none when absent.",
    )],
};

pub(super) const LOG: Keys = Keys {
    what: "`[log]`",
    keys: &[optional(
        "format",
        Shape::Choice(&["auto", "text", "json"]),
        "\"auto\", the default, and \"text\" are for people, coloured on a terminal; \"json\" is for machines.",
    )],
};

pub(super) const METRICS: Keys = Keys {
    what: "`[metrics]`",
    keys: &[optional(
        "count_answers",
        Shape::Texts,
        "Names of which it is counted how often each of their record sets is the answer; 100 at most. Default: none.",
    )],
};

/// One in a million of the fastest server's queries is still one a second.
const SAMPLE: Shape = Shape::Integer { least: 1, most: 1_000_000 };

pub(super) const QUERY_LOG: Keys = Keys {
    what: "`[query_log]`",
    keys: &[
        required("to", Shape::Text, "\"stdout\", or a file, relative to this one; opened anew when it is moved away."),
        optional(
            "format",
            Shape::Choice(&["route53", "json"]),
            "\"route53\", the default, is the line of Route 53's public query log; \"json\" has the same fields.",
        ),
        optional("sample", SAMPLE, "One in so many queries is logged, by chance. Default: 1, each."),
        optional("zones", Shape::Texts, "Queries to these zones alone. Default: all, and those to no zone."),
        optional(
            "response_codes",
            Shape::Texts,
            "Queries with these response codes alone, such as \"NXDOMAIN\". Default: all.",
        ),
        optional("types", Shape::Texts, "Queries of these types alone, such as \"A\". Default: all."),
        optional(
            "clients",
            Shape::Texts,
            "Queries from these networks alone: the client subnet when there is one, else the resolver. Default: all.",
        ),
    ],
};

pub(super) const DNSTAP: Keys = Keys {
    what: "`[dnstap]`",
    keys: &[
        optional("socket", Shape::Text, "The Unix socket of the reader, relative to this file; or `tcp`."),
        optional("tcp", Shape::Text, "Address and port of the reader; or `socket`."),
        optional("identity", Shape::Text, "Who tells. Default: `dns.nsid`, else the name of this machine."),
        optional("sample", SAMPLE, "One in so many queries is told, by chance. Default: 1, each."),
    ],
};

pub(super) const ZONE_FILE: Keys = Keys {
    what: "a zone file",
    keys: &[
        VERSION,
        optional("name", Shape::Text, "The hosted zone's name. A file without one may hold checks and collections."),
        optional("id", Shape::Text, "The hosted zone's id in the API: Z and up to 31 capitals and digits."),
        optional("comment", Shape::Text, "Your own words about the zone."),
        optional("vpcs", Shape::Texts, "Makes the zone private: only clients in these VPCs see it."),
        optional("record", Shape::Tables(&RECORD), "Resource record sets."),
        optional("record_group", Shape::Tables(&RECORD_GROUP), "What holds for all records of one name and type."),
        optional("health_check", Shape::Tables(&HEALTH_CHECK), "Health checks; any file may use them."),
        optional("cidr_collection", Shape::Tables(&CIDR_COLLECTION), "CIDR collections; any file may use them."),
    ],
};

pub(super) const RECORD_GROUP: Keys = Keys {
    what: "`[[record_group]]`",
    keys: &[
        required("name", Shape::Text, "The name of the group's records, written as theirs is."),
        required("type", Shape::Text, "The type of the group's records."),
        optional(
            "when_all_unhealthy",
            Shape::Choice(&["all", "none", "last_healthy"]),
            "What is answered when nothing in the group is healthy: all of it, as at Route 53; nothing; or what was healthy last.",
        ),
        optional(
            "failback_delay",
            // Who waits longer than a day for a healthy record means another one.
            Shape::Duration(Bounds::seconds(0, 86_400)),
            "How long a record that recovered has to stay healthy before it is in use again. Default: 0.",
        ),
        optional(
            "slow_start",
            Shape::Duration(Bounds::seconds(0, 86_400)),
            "Weighted records: how long the share of one that recovered grows until it has its weight. Default: 0.",
        ),
    ],
};

pub(super) const RECORD: Keys = Keys {
    what: "`[[record]]`",
    keys: &[
        required(
            "name",
            Shape::Text,
            "Relative to the zone, or absolute with a trailing dot; \"@\" is the zone itself.",
        ),
        required("type", Shape::Text, "One of Route 53's 17 record types."),
        optional(
            "ttl",
            Shape::Duration(Bounds::seconds(0, MAX_TTL as u64)),
            "How long resolvers may keep it; needed beside `values`.",
        ),
        optional("values", Shape::Texts, "The records' values, as Route 53 writes them."),
        optional("alias", Shape::Table(&ALIAS), "Answers with what another record of the zone would."),
        optional(
            "set_identifier",
            Shape::Text,
            "Tells apart the records of one name and type; needed beside a routing policy.",
        ),
        optional("weight", Shape::Integer { least: 0, most: 255 }, "Weighted routing: this record's share."),
        optional("region", Shape::Text, "Latency routing: the AWS region of this record's resource."),
        optional(
            "failover",
            Shape::Choice(&["primary", "secondary"]),
            "Failover routing: \"primary\" or \"secondary\".",
        ),
        optional("geolocation", Shape::Table(&GEOLOCATION), "Geolocation routing: the area this record is for."),
        optional("geoproximity", Shape::Table(&GEOPROXIMITY), "Geoproximity routing: where this record's resource is."),
        optional("cidr", Shape::Table(&CIDR), "IP-based routing: the location whose clients this record is for."),
        optional("multivalue", Shape::Boolean, "Multivalue answer routing: up to eight healthy records at random."),
        optional(
            "health_check",
            Shape::Text,
            "The name or id of the health check that says whether it may be answered.",
        ),
    ],
};

pub(super) const ALIAS: Keys = Keys {
    what: "`alias`",
    keys: &[
        required("target", Shape::Text, "A name of the same zone, relative, or absolute with a trailing dot."),
        required(
            "evaluate_target_health",
            Shape::Boolean,
            "Whether it is unhealthy while nothing in its target is healthy.",
        ),
        optional("hosted_zone_id", Shape::Text, "The id of this very zone; may be left out."),
    ],
};

pub(super) const GEOLOCATION: Keys = Keys {
    what: "`geolocation`",
    keys: &[
        optional("continent", Shape::Choice(&["AF", "AN", "AS", "EU", "NA", "OC", "SA"]), "A continent's code."),
        optional("country", Shape::Text, "A country's ISO 3166-1 code, or \"*\" for everybody else."),
        optional("subdivision", Shape::Text, "A state of US or an oblast of UA, beside `country`."),
    ],
};

pub(super) const GEOPROXIMITY: Keys = Keys {
    what: "`geoproximity`",
    keys: &[
        optional("region", Shape::Text, "At an AWS region."),
        optional("coordinates", Shape::Table(&COORDINATES), "At a point, with at most two decimals."),
        optional("local_zone_group", Shape::Text, "At a local zone group, such as \"us-east-1-bue-1\"."),
        optional(
            "bias",
            Shape::Integer { least: -99, most: 99 },
            "-99 to 99; positive attracts clients from farther away. Default: 0.",
        ),
    ],
};

pub(super) const CIDR: Keys = Keys {
    what: "`cidr`",
    keys: &[
        required("collection", Shape::Text, "The name or id of a CIDR collection."),
        required("location", Shape::Text, "A location of the collection, or \"*\" for everybody else."),
    ],
};

pub(super) const HEALTH_CHECK: Keys = Keys {
    what: "`[[health_check]]`",
    keys: &[
        required("name", Shape::Text, "What records call it; unique over all files."),
        optional("id", Shape::Text, "What the API calls it, a lower-case UUID; follows from the name when absent."),
        optional(
            "type",
            Shape::Choice(&["http", "https", "tcp", "calculated", "metric", "manual"]),
            "How its status is found: by asking an endpoint, counting other checks, asking a Prometheus, or as you say.",
        ),
        optional("ip_address", Shape::Text, "The endpoint's address."),
        optional(
            "fqdn",
            Shape::Text,
            "The Host header and the SNI; resolved at every check when there is no `ip_address`.",
        ),
        optional(
            "port",
            Shape::Integer { least: 1, most: 65_535 },
            "Default: 80 for http, 443 for https; tcp must say.",
        ),
        optional("resource_path", Shape::Text, "What http and https ask for. Default: \"/\"."),
        optional("search_string", Shape::Text, "Must be within the first 5120 bytes of the answer's body."),
        // An hour without a look at an endpoint is no health check.
        optional(
            "request_interval",
            Shape::Duration(Bounds::seconds(1, 3600)),
            "From one check to the next. Route 53 knows 10 and 30. Default: 30.",
        ),
        optional(
            "failure_threshold",
            Shape::Integer { least: 1, most: 10 },
            "Results in a row that change its state, both ways. Default: 3.",
        ),
        optional(
            "recovery_threshold",
            Shape::Integer { least: 1, most: 10 },
            "Passed checks in a row that make it healthy, when not `failure_threshold`.",
        ),
        optional("inverted", Shape::Boolean, "Turns the verdict around. Default: false."),
        optional("disabled", Shape::Boolean, "No longer asked, and healthy from then on. Default: false."),
        optional("measure_latency", Shape::Boolean, "Keeps latency figures. Default: false."),
        optional("enable_sni", Shape::Boolean, "Whether https sends `fqdn` in the TLS handshake. Default: true."),
        optional("expected_status", Shape::Statuses, "Which statuses are good. Default: [\"200-399\"]."),
        secret("request_headers", Shape::NamedText, "Headers that http and https send besides their own."),
        // What takes longer than a minute to connect or to answer helps no failover.
        optional(
            "connect_timeout",
            Shape::Duration(Bounds::milliseconds(10, 60_000)),
            "How long connecting may take, TLS included. Default: 4 s, for tcp 10 s.",
        ),
        optional(
            "response_timeout",
            Shape::Duration(Bounds::milliseconds(10, 60_000)),
            "How long http and https wait for the status. Default: 2 s.",
        ),
        optional(
            "body_timeout",
            Shape::Duration(Bounds::milliseconds(10, 60_000)),
            "How long they then wait for `search_string`. Default: 2 s.",
        ),
        optional(
            "verify_certificate",
            Shape::Boolean,
            "Whether https demands a valid certificate, for `fqdn` or else the address. Default: false.",
        ),
        optional(
            "address_family",
            Shape::Choice(&["ipv4", "ipv6"]),
            "Which addresses of `fqdn` are asked when there is no `ip_address`. Default: \"ipv4\".",
        ),
        optional(
            "child_health_checks",
            Shape::Texts,
            "The names or ids of the checks that a calculated one counts, at most 256.",
        ),
        optional(
            "health_threshold",
            Shape::Integer { least: 0, most: 256 },
            "How many of its children must be healthy for a calculated check to be.",
        ),
        // It may hold a user and a password.
        secret("prometheus", Shape::Text, "The base URL that a metric check asks, such as \"http://127.0.0.1:9090\"."),
        optional("query", Shape::Text, "PromQL that gives a number, or several of which none may be bad."),
        optional(
            "comparison",
            Shape::Choice(&[
                "greater_than_threshold",
                "greater_than_or_equal_to_threshold",
                "less_than_threshold",
                "less_than_or_equal_to_threshold",
            ]),
            "Which numbers are bad: a metric check is unhealthy when this is so.",
        ),
        optional("threshold", Shape::AnyNumber, "What the numbers of a metric check are compared with."),
        optional(
            "period",
            Shape::Duration(Bounds::seconds(1, 86_400)),
            "From one evaluation of a metric check to the next. Default: 60.",
        ),
        optional(
            "evaluation_periods",
            // With more than a hundred nobody waits for the outcome.
            Shape::Integer { least: 1, most: 100 },
            "How many evaluations in a row must be bad, or without data. Default: 1.",
        ),
        optional(
            "insufficient_data_health_status",
            Shape::Choice(&["healthy", "unhealthy", "last_known_status"]),
            "What a metric check is without data. Default: \"last_known_status\".",
        ),
        optional(
            "status",
            Shape::Choice(&["healthy", "unhealthy"]),
            "What a manual check is. In Route 53: On and Off.",
        ),
        optional(
            "deleted",
            Shape::Boolean,
            "What is left of a check that was deleted by the API while records used it; counts as healthy.",
        ),
    ],
};

pub(super) const CIDR_COLLECTION: Keys = Keys {
    what: "`[[cidr_collection]]`",
    keys: &[
        required("name", Shape::Text, "What records call it; unique over all files."),
        optional("id", Shape::Text, "What the API calls it, a lower-case UUID; follows from the name when absent."),
        required(
            "locations",
            Shape::NamedTexts,
            "Locations and their networks, such as { berlin = [\"10.53.1.0/24\"] }.",
        ),
    ],
};
