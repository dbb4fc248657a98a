use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long after it took its place a mail's request may be on its way to SES.
pub const LEAVES_WITHIN: Duration = Duration::from_secs(6);
/// Moments that are kept apart. Beyond that, neighbours are taken for the later one, which lets mails wait a little longer.
const MAX_MOMENTS: usize = 200;

/// The places that mails of a scope have taken: how many, by the second at whose end their request has left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(i64, u64)>", into = "Vec<(i64, u64)>")]
pub struct Places(BTreeMap<i64, u64>);

impl Places {
    /// Takes a place for a mail whose request leaves within [`LEAVES_WITHIN`], and returns the moment that it counts from.
    pub fn take(&mut self, now: Timestamp) -> Timestamp {
        let left_by = (now + LEAVES_WITHIN).as_second() + 1;
        *self.0.entry(left_by).or_default() += 1;
        Timestamp::from_second(left_by).unwrap_or(now)
    }

    /// Gives a place back that was not used. One that was taken for a later moment meanwhile stays taken.
    pub fn give_back(&mut self, taken: Timestamp) {
        let second = taken.as_second();
        if let Some(count) = self.0.get_mut(&second) {
            *count = count.saturating_sub(1);
            self.0.retain(|_, count| *count > 0);
        }
    }

    /// Returns how many were taken after a moment.
    pub fn since(&self, moment: Timestamp) -> u64 {
        self.0.range(moment.as_second() + 1..).map(|(_, count)| count).sum()
    }

    /// Returns when fewer than `all` will have been taken in the interval before, if no other one is taken until then; `all`
    /// is at least 1.
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

    /// Forgets those that were taken before a moment.
    pub fn forget_before(&mut self, moment: Timestamp) {
        self.0.retain(|second, _| *second >= moment.as_second());
        while self.0.len() > MAX_MOMENTS {
            let gaps = self.0.keys().zip(self.0.keys().skip(1)).map(|(one, next)| (next - one, *one, *next));
            let Some((_, one, next)) = gaps.min() else { return };
            let moved = self.0.remove(&one).unwrap_or_default();
            *self.0.entry(next).or_default() += moved;
        }
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

        assert_eq!(places, taken(&[0, 100]));
    }

    #[test]
    fn of_very_many_moments_neighbours_are_taken_for_the_later_one() {
        let seconds: Vec<i64> = (0..1_000).collect();
        let mut places = taken(&seconds);

        places.forget_before(at(57));

        assert_eq!((places.0.len(), places.since(at(0))), (MAX_MOMENTS, 950));
        for second in [100, 500, 900] {
            assert!(places.since(at(second)) >= taken(&seconds).since(at(second)), "{second}");
        }
    }
}
