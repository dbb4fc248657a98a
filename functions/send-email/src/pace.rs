use restock_domain::delivery::MAX_TOGETHER;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Keeps to an account's sending rate. Mails that have to wait leave in groups of what may be sent in a second, since those
/// that leave together share requests.
pub struct Pace {
    /// What one mail takes of the time.
    step: Duration,
    /// What a group takes.
    interval: Duration,
    state: Mutex<Option<State>>,
}

/// As a bucket that holds a group and is filled by one mail each step.
#[derive(Clone, Copy)]
struct State {
    /// When the newest group leaves.
    leaves_at: Instant,
    /// When the bucket is full again, if nobody comes.
    full_at: Instant,
}

impl Pace {
    /// Makes a pace of `rate` mails a second.
    pub fn new(rate: f64) -> Self {
        let size = rate.clamp(1.0, MAX_TOGETHER as f64).floor();
        let step = Duration::try_from_secs_f64(1.0 / rate).unwrap_or_default();
        Self { step, interval: step.mul_f64(size), state: Mutex::default() }
    }

    /// Waits for its turn, if that comes before `deadline`.
    pub async fn turn(&self, deadline: Instant) -> bool {
        let Some(leaves_at) = self.place(deadline) else { return false };
        tokio::time::sleep_until(leaves_at).await;
        true
    }

    /// Takes a place in a group, and returns when that leaves.
    fn place(&self, deadline: Instant) -> Option<Instant> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let State { leaves_at, full_at } = state.unwrap_or(State { leaves_at: now, full_at: now });
        let (leaves_at, full_at) = (leaves_at.max(now), full_at.max(now));
        let has_room = full_at + self.step <= leaves_at + self.interval;
        let next = State { leaves_at: if has_room { leaves_at } else { full_at }, full_at: full_at + self.step };
        if next.leaves_at > deadline {
            return None;
        }
        *state = Some(next);
        Some(next.leaves_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn turns(pace: &Pace, within: Duration) -> Vec<u128> {
        let start = Instant::now();
        let mut turns = Vec::new();
        while pace.turn(start + within).await {
            turns.push(start.elapsed().as_millis());
        }
        turns
    }

    #[tokio::test(start_paused = true)]
    async fn mails_leave_in_groups_of_a_second_and_none_begins_after_the_deadline() {
        let turns = turns(&Pace::new(2.5), Duration::from_secs(2)).await;

        assert_eq!(turns, [0, 0, 800, 800, 1600, 1600]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_is_what_one_request_holds_at_the_most() {
        let turns = turns(&Pace::new(200.0), Duration::from_millis(999)).await;

        assert_eq!(turns.len(), 200);
        assert_eq!(turns.iter().filter(|at| **at == 250).count(), 50);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_pause_a_group_leaves_at_once_and_no_second_one_with_it() {
        let pace = Pace::new(2.0);
        assert!(pace.turn(Instant::now()).await);
        tokio::time::sleep(Duration::from_millis(59_900)).await;
        assert_eq!(turns(&pace, Duration::ZERO).await, [0, 0]);
        tokio::time::sleep(Duration::from_millis(100)).await;

        assert_eq!(turns(&pace, Duration::from_millis(1_900)).await, [900, 900, 1900, 1900]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_mails_now_and_then_do_not_wait() {
        let pace = Pace::new(4.0);
        for _ in 0..20 {
            assert!(pace.turn(Instant::now()).await);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
}
