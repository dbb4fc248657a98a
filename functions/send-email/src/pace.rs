use restock_domain::delivery::MAX_TOGETHER;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Keeps to an account's sending rate. Mails that have to wait leave in groups of what may be sent in a second, since
/// those that leave together share requests.
pub struct Pace {
    state: Mutex<State>,
}

/// The part of the rate that is left after SES has throttled a group, and what a second without that adds to it again:
/// others may send from the account too.
const LEFT_BY_THROTTLING: f64 = 0.8;
const ADDED_IN_A_SECOND: f64 = 0.02;
const MIN_PART: f64 = 0.1;
/// The most that leaves at once after a while without mails, as a part of what may be sent in a second, unless a group
/// is more. It makes up for the moment between two invocations. SES bears short bursts. The rest of the second is a
/// margin for requests that take longer than those before them.
const BURST: f64 = 0.75;

/// As a bucket that holds a burst and is filled by one mail each step.
#[derive(Clone, Copy)]
struct State {
    /// Mails a second.
    rate: f64,
    /// The part of the rate that was used when SES last throttled, from 0 to 1.
    part: f64,
    throttled_at: Instant,
    /// When the newest group leaves.
    leaves_at: Instant,
    /// When the mails sent so far fit the rate again. Until then there is room for no more than a group, and some time
    /// after it for a burst.
    balanced_at: Instant,
}

impl Pace {
    /// Makes a pace of `rate` mails a second.
    pub fn new(rate: f64) -> Self {
        let now = Instant::now();
        Self { state: Mutex::new(State { rate, part: 1.0, throttled_at: now, leaves_at: now, balanced_at: now }) }
    }

    /// Changes the rate for the mails to come.
    pub fn set_rate(&self, rate: f64) {
        self.lock().rate = rate;
    }

    /// Slows down, as SES has throttled mails. Those of one group count once.
    pub fn note_throttling(&self) {
        let mut state = self.lock();
        let now = Instant::now();
        if now.duration_since(state.throttled_at) >= Duration::from_secs(1) {
            state.part = (state.part_by(now) * LEFT_BY_THROTTLING).max(MIN_PART);
            state.throttled_at = now;
        }
    }

    /// Waits for its turn, if that comes before `deadline`.
    pub async fn turn(&self, deadline: Instant) -> bool {
        let Some(leaves_at) = self.place(deadline) else { return false };
        tokio::time::sleep_until(leaves_at).await;
        true
    }

    /// Takes a place in a group, and returns when that leaves.
    fn place(&self, deadline: Instant) -> Option<Instant> {
        let mut state = self.lock();
        let now = Instant::now();
        let Times { step, group, credit } = state.times(now);
        let leaves_at = state.leaves_at.max(now);
        let balanced_at = state.balanced_at.max(now.checked_sub(credit).unwrap_or(now));
        let has_room = balanced_at + step <= leaves_at + group;
        let next = State {
            leaves_at: if has_room { leaves_at } else { balanced_at },
            balanced_at: balanced_at + step,
            ..*state
        };
        if next.leaves_at > deadline {
            return None;
        }
        *state = next;
        Some(next.leaves_at)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns the part of the rate that may be used by now.
    fn part_by(&self, now: Instant) -> f64 {
        (self.part + now.duration_since(self.throttled_at).as_secs_f64() * ADDED_IN_A_SECOND).min(1.0)
    }

    fn times(&self, now: Instant) -> Times {
        let rate = self.rate * self.part_by(now);
        let size = rate.clamp(1.0, MAX_TOGETHER as f64).floor();
        let step = Duration::try_from_secs_f64(1.0 / rate).unwrap_or_default();
        let group = step.mul_f64(size);
        Times { step, group, credit: Duration::from_secs_f64(BURST).saturating_sub(group) }
    }
}

/// How much of the time things take at a rate.
struct Times {
    /// A mail.
    step: Duration,
    group: Duration,
    /// What a burst is more than a group.
    credit: Duration,
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
    async fn what_a_sender_missed_between_two_invocations_leaves_with_the_next_group() {
        let pace = Pace::new(200.0);
        let sent = async |within| turns(&pace, within).await.len();
        // Four groups are even after a second, and the last of them leaves a quarter before. So 40 were missed at 1.2
        // s.
        assert_eq!(sent(Duration::from_millis(999)).await, 200);
        tokio::time::sleep(Duration::from_millis(450)).await;
        assert_eq!(sent(Duration::ZERO).await, 90);
        // After a long time, three quarters of a second.
        tokio::time::sleep(Duration::from_secs(60)).await;

        assert_eq!(sent(Duration::ZERO).await, 150);
    }

    #[tokio::test(start_paused = true)]
    async fn being_throttled_slows_it_down_for_some_seconds() {
        let pace = Pace::new(10.0);
        tokio::time::advance(Duration::from_secs(1)).await;
        let in_ten_seconds = async || turns(&pace, Duration::from_secs(10)).await.len();

        let before = in_ten_seconds().await;
        (0..50).for_each(|_| pace.note_throttling());
        let throttled = in_ten_seconds().await;
        tokio::time::advance(Duration::from_secs(60)).await;
        let after = in_ten_seconds().await;

        assert!((80..95).contains(&throttled), "{throttled}");
        assert!((100..=120).contains(&before) && (100..=120).contains(&after), "{before} and {after}");
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
