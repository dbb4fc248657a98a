use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a request may be on its way to SES. Connecting may take two seconds, and one that SES refuses as a whole
/// may be asked for in parts two seconds later.
pub const ON_THE_WAY: Duration = Duration::from_secs(5);
/// How long after it took its place a mail's request has left for certain.
pub const LEAVES_WITHIN: Duration = ON_THE_WAY.saturating_add(Duration::from_secs(1));

/// Moments that are remembered to the second.
const MAX_EXACT: usize = 200;

/// The places that mails of a scope have taken: how many, by the second at whose end their request has left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(i64, u64)>", into = "Vec<(i64, u64)>")]
pub struct Places(BTreeMap<i64, u64>);

impl Places {
    /// Takes a place for a mail whose request leaves within [`LEAVES_WITHIN`], and returns the moment that it counts
    /// from.
    pub fn take(&mut self, now: Timestamp) -> Timestamp {
        self.take_many(1, now)
    }

    /// Takes places for so many mails.
    pub(super) fn take_many(&mut self, mails: u64, now: Timestamp) -> Timestamp {
        let left_by = (now + LEAVES_WITHIN).as_second() + 1;
        let count = self.0.entry(left_by).or_default();
        *count = count.saturating_add(mails);
        Timestamp::from_second(left_by).unwrap_or(now)
    }

    /// Gives a place back that was not used.
    pub fn give_back(&mut self, taken: Timestamp) {
        // It may count from a little later by now.
        let Some((&second, _)) = self.0.range(taken.as_second()..).next() else { return };
        if let Some(count) = self.0.get_mut(&second) {
            *count = count.saturating_sub(1);
            self.0.retain(|_, count| *count > 0);
        }
    }

    /// Returns how many were taken after a moment.
    pub fn since(&self, moment: Timestamp) -> u64 {
        self.0.range(moment.as_second() + 1..).fold(0, |sum: u64, (_, count)| sum.saturating_add(*count))
    }

    /// Returns when fewer than `all` will have been taken in the interval before, if no other one is taken until then;
    /// `all` is at least 1.
    pub fn free_at(&self, interval: Duration, all: u64) -> Option<Timestamp> {
        let mut later: u64 = 0;
        for (second, count) in self.0.iter().rev() {
            later = later.saturating_add(*count);
            if later >= all {
                return Timestamp::from_second(*second).ok().map(|taken| taken + interval);
            }
        }
        None
    }

    /// Forgets those that were taken before a moment. If the others are many, they are remembered the less exactly the
    /// longer ago they were taken: a place may then count for a 32nd of its age longer.
    pub fn forget_before(&mut self, moment: Timestamp, now: Timestamp) {
        self.0.retain(|second, _| *second >= moment.as_second());
        if self.0.len() <= MAX_EXACT {
            return;
        }
        let mut remembered: BTreeMap<i64, u64> = BTreeMap::new();
        for (second, count) in &self.0 {
            let age = (now.as_second() - second).max(0) as u64;
            // The greatest power of two that is no more than that.
            let step = (age / 32 + 1).checked_ilog2().map_or(1, |power| 1_i64 << power);
            let later = second.div_euclid(step) * step + if second.rem_euclid(step) == 0 { 0 } else { step };
            *remembered.entry(later).or_default() += count;
        }
        self.0 = remembered;
    }
}

impl From<Vec<(i64, u64)>> for Places {
    fn from(counts: Vec<(i64, u64)>) -> Self {
        Self(counts.into_iter().collect())
    }
}

impl From<Places> for Vec<(i64, u64)> {
    fn from(places: Places) -> Self {
        places.0.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn taken(seconds: &[i64]) -> Places {
        let mut places = Places::default();
        for second in seconds {
            places.take(at(*second));
        }
        places
    }

    #[test]
    fn a_place_counts_for_an_interval_after_the_last_moment_at_which_its_mail_left() {
        let places = taken(&[0, 0, 100]);

        assert_eq!((places.since(at(6)), places.since(at(7)), places.since(at(107))), (3, 1, 0));
        assert_eq!(places.free_at(HOUR, 1), Some(at(3_707)));
        assert_eq!(places.free_at(HOUR, 2), Some(at(3_607)));
        assert_eq!(places.free_at(HOUR, 3), Some(at(3_607)));
        assert_eq!(places.free_at(HOUR, 4), None);
    }

    #[test]
    fn a_place_that_is_given_back_is_free_and_no_other_one() {
        let mut places = taken(&[0, 100]);
        let mine = places.take(at(100));

        places.give_back(mine);
        places.give_back(at(5_000));
        places.forget_before(at(0), at(110));

        assert_eq!(places, taken(&[0, 100]));
    }

    #[test]
    fn what_is_long_ago_is_remembered_less_exactly_and_never_as_earlier() {
        let seconds: Vec<i64> = (0..100_000).collect();
        let (mut places, exact, now) = (taken(&seconds), taken(&seconds), at(100_000));

        places.forget_before(at(57), now);

        assert!(places.0.len() < 600, "{}", places.0.len());
        assert_eq!(places.since(at(0)), exact.since(at(56)));
        for second in [100, 50_000, 90_000, 99_900, 100_000] {
            let (known, age) = (places.since(at(second)), 100_000 - second);
            assert!(known >= exact.since(at(second)), "{second}");
            assert!(known <= exact.since(at(second - age / 16 - 2)), "{second}");
        }
    }
}
