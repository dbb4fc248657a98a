use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Since when a scope's stock has been how high, without a break: the later a step, the higher.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StockHistory(Vec<Step>);

/// The stock has been at least `quantity` since then; written as `[since, quantity]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Timestamp, i64)", into = "(Timestamp, i64)")]
struct Step {
    since: Timestamp,
    quantity: i64,
}

/// Steps that are kept. Beyond that, a stock counts as lower for a part of the time, which lets mails wait longer and
/// nobody too short; the more steps there were, and the longer ago, the longer that part.
const MAX_STEPS: usize = 20;

impl StockHistory {
    /// Returns the history of a stock of which nothing was known before.
    pub fn beginning(quantity: i64, at: Timestamp) -> Self {
        Self::default().then(quantity, at)
    }

    /// Returns the history after a level that came then, and is newer than all before.
    pub fn then(&self, quantity: i64, at: Timestamp) -> Self {
        let mut steps: Vec<Step> = self.0.iter().copied().filter(|step| step.quantity < quantity).collect();
        // Whatever was as high or higher has been this high since.
        let since = self.0.iter().find(|step| step.quantity >= quantity).map_or(at, |step| step.since);
        steps.push(Step { since, quantity });
        if steps.len() > MAX_STEPS {
            steps.remove(least_missed(&steps, at));
        }
        Self(steps)
    }

    /// Returns the history if a level of an earlier moment turns up: the stock was no higher then. The newest level
    /// came at `newest`. Of the levels between the two only those are known that the history needed so far, so the
    /// stock may count as lower for longer than it was, and never as higher.
    pub fn interrupted(&self, quantity: i64, at: Timestamp, newest: Timestamp) -> Self {
        let Some(last) = self.0.last() else { return self.clone() };
        let (before, after): (Vec<Step>, Vec<Step>) = self.0.iter().partition(|step| step.since <= at);
        let newest = Step { since: newest, quantity: last.quantity };
        let as_high = before.iter().find(|step| step.quantity >= quantity).map(|step| Step { quantity, ..*step });
        let lower = before.into_iter().filter(|step| step.quantity < quantity);
        let late = Self(lower.chain(as_high).collect());
        after.into_iter().chain([newest]).fold(late, |history, step| history.then(step.quantity, step.since))
    }

    /// Returns since when the stock has been at least so high, if it is.
    pub fn since(&self, quantity: i64) -> Option<Timestamp> {
        self.0.iter().find(|step| step.quantity >= quantity).map(|step| step.since)
    }
}

/// Returns the place of the step, neither the first nor the last nor that since which there has been any stock, without
/// which the others are the least further apart for their age: whoever asks for its quantity is told the time of the
/// next one.
fn least_missed(steps: &[Step], now: Timestamp) -> usize {
    let apart = |place: usize| {
        let (before, after) = (steps[place - 1].since, steps[place + 1].since);
        before.duration_until(after).as_secs_f64() / before.duration_until(now).as_secs_f64().max(1.0)
    };
    let in_stock = steps.iter().position(|step| step.quantity > 0);
    let may_go = (1..steps.len() - 1).filter(|place| Some(*place) != in_stock);
    may_go.min_by(|one, other| apart(*one).total_cmp(&apart(*other))).unwrap_or(1)
}

impl From<(Timestamp, i64)> for Step {
    fn from((since, quantity): (Timestamp, i64)) -> Self {
        Self { since, quantity }
    }
}

impl From<Step> for (Timestamp, i64) {
    fn from(step: Step) -> Self {
        (step.since, step.quantity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cmp::Ordering;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn history(levels: &[(i64, i64)]) -> StockHistory {
        levels.iter().fold(StockHistory::default(), |history, (second, quantity)| history.then(*quantity, at(*second)))
    }

    #[test]
    fn a_stock_has_been_so_high_since_it_was_last_lower() {
        let since = |levels: &[(i64, i64)], quantity| history(levels).since(quantity).map(Timestamp::as_second);

        assert_eq!(since(&[(1, 5)], 5), Some(1));
        assert_eq!(since(&[(1, 5)], 6), None);
        assert_eq!(since(&[(1, 5), (2, 9), (3, 7)], 1), Some(1));
        assert_eq!(since(&[(1, 5), (2, 9), (3, 7)], 6), Some(2));
        assert_eq!(since(&[(1, 5), (2, 9), (3, 7)], 8), None);
        assert_eq!(since(&[(1, 5), (2, 0), (3, 5)], 5), Some(3));
        assert_eq!(since(&[(1, 0), (2, -3), (3, 1), (4, 1)], 1), Some(3));
    }

    #[test]
    fn it_says_for_every_quantity_what_all_levels_say() {
        let mut random = 7_u64;
        let levels: Vec<(i64, i64)> = (0..200)
            .map(|second| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (second, (random >> 33) as i64 % 12 - 2)
            })
            .collect();
        for end in 1..levels.len() {
            for quantity in 1..12 {
                let high = levels[..end].iter().rev().take_while(|(_, level)| *level >= quantity);
                assert_eq!(history(&levels[..end]).since(quantity), high.last().map(|(second, _)| at(*second)));
            }
        }
    }

    #[test]
    fn a_level_that_is_handled_after_the_one_that_followed_it_still_ends_a_higher_stock() {
        for all in 0..4 * 4 * 4 * 4 {
            let levels: Vec<(i64, i64)> = (0..4).map(|place| (place, (all >> (2 * place)) & 3)).collect();
            let (second, quantity) = levels[2];
            let late = history(&[&levels[..2], &levels[3..]].concat()).interrupted(quantity, at(second), at(3));

            for higher in (1..4).filter(|higher| *higher > quantity) {
                assert_eq!(late.since(higher), history(&levels).since(higher), "{levels:?}, {higher}");
            }
            assert_eq!(late.interrupted(quantity, at(second), at(3)), late, "{levels:?} again");
        }
    }

    #[test]
    fn a_stock_never_counts_as_high_for_longer_than_it_was_in_whatever_order_levels_are_handled() {
        let mut random = 7_u64;
        let mut below = |bound: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) as usize % bound
        };
        for _ in 0..2_000 {
            let levels: Vec<(i64, i64)> = (0..8).map(|second| (second, below(4) as i64)).collect();
            // Each may come twice.
            let mut order = [levels.clone(), levels.clone()].concat();
            (1..order.len()).for_each(|place| order.swap(place, below(place + 1)));
            let (mut said, mut newest) = (StockHistory::default(), -1);
            for (second, quantity) in order {
                said = match second.cmp(&newest) {
                    Ordering::Less => said.interrupted(quantity, at(second), at(newest)),
                    Ordering::Equal => said,
                    Ordering::Greater => said.then(quantity, at(second)),
                };
                newest = newest.max(second);
            }
            for quantity in 1..4 {
                let (said, truly) = (said.since(quantity), history(&levels).since(quantity));
                assert!(said >= truly && said.is_some() == truly.is_some(), "{levels:?}, {quantity}: {said:?}");
            }
        }
    }

    #[test]
    fn a_level_that_comes_twice_changes_nothing_and_a_stock_that_only_rises_keeps_its_first_step() {
        let once = history(&[(1, 3), (2, 5)]);
        assert_eq!(once.then(5, at(2)), once);

        // Even if it has been at nothing before.
        for first in [1, 0] {
            let rising: Vec<(i64, i64)> = (first..100).map(|n| (n, n)).collect();
            let rising = history(&rising);
            assert_eq!((rising.0.len(), rising.since(1)), (MAX_STEPS, Some(at(1))));
        }
    }

    #[test]
    fn a_stock_that_rises_every_minute_for_a_week_counts_as_so_high_for_a_third_of_the_time_that_it_was_at_the_least() {
        let minutes = 7 * 24 * 60;
        let mut rising = StockHistory::default();
        for now in 0..minutes {
            rising = rising.then(now, at(60 * now));
            for quantity in
                [1, 2, 10, 50, now / 2, now - 10].into_iter().filter(|quantity| (0..=now).contains(quantity))
            {
                let (truly, said) = (now - quantity, now - rising.since(quantity).unwrap().as_second() / 60);
                assert!(said <= truly && said >= truly / 3, "{quantity} for {truly} minutes at {now}: {said}");
            }
        }
    }
}
