//! How many probes run at once.

/// Where the system does not say how many files may be open: a quarter of the 1024 that are usual.
const PROBES_WITHOUT_A_KNOWN_LIMIT: usize = 256;

/// More than this at once gains nothing: 20 000 checks every 10 s that answer within a second are 2000 at once.
const MOST_PROBES: usize = 10_000;

/// Three quarters of the files that this process may have open; the rest is for answering and for files.
pub(super) fn probes_at_once() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    match soft_file_limit(&limits) {
        Some(files) => (files / 4 * 3).clamp(1, MOST_PROBES),
        None => PROBES_WITHOUT_A_KNOWN_LIMIT,
    }
}

/// Linux's `/proc/self/limits` has a line `Max open files            1024                 524288               files`.
fn soft_file_limit(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(usize::MAX),
        soft => soft.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_the_first_column() {
        let line = "Max processes             unlimited            unlimited            processes\n\
                    Max open files            1024                 524288               files\n";
        assert_eq!(soft_file_limit(line), Some(1024));
        assert_eq!(soft_file_limit(&line.replace("1024 ", "unlimited")), Some(usize::MAX));
        assert_eq!(soft_file_limit(""), None);
        assert!((1..=MOST_PROBES).contains(&probes_at_once()));
    }
}
