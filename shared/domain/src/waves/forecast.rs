use super::{Leave, Places};
use crate::{KnownLevel, WavePolicy};
use jiff::Timestamp;
use std::time::Duration;

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

/// Waves after which nobody plans any more.
const MAX_WAVES: u64 = 10_000;

impl Forecast {
    /// Returns what becomes of so many people at a level. `on_their_way` have a place that they have not used yet.
    pub fn of(
        policy: &WavePolicy,
        level: &KnownLevel,
        taken: &Places,
        on_their_way: u64,
        people: u64,
        now: Timestamp,
    ) -> Self {
        let places = policy.per_unit.map_or(u64::MAX, |per_unit| per_unit.places(level.quantity));
        let (leave_now, next_on) = match policy.leave(level, taken, now) {
            Leave::Now(free) => (people.min(free.saturating_sub(on_their_way)), Some(now + policy.interval)),
            Leave::NotBefore(at) => (0, Some(at)),
            Leave::NotAtThisStock => (0, None),
        };
        let wait = people - leave_now;
        let next_on = next_on.filter(|_| wait > 0);
        let waves = Some(wait.div_ceil(places)).filter(|waves| *waves <= MAX_WAVES);
        let after_the_next = |waves: u64| policy.interval.checked_mul(u32::try_from(waves.saturating_sub(1)).ok()?);
        let rest: Option<Duration> = waves.and_then(after_the_next);
        let last_on = next_on.zip(rest).and_then(|(next, rest)| next.checked_add(rest).ok());
        Self { leave_now, wait, next_on, last_on }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scope;
    use crate::waves::{PerUnit, StockHistory, Trigger};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn it_says_how_many_leave_now_and_when_the_last_does() {
        let policy = |hold_down| WavePolicy {
            per_unit: Some(PerUnit::default()),
            interval: Duration::from_secs(3_600),
            minimum: 2,
            hold_down: Duration::from_secs(hold_down),
            trigger: Trigger::Level,
            quiet_hours: None,
            first: None,
        };
        let forecast = |hold_down, quantity, people| {
            let history = StockHistory::beginning(quantity, at(0));
            let level = KnownLevel { scope: Scope::Sku, quantity, at: at(0), arrival: None, history };
            let said = Forecast::of(&policy(hold_down), &level, &Places::default(), 0, people, at(10));
            let seconds = |at: Option<Timestamp>| at.map(Timestamp::as_second);
            (said.leave_now, said.wait, seconds(said.next_on), seconds(said.last_on))
        };

        assert_eq!(forecast(0, 5, 3), (3, 0, None, None));
        assert_eq!(forecast(0, 5, 12), (5, 7, Some(3_610), Some(7_210)));
        assert_eq!(forecast(60, 5, 12), (0, 12, Some(60), Some(7_260)));
        assert_eq!(forecast(0, 1, 12), (0, 12, None, None));
        assert_eq!(forecast(0, 2, u64::MAX), (2, u64::MAX - 2, Some(3_610), None));
    }
}
