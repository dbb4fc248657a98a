//! Mails of an automation that SES refuses one after the other: then something is wrong with the sender, the account or
//! the content, and asking for everybody would only be refused as often.

use restock_domain::{Automation, AutomationId};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tracing::error;

/// Refusals in a row after which an automation is only tried now and then. A few may be about their recipients.
const MAX_IN_A_ROW: u32 = 5;
/// As [`MAX_IN_A_ROW`], if SES has accepted a mail of the automation: then it is more likely that the refusals are
/// about their recipients. Those are what is left at the end of many mails.
const MAX_IN_A_ROW_AFTER_ONE_ACCEPTED: u32 = 50;
/// How often it is tried then, by each instance.
const TRIED_EVERY: Duration = Duration::from_secs(60);

/// What this instance knows of the mails of automations, by version: a new one is tried at once.
#[derive(Default)]
pub struct Refusals(Mutex<HashMap<(AutomationId, u64), Streak>>);

struct Streak {
    refusals: u32,
    /// True if a mail was accepted before.
    accepted: bool,
    next_try: Instant,
}

impl Streak {
    fn new(accepted: bool) -> Self {
        Self { refusals: 0, accepted, next_try: Instant::now() }
    }

    fn is_too_long(&self) -> bool {
        self.refusals >= if self.accepted { MAX_IN_A_ROW_AFTER_ONE_ACCEPTED } else { MAX_IN_A_ROW }
    }

    fn is_blocked(&self) -> bool {
        self.is_too_long() && self.next_try > Instant::now()
    }
}

impl Refusals {
    /// Returns true if a mail of this automation would not be tried now.
    pub fn is_blocked(&self, automation: &Automation) -> bool {
        self.lock().get(&key(automation)).is_some_and(Streak::is_blocked)
    }

    /// Returns true if a mail of this automation may be tried now. Of one that is refused, no other may be for a while.
    pub fn take_try(&self, automation: &Automation) -> bool {
        let mut streaks = self.lock();
        let Some(streak) = streaks.get_mut(&key(automation)) else { return true };
        let may_try = !streak.is_blocked();
        if may_try {
            streak.next_try = Instant::now() + TRIED_EVERY;
        }
        may_try
    }

    pub fn note_refusal(&self, automation: &Automation, reason: &str) {
        let mut streaks = self.lock();
        let streak = streaks.entry(key(automation)).or_insert_with(|| Streak::new(false));
        streak.refusals += 1;
        if streak.is_too_long() {
            streak.next_try = Instant::now() + TRIED_EVERY;
            // The words are those that template.yaml counts for an alarm.
            error!(automation = %automation.id, automation.version, reason, "SES refuses the mails of an automation");
        }
    }

    pub fn note_acceptance(&self, automation: &Automation) {
        self.lock().insert(key(automation), Streak::new(true));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(AutomationId, u64), Streak>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(automation: &Automation) -> (AutomationId, u64) {
    (automation.id.clone(), automation.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_automation_that_was_refused_five_times_in_a_row_is_tried_once_a_minute_until_a_mail_is_accepted() {
        let (refusals, automation) = (Refusals::default(), Automation::built_in());
        // All at the same time: none is refused before the last is tried.
        let tries = |count| (0..count).filter(|_| refusals.take_try(&automation)).count();
        (0..4).for_each(|_| refusals.note_refusal(&automation, "BadRequestException"));
        assert_eq!(tries(10), 10);

        refusals.note_refusal(&automation, "BadRequestException");
        assert_eq!(tries(10), 0);
        tokio::time::advance(TRIED_EVERY).await;
        assert_eq!(tries(10), 1);
        let changed = Automation { version: automation.version + 1, ..automation.clone() };
        assert!(refusals.take_try(&changed));
        assert!(refusals.is_blocked(&automation) && !refusals.is_blocked(&changed));

        refusals.note_acceptance(&automation);
        assert_eq!(tries(10), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn an_automation_of_which_a_mail_was_accepted_is_tried_on_until_fifty_were_refused_in_a_row() {
        let (refusals, automation) = (Refusals::default(), Automation::built_in());
        refusals.note_acceptance(&automation);

        (0..49).for_each(|_| refusals.note_refusal(&automation, "MESSAGE_REJECTED"));
        assert!(!refusals.is_blocked(&automation));
        refusals.note_refusal(&automation, "MESSAGE_REJECTED");
        assert!(refusals.is_blocked(&automation));
    }
}
