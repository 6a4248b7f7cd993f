//! The agreed status against a naive reading of the rules, and the form in etcd against hostile
//! input.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::health::{CheckFingerprint, CheckSlot, Identity, Status, Timestamp};
use crate::model::HealthCheckId;

use Status::{Healthy, Unhealthy};

const OWN_FINGERPRINT: u64 = 7;

fn identity(number: u32, fingerprint: u64) -> Arc<Identity> {
    Arc::new(Identity { id: HealthCheckId(format!("{number:08x}-0000")), fingerprint: CheckFingerprint(fingerprint) })
}

fn list(count: u32) -> Arc<CheckList> {
    Arc::new(CheckList::new((0..count).map(|number| identity(number, OWN_FINGERPRINT))))
}

/// Slots follow ids here, in the opposite order.
fn slot_of(count: u32) -> impl Fn(&Identity) -> Option<CheckSlot> {
    move |check| {
        let number = u32::from_str_radix(&check.id.0[..8], 16).unwrap();
        (number < count && check.fingerprint.0 == OWN_FINGERPRINT).then(|| CheckSlot(count - 1 - number))
    }
}

fn opinion(status: Status, text: &str) -> Opinion {
    Opinion { status, text: text.into(), age_s: 3 }
}

fn says(checks: &Arc<CheckList>, isolated: bool, statuses: &[Option<Status>]) -> Arc<NodeOpinions> {
    let mut statuses = statuses.iter();
    let at = Timestamp(Duration::from_secs(1000));
    let opinion = |_: &Arc<Identity>| statuses.next().copied().flatten().map(|status| opinion(status, status.as_str()));
    Arc::new(NodeOpinions::new(at, isolated, Arc::clone(checks), opinion))
}

fn node(name: &str) -> Arc<str> {
    name.into()
}

// --- the rule -----------------------------------------------------------------------------------

#[test]
fn more_than_18_percent_of_the_checkers_make_it_healthy() {
    let cases = [
        (3, 16, Some(Healthy)), // vector 21: 18.75 %
        (2, 16, Some(Unhealthy)),
        (1, 3, Some(Healthy)),
        (18, 100, Some(Unhealthy)), // 18 % is not more than 18 %
        (19, 100, Some(Healthy)),
        (1, 1, Some(Healthy)),
        (0, 1, Some(Unhealthy)),
        (0, 0, None),
        (u32::MAX, u32::MAX, Some(Healthy)),
    ];
    for (healthy, reporting, status) in cases {
        let agreed = agreed_status(Agreement::default(), Checkers { healthy, reporting });
        assert_eq!(agreed.map(|agreed| agreed.status), status, "{healthy} of {reporting}");
    }
}

/// The rules as sentences say them, over a list of opinions.
fn naive(agreement: Agreement, opinions: &[Status]) -> Option<Status> {
    if opinions.is_empty() {
        return None;
    }
    let healthy = opinions.iter().filter(|status| **status == Healthy).count();
    let share = healthy as f64 / opinions.len() as f64;
    let is_healthy = match agreement {
        Agreement::MoreThan(percent) => share * 100.0 > f64::from(percent) + 1e-9,
        Agreement::Majority => healthy > opinions.len() - healthy,
        Agreement::All => !opinions.contains(&Unhealthy),
        Agreement::Any => opinions.contains(&Healthy),
        Agreement::AtLeast(count) => healthy >= usize::from(count) || healthy == opinions.len(),
    };
    Some(if is_healthy { Healthy } else { Unhealthy })
}

fn agreement() -> impl Strategy<Value = Agreement> {
    prop_oneof![
        Just(Agreement::ROUTE_53),
        (0u8..=99).prop_map(Agreement::MoreThan),
        Just(Agreement::Majority),
        Just(Agreement::All),
        Just(Agreement::Any),
        (1u16..=20).prop_map(Agreement::AtLeast),
    ]
}

fn status() -> impl Strategy<Value = Option<Status>> {
    prop_oneof![Just(None), Just(Some(Healthy)), Just(Some(Unhealthy))]
}

/// What can happen to the opinions of other nodes.
#[derive(Clone, Debug)]
enum Happens {
    Hear { node: usize, isolated: bool, statuses: Vec<Option<Status>>, probes_the_same: bool },
    Forget(usize),
    Ticks(u32),
}

fn happens() -> impl Strategy<Value = Happens> {
    let statuses = proptest::collection::vec(status(), 4);
    prop_oneof![
        4 => (0usize..5, proptest::bool::weighted(0.2), statuses, proptest::bool::weighted(0.8))
            .prop_map(|(node, isolated, statuses, probes_the_same)| Happens::Hear { node, isolated, statuses, probes_the_same }),
        1 => (0usize..5).prop_map(Happens::Forget),
        2 => (1u32..12).prop_map(Happens::Ticks),
    ]
}

proptest! {
    #[test]
    fn the_agreed_status_is_what_the_rule_says(
        agreement in agreement(),
        opinions in proptest::collection::vec(prop_oneof![Just(Healthy), Just(Unhealthy)], 0..120),
    ) {
        let checkers = opinions.iter().fold(Checkers::default(), |all, status| all.and(Some(*status)));
        let agreed = agreed_status(agreement, checkers);
        prop_assert_eq!(agreed.map(|agreed| agreed.status), naive(agreement, &opinions));
    }

    /// One more healthy opinion never makes a check unhealthy.
    #[test]
    fn a_healthy_opinion_instead_of_an_unhealthy_one_fails_nothing(
        agreement in agreement(), reporting in 1u32..200, healthy in 0u32..200,
    ) {
        let status = |healthy| agreed_status(agreement, Checkers { healthy, reporting }).map(|agreed| agreed.status);
        let healthy = healthy.min(reporting - 1);
        prop_assert!(status(healthy) == Some(Unhealthy) || status(healthy + 1) == Some(Healthy));
    }

    /// The opinions by slot against a list of all that was heard.
    #[test]
    fn only_fresh_opinions_of_nodes_with_connectivity_count(events in proptest::collection::vec(happens(), 0..60)) {
        let (same, other) = (list(4), Arc::new(CheckList::new((0..4).map(|number| identity(number, 99)))));
        let mut nodes = OtherNodes::default();
        let mut known: BTreeMap<usize, (u32, Vec<Option<Status>>)> = BTreeMap::new();
        let count = |known: &BTreeMap<usize, (u32, Vec<Option<Status>>)>, number: usize| {
            let fresh = known.values().filter(|(age, _)| *age < FRESH_TICKS);
            fresh.fold(Checkers::default(), |all, (_, statuses)| all.and(statuses[number]))
        };
        for event in events {
            let before: Vec<Checkers> = (0..4).map(|number| count(&known, number)).collect();
            let changed = match event {
                Happens::Hear { node: number, isolated, statuses, probes_the_same } => {
                    let opinions = says(if probes_the_same { &same } else { &other }, isolated, &statuses);
                    let counts = probes_the_same && !isolated;
                    known.insert(number, (0, if counts { statuses } else { vec![None; 4] }));
                    nodes.hear(&node(&number.to_string()), opinions, &slot_of(4))
                }
                Happens::Forget(number) => {
                    known.remove(&number);
                    nodes.forget(&number.to_string())
                }
                Happens::Ticks(ticks) => {
                    known.values_mut().for_each(|(age, _)| *age += ticks);
                    (0..ticks).flat_map(|_| nodes.tick()).collect()
                }
            };
            for (number, before) in before.into_iter().enumerate() {
                let slot = CheckSlot(3 - number as u32);
                prop_assert_eq!(nodes.checkers(slot), count(&known, number));
                prop_assert!(nodes.checkers(slot) == before || changed.contains(&slot), "a change is not reported");
            }
        }
    }

    #[test]
    fn opinions_survive_the_way_through_etcd(
        statuses in proptest::collection::vec((status(), 0usize..4, 0u32..20_000), 0..300),
        isolated in any::<bool>(),
    ) {
        let texts = ["", "Success: HTTP Status Code 200, OK", "Failure: \"quoted\" \\ ü", "3"].map(Arc::<str>::from);
        let checks = list(u32::try_from(statuses.len()).unwrap());
        let mut all = statuses.iter();
        let sent = NodeOpinions::new(Timestamp::from_milliseconds(1234), isolated, Arc::clone(&checks), |_| {
            let (status, text, age_s) = *all.next()?;
            status.map(|status| Opinion { status, text: Arc::clone(&texts[text]), age_s: age_s.min(0x3fff) })
        });
        let mut reader = NodeReader::default();
        for chunk in encode_list(&checks) {
            reader.read_list_chunk(chunk.as_bytes()).unwrap();
        }
        let stranger = Arc::new(CheckList::new([]));
        prop_assert_eq!(reader.read_opinions(encode_opinions(&sent).as_bytes(), &stranger), Ok(sent));
    }

    /// Whatever is in etcd, a reader returns.
    #[test]
    fn garbage_is_an_error_and_nothing_else(
        garbage in proptest::collection::vec(any::<u8>(), 0..200),
        cut in 0usize..400,
        flip in 0usize..400,
        octet in any::<u8>(),
    ) {
        let checks = list(5);
        let opinions = says(&checks, false, &[Some(Healthy), None, Some(Unhealthy), Some(Healthy), None]);
        let mut reader = NodeReader::default();
        prop_assert!(reader.read_list_chunk(&garbage).is_err());
        prop_assert!(reader.read_opinions(&garbage, &checks).is_err());
        for value in [encode_opinions(&opinions), encode_list(&checks).remove(0)] {
            let mut damaged = value.into_bytes();
            let (at, end) = (flip % damaged.len(), cut % damaged.len());
            damaged[at] = octet;
            let _ = reader.read_opinions(&damaged, &checks);
            let _ = reader.read_list_chunk(&damaged);
            prop_assert!(reader.read_opinions(&damaged[..end], &checks).is_err());
            prop_assert!(reader.read_list_chunk(&damaged[..end]).is_err());
        }
    }
}

#[test]
fn an_opinion_is_fresh_for_fifteen_seconds() {
    let mut nodes = OtherNodes::default();
    let opinions = says(&list(1), false, &[Some(Unhealthy)]);
    assert_eq!(nodes.hear(&node("a"), Arc::clone(&opinions), &slot_of(1)), [CheckSlot(0)]);
    for _ in 1..FRESH_TICKS {
        assert_eq!(nodes.tick(), []);
    }
    assert_eq!(nodes.checkers(CheckSlot(0)).reporting, 1);
    assert_eq!((nodes.tick(), nodes.tick()), (vec![CheckSlot(0)], vec![]));
    assert_eq!(nodes.checkers(CheckSlot(0)).reporting, 0);
    assert_eq!(nodes.hear(&node("a"), opinions, &slot_of(1)), [CheckSlot(0)], "it is heard again");
    assert_eq!(nodes.forget("b"), []);
    assert_eq!(nodes.forget("a"), [CheckSlot(0)]);
}

#[test]
fn a_new_configuration_moves_opinions_to_their_slots() {
    let mut nodes = OtherNodes::default();
    nodes.hear(&node("a"), says(&list(3), false, &[Some(Unhealthy), None, Some(Healthy)]), &slot_of(3));
    assert_eq!([0, 1, 2].map(|slot| nodes.checkers(CheckSlot(slot)).reporting), [1, 0, 1]);
    nodes.resolve(&slot_of(1));
    assert_eq!([0, 1, 2].map(|slot| nodes.checkers(CheckSlot(slot)).reporting), [1, 0, 0]);
    assert_eq!(nodes.checkers(CheckSlot(0)).healthy, 0, "the check with the lowest id");
}

#[test]
fn a_sentence_says_why() {
    let say =
        |healthy, reporting| agreed_status(Agreement::Majority, Checkers { healthy, reporting }).unwrap().to_string();
    assert_eq!(say(1, 3), "1 of 3 nodes consider it healthy, 2 must");
    assert_eq!(say(0, 1), "0 of 1 node considers it healthy, 1 must");
}

// --- the form in etcd ---------------------------------------------------------------------------

#[test]
fn the_form_of_version_1_stays() {
    let checks = list(2);
    let chunk = "{\"version\":1,\"list\":\"ed1c7727cd3cc566\",\"chunk\":0,\"chunks\":1,\
                 \"checks\":[[\"00000000-0000\",\"0000000000000007\"],[\"00000001-0000\",\"0000000000000007\"]]}";
    assert_eq!(encode_list(&checks), [chunk]);
    let opinions = says(&checks, true, &[Some(Unhealthy), None]);
    let value = "{\"version\":1,\"list\":\"ed1c7727cd3cc566\",\"at\":1000000,\"isolated\":true,\
                 \"statements\":[{\"healthy\":false,\"text\":\"unhealthy\"}],\"opinions\":\"AQMA\"}";
    assert_eq!(encode_opinions(&opinions), value);
}

#[test]
fn a_later_version_can_add_keys_and_another_version_is_refused() {
    let checks = list(1);
    let value = encode_opinions(&says(&checks, false, &[Some(Healthy)]));
    let reader = NodeReader::default();
    let with_more = value.replace("\"isolated\"", "\"later\":{\"a\":[1]},\"isolated\"");
    assert!(reader.read_opinions(with_more.as_bytes(), &checks).is_ok());
    let of_version_2 = "{\"opinions\":{\"of\":\"another shape\"},\"version\":2}";
    assert_eq!(reader.read_opinions(of_version_2.as_bytes(), &checks), Err(WireError::Version(2)));
    let mut reader = NodeReader::default();
    assert_eq!(reader.read_list_chunk(of_version_2.as_bytes()), Err(WireError::Version(2)));
}

#[test]
fn what_contradicts_itself_is_refused() {
    let (checks, longer) = (list(2), list(3));
    let mut reader = NodeReader::default();
    let value = encode_opinions(&says(&checks, false, &[Some(Healthy), Some(Unhealthy)]));
    let refused = |value: &str| reader.read_opinions(value.as_bytes(), &checks).unwrap_err().to_string();
    assert_eq!(refused(&value.replace("AQMCAw==", "AQMC")), "it has fewer opinions than checks");
    assert_eq!(refused(&value.replace("AQMCAw==", "AQMCAwEA")), "it has more opinions than checks");
    assert_eq!(refused(&value.replace("AQMCAw==", "AQMDAw==")), "an opinion has no statement");
    assert_eq!(refused(&value.replace("AQMCAw==", "/////w8=")), "an opinion has no statement");
    assert_eq!(refused(&value.replace("AQMCAw==", "/////38=")), "a number is too large");
    assert!(refused(&value.replace("AQMCAw==", "*")).starts_with("it is not readable: "));
    assert_eq!(
        refused(&format!("{value}{}", " ".repeat(MAX_VALUE_BYTES))),
        format!("it has {} bytes, at most 524288 are read", value.len() + MAX_VALUE_BYTES)
    );
    assert_eq!(reader.read_opinions(value.as_bytes(), &longer), Err(WireError::UnknownList(checks.hash())));
    let chunk = encode_list(&checks).remove(0);
    let other = chunk.replace("00000001-0000", "00000002-0000");
    assert_eq!(
        reader.read_list_chunk(other.as_bytes()).unwrap_err().to_string(),
        "the checks of its list do not have the hash that it states"
    );
    for (from, to) in
        [("\"chunks\":1", "\"chunks\":0"), ("\"chunks\":1", "\"chunks\":4000000000"), ("\"chunk\":0", "\"chunk\":1")]
    {
        assert!(matches!(reader.read_list_chunk(chunk.replace(from, to).as_bytes()), Err(WireError::Inconsistent(_))));
    }
}

#[test]
fn texts_of_endpoints_have_no_control_characters_and_a_limited_length() {
    let checks = list(2);
    let long = "x".repeat(5000);
    let mut texts = ["a\u{1b}[31m\nb", long.as_str()].into_iter();
    let sent = NodeOpinions::new(Timestamp::default(), false, Arc::clone(&checks), |_| {
        Some(opinion(Unhealthy, texts.next()?))
    });
    let read = NodeReader::default().read_opinions(encode_opinions(&sent).as_bytes(), &checks).unwrap();
    assert_eq!(&*read.opinion(0).unwrap().text, "a [31m b");
    assert_eq!(read.opinion(1).unwrap().text.len(), 200);
}

#[test]
fn twenty_thousand_checks_that_fail_for_as_many_reasons_fit() {
    let ids = (0..20_000).map(|number| {
        let id = HealthCheckId(format!("{number:08x}-0000-4000-8000-000000000000"));
        Arc::new(Identity { id, fingerprint: CheckFingerprint(number) })
    });
    let checks = Arc::new(CheckList::new(ids));
    let mut number = 0;
    let different = |_: &Arc<Identity>| {
        number += 1;
        Some(Opinion { status: Unhealthy, text: format!("Failure: {number:0>190}").into(), age_s: 9999 })
    };
    let sent = NodeOpinions::new(Timestamp::default(), false, Arc::clone(&checks), different);
    let value = encode_opinions(&sent);
    assert!(value.len() < 220_000, "{}", value.len());
    let chunks = encode_list(&checks);
    assert_eq!(chunks.len(), 3);
    assert!(chunks.iter().all(|chunk| chunk.len() <= MAX_VALUE_BYTES));
    let mut reader = NodeReader::default();
    let stranger = list(0);
    for chunk in chunks.iter().rev() {
        assert!(matches!(reader.read_opinions(value.as_bytes(), &stranger), Err(WireError::UnknownList(_))));
        reader.read_list_chunk(chunk.as_bytes()).unwrap();
    }
    let read = reader.read_opinions(value.as_bytes(), &stranger).unwrap();
    assert!(read.opinions().all(|opinion| opinion.unwrap().status == Unhealthy));
    let usual = NodeOpinions::new(Timestamp::default(), false, checks, |_| {
        Some(opinion(Healthy, "Success: HTTP Status Code 200, OK"))
    });
    assert!(encode_opinions(&usual).len() < 55_000);
    assert!(sent.agrees_with(&read) && !sent.agrees_with(&usual));
}
