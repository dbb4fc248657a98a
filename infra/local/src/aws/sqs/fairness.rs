//! Which messages of a standard queue are received first, as SQS's fair queues have it: those of groups that don't keep
//! its consumers busy go before those of groups that do (SQS developer guide, "Amazon SQS fair queues").

use std::collections::{HashMap, HashSet, VecDeque};

/// A group is noisy above this share of the messages in flight, if it has at least so many there, or above this share
/// of the time that was spent on messages lately.
const NOISY_SHARE: f64 = 0.1;
const NOISY_IN_FLIGHT: usize = 30;
/// What "lately" is, in milliseconds. SQS does not say it; it forgets a group after as long.
const LATELY_MS: i64 = 5 * 60 * 1000;
/// How late SQS may notice, as its thresholds are approximate.
const LATE_MS: i64 = 30 * 1000;

/// What consumers were busy with lately.
#[derive(Default)]
pub struct Fairness {
    /// When a message was done, whose it was, and how many milliseconds it took.
    done: VecDeque<(i64, Option<String>, i64)>,
}

impl Fairness {
    /// Remembers that a message was done, and forgets what is no longer lately.
    pub fn note(&mut self, now: i64, group: Option<String>, took_ms: i64) {
        while self.done.front().is_some_and(|(at, _, _)| *at < now - LATELY_MS) {
            self.done.pop_front();
        }
        self.done.push_back((now, group, took_ms));
    }

    /// Returns the noisy groups. `in_flight` are the groups of all messages in flight.
    pub fn noisy(&self, now: i64, in_flight: &[Option<&str>]) -> HashSet<String> {
        let mut here: HashMap<&str, usize> = HashMap::new();
        in_flight.iter().flatten().for_each(|group| *here.entry(group).or_default() += 1);
        let is_many = |count: usize| count >= NOISY_IN_FLIGHT && count as f64 > in_flight.len() as f64 * NOISY_SHARE;
        let noticed = || self.done.iter().filter(|(at, _, _)| (now - LATELY_MS..=now - LATE_MS).contains(at));
        let all: i64 = noticed().map(|(_, _, took)| took).sum();
        let mut times: HashMap<&str, i64> = HashMap::new();
        for (_, group, took) in noticed() {
            if let Some(group) = group {
                *times.entry(group).or_default() += took;
            }
        }
        let many = here.into_iter().filter(|(_, count)| is_many(*count)).map(|(group, _)| group);
        let long =
            times.into_iter().filter(|(_, took)| *took as f64 > all as f64 * NOISY_SHARE).map(|(group, _)| group);
        many.chain(long).map(ToOwned::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_noisy_that_has_many_messages_in_flight_or_takes_much_time_and_that_is_noticed_late() {
        let noisy = |fairness: &Fairness, now, in_flight: &[Option<&str>]| {
            let mut noisy: Vec<String> = fairness.noisy(now, in_flight).into_iter().collect();
            noisy.sort();
            noisy
        };
        let mut fairness = Fairness::default();

        assert_eq!(noisy(&fairness, 0, &[Some("a"); 30]), ["a"]);
        assert!(noisy(&fairness, 0, &[Some("a"); 29]).is_empty());
        for _ in 0..20 {
            fairness.note(1_000, Some("b".into()), 900);
            fairness.note(1_000, None, 300);
        }
        fairness.note(1_000, Some("c".into()), 1_000);
        assert!(noisy(&fairness, 2_000, &[]).is_empty());
        assert_eq!(noisy(&fairness, 31_000, &[]), ["b"]);
        assert!(noisy(&fairness, 302_000, &[]).is_empty());
    }
}
