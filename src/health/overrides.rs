//! Operator overrides of health checks: up, down or drain, by name or glob, from one time until
//! another.
//!
//! An override is the final status of the checks it matches: it applies after inversion, and to
//! disabled checks too. If several overrides match a check, the one set last applies. A drain is a
//! `down` that leaves weighted records a share of their weight, which shrinks to zero. The share
//! never grows when one drain replaces another.

use std::time::Duration;

use super::{Status, Timestamp, WeightShare};

/// More than this is a mistake in a script. Each check's name is matched with every override.
const MOST: usize = 100;

/// The id of an override. Ids are never reused, also not after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OverrideId(pub u64);

/// The names of checks: one name, or a glob in which `*` matches any characters and `?` matches
/// one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(pub String);

/// The state that an override sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The check's records are answered.
    Up,
    /// The check's records are answered only if all others are unhealthy too.
    Down,
    /// The same as `Down`, but the share of weighted records shrinks to zero over a period.
    Drain(Drain),
}

/// How records lose their weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// The length of the drain.
    pub over: Duration,
    /// The share at the start: less than all if the drain replaced another.
    pub begins: WeightShare,
}

/// A drain in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draining {
    from: Timestamp,
    drain: Drain,
}

/// A request to set an override.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverrideRequest {
    /// The checks to override.
    pub pattern: Pattern,
    /// The state to set.
    pub action: Action,
    /// The operator's reason.
    pub reason: String,
    /// The author.
    pub author: String,
    /// The start; a time in the past means now.
    pub from: Timestamp,
    /// The end; `None` means until cleared.
    pub until: Option<Timestamp>,
}

/// An override that was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Its id.
    pub id: OverrideId,
    /// The request it was set from.
    pub request: OverrideRequest,
    /// Where it was set, if the nodes of a cluster share it.
    pub origin: Option<Origin>,
}

/// On which node of a cluster an override was set, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The name of the node.
    pub node: String,
    /// When, by the clock of that node.
    pub at: Timestamp,
}

/// Why an override request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOverride {
    /// It would never be in effect.
    #[error("it would end before it begins")]
    Over,
    /// It ends before the drain is complete.
    #[error("it would end before the drain is complete")]
    NotDrained,
    /// There are too many overrides.
    #[error("there are {MOST} overrides already; clear some first")]
    TooMany,
}

/// All overrides, in the order in which they were set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    list: Vec<Override>,
    last: u64,
}

impl Pattern {
    /// Whether the pattern matches this name.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        glob(self.0.as_bytes(), name.as_bytes())
    }
}

impl Action {
    /// The final status that it sets.
    #[must_use]
    pub fn status(self) -> Status {
        match self {
            Action::Up => Status::Healthy,
            Action::Down | Action::Drain(_) => Status::Unhealthy,
        }
    }

    /// `up`, `down` or `drain`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Up => "up",
            Action::Down => "down",
            Action::Drain(_) => "drain",
        }
    }
}

impl Drain {
    /// Drains the full weight over this time.
    #[must_use]
    pub fn over(over: Duration) -> Drain {
        Drain { over, begins: WeightShare::WHOLE }
    }
}

impl Draining {
    /// The remaining share of the weight; `None` at the end.
    #[must_use]
    pub fn left(self, at: Timestamp) -> Option<WeightShare> {
        let Drain { over, begins } = self.drain;
        let rest = over.checked_sub(at.since(self.from)).filter(|rest| !rest.is_zero())?;
        Some(begins.times(WeightShare::of(rest, over)))
    }

    /// When the drain is complete.
    #[must_use]
    pub fn ends(self) -> Timestamp {
        Timestamp(self.from.0 + self.drain.over)
    }
}

impl Override {
    /// The drain, if this is one.
    #[must_use]
    pub fn draining(&self) -> Option<Draining> {
        match self.request.action {
            Action::Drain(drain) => Some(Draining { from: self.request.from, drain }),
            Action::Up | Action::Down => None,
        }
    }

    /// Whether it is in effect at this time.
    #[must_use]
    pub fn is_active(&self, at: Timestamp) -> bool {
        self.request.from <= at && !self.is_over(at)
    }

    /// Whether its end has passed.
    #[must_use]
    pub fn is_over(&self, at: Timestamp) -> bool {
        self.request.until.is_some_and(|until| until <= at)
    }
}

impl Overrides {
    /// Sets an override. It replaces one with the same pattern, which is returned.
    pub fn set(
        &mut self,
        request: OverrideRequest,
        at: Timestamp,
    ) -> Result<(Override, Option<Override>), InvalidOverride> {
        let request = OverrideRequest { from: request.from.max(at), ..request };
        if request.until.is_some_and(|until| until <= request.from) {
            return Err(InvalidOverride::Over);
        }
        if let (Action::Drain(drain), Some(until)) = (request.action, request.until)
            && until < Timestamp(request.from.0 + drain.over)
        {
            return Err(InvalidOverride::NotDrained);
        }
        let same = self.list.iter().position(|known| known.request.pattern == request.pattern);
        if same.is_none() && self.list.len() == MOST {
            return Err(InvalidOverride::TooMany);
        }
        let former = same.map(|place| self.list.remove(place));
        let action = match &former {
            Some(former) if former.is_active(at) => follow(former, request.action, at),
            _ => request.action,
        };
        let new = Override { id: self.next_id(), request: OverrideRequest { action, ..request }, origin: None };
        self.put(new.clone());
        Ok((new, former))
    }

    /// Adds overrides that were set elsewhere, under ids of their own, before those that are there.
    pub fn add_before(&mut self, former: Vec<Override>) {
        let with_id = |(count, former): (u64, Override)| Override { id: OverrideId(self.last + count), ..former };
        let former: Vec<Override> = (1..).zip(former).map(with_id).collect();
        self.last += former.len() as u64;
        self.list.splice(0..0, former);
    }

    /// The override with this pattern.
    #[must_use]
    pub fn of(&self, pattern: &Pattern) -> Option<&Override> {
        self.list.iter().find(|known| known.request.pattern == *pattern)
    }

    /// How many more there can be.
    #[must_use]
    pub fn room(&self) -> usize {
        MOST.saturating_sub(self.list.len())
    }

    /// The last id that was used.
    #[must_use]
    pub fn last_id(&self) -> OverrideId {
        OverrideId(self.last)
    }

    fn next_id(&self) -> OverrideId {
        OverrideId(self.last + 1)
    }

    /// Restores an override: it replaces those with its id or its pattern.
    pub fn put(&mut self, new: Override) {
        self.list.retain(|known| known.id != new.id && known.request.pattern != new.request.pattern);
        self.last = self.last.max(new.id.0);
        self.list.push(new);
    }

    /// Clears the overrides whose pattern equals this one or matches it.
    pub fn clear(&mut self, pattern: &Pattern) -> Vec<Override> {
        self.list.extract_if(.., |known| pattern.matches(&known.request.pattern.0)).collect()
    }

    /// Clears one override.
    pub fn remove(&mut self, id: OverrideId) {
        self.last = self.last.max(id.0);
        self.list.retain(|known| known.id != id);
    }

    /// Removes the overrides that have expired.
    pub fn expire(&mut self, at: Timestamp) -> Vec<Override> {
        self.list.extract_if(.., |known| known.is_over(at)).collect()
    }

    /// The override in effect for a check at this time.
    #[must_use]
    pub fn on(&self, name: &str, at: Timestamp) -> Option<&Override> {
        self.list.iter().rev().find(|known| known.is_active(at) && known.request.pattern.matches(name))
    }

    /// The drains in effect for a check at this time: the one set last, if it is a drain, and those
    /// it continues.
    pub fn drains_on(&self, name: &str, at: Timestamp) -> impl Iterator<Item = Draining> {
        let about =
            self.list.iter().rev().filter(move |known| known.is_active(at) && known.request.pattern.matches(name));
        about.map_while(Override::draining)
    }

    /// Adjusts to a clock that was set back by this much: overrides that began by `before` stay in
    /// effect, and a drain keeps its progress. End times are the operator's, by the clock, and do
    /// not change.
    pub fn clock_set_back(&mut self, before: Timestamp, by: Duration) {
        for known in self.list.iter_mut().filter(|known| known.request.from <= before) {
            known.request.from = Timestamp(known.request.from.0.saturating_sub(by));
        }
    }

    /// All overrides, including those that have not begun, in the order in which they were set.
    #[must_use]
    pub fn all(&self) -> &[Override] {
        &self.list
    }

    /// The overrides in effect at this time.
    pub fn active(&self, at: Timestamp) -> impl Iterator<Item = &Override> {
        self.list.iter().filter(move |known| known.is_active(at))
    }
}

/// A drain that replaces another continues from its share. What is drained stays drained.
fn follow(former: &Override, action: Action, at: Timestamp) -> Action {
    match (former.draining(), action) {
        (Some(before), Action::Drain(drain)) => Action::Drain(match before.left(at) {
            Some(begins) => Drain { begins, ..drain },
            None => Drain { over: Duration::ZERO, ..drain },
        }),
        _ => action,
    }
}

/// Matches a glob: `*` matches any characters, `?` matches one byte. It backtracks only to the last
/// `*`, so it is never slow.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut last_star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                last_star = Some((p, n));
                p += 1;
            }
            Some(&letter) if letter == b'?' || letter == name[n] => (p, n) = (p + 1, n + 1),
            _ => {
                let Some((star, from)) = last_star else { return false };
                last_star = Some((star, from + 1));
                (p, n) = (star + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|&letter| letter == b'*')
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp(Duration::from_secs(second))
    }

    fn request(pattern: &str, action: Action, from: u64, until: Option<u64>) -> OverrideRequest {
        let (reason, author) = ("kernel update".to_owned(), "ada".to_owned());
        OverrideRequest {
            pattern: Pattern(pattern.to_owned()),
            action,
            reason,
            author,
            from: at(from),
            until: until.map(at),
        }
    }

    #[test]
    fn globs_match_as_in_a_shell() {
        let cases = [
            ("app-blue", "app-blue", true),
            ("app-blue", "app-blu", false),
            ("app-blue", "app-blues", false),
            ("app-*", "app-", true),
            ("app-*", "app-blue", true),
            ("app-*", "web-blue", false),
            ("*-blue", "app-blue", true),
            ("*-b*e", "a-b-c-blue", true),
            ("*-b*e", "a-b-c-bluf", false),
            ("?pp*", "app", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("**a**", "bab", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(Pattern(pattern.to_owned()).matches(name), expected, "{pattern} {name}");
        }
        let slow = Pattern("*a".repeat(1000));
        assert!(!slow.matches(&"a".repeat(999)));
    }

    #[test]
    fn the_one_set_last_counts_while_its_time_is() {
        let mut overrides = Overrides::default();
        overrides.set(request("app-*", Action::Down, 0, Some(100)), at(10)).unwrap();
        overrides.set(request("app-blue", Action::Up, 20, Some(50)), at(10)).unwrap();
        let on = |overrides: &Overrides, second| overrides.on("app-blue", at(second)).map(|known| known.request.action);
        assert_eq!(on(&overrides, 10), Some(Action::Down));
        assert_eq!(on(&overrides, 20), Some(Action::Up));
        assert_eq!(on(&overrides, 50), Some(Action::Down));
        assert_eq!(on(&overrides, 100), None);
        assert_eq!(overrides.on("web", at(20)), None);
        assert_eq!(overrides.all()[0].request.from, at(10), "a moment that has passed is now");
        assert_eq!(overrides.active(at(10)).count(), 1);
        assert_eq!(overrides.expire(at(60)).len(), 1);
        assert_eq!(overrides.all().len(), 1);
    }

    #[test]
    fn the_same_pattern_takes_the_place_of_the_former() {
        let mut overrides = Overrides::default();
        let (first, none) = overrides.set(request("a", Action::Down, 0, None), at(1)).unwrap();
        let (second, former) = overrides.set(request("a", Action::Up, 0, None), at(2)).unwrap();
        assert_eq!((none, former.as_ref()), (None, Some(&first)));
        assert_eq!(overrides.all(), std::slice::from_ref(&second));
        assert_ne!(first.id, second.id);
        // An id is not reused, even if all overrides are gone.
        assert_eq!(overrides.clear(&Pattern("*".to_owned())), std::slice::from_ref(&second));
        assert!(overrides.set(request("a", Action::Up, 0, None), at(3)).unwrap().0.id > second.id);
    }

    fn drain(over: u64) -> Action {
        Action::Drain(Drain::over(Duration::from_secs(over)))
    }

    /// The remaining share of `app-blue`: `None` if no drain applies or nothing remains.
    fn left(overrides: &Overrides, second: u64) -> Option<u8> {
        let left: Option<Vec<WeightShare>> =
            overrides.drains_on("app-blue", at(second)).map(|drain| drain.left(at(second))).collect();
        left?.into_iter().min().map(WeightShare::parts)
    }

    #[test]
    fn a_drain_shrinks_to_nothing() {
        let mut overrides = Overrides::default();
        overrides.set(request("app-*", drain(255), 100, None), at(1)).unwrap();
        assert_eq!(
            [99, 100, 101, 354, 355, 9999].map(|second| left(&overrides, second)),
            [None, Some(255), Some(254), Some(1), None, None]
        );
        assert_eq!(overrides.on("app-blue", at(9999)).unwrap().request.action.status(), Status::Unhealthy);
        assert_eq!(overrides.all()[0].draining().unwrap().ends(), at(355));
    }

    #[test]
    fn one_drain_after_another_never_gives_back_what_is_gone() {
        let mut overrides = Overrides::default();
        overrides.set(request("app-*", drain(100), 0, None), at(0)).unwrap();
        assert_eq!(left(&overrides, 50), Some(128));
        // The same pattern with another duration: the drain continues from its current share.
        overrides.set(request("app-*", drain(200), 0, None), at(50)).unwrap();
        assert_eq!((left(&overrides, 50), left(&overrides, 150), left(&overrides, 250)), (Some(128), Some(65), None));
        // Another pattern that matches the same check: the lesser share applies.
        overrides.set(request("app-blue", drain(1000), 0, None), at(150)).unwrap();
        assert_eq!((left(&overrides, 150), left(&overrides, 250)), (Some(65), None));
        // What is drained stays drained.
        overrides.clear(&Pattern("app-blue".to_owned()));
        overrides.set(request("app-*", drain(100), 0, None), at(300)).unwrap();
        assert_eq!(left(&overrides, 300), None);
        assert!(overrides.on("app-blue", at(300)).is_some());
        // Up in between, over the glob; then down over that.
        overrides.set(request("app-blue", Action::Up, 0, Some(400)), at(310)).unwrap();
        assert_eq!(overrides.drains_on("app-blue", at(320)).count(), 0);
        assert_eq!(overrides.on("app-blue", at(320)).unwrap().request.action, Action::Up);
        assert_eq!(overrides.drains_on("app-green", at(320)).count(), 1);
        assert_eq!(overrides.on("app-blue", at(400)).unwrap().request.action.as_str(), "drain");
    }

    #[test]
    fn a_drain_has_the_time_it_takes() {
        let mut overrides = Overrides::default();
        let short = request("a", drain(60), 0, Some(60));
        assert_eq!(overrides.set(short.clone(), at(1)), Err(InvalidOverride::NotDrained));
        overrides.set(short, at(0)).unwrap();
    }

    #[test]
    fn a_clock_that_is_set_back_takes_nothing_back() {
        let mut overrides = Overrides::default();
        overrides.set(request("app-blue", drain(100), 0, Some(20_000)), at(10_000)).unwrap();
        overrides.set(request("web", Action::Down, 12_000, None), at(10_000)).unwrap();
        overrides.clock_set_back(at(10_050), Duration::from_secs(9_000));
        assert_eq!(overrides.all()[0].request.from, at(1_000));
        assert_eq!(left(&overrides, 1_050), Some(128));
        assert_eq!(overrides.all()[1].request.from, at(12_000), "what is yet to begin begins by the clock");
        assert_eq!(overrides.all()[0].request.until, Some(at(20_000)));
    }

    #[test]
    fn a_glob_clears_globs() {
        let mut overrides = Overrides::default();
        for pattern in ["app-*", "app-blue", "web"] {
            overrides.set(request(pattern, Action::Down, 0, None), at(1)).unwrap();
        }
        assert_eq!(overrides.clone().clear(&Pattern("app-*".to_owned())).len(), 2);
        assert_eq!(overrides.clear(&Pattern("app-blue".to_owned())).len(), 1);
        assert!(overrides.clear(&Pattern("missing".to_owned())).is_empty());
    }

    #[test]
    fn overrides_that_would_never_apply_are_refused() {
        let mut overrides = Overrides::default();
        for (from, until) in [(0, 10), (0, 5), (30, 30)] {
            assert_eq!(overrides.set(request("a", Action::Up, from, Some(until)), at(10)), Err(InvalidOverride::Over));
        }
        for number in 0..MOST {
            overrides.set(request(&number.to_string(), Action::Up, 0, None), at(10)).unwrap();
        }
        assert_eq!(overrides.set(request("a", Action::Up, 0, None), at(10)), Err(InvalidOverride::TooMany));
        overrides.set(request("7", Action::Down, 0, None), at(10)).unwrap();
    }
}
