use super::{Leave, Places};
use crate::{KnownLevel, WavePolicy};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};

/// What becomes of a number of people who wait, if the stock stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    pub leave_now: u64,
    /// How many leave later.
    pub wait: u64,
    /// When the next of them may leave; `None` if they wait for another level.
    pub next_on: Option<Timestamp>,
    /// When the last of them may leave; `None` as well if that is further away than anybody plans.
    pub last_on: Option<Timestamp>,
}

/// Moments at which some leave, after which nobody plans any more.
const MAX_WAVES: usize = 10_000;

impl Forecast {
    /// Returns what becomes at a level of so many people of each pass through a line, if nobody in another line takes
    /// its places. `promised` have a place that they have not used yet.
    pub fn of(
        policy: &WavePolicy,
        level: &KnownLevel,
        taken: &Places,
        promised: u64,
        people: &BTreeMap<u32, u64>,
        now: Timestamp,
    ) -> Self {
        let (mut taken, mut at) = (taken.clone(), now);
        let mut wait: VecDeque<(Timestamp, u64)> = people
            .iter()
            .map(|(pass, people)| (policy.begins(*pass, level).unwrap_or(now), *people))
            .filter(|(_, people)| *people > 0)
            .collect();
        let mut said = Self { leave_now: 0, wait: people.values().sum(), next_on: None, last_on: None };
        taken.take_many(promised, now);
        let mut waves = 0;
        while waves < MAX_WAVES {
            let Some((begins, next)) = wait.front_mut() else {
                said.last_on = Some(at).filter(|at| *at > now);
                break;
            };
            if *begins > at {
                at = *begins;
                continue;
            }
            at = match policy.leave(level, &taken, 0, at) {
                Leave::Now(free) => {
                    waves += 1;
                    let leave = free.min(*next);
                    *next -= leave;
                    if *next == 0 {
                        wait.pop_front();
                    }
                    taken.take_many(leave, at);
                    if at == now {
                        said.leave_now += leave;
                        said.wait -= leave;
                    } else {
                        said.next_on.get_or_insert(at);
                    }
                    at
                }
                Leave::NotBefore(later) if later > at => later,
                Leave::NotBefore(_) => break,
                Leave::AllPromised | Leave::NotAtThisStock => break,
            };
            taken.forget_before(at - policy.interval, at);
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scope;
    use crate::waves::{First, PerUnit, QuietHours, StockHistory, Trigger};
    use std::time::Duration;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn it_says_how_many_leave_now_and_when_the_last_does() {
        let forecast = |hold_down, quantity, people| {
            let policy = WavePolicy { hold_down: Duration::from_secs(hold_down), ..policy() };
            said(&policy, quantity, &Places::default(), 0, people)
        };

        assert_eq!(forecast(0, 5, 3), (3, 0, None, None));
        assert_eq!(forecast(0, 2, 19_990).3, Some(3_617 + 9_993 * 3_607));
        // A place counts from when its mail has left for certain.
        assert_eq!(forecast(0, 5, 12), (5, 7, Some(3_617), Some(7_224)));
        assert_eq!(forecast(60, 5, 12), (0, 12, Some(60), Some(7_274)));
        assert_eq!(forecast(0, 1, 12), (0, 12, None, None));
        assert_eq!(forecast(0, 2, u64::MAX), (2, u64::MAX - 2, Some(3_617), None));
        let without_waves = WavePolicy { per_unit: None, ..policy() };
        assert_eq!(said(&without_waves, 5, &Places::default(), 0, 1_000), (1_000, 0, None, None));
    }

    #[test]
    fn it_knows_the_places_that_are_taken_and_promised_and_the_hours_in_which_nothing_leaves() {
        let mut taken = Places::default();
        taken.take_many(2, at(-1_800));

        // One more is free now, two half an hour later, and one and what is promised after an hour.
        assert_eq!(said(&policy(), 5, &taken, 2, 4), (1, 3, Some(1_807), Some(3_617)));
        let hour = |raw| QuietHours::time(raw).unwrap();
        let quiet = QuietHours::new(hour("00:30"), hour("08:00"), QuietHours::zone("UTC").unwrap()).unwrap();
        let policy = WavePolicy { quiet_hours: Some(quiet), ..policy() };
        assert_eq!(said(&policy, 5, &Places::default(), 0, 6), (5, 1, Some(8 * 3_600), Some(8 * 3_600)));
    }

    #[test]
    fn those_who_come_first_leave_before_the_head_start_is_over_and_all_others_after_it() {
        let first =
            First { attribute: "club".into(), values: vec!["gold".into()], head_start: Duration::from_secs(60) };
        let policy = WavePolicy { first: Some(first), ..policy() };
        let forecast = |club, others| told(&policy, 5, &Places::default(), 0, &[(0, club), (1, others)]);

        assert_eq!(forecast(3, 1), (3, 1, Some(60), Some(60)));
        assert_eq!(forecast(5, 1), (5, 1, Some(3_617), Some(3_617)));
        assert_eq!(forecast(0, 2), (0, 2, Some(60), Some(60)));
        assert_eq!(forecast(6, 0), (5, 1, Some(3_617), Some(3_617)));
    }

    fn policy() -> WavePolicy {
        WavePolicy {
            per_unit: Some(PerUnit::default()),
            interval: Duration::from_secs(3_600),
            minimum: 2,
            hold_down: Duration::ZERO,
            trigger: Trigger::Level,
            quiet_hours: None,
            first: None,
        }
    }

    /// Returns what is said at second 10, with times in seconds.
    fn said(
        policy: &WavePolicy,
        quantity: i64,
        taken: &Places,
        promised: u64,
        people: u64,
    ) -> (u64, u64, Option<i64>, Option<i64>) {
        told(policy, quantity, taken, promised, &[(0, people)])
    }

    /// Returns what is said of so many people of each pass.
    fn told(
        policy: &WavePolicy,
        quantity: i64,
        taken: &Places,
        promised: u64,
        people: &[(u32, u64)],
    ) -> (u64, u64, Option<i64>, Option<i64>) {
        let people = people.iter().copied().collect();
        let history = StockHistory::beginning(quantity, at(0));
        let level = KnownLevel { scope: Scope::Sku, quantity, at: at(0), arrival: None, history, earlier: Vec::new() };
        let said = Forecast::of(policy, &level, taken, promised, &people, at(10));
        let seconds = |at: Option<Timestamp>| at.map(Timestamp::as_second);
        (said.leave_now, said.wait, seconds(said.next_on), seconds(said.last_on))
    }
}
