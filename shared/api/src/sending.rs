//! What the SES account lets Restock send.

use crate::{KeyScope, Moment, answer, endpoints};
use restock_domain::{QuotaReading, SendingState};

endpoints! {
    /// Show whether mails leave, how fast, and when they go on
    ShowSending("showSending"): Get "/sending", "show-sending", Some(KeyScope::ReadLog),
        () => 200 Sending, "As SES said it last; it is asked once a minute while there is something to send.";
}

answer! {
    /// What SES lets the account send. It is asked while there is something to send, so all but `state` is missing before
    /// the first mail.
    #[derive(Debug)]
    pub struct Sending {
        pub state: SendingState,
        /// Mails a second that the account may send.
        pub rate: Option<u64>,
        /// Mails that it may send in 24 hours; missing if it may send any number.
        pub quota: Option<u64>,
        /// What it has sent in the last 24 hours, whoever sent it.
        pub sent: Option<u64>,
        /// Mails that Restock may send until it asks again; a twentieth of the quota is left to other mail.
        pub left: Option<u64>,
        pub read_on: Option<Moment>,
        /// Since when no mail leaves.
        pub stopped_on: Option<Moment>,
        /// When mails leave again at the latest, if the quota is used up and nothing else is sent from the account. Nobody
        /// has to do anything.
        pub goes_on_by: Option<Moment>,
    }
}

impl From<Option<QuotaReading>> for Sending {
    fn from(reading: Option<QuotaReading>) -> Self {
        let quota = reading.map(|reading| reading.quota);
        Self {
            state: reading.map_or(SendingState::Sending, |reading| reading.state()),
            rate: quota.map(|quota| quota.rate as u64),
            quota: quota.and_then(|quota| quota.day).map(|day| day as u64),
            sent: quota.map(|quota| quota.sent as u64),
            left: quota.and_then(|quota| quota.left()),
            read_on: reading.map(|reading| Moment(reading.read_on)),
            stopped_on: reading.and_then(|reading| reading.stopped_on).map(Moment),
            goes_on_by: reading.and_then(|reading| reading.goes_on_by()).map(Moment),
        }
    }
}
