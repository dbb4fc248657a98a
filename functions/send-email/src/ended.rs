//! How the work on one recipient ends.

use display_error_chain::DisplayErrorChain;
use jiff::Timestamp;
use restock_domain::delivery::Milestone;
use restock_domain::mail_count::template_of;
use restock_domain::{AutomationId, MailCount, STOPPED, Scope, Skip};
use restock_queue::AcceptedMail;
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
    /// A mail that SES accepted, made of the template with this tag, and by whom its recipient was chosen.
    Accepted {
        template: Option<String>,
        chosen_by: (AutomationId, u64),
    },
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
    /// Returns the names of the counts that grow.
    pub(crate) fn names(self) -> Vec<String> {
        let (template, (id, version)) = match self {
            Self::Word(word) => return vec![word.to_owned()],
            Self::Accepted { template, chosen_by } => (template, chosen_by),
        };
        let accepted = MailCount::Outcome(Milestone::Accepted.as_str().to_owned());
        let of_template =
            template.as_deref().and_then(template_of).map(|(id, version)| MailCount::OfTemplate(id, version));
        let all = [accepted, MailCount::ByAutomation(id, version)].into_iter().chain(of_template);
        all.map(|count| count.name()).collect()
    }
}
