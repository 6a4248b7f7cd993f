//! AWS Signature Version 4: what a request says about its signature, and whether that is right
//! (IAM User Guide, "Create a signed AWS API request").

use axum::http::request::Parts;
use ring::{digest, hmac};
use subtle::ConstantTimeEq as _;

use crate::health::Timestamp;
use crate::model::Secret;

use super::errors::{ApiError, Code};
use super::uri;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
/// How far the clock of a client may differ, as at AWS.
const SKEW_S: i64 = 5 * 60;
/// The longest life of a presigned request: seven days.
const MOST_EXPIRES_S: i64 = 7 * 24 * 3600;
/// Hexadecimal digits of a signature.
const SIGNATURE_DIGITS: usize = 64;
/// The schemes before Signature Version 4 (API Reference 2012-02-29, "Authenticating REST
/// Requests").
const DATE_ALGORITHMS: [&str; 2] = ["AWS3-HTTPS ", "AWS3 "];
const DATE_HEADER: &str = "x-amzn-authorization";
const TOKEN_HEADER: &str = "x-amz-security-token";

/// A well-formed signature, not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) access_key_id: String,
    /// `20150830`.
    date: String,
    region: String,
    pub(super) service: String,
    /// `20150830T123600Z`.
    time: String,
    signed_headers: Vec<String>,
    digits: String,
    pub(super) form: Form,
}

/// Where a request has its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// In the `Authorization` header.
    Header,
    /// In the query; valid for these seconds.
    Presigned { expires_s: i64 },
    /// In the `X-Amzn-Authorization` header: AWS3-HTTPS, which signs the date alone. It says
    /// nothing about the request, so it is never right; clients whose signature is not verified can
    /// use it.
    Date,
}

/// What a signature is valid for, besides the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'s> {
    pub(super) access_key_id: &'s str,
    pub(super) region: &'s str,
    pub(super) service: &'s str,
    pub(super) now: Timestamp,
}

impl Scope<'_> {
    /// `20150830T123600Z`.
    pub(super) fn time(&self) -> String {
        text_of(i64::try_from(self.now.0.as_secs()).unwrap_or(i64::MAX))
    }
}

/// The `Authorization` header of a request that has its other headers. It covers the host, the time
/// and a session token.
pub(super) fn authorization(head: &Parts, body: &[u8], scope: &Scope<'_>, secret: &Secret) -> String {
    let Scope { access_key_id, region, service, .. } = scope;
    let time = scope.time();
    let date = time.get(..8).unwrap_or_default().to_owned();
    let signed = ["host", "x-amz-date", TOKEN_HEADER].map(str::to_owned);
    let signature = Signature {
        access_key_id: (*access_key_id).to_owned(),
        region: (*region).to_owned(),
        service: (*service).to_owned(),
        signed_headers: signed.into_iter().filter(|name| head.headers.contains_key(name)).collect(),
        digits: String::new(),
        form: Form::Header,
        date,
        time,
    };
    let digits = signature.digits_for(secret, &signature.canonical_request(head, head.uri.path(), body));
    let Signature { date, signed_headers, .. } = &signature;
    format!(
        "{ALGORITHM} Credential={access_key_id}/{date}/{region}/{service}/{TERMINATOR}, SignedHeaders={}, \
         Signature={digits}",
        signed_headers.join(";")
    )
}

impl Signature {
    /// What a request says.
    pub(super) fn of(head: &Parts) -> Result<Signature, ApiError> {
        let mut headers = head.headers.get_all("authorization").iter();
        let query = head.uri.query().unwrap_or_default();
        let is_presigned = uri::pairs(query).any(|(name, _)| name == "X-Amz-Signature" || name == "X-Amz-Algorithm");
        match (headers.next(), headers.next(), is_presigned) {
            (None, _, false) => Signature::of_date(head),
            (None, _, true) => Signature::in_query(query),
            (Some(header), None, false) => {
                let time = one_header(head, "x-amz-date").map_err(incomplete)?;
                let header = header.to_str().map_err(|_| incomplete("The Authorization header is not ASCII."))?;
                Signature::in_header(header, time)
            }
            _ => Err(incomplete("A request must have one signature, in its Authorization header or in its query.")),
        }
    }

    fn in_header(header: &str, time: &str) -> Result<Signature, ApiError> {
        let unsupported = || incomplete(format!("The Authorization header must begin with '{ALGORITHM}'."));
        let parts = header.strip_prefix(ALGORITHM).filter(|rest| rest.starts_with(' ')).ok_or_else(unsupported)?;
        let part = |name: &str| {
            let mut found =
                parts.split(',').filter_map(|part| part.trim().split_once('=')).filter(|(key, _)| *key == name);
            match (found.next(), found.next()) {
                (Some((_, value)), None) => Ok(value.to_owned()),
                _ => Err(incomplete(format!("Authorization header requires '{name}' parameter."))),
            }
        };
        Signature::new(&part("Credential")?, time, &part("SignedHeaders")?, &part("Signature")?, Form::Header)
    }

    fn of_date(head: &Parts) -> Result<Signature, ApiError> {
        let missing = || ApiError::new(Code::MissingAuthenticationToken, "Missing Authentication Token");
        let header = head.headers.get(DATE_HEADER).and_then(|header| header.to_str().ok()).ok_or_else(missing)?;
        let parts = DATE_ALGORITHMS.iter().find_map(|algorithm| header.strip_prefix(algorithm)).ok_or_else(missing)?;
        let mut pairs = parts.split(',').filter_map(|part| part.trim().split_once('='));
        let (_, id) = pairs.find(|(name, _)| *name == "AWSAccessKeyId").ok_or_else(missing)?;
        let none = String::new;
        Ok(Signature {
            access_key_id: id.to_owned(),
            service: "route53".to_owned(),
            date: none(),
            region: none(),
            time: none(),
            signed_headers: Vec::new(),
            digits: none(),
            form: Form::Date,
        })
    }

    fn in_query(query: &str) -> Result<Signature, ApiError> {
        let parameter = |wanted: &str| {
            let mut found = uri::pairs(query).filter(|(name, _)| *name == wanted);
            match (found.next(), found.next()) {
                (Some((_, value)), None) => Ok(uri::text(value)),
                _ => Err(incomplete(format!("The query requires one '{wanted}' parameter."))),
            }
        };
        if parameter("X-Amz-Algorithm")? != ALGORITHM {
            return Err(incomplete(format!("X-Amz-Algorithm must be '{ALGORITHM}'.")));
        }
        let expires_s =
            parameter("X-Amz-Expires")?.parse().ok().filter(|seconds| (1..=MOST_EXPIRES_S).contains(seconds));
        let expires_s = expires_s
            .ok_or_else(|| incomplete(format!("X-Amz-Expires must be from 1 to {MOST_EXPIRES_S} seconds.")))?;
        let [credential, time, headers, digits] =
            ["X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature"].map(parameter);
        Signature::new(&credential?, &time?, &headers?, &digits?, Form::Presigned { expires_s })
    }

    fn new(credential: &str, time: &str, headers: &str, digits: &str, form: Form) -> Result<Signature, ApiError> {
        let bad_credential =
            || incomplete(format!("Credential must have the form <key>/<date>/<region>/<service>/{TERMINATOR}."));
        // A key id may have slashes, the scope has none.
        let mut scope = credential.rsplitn(5, '/');
        let mut next = || scope.next().filter(|part| !part.is_empty()).map(str::to_owned).ok_or_else(bad_credential);
        let (terminator, service, region, date, access_key_id) = (next()?, next()?, next()?, next()?, next()?);
        if terminator != TERMINATOR {
            return Err(bad_credential());
        }
        if seconds_of(time).is_none() {
            return Err(incomplete(format!("The date '{time}' must have the form YYYYMMDD'T'HHMMSS'Z'.")));
        }
        let signed_headers: Vec<String> = headers.split(';').map(str::to_ascii_lowercase).collect();
        if !signed_headers.iter().any(|name| name == "host") {
            return Err(incomplete("'Host' must be a 'SignedHeader' in the AWS Authorization."));
        }
        if digits.len() != SIGNATURE_DIGITS || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(incomplete(format!("Signature must have {SIGNATURE_DIGITS} hexadecimal digits.")));
        }
        let (time, digits) = (time.to_owned(), digits.to_ascii_lowercase());
        Ok(Signature { access_key_id, date, region, service, time, signed_headers, digits, form })
    }

    /// Whether the request was signed with this secret, not long ago.
    pub(super) fn verify(&self, secret: &Secret, head: &Parts, body: &[u8], now: Timestamp) -> Result<(), ApiError> {
        if self.form == Form::Date {
            return Err(mismatch("AWS3-HTTPS signs only the date of a request. Use Signature Version 4."));
        }
        self.check_time(now)?;
        self.check_headers(head, body)?;
        // Clients sign the path as they send it; some remove double slashes in what they sign.
        let path = head.uri.path();
        let paths = [path.to_owned(), without_empty_segments(path)];
        let is_good = paths.iter().any(|path| {
            let digits = self.digits_for(secret, &self.canonical_request(head, path, body));
            digits.as_bytes().ct_eq(self.digits.as_bytes()).into()
        });
        if is_good { Ok(()) } else { Err(mismatch(NO_MATCH)) }
    }

    fn check_time(&self, now: Timestamp) -> Result<(), ApiError> {
        let time = seconds_of(&self.time).unwrap_or_default();
        let now = i64::try_from(now.0.as_secs()).unwrap_or(i64::MAX);
        if self.time.get(..8) != Some(self.date.as_str()) {
            return Err(mismatch(format!(
                "Date in Credential scope does not match: '{}' and '{}'",
                self.date, self.time
            )));
        }
        let (life, rule) = match self.form {
            Form::Header | Form::Date => (SKEW_S, "5 min.".to_owned()),
            Form::Presigned { expires_s } => (expires_s, format!("{expires_s} s")),
        };
        let (signed, current) = (&self.time, text_of(now));
        if time > now + SKEW_S {
            let latest = text_of(now + SKEW_S);
            let message =
                format!("Signature not yet current: {signed} is still later than {latest} ({current} + 5 min.)");
            return Err(mismatch(message));
        }
        if time + life < now {
            let earliest = text_of(now - life);
            let message = format!("Signature expired: {signed} is now earlier than {earliest} ({current} - {rule})");
            return Err(mismatch(message));
        }
        Ok(())
    }

    /// A signature covers the host, the session token, and the body.
    fn check_headers(&self, head: &Parts, body: &[u8]) -> Result<(), ApiError> {
        one_header(head, "host").map_err(mismatch)?;
        if head.headers.contains_key(TOKEN_HEADER) && !self.signs(TOKEN_HEADER) {
            return Err(mismatch("The X-Amz-Security-Token header is not signed."));
        }
        // Only Amazon S3 accepts bodies that are not signed.
        let Some(stated) = head.headers.get("x-amz-content-sha256") else { return Ok(()) };
        let is_hash = stated.as_bytes().eq_ignore_ascii_case(hash(body).as_bytes());
        if is_hash { Ok(()) } else { Err(mismatch("The X-Amz-Content-Sha256 header is not the hash of the body.")) }
    }

    fn signs(&self, header: &str) -> bool {
        self.signed_headers.iter().any(|name| name == header)
    }

    fn canonical_request(&self, head: &Parts, path: &str, body: &[u8]) -> String {
        let mut text = format!("{}\n", head.method);
        for (at, segment) in path.split('/').enumerate() {
            if at > 0 {
                text.push('/');
            }
            uri::encode(segment.as_bytes(), &mut text);
        }
        text += "\n";
        text += &canonical_query(head.uri.query().unwrap_or_default());
        text += "\n";
        for name in &self.signed_headers {
            let values =
                head.headers.get_all(name).iter().map(|value| trimmed(&String::from_utf8_lossy(value.as_bytes())));
            text += &format!("{name}:{}\n", values.collect::<Vec<_>>().join(","));
        }
        text + "\n" + &self.signed_headers.join(";") + "\n" + &hash(body)
    }

    fn digits_for(&self, secret: &Secret, canonical: &str) -> String {
        let Signature { date, region, service, time, .. } = self;
        let scope = format!("{date}/{region}/{service}/{TERMINATOR}");
        let text = format!("{ALGORITHM}\n{time}\n{scope}\n{}", hash(canonical.as_bytes()));
        let start = format!("AWS4{}", secret.reveal()).into_bytes();
        let key = [date, region, service, TERMINATOR].iter().fold(start, |key, part| hmac_of(&key, part));
        hex(&hmac_of(&key, &text))
    }
}

const NO_MATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS \
                        Secret Access Key and signing method. Consult the service documentation for details.";

fn mismatch(message: impl Into<String>) -> ApiError {
    ApiError::new(Code::SignatureDoesNotMatch, message)
}

fn incomplete(message: impl Into<String>) -> ApiError {
    ApiError::new(Code::IncompleteSignature, message)
}

/// The only header with this name.
fn one_header<'h>(head: &'h Parts, name: &str) -> Result<&'h str, String> {
    let mut values = head.headers.get_all(name).iter();
    match (values.next().map(|value| value.to_str()), values.next()) {
        (Some(Ok(value)), None) => Ok(value),
        _ => Err(format!("The request must have one '{name}' header.")),
    }
}

/// The parameters without the signature, encoded and sorted.
fn canonical_query(query: &str) -> String {
    let canonical = |text: &str| {
        let mut encoded = String::new();
        uri::encode(&uri::decode(text), &mut encoded);
        encoded
    };
    let pairs = uri::pairs(query).filter(|(name, _)| *name != "X-Amz-Signature");
    let mut pairs: Vec<_> = pairs.map(|(name, value)| (canonical(name), canonical(value))).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// A header's value without white space around it; several spaces are one.
fn trimmed(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn without_empty_segments(path: &str) -> String {
    let mut short = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !short.ends_with('/') {
            short.push(character);
        }
    }
    short
}

/// The seconds since 1970 of `20150830T123600Z`.
fn seconds_of(time: &str) -> Option<i64> {
    let is_basic = time.len() == 16 && time.is_ascii();
    let time = is_basic.then(|| jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time).ok())??;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

fn text_of(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn hmac_of(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hash(octets: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, octets).as_ref())
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::Request;

    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    /// 2015-08-30 12:36:00 UTC.
    const SIGNED_AT: i64 = 1_440_938_160;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(Duration::from_secs(u64::try_from(seconds).unwrap()))
    }

    type Headers<'h> = &'h [(&'h str, &'h str)];

    fn head(method: &str, target: &str, headers: Headers<'_>) -> Parts {
        let mut request = Request::builder().method(method).uri(target).header("Host", "example.amazonaws.com");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    /// The request of a test vector, with its Authorization header.
    fn vector(method: &str, target: &str, headers: Headers<'_>, signed: &str, digits: &str) -> Parts {
        let authorization = format!(
            "{ALGORITHM} Credential=AKIDEXAMPLE/20150830/us-east-1/service/{TERMINATOR}, SignedHeaders={signed}, \
             Signature={digits}"
        );
        let mut all = vec![("X-Amz-Date", "20150830T123600Z"), ("Authorization", &authorization)];
        all.extend_from_slice(headers);
        head(method, target, &all)
    }

    fn verify(head: &Parts, body: &str, now: i64) -> Result<(), ApiError> {
        Signature::of(head)?.verify(&Secret::from(SECRET), head, body.as_bytes(), at(now))
    }

    #[test]
    fn a_signature_of_the_date_is_read_and_is_never_right() {
        let header = "AWS3-HTTPS AWSAccessKeyId=AKIDEXAMPLE,Signature=eA==,Algorithm=HmacSHA1";
        let head = |header: &str| head("GET", "/2012-02-29/hostedzone", &[("X-Amzn-Authorization", header)]);
        let signature = Signature::of(&head(header)).unwrap();
        assert_eq!((&*signature.access_key_id, &*signature.service), ("AKIDEXAMPLE", "route53"));
        assert_eq!(verify(&head(header), "", 1_440_938_160).unwrap_err().code(), Code::SignatureDoesNotMatch);
        for bad in ["", "Basic x", "AWS3-HTTPS Signature=eA=="] {
            assert_eq!(Signature::of(&head(bad)).unwrap_err().code(), Code::MissingAuthenticationToken, "{bad}");
        }
    }

    const VANILLA: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

    /// From the "Signature Version 4 test suite" that AWS published.
    #[test]
    fn the_test_suite_of_aws_verifies() {
        let form: Headers<'_> = &[("Content-Type", "application/x-www-form-urlencoded")];
        let values: Headers<'_> = &[("My-Header1", " value1"), ("My-Header2", "\"a   b   c\"")];
        let cases: &[(&str, &str, Headers<'_>, &str, &str, &str)] = &[
            ("GET", "/", &[], "host;x-amz-date", "", VANILLA),
            (
                "GET",
                "/?Param2=value2&Param1=value1",
                &[],
                "host;x-amz-date",
                "",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "GET",
                "/?%E1%88%B4=bar",
                &[],
                "host;x-amz-date",
                "",
                "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
            ),
            (
                "POST",
                "/",
                &[],
                "host;x-amz-date",
                "",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "POST",
                "/",
                &[("My-Header1", "value1")],
                "host;my-header1;x-amz-date",
                "",
                "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
            ),
            (
                "GET",
                "/",
                values,
                "host;my-header1;my-header2;x-amz-date",
                "",
                "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
            ),
            (
                "POST",
                "/",
                form,
                "content-type;host;x-amz-date",
                "Param1=value1",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ];
        for (method, target, headers, signed, body, digits) in cases {
            let head = vector(method, target, headers, signed, digits);
            assert_eq!(verify(&head, body, SIGNED_AT), Ok(()), "{method} {target} {headers:?}");
            assert!(verify(&head, &format!("{body}x"), SIGNED_AT).is_err(), "another body");
        }
        // Several slashes count as one in what some clients sign.
        assert_eq!(verify(&vector("GET", "//", &[], "host;x-amz-date", VANILLA), "", SIGNED_AT), Ok(()));
    }

    #[test]
    fn another_secret_method_path_or_header_does_not_match() {
        let good = vector("GET", "/", &[], "host;x-amz-date", VANILLA);
        let signature = Signature::of(&good).unwrap();
        let other = signature.verify(&Secret::from("other"), &good, b"", at(SIGNED_AT)).unwrap_err();
        assert_eq!((other.code(), other.message()), (Code::SignatureDoesNotMatch, NO_MATCH));
        for (method, target) in [("DELETE", "/"), ("GET", "/x"), ("GET", "/?a=b")] {
            let head = vector(method, target, &[], "host;x-amz-date", VANILLA);
            assert_eq!(
                verify(&head, "", SIGNED_AT).unwrap_err().code(),
                Code::SignatureDoesNotMatch,
                "{method} {target}"
            );
        }
        let unsigned_token = vector("GET", "/", &[("X-Amz-Security-Token", "t")], "host;x-amz-date", VANILLA);
        assert!(verify(&unsigned_token, "", SIGNED_AT).unwrap_err().message().contains("not signed"));
        let unsigned_body =
            vector("GET", "/", &[("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")], "host;x-amz-date", VANILLA);
        assert!(verify(&unsigned_body, "", SIGNED_AT).unwrap_err().message().contains("not the hash"));
        let two_hosts = vector("GET", "/", &[("Host", "evil.test")], "host;x-amz-date", VANILLA);
        assert!(verify(&two_hosts, "", SIGNED_AT).is_err());
    }

    #[test]
    fn clocks_may_differ_by_five_minutes() {
        let head = vector("GET", "/", &[], "host;x-amz-date", VANILLA);
        for seconds in [-300, 0, 300] {
            assert_eq!(verify(&head, "", SIGNED_AT + seconds), Ok(()), "{seconds}");
        }
        let expired = verify(&head, "", SIGNED_AT + 301).unwrap_err();
        assert_eq!(
            expired.message(),
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"
        );
        let early = verify(&head, "", SIGNED_AT - 301).unwrap_err();
        assert!(early.message().starts_with("Signature not yet current: 20150830T123600Z"), "{early}");
        assert_eq!(early.code(), Code::SignatureDoesNotMatch);
    }

    /// The example of the Amazon S3 API reference, "Authenticating Requests: Using Query
    /// Parameters", with the body's hash that services other than S3 need.
    #[test]
    fn a_presigned_request_verifies_until_it_expires() {
        let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2F\
                     aws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host";
        let unsigned = head("GET", &format!("/?{query}&X-Amz-Signature={VANILLA}"), &[]);
        let signature = Signature::of(&unsigned).unwrap();
        assert_eq!(signature.form, Form::Presigned { expires_s: 600 });
        let digits = signature.digits_for(&Secret::from(SECRET), &signature.canonical_request(&unsigned, "/", b""));
        let signed = head("GET", &format!("/?{query}&X-Amz-Signature={digits}"), &[]);
        assert_eq!(verify(&signed, "", SIGNED_AT + 600), Ok(()));
        assert!(verify(&signed, "", SIGNED_AT + 601).unwrap_err().message().starts_with("Signature expired"));
        assert!(verify(&unsigned, "", SIGNED_AT).is_err());
        for (from, to) in
            [("=600", "=0"), ("=600", "=604801"), ("=600", "=x"), ("X-Amz-Date", "X-Amz-Dat"), ("SHA256", "SHA1")]
        {
            let head = head("GET", &format!("/?{}&X-Amz-Signature={digits}", query.replace(from, to)), &[]);
            assert_eq!(Signature::of(&head).unwrap_err().code(), Code::IncompleteSignature, "{to}");
        }
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        let code =
            |headers: Headers<'_>| Signature::of(&head("GET", "/", headers)).map(drop).map_err(|error| error.code());
        assert_eq!(code(&[]), Err(Code::MissingAuthenticationToken));
        let scope = "Credential=a/20150830/us-east-1/route53/aws4_request";
        let good = format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature={VANILLA}");
        let date = ("X-Amz-Date", "20150830T123600Z");
        assert_eq!(code(&[date, ("Authorization", &good)]), Ok(()));
        assert_eq!(code(&[date, ("Authorization", &good.replace(", ", ","))]), Ok(()));
        assert_eq!(code(&[("Authorization", &good)]), Err(Code::IncompleteSignature));
        assert_eq!(code(&[date, date, ("Authorization", &good)]), Err(Code::IncompleteSignature));
        assert_eq!(code(&[date, ("Authorization", &good), ("Authorization", &good)]), Err(Code::IncompleteSignature));
        for (from, to) in [
            ("AWS4-HMAC-SHA256 ", "Basic "),
            ("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256"),
            ("Credential=a/", "Credential=/"),
            ("/us-east-1/route53", "/route53"),
            ("aws4_request", "aws5_request"),
            ("SignedHeaders=host", "SignedHeaders=x"),
            ("SignedHeaders=host, ", ""),
            (VANILLA, "abc"),
            ("Signature=5f", "Signature=zz"),
            ("SignedHeaders", "Signature=x, SignedHeaders"),
        ] {
            let header = good.replace(from, to);
            assert_eq!(code(&[date, ("Authorization", &header)]), Err(Code::IncompleteSignature), "{header}");
        }
        for date in ["20150830T123600", "20151330T123600Z", "Sun, 30 Aug 2015", "2015083 T123600Z"] {
            assert_eq!(
                code(&[("X-Amz-Date", date), ("Authorization", &good)]),
                Err(Code::IncompleteSignature),
                "{date}"
            );
        }
    }
}
