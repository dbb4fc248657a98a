use std::time::Duration;

/// The rate of an account as SES keeps to it: so many recipients a second, and as many at once after a while without
/// any. "You can exceed this quota for short bursts, but not for sustained periods" (SES developer guide, "Service
/// quotas"); how short a burst has to be is not said, so none goes beyond what a second holds.
pub struct SendRate {
    a_second: f64,
    left: f64,
    /// When that was so.
    at: Duration,
}

impl SendRate {
    pub fn new(a_second: f64) -> Self {
        Self { a_second, left: a_second, at: Duration::ZERO }
    }

    pub fn a_second(&self) -> f64 {
        self.a_second
    }

    /// Takes so many recipients `now`, a time since any beginning, or none of them if that is too many. Returns true if
    /// it took them.
    pub fn takes(&mut self, recipients: usize, now: Duration) -> bool {
        let since = now.saturating_sub(self.at).as_secs_f64();
        let by_now = (self.left + self.a_second * since).min(self.a_second);
        self.at = now.max(self.at);
        let after = by_now - recipients as f64;
        // A sum of fractions may be a little less than what it stands for.
        let takes = after > -1e-6;
        self.left = if takes { after } else { by_now };
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holds_so_many_and_a_moment_after_it_as_many_as_belong_to_that_moment() {
        let mut rate = SendRate::new(10.0);
        let mut taken = |milliseconds, asked: usize| {
            (0..asked).filter(|_| rate.takes(1, Duration::from_millis(milliseconds))).count()
        };

        assert_eq!((taken(0, 20), taken(100, 20), taken(350, 20), taken(60_000, 20)), (10, 1, 2, 10));
    }
}
