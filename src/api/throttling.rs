//! Route 53's limits on requests and changes in a second, as token buckets (Developer Guide,
//! "Throttling for Amazon Route 53 API requests").
//!
//! A request takes a token of the account and one of its operation, and a change one or two of the
//! bucket of changes. Nothing is taken from any bucket if one of them has too few. The changes of
//! ChangeResourceRecordSets are known only after its request has taken its tokens, which stay
//! taken.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::errors::{ApiError, Code};
use super::operation::Operation;

/// How many tokens a bucket holds, and how many it gets in a second.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rate {
    capacity: f64,
    per_second: f64,
}

/// All requests of the account.
const ACCOUNT: Rate = Rate::new(50.0, 10.0);
/// The requests of an operation that [`rate_of`] does not name.
const OPERATION: Rate = Rate::new(50.0, 10.0);
/// The changes of the account.
const CHANGES: Rate = Rate::new(1500.0, 100.0);

impl Rate {
    const fn new(capacity: f64, per_second: f64) -> Rate {
        Rate { capacity, per_second }
    }
}

fn rate_of(operation: Operation) -> Rate {
    match operation {
        Operation::AssociateVPCWithHostedZone => Rate::new(20.0, 5.0),
        Operation::ChangeCidrCollection
        | Operation::CreateCidrCollection
        | Operation::DeleteCidrCollection
        | Operation::DeleteHostedZone
        | Operation::DeleteReusableDelegationSet => Rate::new(40.0, 5.0),
        Operation::CreateHealthCheck => Rate::new(50.0, 0.5),
        Operation::CreateHostedZone | Operation::CreateReusableDelegationSet => Rate::new(40.0, 2.0),
        Operation::CreateTrafficPolicyInstance
        | Operation::DeleteTrafficPolicyInstance
        | Operation::UpdateTrafficPolicyInstance => Rate::new(1.0, 1.0),
        Operation::DeleteHealthCheck => Rate::new(15.0, 3.0),
        Operation::DisassociateVPCFromHostedZone => Rate::new(10.0, 5.0),
        Operation::GetHealthCheckLastFailureReason | Operation::GetHealthCheckStatus => Rate::new(4.0, 1.0),
        Operation::UpdateHealthCheck => Rate::new(50.0, 5.0),
        _ => OPERATION,
    }
}

/// How many changes an operation makes, other than ChangeResourceRecordSets, whose request says it.
fn changes_of(operation: Operation) -> u32 {
    match operation {
        Operation::AssociateVPCWithHostedZone
        | Operation::CreateHostedZone
        | Operation::DeleteHostedZone
        | Operation::DisassociateVPCFromHostedZone => 2,
        _ => 0,
    }
}

/// A bucket, as full as it was at a time.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    rate: Rate,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A full one.
    fn new(rate: Rate, now: Instant) -> Bucket {
        Bucket { rate, tokens: rate.capacity, at: now }
    }

    /// Adds the tokens that came in since the last time.
    fn refill(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = self.rate.capacity.min(self.tokens + seconds * self.rate.per_second);
        self.at = self.at.max(now);
    }
}

/// The buckets of the account. This server has one account, so all clients share them.
pub(super) struct Throttle(Mutex<Buckets>);

struct Buckets {
    account: Bucket,
    changes: Bucket,
    /// By operation.
    operations: Vec<Bucket>,
}

impl Throttle {
    /// Full buckets.
    pub(super) fn new(now: Instant) -> Throttle {
        let operations = Operation::ALL.iter().map(|operation| Bucket::new(rate_of(*operation), now)).collect();
        let (account, changes) = (Bucket::new(ACCOUNT, now), Bucket::new(CHANGES, now));
        Throttle(Mutex::new(Buckets { account, changes, operations }))
    }

    /// Takes the tokens of a request.
    pub(super) fn request(&self, operation: Operation, now: Instant) -> Result<(), ApiError> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Buckets { account, changes, operations } = &mut *buckets;
        let of_operation = &mut operations[operation as usize];
        take(now, &mut [(account, 1.0), (of_operation, 1.0), (changes, f64::from(changes_of(operation)))])
    }

    /// Takes the tokens of the changes of ChangeResourceRecordSets. A request that has more changes
    /// than the bucket can hold takes all: it is refused because of its length.
    pub(super) fn changes(&self, changes: u32, now: Instant) -> Result<(), ApiError> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        take(now, &mut [(&mut buckets.changes, f64::from(changes).min(CHANGES.capacity))])
    }
}

/// Takes tokens from all these buckets, or from none.
fn take(now: Instant, wanted: &mut [(&mut Bucket, f64)]) -> Result<(), ApiError> {
    wanted.iter_mut().for_each(|(bucket, _)| bucket.refill(now));
    if wanted.iter().any(|(bucket, tokens)| bucket.tokens < *tokens) {
        return Err(ApiError::new(Code::Throttling, "Rate exceeded"));
    }
    wanted.iter_mut().for_each(|(bucket, tokens)| bucket.tokens -= *tokens);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// How many requests of an operation are accepted at once.
    fn accepted(throttle: &Throttle, operation: Operation, now: Instant) -> usize {
        (0..1000).take_while(|_| throttle.request(operation, now).is_ok()).count()
    }

    fn after(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn operations_have_buckets_of_their_own_beside_that_of_the_account() {
        let start = Instant::now();
        for (operation, at_once, in_four_seconds) in [
            (Operation::ListHostedZones, 50, 40),
            (Operation::AssociateVPCWithHostedZone, 20, 20),
            (Operation::DisassociateVPCFromHostedZone, 10, 10),
            (Operation::ChangeCidrCollection, 40, 20),
            (Operation::CreateHealthCheck, 50, 2),
            (Operation::UpdateHealthCheck, 50, 20),
            (Operation::DeleteHealthCheck, 15, 12),
            (Operation::CreateHostedZone, 40, 8),
            (Operation::DeleteHostedZone, 40, 20),
            (Operation::UpdateTrafficPolicyInstance, 1, 1),
            (Operation::GetHealthCheckStatus, 4, 4),
        ] {
            let throttle = Throttle::new(start);
            assert_eq!(accepted(&throttle, operation, start), at_once, "{operation:?}");
            assert_eq!(accepted(&throttle, operation, after(start, 4000)), in_four_seconds, "{operation:?}");
        }
    }

    #[test]
    fn all_operations_share_the_bucket_of_the_account() {
        let start = Instant::now();
        let throttle = Throttle::new(start);
        assert_eq!(accepted(&throttle, Operation::CreateHostedZone, start), 40);
        assert_eq!(accepted(&throttle, Operation::GetChange, start), 10);
        let error = throttle.request(Operation::GetGeoLocation, start).unwrap_err();
        assert_eq!((error.code(), error.message(), error.status().as_u16()), (Code::Throttling, "Rate exceeded", 400));
        assert_eq!(accepted(&throttle, Operation::GetGeoLocation, after(start, 90)), 0);
        assert_eq!(accepted(&throttle, Operation::GetGeoLocation, after(start, 110)), 1);
    }

    /// A refused request takes nothing: else clients that repeat it would wait for ever.
    #[test]
    fn a_refused_request_takes_no_tokens() {
        let start = Instant::now();
        let throttle = Throttle::new(start);
        assert_eq!(accepted(&throttle, Operation::GetHealthCheckStatus, start), 4);
        (0..100).for_each(|_| assert!(throttle.request(Operation::GetHealthCheckStatus, start).is_err()));
        assert_eq!(accepted(&throttle, Operation::GetChange, start), 46);
    }

    #[test]
    fn changes_are_counted_over_all_requests() {
        let start = Instant::now();
        let throttle = Throttle::new(start);
        assert!(throttle.changes(1000, start).is_ok());
        assert!(throttle.changes(501, start).is_err());
        assert!(throttle.changes(500, start).is_ok());
        assert_eq!(accepted(&throttle, Operation::CreateHostedZone, start), 0, "a zone is two changes");
        assert!(throttle.changes(100, after(start, 990)).is_err());
        assert!(throttle.changes(100, after(start, 1010)).is_ok());
        assert!(throttle.changes(1500, after(start, 20_000)).is_ok(), "the bucket is full again");
        assert!(throttle.changes(5000, after(start, 40_000)).is_ok(), "too long a request is another error");
    }

    #[test]
    fn a_clock_that_goes_back_adds_nothing() {
        let start = Instant::now();
        let later = after(start, 60_000);
        let throttle = Throttle::new(later);
        assert_eq!(accepted(&throttle, Operation::GetChange, later), 50);
        assert_eq!(accepted(&throttle, Operation::GetChange, start), 0);
        assert_eq!(accepted(&throttle, Operation::GetChange, later), 0);
    }
}
