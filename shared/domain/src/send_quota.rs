use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;
use strum::{IntoStaticStr, VariantNames};

/// The part of the account's 24-hour quota that Restock leaves to other mail of the shop, such as order confirmations.
const KEPT_FREE: f64 = 0.05;
/// The time that the quota is about. It has no fixed beginning: what was sent so long ago counts no more.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How old a reading may be that still says how many mails are left.
const FRESH: Duration = Duration::from_secs(120);

/// What SES lets the account send (SES API reference, "GetAccount").
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SendQuota {
    /// Mails a second.
    pub rate: f64,
    /// Mails in 24 hours; `None` for any number.
    pub day: Option<f64>,
    /// Mails of the last 24 hours, whoever sent them.
    pub sent: f64,
    /// False if SES has paused the account's sending.
    pub enabled: bool,
}

/// A quota as it was at some time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuotaReading {
    pub quota: SendQuota,
    pub read_on: Timestamp,
    /// Since when nothing may be sent.
    pub stopped_on: Option<Timestamp>,
}

/// Whether mails leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum SendingState {
    /// They do, or would if there were any.
    Sending,
    /// The account has sent what it may in 24 hours; who waits is mailed when it may send again.
    QuotaUsedUp,
    /// SES has paused the account.
    PausedBySes,
    /// An operator has paused sending, or Restock has since too many mails bounced or were complained about.
    Paused,
}

impl SendQuota {
    /// Returns how many mails may leave until more is known; `None` for any number.
    pub fn left(&self) -> Option<u64> {
        if !self.enabled {
            return Some(0);
        }
        self.day.map(|day| ((day * (1.0 - KEPT_FREE)).ceil() - self.sent).max(0.0) as u64)
    }
}

impl QuotaReading {
    /// Returns a reading that follows on another one.
    pub fn new(quota: SendQuota, read_on: Timestamp, before: Option<Self>) -> Self {
        let before = before.filter(|before| before.quota.enabled == quota.enabled);
        let since = before.and_then(|before| before.stopped_on).unwrap_or(read_on);
        Self { quota, read_on, stopped_on: (quota.left() == Some(0)).then_some(since) }
    }

    /// Returns true if it is so new that it still says how many mails are left.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.read_on + FRESH > now
    }

    pub fn state(&self) -> SendingState {
        match self.stopped_on {
            _ if !self.quota.enabled => SendingState::PausedBySes,
            Some(_) => SendingState::QuotaUsedUp,
            None => SendingState::Sending,
        }
    }

    /// Returns when the quota is free again at the latest, if it is used up and nobody else sends from the account. SES
    /// does not say when it resumes an account that it has paused.
    pub fn goes_on_by(&self) -> Option<Timestamp> {
        self.stopped_on.filter(|_| self.quota.enabled).map(|stopped_on| stopped_on + DAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: SendQuota = SendQuota { rate: 14.0, day: Some(200.0), sent: 0.0, enabled: true };

    #[test]
    fn a_twentieth_of_the_quota_is_left_to_other_mail() {
        assert_eq!(QUOTA.left(), Some(190));
        assert_eq!(SendQuota { sent: 189.0, ..QUOTA }.left(), Some(1));
        assert_eq!(SendQuota { sent: 200.0, ..QUOTA }.left(), Some(0));
        assert_eq!(SendQuota { day: Some(1.0), ..QUOTA }.left(), Some(1));
        assert_eq!(SendQuota { day: None, sent: 1e9, ..QUOTA }.left(), None);
        assert_eq!(SendQuota { day: None, enabled: false, ..QUOTA }.left(), Some(0));
    }

    #[test]
    fn a_stop_goes_on_from_reading_to_reading_and_ends_within_a_day() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let full = SendQuota { sent: 190.0, ..QUOTA };
        let first = QuotaReading::new(full, at(60), Some(QuotaReading::new(QUOTA, at(0), None)));
        let second = QuotaReading::new(full, at(120), Some(first));

        assert_eq!((first.stopped_on, second.stopped_on), (Some(at(60)), Some(at(60))));
        assert_eq!((first.state(), second.state()), (SendingState::QuotaUsedUp, SendingState::QuotaUsedUp));
        assert_eq!(second.goes_on_by(), Some(at(60 + 24 * 3600)));
        assert_eq!(QuotaReading::new(QUOTA, at(180), Some(second)).stopped_on, None);
        let paused = QuotaReading::new(SendQuota { enabled: false, ..QUOTA }, at(0), None);
        assert_eq!((paused.stopped_on, paused.goes_on_by()), (Some(at(0)), None));
        assert_eq!(paused.state(), SendingState::PausedBySes);
    }
}
