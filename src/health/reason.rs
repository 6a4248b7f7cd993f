//! The reason for a result as one word, for counters and filters.

/// The kind of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The probe passed.
    Good,
    /// A step timed out.
    Timeout,
    /// The endpoint refused the connection.
    ConnectionRefused,
    /// The connection could not be established, or ended too early.
    ConnectionFailed,
    /// The name has no address.
    Dns,
    /// The response is not valid HTTP.
    Protocol,
    /// The status code does not pass.
    Status,
    /// The search string was not found.
    StringMissing,
    /// The TLS handshake failed.
    Tls,
    /// The metric crossed its threshold.
    Threshold,
    /// The metric has no data.
    NoData,
}

impl Reason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Reason; 11] = [
        Reason::Good,
        Reason::Timeout,
        Reason::ConnectionRefused,
        Reason::ConnectionFailed,
        Reason::Dns,
        Reason::Protocol,
        Reason::Status,
        Reason::StringMissing,
        Reason::Tls,
        Reason::Threshold,
        Reason::NoData,
    ];

    /// The word for this reason, the same in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Good => "good",
            Reason::Timeout => "timeout",
            Reason::ConnectionRefused => "connection_refused",
            Reason::ConnectionFailed => "connection_failed",
            Reason::Dns => "dns",
            Reason::Protocol => "protocol",
            Reason::Status => "status",
            Reason::StringMissing => "string_missing",
            Reason::Tls => "tls",
            Reason::Threshold => "threshold",
            Reason::NoData => "no_data",
        }
    }

    /// What a result of this kind counts as: `pass`, `fail`, or `missing` without data.
    #[must_use]
    pub fn result(self) -> &'static str {
        match self {
            Reason::Good => "pass",
            Reason::NoData => "missing",
            _ => "fail",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_place_and_a_word_of_its_own() {
        let mut words: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert!(Reason::ALL.iter().enumerate().all(|(place, reason)| *reason as usize == place));
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Reason::ALL.len());
    }
}
