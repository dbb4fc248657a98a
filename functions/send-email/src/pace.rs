use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Spaces mails out evenly, so that an account's sending rate is kept to.
pub struct Pace {
    interval: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// Makes a pace of `rate` mails a second.
    pub fn new(rate: f64) -> Self {
        Self { interval: Duration::try_from_secs_f64(1.0 / rate).unwrap_or_default(), next: Mutex::default() }
    }

    /// Waits for its turn, if that comes before `deadline`.
    pub async fn turn(&self, deadline: Instant) -> bool {
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = next.unwrap_or_else(Instant::now).max(Instant::now());
            if turn > deadline {
                return false;
            }
            *next = Some(turn + self.interval);
            turn
        };
        tokio::time::sleep_until(turn).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn mails_are_spaced_out_to_the_rate_and_none_begins_after_the_deadline() {
        let pace = Pace::new(10.0);
        let start = Instant::now();
        let mut turns = Vec::new();

        while pace.turn(start + Duration::from_secs(1)).await {
            turns.push(start.elapsed().as_millis());
        }

        assert_eq!(turns, [0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]);
    }
}
