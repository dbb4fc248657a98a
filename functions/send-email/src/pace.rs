use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Mails of one request to SES (SES API reference, "SendBulkEmail").
const MAX_GROUP: f64 = 50.0;

/// Spaces mails out, so that an account's sending rate is kept to. They leave in groups of what may be sent in a second, since
/// those that leave together share requests.
pub struct Pace {
    /// Mails of a group.
    size: u32,
    /// Between one group and the next.
    interval: Duration,
    group: Mutex<Option<Group>>,
}

#[derive(Clone, Copy)]
struct Group {
    leaves_at: Instant,
    places_left: u32,
}

impl Pace {
    /// Makes a pace of `rate` mails a second.
    pub fn new(rate: f64) -> Self {
        let size = rate.clamp(1.0, MAX_GROUP).floor();
        let interval = Duration::try_from_secs_f64(size / rate).unwrap_or_default();
        Self { size: size as u32, interval, group: Mutex::default() }
    }

    /// Waits for its turn, if that comes before `deadline`.
    pub async fn turn(&self, deadline: Instant) -> bool {
        let Some(leaves_at) = self.place(deadline) else { return false };
        tokio::time::sleep_until(leaves_at).await;
        true
    }

    /// Takes a place in a group, and returns when that leaves.
    fn place(&self, deadline: Instant) -> Option<Instant> {
        let mut group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let mut current = match *group {
            Some(group) if group.places_left > 0 && now < group.leaves_at + self.interval => group,
            Some(group) => Group { leaves_at: now.max(group.leaves_at + self.interval), places_left: self.size },
            None => Group { leaves_at: now, places_left: self.size },
        };
        if current.leaves_at > deadline {
            return None;
        }
        current.places_left -= 1;
        *group = Some(current);
        Some(current.leaves_at)
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
    async fn places_that_nobody_took_in_time_are_not_made_up_for() {
        let pace = Pace::new(2.0);
        assert!(pace.turn(Instant::now()).await);
        tokio::time::sleep(Duration::from_secs(60)).await;

        assert_eq!(turns(&pace, Duration::from_millis(1_500)).await, [0, 0, 1000, 1000]);
    }
}
