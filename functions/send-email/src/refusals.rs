//! Mails of an automation that SES refuses one after the other: then something is wrong with the sender, the account or the
//! content, and asking for everybody would only be refused as often.

use restock_domain::{Automation, AutomationId};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tracing::error;

/// Refusals in a row after which an automation is only tried now and then. A few may be about their recipients.
const MAX_IN_A_ROW: u32 = 5;
/// How often it is tried then, by each instance.
const TRIED_EVERY: Duration = Duration::from_secs(60);

/// What this instance knows of the mails of automations, by version: a new one is tried at once.
#[derive(Default)]
pub struct Refusals(Mutex<HashMap<(AutomationId, u64), Streak>>);

struct Streak {
    refusals: u32,
    next_try: Instant,
}

impl Streak {
    fn is_blocked(&self) -> bool {
        self.refusals >= MAX_IN_A_ROW && self.next_try > Instant::now()
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
        let first = Streak { refusals: 0, next_try: Instant::now() };
        let streak = streaks.entry(key(automation)).or_insert(first);
        streak.refusals += 1;
        if streak.refusals >= MAX_IN_A_ROW {
            streak.next_try = Instant::now() + TRIED_EVERY;
            // The words are those that template.yaml counts for an alarm.
            error!(automation = %automation.id, automation.version, reason, "SES refuses the mails of an automation");
        }
    }

    pub fn note_acceptance(&self, automation: &Automation) {
        self.lock().remove(&key(automation));
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
}
