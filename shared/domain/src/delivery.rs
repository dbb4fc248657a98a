//! A delivery: the sending of one subscription's mail, from the first claim to its end.
//!
//! ```text
//!  Open ──claim──► Claimed ──accepted──► Sent
//!   ▲                 │ ├──refused──────► Failed, and Open again for the next level
//!   └──not accepted───┘ └──unknown──────► Claimed until the lease ends; then SES's event says that it was sent, or
//!                                         after a grace time somebody may claim it again
//! ```
//!
//! Each transition is computed here; the store writes it on the condition that the delivery still stands where it was
//! read. A [`Claim`] is given out by [`Standing::claim`] only and is used up by [`Claim::settle`], so nothing can be
//! sent without a claim or settled twice.

use crate::{AutomationId, Subscription};
use jiff::Timestamp;
use std::time::Duration;
use strum::{EnumIter, IntoStaticStr};
use uuid::Uuid;

/// Mails that one request to SES takes at most (SES API reference, "SendBulkEmail"). Recipients of a message and mails
/// of a group are as many.
pub const MAX_TOGETHER: usize = 50;

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long a claim holds. Its holder asks SES only while the answer will come within it.
    pub lease: Duration,
    /// How long after a claim that was not settled SES's events are waited for, before the mail is sent again.
    pub grace: Duration,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has it: it was never claimed, or given back.
    Open { attempts: u32 },
    /// Somebody has it or, after `until`, has left it without saying how it ended.
    Claimed { attempts: u32, until: Timestamp },
}

/// The right to ask SES once for one delivery's mail.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct Claim {
    attempt: u32,
    until: Timestamp,
    holder: Uuid,
}

/// The outcome of asking SES.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Accepted {
        message_id: String,
    },
    /// SES will not accept this mail, however often it is sent.
    Refused {
        reason: String,
    },
    /// SES has provably not accepted the mail, and may accept it later.
    NotAccepted {
        reason: String,
        /// When SES asks to come back.
        retry_after: Option<Duration>,
        hindrance: Hindrance,
    },
    /// No answer, or one that doesn't tell. The mail may be on its way.
    Unknown {
        reason: String,
    },
}

/// What keeps SES from accepting a mail for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hindrance {
    /// Too many at the moment, or it could not be reached.
    Moment,
    /// The account's quota of 24 hours is used up.
    Quota,
    /// It takes nothing of this sender or account.
    Sender,
}

/// The next step after an outcome.
#[derive(Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Record it, and use the subscription up.
    Sent { message_id: String },
    /// Record it, and give the claim back: the subscription stays for the next level.
    Failed { reason: String, claim: Settled },
    /// Give the claim back, and try again.
    Released { reason: String, hindrance: Hindrance, after: Option<Duration>, claim: Settled },
    /// Leave the claim as it is, and look again when it is certain that SES would have said something.
    Unknown { reason: String, look_again: Timestamp },
}

/// A claim whose only remaining use is to be released.
#[derive(Debug, PartialEq, Eq)]
pub struct Settled {
    pub holder: Uuid,
}

impl Standing {
    pub fn attempts(self) -> u32 {
        match self {
            Self::Open { attempts } | Self::Claimed { attempts, .. } => attempts,
        }
    }

    /// Returns when the delivery can be claimed, if somebody else has it; `None` if it is free.
    pub fn taken_until(self, now: Timestamp, terms: Terms) -> Option<Timestamp> {
        match self {
            Self::Claimed { until, .. } => Some(until + terms.grace).filter(|free_at| now < *free_at),
            Self::Open { .. } => None,
        }
    }

    /// Claims the delivery, or returns when to look again.
    pub fn claim(self, holder: Uuid, now: Timestamp, terms: Terms) -> Result<Claim, Timestamp> {
        if let Some(free_at) = self.taken_until(now, terms) {
            return Err(free_at);
        }
        Ok(Claim { attempt: self.attempts() + 1, until: now + terms.lease, holder })
    }
}

impl Claim {
    /// Returns which try this is, from 1. Beyond 1, SES may have been asked before.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// Tells this claim from every other one.
    pub fn holder(&self) -> Uuid {
        self.holder
    }

    /// Returns true if SES may be asked now, given that its answer takes no longer than `patience`.
    pub fn covers(&self, now: Timestamp, patience: Duration) -> bool {
        now + patience <= self.until
    }

    pub fn settle(self, outcome: Outcome, terms: Terms) -> Settlement {
        match outcome {
            Outcome::Accepted { message_id } => Settlement::Sent { message_id },
            Outcome::Refused { reason } => Settlement::Failed { reason, claim: self.give_back() },
            Outcome::NotAccepted { reason, retry_after, hindrance } => {
                Settlement::Released { reason, hindrance, after: retry_after, claim: self.give_back() }
            }
            Outcome::Unknown { reason } => Settlement::Unknown { reason, look_again: self.until + terms.grace },
        }
    }

    /// Ends the claim before SES was asked.
    pub fn give_back(self) -> Settled {
        Settled { holder: self.holder }
    }
}

/// What is known of a delivery, if SES was asked to send its mail, or another mail answered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// As it was then.
    pub subscription: Subscription,
    /// The log entry of the level that the mail was for.
    pub entry: String,
    /// The version of the automation that chose the recipient, if it is known.
    pub chosen_by: Option<(AutomationId, u64)>,
    /// The tag of the template that the mail was made of, if it is known.
    pub template: Option<String>,
    /// Why SES refused the mail the last time, if it did.
    pub reason: Option<String>,
    /// When what happened first; of refusals, when the last one did.
    pub milestones: Vec<(Milestone, Timestamp)>,
}

impl Record {
    /// Returns when SES accepted the mail, if it did.
    pub fn sent_at(&self) -> Option<Timestamp> {
        self.milestones.iter().find(|(milestone, _)| *milestone == Milestone::Accepted).map(|(_, at)| *at)
    }
}

/// A fact that can become known of a delivery. Its record keeps when each of them first happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "camelCase")]
pub enum Milestone {
    /// SES accepted the mail.
    Accepted,
    /// SES permanently refused the mail. It is tried again at the next level, so this may happen again.
    Failed,
    Delivered,
    Bounced,
    Complained,
    /// SES accepted the mail and then found that it can't be sent, such as for a virus.
    Rejected,
    /// SES said that it accepted the mail, and could not make it of its template.
    NotRendered,
}

impl Milestone {
    /// Returns the word of the integration log, which is also the attribute of the record.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { lease: Duration::from_secs(30), grace: Duration::from_secs(600) };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn claim(standing: Standing, second: i64) -> Result<Claim, Timestamp> {
        standing.claim(Uuid::from_u128(1), at(second), TERMS)
    }

    #[test]
    fn a_claimed_delivery_is_nobody_elses_until_lease_and_grace_are_over() {
        let first = claim(Standing::Open { attempts: 0 }, 0).unwrap();
        let standing = Standing::Claimed { attempts: first.attempt(), until: first.until() };

        for second in [0, 1, 29, 30, 31, 629] {
            assert_eq!(claim(standing, second), Err(at(630)), "second {second}");
        }
        assert_eq!(claim(standing, 630).unwrap().attempt(), 2);
    }

    #[test]
    fn a_delivery_that_was_given_back_can_be_claimed_at_once() {
        assert_eq!(claim(Standing::Open { attempts: 3 }, 0).unwrap().attempt(), 4);
    }

    #[test]
    fn ses_is_asked_only_while_its_answer_will_come_within_the_lease() {
        let claim = claim(Standing::Open { attempts: 0 }, 0).unwrap();

        assert!(claim.covers(at(20), Duration::from_secs(10)));
        assert!(!claim.covers(at(21), Duration::from_secs(10)));
    }

    #[test]
    fn only_what_provably_was_not_accepted_is_given_back() {
        let settle = |outcome| claim(Standing::Open { attempts: 0 }, 0).unwrap().settle(outcome, TERMS);
        let reason = || "why".to_owned();
        let given_back = || Settled { holder: Uuid::from_u128(1) };

        assert_eq!(
            settle(Outcome::NotAccepted { reason: reason(), retry_after: None, hindrance: Hindrance::Moment }),
            Settlement::Released { reason: reason(), hindrance: Hindrance::Moment, after: None, claim: given_back() }
        );
        assert_eq!(
            settle(Outcome::Refused { reason: reason() }),
            Settlement::Failed { reason: reason(), claim: given_back() }
        );
        assert_eq!(
            settle(Outcome::Unknown { reason: reason() }),
            Settlement::Unknown { reason: reason(), look_again: at(630) }
        );
    }
}
