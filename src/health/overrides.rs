//! People's word over what is seen: up or down, by name or glob, from a moment until another.
//!
//! An override is the final verdict of the checks it is about: after inversion, of disabled checks too. Where several are
//! about one check, the one that was set last counts.

use super::{Moment, Status};

/// Who keeps more has a mistake in a script; each name of a check is held against each of them.
const MOST: usize = 100;

/// Which override; never given twice, across restarts neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OverrideId(pub u64);

/// The names of checks: one name, or a glob in which `*` stands for any letters and `?` for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(pub String);

/// What people want a check to be. Draining will stand beside these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Its records answer.
    Up,
    /// Its records answer only when all others are unhealthy too.
    Down,
}

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// About which checks.
    pub pattern: Pattern,
    /// What they have to be.
    pub action: Action,
    /// Why, in their words.
    pub reason: String,
    /// Who.
    pub author: String,
    /// From when on; a moment that has passed is now.
    pub from: Moment,
    /// Until when; `None` is until it is cleared.
    pub until: Option<Moment>,
}

/// A wish that was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Which one.
    pub id: OverrideId,
    /// What was asked for.
    pub wish: Wish,
}

/// Why a wish is not granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotGranted {
    /// It would never be in force.
    #[error("it would end before it begins")]
    Over,
    /// There are too many.
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
    /// Whether this name is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        glob(self.0.as_bytes(), name.as_bytes())
    }
}

impl Action {
    /// The verdict that it makes.
    #[must_use]
    pub fn status(self) -> Status {
        match self {
            Action::Up => Status::Healthy,
            Action::Down => Status::Unhealthy,
        }
    }

    /// `up` or `down`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Action::Up => "up",
            Action::Down => "down",
        }
    }
}

impl Override {
    /// Whether it counts at this moment.
    #[must_use]
    pub fn is_active(&self, at: Moment) -> bool {
        self.wish.from <= at && !self.is_over(at)
    }

    fn is_over(&self, at: Moment) -> bool {
        self.wish.until.is_some_and(|until| until <= at)
    }
}

impl Overrides {
    /// Grants a wish. One with the same pattern takes the place of the former, which is returned.
    pub fn set(&mut self, wish: Wish, at: Moment) -> Result<(Override, Option<Override>), NotGranted> {
        let wish = Wish { from: wish.from.max(at), ..wish };
        if wish.until.is_some_and(|until| until <= wish.from) {
            return Err(NotGranted::Over);
        }
        let same = self.list.iter().position(|known| known.wish.pattern == wish.pattern);
        if same.is_none() && self.list.len() == MOST {
            return Err(NotGranted::TooMany);
        }
        let former = same.map(|place| self.list.remove(place));
        let granted = Override { id: OverrideId(self.last + 1), wish };
        self.put(granted.clone());
        Ok((granted, former))
    }

    /// Puts one back as it was: in place of those with its id or its pattern.
    pub fn put(&mut self, granted: Override) {
        self.list.retain(|known| known.id != granted.id && known.wish.pattern != granted.wish.pattern);
        self.last = self.last.max(granted.id.0);
        self.list.push(granted);
    }

    /// Takes back those whose pattern is this one, or matches it.
    pub fn clear(&mut self, pattern: &Pattern) -> Vec<Override> {
        self.list.extract_if(.., |known| pattern.matches(&known.wish.pattern.0)).collect()
    }

    /// Takes back one.
    pub fn remove(&mut self, id: OverrideId) {
        self.last = self.last.max(id.0);
        self.list.retain(|known| known.id != id);
    }

    /// Takes back those whose time is over.
    pub fn expire(&mut self, at: Moment) -> Vec<Override> {
        self.list.extract_if(.., |known| known.is_over(at)).collect()
    }

    /// The one that counts for a check at this moment.
    #[must_use]
    pub fn on(&self, name: &str, at: Moment) -> Option<&Override> {
        self.list.iter().rev().find(|known| known.is_active(at) && known.wish.pattern.matches(name))
    }

    /// All of them, those that are yet to begin too, in the order in which they were set.
    #[must_use]
    pub fn all(&self) -> &[Override] {
        &self.list
    }

    /// Those that count at this moment.
    pub fn active(&self, at: Moment) -> impl Iterator<Item = OverrideId> {
        self.list.iter().filter(move |known| known.is_active(at)).map(|known| known.id)
    }
}

/// `*` is any letters, `?` is one octet. Takes one step back at most to the last `*`, so it is never slow.
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

    fn at(second: u64) -> Moment {
        Moment(Duration::from_secs(second))
    }

    fn wish(pattern: &str, action: Action, from: u64, until: Option<u64>) -> Wish {
        let (reason, author) = ("kernel update".to_owned(), "ada".to_owned());
        Wish { pattern: Pattern(pattern.to_owned()), action, reason, author, from: at(from), until: until.map(at) }
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
        overrides.set(wish("app-*", Action::Down, 0, Some(100)), at(10)).unwrap();
        overrides.set(wish("app-blue", Action::Up, 20, Some(50)), at(10)).unwrap();
        let on = |overrides: &Overrides, second| overrides.on("app-blue", at(second)).map(|known| known.wish.action);
        assert_eq!(on(&overrides, 10), Some(Action::Down));
        assert_eq!(on(&overrides, 20), Some(Action::Up));
        assert_eq!(on(&overrides, 50), Some(Action::Down));
        assert_eq!(on(&overrides, 100), None);
        assert_eq!(overrides.on("web", at(20)), None);
        assert_eq!(overrides.all()[0].wish.from, at(10), "a moment that has passed is now");
        assert_eq!(overrides.active(at(10)).count(), 1);
        assert_eq!(overrides.expire(at(60)).len(), 1);
        assert_eq!(overrides.all().len(), 1);
    }

    #[test]
    fn the_same_pattern_takes_the_place_of_the_former() {
        let mut overrides = Overrides::default();
        let (first, none) = overrides.set(wish("a", Action::Down, 0, None), at(1)).unwrap();
        let (second, former) = overrides.set(wish("a", Action::Up, 0, None), at(2)).unwrap();
        assert_eq!((none, former.as_ref()), (None, Some(&first)));
        assert_eq!(overrides.all(), std::slice::from_ref(&second));
        assert_ne!(first.id, second.id);
        // An id is not given again, even when all are gone.
        assert_eq!(overrides.clear(&Pattern("*".to_owned())), std::slice::from_ref(&second));
        assert!(overrides.set(wish("a", Action::Up, 0, None), at(3)).unwrap().0.id > second.id);
    }

    #[test]
    fn a_glob_clears_globs() {
        let mut overrides = Overrides::default();
        for pattern in ["app-*", "app-blue", "web"] {
            overrides.set(wish(pattern, Action::Down, 0, None), at(1)).unwrap();
        }
        assert_eq!(overrides.clone().clear(&Pattern("app-*".to_owned())).len(), 2);
        assert_eq!(overrides.clear(&Pattern("app-blue".to_owned())).len(), 1);
        assert!(overrides.clear(&Pattern("nobody".to_owned())).is_empty());
    }

    #[test]
    fn what_would_never_count_is_not_granted() {
        let mut overrides = Overrides::default();
        for (from, until) in [(0, 10), (0, 5), (30, 30)] {
            assert_eq!(overrides.set(wish("a", Action::Up, from, Some(until)), at(10)), Err(NotGranted::Over));
        }
        for number in 0..MOST {
            overrides.set(wish(&number.to_string(), Action::Up, 0, None), at(10)).unwrap();
        }
        assert_eq!(overrides.set(wish("a", Action::Up, 0, None), at(10)), Err(NotGranted::TooMany));
        overrides.set(wish("7", Action::Down, 0, None), at(10)).unwrap();
    }
}
