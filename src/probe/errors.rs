//! Converts the errors of sockets, TLS and HTTP to findings.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage, PeerIncompatible, PeerMisbehaved};

use super::head::Malformed;
use super::{Finding, ProbePhase};

/// The probe could not run because this process has no file descriptor, port or memory left. This
/// says nothing about the endpoint and does not count against it.
#[derive(Debug, thiserror::Error)]
#[error("the probe could not run: {0}")]
pub(super) struct ProbeNotRun(pub(super) String);

/// Why an exchange ended without a result.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    #[error("a step took too long")]
    TimedOut(ProbePhase),
    #[error("the connection was closed before the response was complete")]
    Closed,
    #[error("the connection was closed during the TLS handshake")]
    ClosedInHandshake,
    #[error(transparent)]
    Stream(#[from] io::Error),
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl ExchangeError {
    /// Some endpoints refuse a handshake without an alert; then only the closed connection is
    /// known.
    pub(super) fn in_handshake(error: io::Error) -> ExchangeError {
        match of_stream(&error) {
            Ok(Finding::Closed) => ExchangeError::ClosedInHandshake,
            _ => ExchangeError::Stream(error),
        }
    }

    pub(super) fn finding(self) -> Result<Finding, ProbeNotRun> {
        Ok(match self {
            ExchangeError::TimedOut(step) => Finding::TimedOut(step),
            ExchangeError::Closed => Finding::Closed,
            ExchangeError::ClosedInHandshake => {
                Finding::Tls("The connection was closed by the endpoint during the SSL handshake.".to_owned())
            }
            ExchangeError::Stream(error) => of_stream(&error)?,
            ExchangeError::Malformed(why) => Finding::Protocol(why.to_string()),
        })
    }
}

/// The finding for a socket error.
pub(super) fn of_socket(error: &io::Error) -> Result<Finding, ProbeNotRun> {
    if is_ours(error) {
        return Err(ProbeNotRun(error.to_string()));
    }
    Ok(match error.kind() {
        io::ErrorKind::ConnectionRefused => Finding::Refused,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => Finding::Closed,
        // The kernel timed out before the probe did.
        io::ErrorKind::TimedOut => Finding::TimedOut(ProbePhase::Connect),
        _ => Finding::Unreachable(error.to_string()),
    })
}

/// The finding for an error of a connection, with or without TLS.
fn of_stream(error: &io::Error) -> Result<Finding, ProbeNotRun> {
    match cause::<rustls::Error>(error) {
        Some(tls) => Ok(Finding::Tls(tls_text(tls))),
        None => of_socket(error),
    }
}

/// Whether the handshake ended because the certificate does not have the name in the SNI.
pub(super) fn is_wrong_name(error: &(dyn Error + 'static)) -> bool {
    matches!(cause::<rustls::Error>(error), Some(rustls::Error::InvalidCertificate(CertificateError::NotValidForName)))
}

/// `SSL alert handshake_failure` is Route 53's text (Developer Guide, troubleshooting); other
/// alerts follow it. The meaning of the alert or error is appended in plain words.
fn tls_text(error: &rustls::Error) -> String {
    if let rustls::Error::AlertReceived(alert) = error {
        // RFC 8446, section 6, spells it with a z.
        let name = snake_case(&format!("{alert:?}")).replace("unrecognised", "unrecognized");
        return match alert_meaning(*alert) {
            Some(meaning) => format!("SSL alert {name}: {meaning}."),
            None => format!("SSL alert {name}"),
        };
    }
    match error_meaning(error) {
        Some(meaning) => format!("SSL handshake failed: {meaning}."),
        None => format!("SSL handshake failed: {error}."),
    }
}

fn alert_meaning(alert: AlertDescription) -> Option<&'static str> {
    Some(match alert {
        AlertDescription::ProtocolVersion => "the endpoint does not accept TLS 1.2 or 1.3",
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            "the endpoint accepts none of the cipher suites, key exchange groups and signatures that were offered, or it \
             requires a server name"
        }
        AlertDescription::UnrecognisedName => {
            "the endpoint does not serve the server name that was sent, or requires one"
        }
        AlertDescription::CertificateRequired => "the endpoint requires a client certificate",
        AlertDescription::InternalError => "the endpoint failed in the handshake",
        _ => return None,
    })
}

fn error_meaning(error: &rustls::Error) -> Option<&'static str> {
    Some(match error {
        rustls::Error::PeerIncompatible(incompatible) => return incompatibility(incompatible),
        rustls::Error::PeerMisbehaved(
            PeerMisbehaved::SelectedUnofferedCipherSuite
            | PeerMisbehaved::IllegalHelloRetryRequestWithUnofferedCipherSuite,
        ) => "the endpoint chose a cipher suite that was not offered",
        rustls::Error::PeerMisbehaved(
            PeerMisbehaved::SelectedUnofferedKxGroup | PeerMisbehaved::IllegalHelloRetryRequestWithUnofferedNamedGroup,
        ) => "the endpoint chose a key exchange group that was not offered",
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge,
        ) => "the endpoint did not answer in TLS; it may speak plain HTTP on this port",
        rustls::Error::InvalidCertificate(certificate) => return certificate_meaning(certificate),
        _ => return None,
    })
}

fn incompatibility(incompatible: &PeerIncompatible) -> Option<&'static str> {
    Some(match incompatible {
        PeerIncompatible::ServerDoesNotSupportTls12Or13 | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => {
            "the endpoint offers only TLS 1.1 or older"
        }
        PeerIncompatible::NoCipherSuitesInCommon => "no cipher suite in common",
        PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NoEcPointFormatsInCommon => {
            "no key exchange group in common"
        }
        PeerIncompatible::NoSignatureSchemesInCommon => "no signature algorithm in common",
        _ => return None,
    })
}

fn certificate_meaning(error: &CertificateError) -> Option<&'static str> {
    Some(match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet"
        }
        CertificateError::UnknownIssuer => "none of the certificate authorities has signed the certificate",
        CertificateError::NotValidForName => "the certificate is for another name",
        CertificateError::BadSignature => "the signature does not match the certificate",
        _ => return None,
    })
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

/// Whether a socket error is due to a lack of local resources.
pub(super) fn is_ours(error: &io::Error) -> bool {
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

/// `io::Error` does not return the error it wraps from `source`, so it is unwrapped here.
fn beneath<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

fn cause<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    chain(error).find_map(|cause| cause.downcast_ref::<E>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_named_as_route_53_names_them() {
        let text = |alert| tls_text(&rustls::Error::AlertReceived(alert));
        assert!(
            text(AlertDescription::HandshakeFailure).starts_with("SSL alert handshake_failure: the endpoint accepts ")
        );
        assert_eq!(text(AlertDescription::AccessDenied), "SSL alert access_denied");
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
