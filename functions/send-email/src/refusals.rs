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

impl Refusals {
    /// Returns true if a mail of this automation may be tried now.
    pub fn may_try(&self, automation: &Automation) -> bool {
        let is_blocked = |streak: &Streak| streak.refusals >= MAX_IN_A_ROW && streak.next_try > Instant::now();
        !self.lock().get(&key(automation)).is_some_and(is_blocked)
    }

    /// Notes that a mail is being tried, so that no other one is for a while if it is refused too.
    pub fn note_try(&self, automation: &Automation) {
        if let Some(streak) = self.lock().get_mut(&key(automation)) {
            streak.next_try = Instant::now() + TRIED_EVERY;
        }
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
        let tried = || refusals.may_try(&automation).then(|| refusals.note_try(&automation)).is_some();
        let tries = |count| (0..count).filter(|_| tried()).count();
        (0..4).for_each(|_| refusals.note_refusal(&automation, "BadRequestException"));
        assert_eq!(tries(10), 10);

        refusals.note_refusal(&automation, "BadRequestException");
        assert_eq!(tries(10), 0);
        tokio::time::advance(TRIED_EVERY).await;
        assert_eq!(tries(10), 1);
        let changed = Automation { version: automation.version + 1, ..automation.clone() };
        assert!(refusals.may_try(&changed));

        refusals.note_acceptance(&automation);
        assert_eq!(tries(10), 10);
    }
}
