//! Formats an error and its causes in one line, each once.

use std::error::Error;
use std::iter::successors;

/// The error, then its causes. Many libraries include the cause in the message of the error above
/// it; such a cause is not repeated.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = successors(error.source(), |&error| error.source()).map(ToString::to_string);
    causes.fold(error.to_string(), |text, cause| match text.contains(&cause) {
        true => text,
        false => format!("{text}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot listen: {source}")]
    struct Twice {
        source: io::Error,
    }

    #[test]
    fn each_cause_is_said_once() {
        let refused = || io::Error::from_raw_os_error(libc::ECONNREFUSED);
        let once = format!("cannot listen: {}", refused());
        assert_eq!(with_causes(&Twice { source: refused() }), once);
        let error = anyhow::Error::new(Twice { source: refused() }).context("cannot start");
        assert_eq!(with_causes(error.as_ref()), format!("cannot start: {once}"));
        let error = anyhow::Error::new(refused()).context("cannot start");
        assert_eq!(with_causes(error.as_ref()), format!("cannot start: {}", refused()));
    }
}
