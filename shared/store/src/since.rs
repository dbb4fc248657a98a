use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// A moment in the past. How long ago it is stays known if Lambda freezes the instance, though one of its clocks stood
/// still then.
#[derive(Debug, Clone, Copy)]
pub struct Since {
    instant: Instant,
    clock: SystemTime,
}

impl Since {
    pub fn now() -> Self {
        Self { instant: Instant::now(), clock: SystemTime::now() }
    }

    /// Returns how long ago it is, by the clock that says more.
    pub fn elapsed(&self) -> Duration {
        // A clock that was set back says nothing.
        self.instant.elapsed().max(self.clock.elapsed().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_as_long_ago_as_the_clock_says_that_did_not_stand_still() {
        let (minute, now) = (Duration::from_secs(60), Since::now());

        assert!(now.elapsed() < minute);
        assert!(Since { clock: now.clock - minute, ..now }.elapsed() >= minute);
        assert!(Since { clock: now.clock + minute, ..now }.elapsed() < minute);
        tokio::time::advance(minute).await;
        assert!(now.elapsed() >= minute);
    }
}
