//! Whether mails leave: what the SES account lets Restock send, and the pause.

use crate::operation::Operation;
use crate::payload::{self, Body};
use crate::values::ShortText;
use crate::wire::unmarked;
use crate::{KeyScope, Moment, Problem, Read, answer, body, endpoints};
use restock_domain::{Pause, QuotaReading, SendingState};

endpoints! {
    /// Show whether mails leave, how fast, and when they go on
    ShowSending("showSending"): Get "/sending", "show-sending", Some(KeyScope::ReadLog),
        () => 200 Sending, "As SES said it last; it is asked once a minute while there is something to send.";

    /// Pause all sending; subscriptions and stock levels are taken as before
    PauseSending("pauseSending"): Put "/sending/pause", "pause-sending", WRITE,
        PauseReason => 200 Sending, "From ten seconds after this answer on, no mail is handed to SES.";

    /// Go on sending
    ResumeSending("resumeSending"): Delete "/sending/pause", "pause-sending", WRITE,
        () => 200 Sending, "Whoever was to be mailed meanwhile is mailed, unless it is sold out again; within about two minutes.";
}

const WRITE: Option<KeyScope> = Some(KeyScope::WriteSending);

body! {
    /// Why sending is paused; the body may be missing.
    #[derive(Debug)]
    pub struct PauseRequest {
        /// Is shown for as long as the pause lasts.
        pub reason: Option<ShortText>,
    }
}

/// A [`PauseRequest`], if there is one: nobody in a hurry has to think of a reason.
pub struct PauseReason(pub Option<String>);

impl Body for PauseReason {
    fn receive(content_type: Option<&str>, bytes: &[u8]) -> Result<Self, Problem> {
        if unmarked(bytes).is_empty() {
            return Ok(Self(None));
        }
        let PauseRequest { reason } = PauseRequest::read(payload::json(content_type, bytes)?)?;
        Ok(Self(reason.and_then(ShortText::not_empty)))
    }

    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation.optional_json_body::<PauseRequest>()
    }
}

answer! {
    /// What SES lets the account send. It is asked while there is something to send, so all but `state` is missing
    /// before the first mail.
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
        /// When mails leave again at the latest, if the quota is used up and nothing else is sent from the account.
        /// Nobody has to do anything.
        pub goes_on_by: Option<Moment>,
        /// Since when sending is paused. It goes on with `DELETE /sending/pause`, not by itself.
        pub paused_on: Option<Moment>,
        /// Why, in the words of whoever paused.
        pub pause_reason: Option<String>,
    }
}

impl Sending {
    /// Returns the state of sending; a pause comes before whatever SES says.
    pub fn of(reading: Option<QuotaReading>, pause: Option<Pause>) -> Self {
        let quota = reading.map(|reading| reading.quota);
        let state = match &pause {
            Some(_) => SendingState::Paused,
            None => reading.map_or(SendingState::Sending, |reading| reading.state()),
        };
        Self {
            state,
            paused_on: pause.as_ref().map(|pause| Moment(pause.since)),
            pause_reason: pause.and_then(|pause| pause.reason),
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
