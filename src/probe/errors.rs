//! From the errors of sockets, TLS and HTTP to findings.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use super::Finding;

/// The probe could not be made for reasons of our own (no descriptor, port or memory left): it says nothing about the
/// endpoint, and must not count against it.
#[derive(Debug, thiserror::Error)]
#[error("the probe could not be made: {0}")]
pub(super) struct Unmade(String);

/// What an error of the socket says about the endpoint.
pub(super) fn of_socket(error: &io::Error) -> Result<Finding, Unmade> {
    if is_ours(error) {
        return Err(Unmade(error.to_string()));
    }
    Ok(match error.kind() {
        io::ErrorKind::ConnectionRefused => Finding::Refused,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => Finding::Closed,
        // The kernel gave up before our deadline did.
        io::ErrorKind::TimedOut => Finding::TimedOut(super::Step::Connect),
        _ => Finding::Unreachable(error.to_string()),
    })
}

/// What an error of an HTTP exchange says about the endpoint: the deepest cause that we know counts.
pub(super) fn of_exchange(error: &(dyn Error + 'static)) -> Result<Finding, Unmade> {
    if let Some(tls) = cause::<rustls::Error>(error) {
        return Ok(Finding::Tls(tls_text(tls)));
    }
    if let Some(socket) = innermost_io(error) {
        return of_socket(socket);
    }
    let Some(http) = cause::<hyper::Error>(error) else {
        return Ok(Finding::Protocol(deepest_text(error)));
    };
    if http.is_incomplete_message() || http.is_closed() || http.is_canceled() {
        return Ok(Finding::Closed);
    }
    Ok(Finding::Protocol(deepest_text(http)))
}

/// Whether a handshake stopped because the certificate does not have the name that we sent.
pub(super) fn is_wrong_name(error: &(dyn Error + 'static)) -> bool {
    matches!(cause::<rustls::Error>(error), Some(rustls::Error::InvalidCertificate(CertificateError::NotValidForName)))
}

/// `SSL alert handshake_failure` is Route 53's text (Developer Guide, troubleshooting); other alerts follow it.
fn tls_text(error: &rustls::Error) -> String {
    match error {
        rustls::Error::AlertReceived(alert) => format!("SSL alert {}", snake_case(&format!("{alert:?}"))),
        other => format!("SSL handshake failed: {other}."),
    }
}

fn snake_case(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 4);
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn is_ours(error: &io::Error) -> bool {
    if matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::OutOfMemory) {
        return true;
    }
    #[cfg(unix)]
    {
        matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS))
    }
    #[cfg(not(unix))]
    {
        false
    }
}

/// The chain of causes.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| beneath(*error))
}

/// `io::Error` hides what it wraps from `source`, so it is opened by hand.
fn beneath<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

fn cause<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    chain(error).find_map(|cause| cause.downcast_ref::<E>())
}

/// The last of the chain's socket errors that has a kind of its own; wrappers have `Other`.
fn innermost_io<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e io::Error> {
    chain(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .filter(|cause| cause.raw_os_error().is_some() || cause.kind() == io::ErrorKind::UnexpectedEof)
        .last()
}

fn deepest_text(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map_or_else(String::new, ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_named_as_route_53_names_them() {
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::HandshakeFailure);
        assert_eq!(tls_text(&alert), "SSL alert handshake_failure");
    }

    #[test]
    fn a_wrapped_cause_is_found() {
        let inner = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::DecryptError);
        let outer = io::Error::other(inner);
        assert_eq!(cause::<rustls::Error>(&outer), Some(&rustls::Error::DecryptError));
    }

    #[cfg(unix)]
    #[test]
    fn what_we_lack_ourselves_is_no_finding() {
        assert!(of_socket(&io::Error::from_raw_os_error(libc::EMFILE)).is_err());
        assert!(of_socket(&io::Error::from_raw_os_error(libc::EADDRNOTAVAIL)).is_err());
        assert_eq!(of_socket(&io::Error::from_raw_os_error(libc::ECONNREFUSED)).unwrap(), Finding::Refused);
        assert_eq!(of_socket(&io::Error::from_raw_os_error(libc::ECONNRESET)).unwrap(), Finding::Closed);
        let unreachable = of_socket(&io::Error::from_raw_os_error(libc::EHOSTUNREACH)).unwrap();
        assert!(matches!(unreachable, Finding::Unreachable(_)));
    }
}
