//! How the work on one recipient ends.

use display_error_chain::DisplayErrorChain;
use jiff::Timestamp;
use restock_domain::delivery::Milestone;
use restock_domain::template::count_of;
use restock_domain::{STOPPED, Scope, Skip};
use restock_queue::AcceptedMail;
use std::iter;
use std::time::Duration;
use tracing::warn;

/// The outcome of one recipient, with what the integration log counts of it, unless it has counted it already.
pub(crate) enum Ended {
    Done(Option<Counted>),
    PutOff(Option<Counted>, Later),
}

/// What the integration log counts of a recipient.
pub(crate) enum Counted {
    Word(&'static str),
    /// A mail that SES accepted, made of the template with this tag.
    Accepted(Option<String>),
}

/// A recipient that is to be looked at again, and when.
#[derive(Debug, Clone)]
pub(crate) enum Later {
    /// Nothing was tried.
    AtOnce,
    After(Duration),
    At(Timestamp),
    /// Nothing may be sent for now. That is nobody's attempt.
    Stopped(Stop),
    /// There is no place for it in the wave of this scope.
    NextWave(Scope),
    /// The longer, the more often it was put off.
    Backoff,
    /// As `Backoff`, to record a mail that SES accepted.
    Record(AcceptedMail),
}

/// Why nothing may be sent for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The account may send no more.
    Quota,
    /// Somebody has paused sending, or holds the SKU.
    Paused { since: Timestamp },
}

impl Stop {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Quota => "the account may send no more for now",
            Self::Paused { .. } => STOPPED,
        }
    }
}

impl Later {
    /// Returns true if it counts as one of the attempts after which a recipient is given up.
    pub(crate) fn is_attempt(&self) -> bool {
        !matches!(self, Self::AtOnce | Self::Stopped(_) | Self::NextWave(_))
    }
}

/// Returns how it ends that a mail which SES accepted could not be recorded: that travels on with the recipient.
pub(crate) fn not_recorded(accepted: AcceptedMail, error: &restock_store::Error) -> Ended {
    let delivery = accepted.recipient.delivery;
    warn!(%delivery, error = %DisplayErrorChain::new(error), "An accepted mail was not recorded yet");
    Ended::later(Later::Record(accepted))
}

impl From<restock_store::Error> for Ended {
    fn from(error: restock_store::Error) -> Self {
        warn!(error = %DisplayErrorChain::new(&error), "A recipient is put off");
        Self::PutOff(None, Later::Backoff)
    }
}

impl Ended {
    pub(crate) fn skipped(why: Skip) -> Self {
        Self::Done(Some(Counted::Word(why.as_str())))
    }

    pub(crate) fn later(when: Later) -> Self {
        Self::PutOff(None, when)
    }

    /// Returns what the log counts, and when the recipient is to be looked at again.
    pub(crate) fn parts(self) -> (Option<Counted>, Option<Later>) {
        match self {
            Self::Done(outcome) => (outcome, None),
            Self::PutOff(outcome, when) => (outcome, Some(when)),
        }
    }
}

impl Counted {
    /// Returns the words that are counted up.
    pub(crate) fn words(&self) -> impl Iterator<Item = String> {
        let (word, template) = match self {
            Self::Word(word) => (*word, None),
            Self::Accepted(template) => (Milestone::Accepted.as_str(), template.as_deref()),
        };
        iter::once(word.to_owned()).chain(template.map(count_of))
    }
}
