//! The limits of the SES account: mails per second and per 24 hours.
//!
//! One sender asks SES in a minute, and keeps the answer for the others.

use crate::App;
use display_error_chain::DisplayErrorChain;
use jiff::Timestamp;
use restock_domain::QuotaReading;
use restock_store::QuotaTurn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tracing::warn;

/// How long an answer of SES is used. `GetAccount` may be asked once a second.
const KEPT: Duration = Duration::from_secs(60);
/// How soon is looked again if there is no fresh reading.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How long a message is hidden at most while nothing may be sent, at least half of it, so that messages come back one
/// after the other. SQS hides a message for up to 12 hours.
const MAX_STOP: Duration = Duration::from_secs(3600);
/// How often, and how long in between, a reading is waited for that another sender has just begun.
const WAITS: u32 = 4;
const WAIT: Duration = Duration::from_millis(500);
/// Mails a second while nothing is known: what SES grants an account at the least.
const MIN_RATE: f64 = 1.0;

/// This instance's share of what the account may send.
pub struct Account {
    senders: u32,
    max_rate: Option<f64>,
    known: Mutex<Known>,
    /// Held by who finds out.
    looking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    look_again_at: Option<Instant>,
    /// When the newest reading was made.
    read_on: Option<Timestamp>,
    /// Mails until the next reading; `None` for any number, also where there is no fresh reading: then SES refuses what
    /// is too much.
    left: Option<u64>,
    /// True if SES says that the account may send nothing.
    stopped: bool,
}

impl Account {
    pub fn new(senders: u32, max_rate: Option<f64>) -> Self {
        Self { senders, max_rate, known: Mutex::default(), looking: tokio::sync::Mutex::default() }
    }

    /// Returns the mails a second that this instance may send.
    pub fn rate(&self, reading: Option<QuotaReading>) -> f64 {
        let rate = match (reading.map(|reading| reading.quota.rate), self.max_rate) {
            (Some(rate), Some(max)) => rate.min(max),
            (rate, max) => rate.or(max).unwrap_or(MIN_RATE),
        };
        rate.max(MIN_RATE) / f64::from(self.senders)
    }

    /// Takes a mail of what is left, and returns false if nothing is.
    pub fn take(&self) -> bool {
        let mut known = self.lock();
        let after = known.left.map(|left| left.checked_sub(1));
        match after {
            None => true,
            Some(None) => false,
            Some(left) => {
                known.left = left;
                true
            }
        }
    }

    pub fn is_used_up(&self) -> bool {
        self.lock().left == Some(0)
    }

    /// Returns how long those wait for whom nothing is left: until the next reading, or longer if it would say the
    /// same.
    pub fn wait(&self) -> Duration {
        let longest = if self.lock().stopped { MAX_STOP } else { 2 * KEPT };
        longest.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// Sends nothing more until the next reading, as SES says that the quota is used up.
    pub fn note_used_up(&self) {
        self.lock().left = Some(0);
    }

    fn is_known(&self) -> bool {
        self.lock().look_again_at.is_some_and(|at| Instant::now() < at)
    }

    /// Keeps what was read. A reading that was known before gives nobody more to send.
    fn note(&self, reading: Option<QuotaReading>, now: Timestamp) {
        let mut known = self.lock();
        let fresh = reading.filter(|reading| reading.is_fresh(now));
        known.look_again_at = Some(Instant::now() + if fresh.is_some() { KEPT } else { ASKED_AGAIN_AFTER });
        match fresh {
            None => (known.left, known.stopped) = (None, false),
            Some(reading) if known.read_on == Some(reading.read_on) => {}
            Some(reading) => {
                // Whoever comes first may have the last one.
                known.left = reading.quota.left().map(|left| left.div_ceil(self.senders.into()));
                known.stopped = reading.stopped_on.is_some();
                known.read_on = Some(reading.read_on);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// Finds out what the account may send, unless that is known. What can't be found out stays as it was: SES refuses
    /// what is too much, and those mails are put off.
    pub(crate) async fn look_at_account(&self) {
        let _looking = self.account.looking.lock().await;
        if self.account.is_known() {
            return;
        }
        let reading = self.read_quota().await.unwrap_or_else(|error| {
            warn!(error = %DisplayErrorChain::new(&error), "What the account may send could not be read");
            None
        });
        self.account.note(reading, (self.settings.clock)());
        if let Some(reading) = reading {
            self.pace.set_rate(self.account.rate(Some(reading)));
        }
    }

    async fn read_quota(&self) -> Result<Option<QuotaReading>, restock_store::Error> {
        let now = (self.settings.clock)();
        let before = match self.store.take_quota_turn(now, KEPT).await? {
            QuotaTurn::Others(Some(reading)) if reading.is_fresh(now) => return Ok(Some(reading)),
            QuotaTurn::Others(old) => return Ok(self.new_quota(now).await?.or(old)),
            QuotaTurn::Yours(before) => before,
        };
        let Some(quota) = self.mailer.quota().await else { return Ok(before) };
        let reading = QuotaReading::new(quota, now, before);
        if reading.stopped_on.is_some() && before.is_none_or(|before| before.stopped_on.is_none()) {
            // The words are those that template.yaml counts for an alarm.
            warn!(day = quota.day, sent = quota.sent, quota.enabled, "The account may send no more mails for now");
        }
        if let Err(error) = self.store.put_send_quota(reading).await {
            warn!(error = %DisplayErrorChain::new(&error), "What the account may send was not kept for other senders");
        }
        Ok(Some(reading))
    }

    /// Waits a moment for the reading that another sender makes.
    async fn new_quota(&self, now: Timestamp) -> Result<Option<QuotaReading>, restock_store::Error> {
        for _ in 0..WAITS {
            tokio::time::sleep(WAIT).await;
            if let Some(reading) = self.store.send_quota().await?.filter(|reading| reading.is_fresh(now)) {
                return Ok(Some(reading));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use restock_domain::SendQuota;

    fn reading(second: i64, rate: f64, day: Option<f64>) -> Option<QuotaReading> {
        let read_on = Timestamp::from_second(second).unwrap();
        Some(QuotaReading::new(SendQuota { rate, day, sent: 0.0, enabled: true }, read_on, None))
    }

    #[test]
    fn each_sender_has_its_share_of_the_accounts_rate_or_of_what_is_less() {
        let rate = |max_rate, reading| Account::new(2, max_rate).rate(reading);

        assert_eq!(rate(None, reading(0, 200.0, None)), 100.0);
        assert_eq!(rate(Some(14.0), reading(0, 200.0, None)), 7.0);
        assert_eq!(rate(Some(200.0), reading(0, 14.0, None)), 7.0);
        assert_eq!((rate(None, None), rate(Some(14.0), None)), (0.5, 7.0));
        assert_eq!(rate(None, reading(0, 0.0, None)), 0.5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_stops_at_its_share_of_the_quota_until_a_reading_says_that_there_is_more() {
        let account = Account::new(2, None);
        let takes = || (0..100).filter(|_| account.take()).count();
        let at = |second| Timestamp::from_second(second).unwrap();
        account.note(reading(0, 14.0, Some(20.0)), at(0));

        assert_eq!((takes(), account.is_used_up()), (10, true));
        account.note(reading(0, 14.0, Some(20.0)), at(1));
        assert_eq!(takes(), 0);
        account.note(reading(60, 14.0, Some(20.0)), at(60));
        assert_eq!(takes(), 10);
        account.note(reading(120, 14.0, None), at(120));
        assert_eq!(takes(), 100);
        account.note_used_up();
        assert_eq!(takes(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_old_reading_said_stops_nobody() {
        let account = Account::new(2, None);
        let at = |second| Timestamp::from_second(second).unwrap();

        account.note(reading(0, 14.0, Some(0.0)), at(0));
        assert!(account.is_used_up() && account.wait() >= MAX_STOP / 2);
        account.note(reading(0, 14.0, Some(0.0)), at(121));
        assert!(account.take());
        account.note_used_up();
        assert!(account.wait() <= 2 * KEPT);
        account.note(None, at(181));
        assert!(account.take());
        tokio::time::advance(ASKED_AGAIN_AFTER).await;
        assert!(!account.is_known());
    }
}
