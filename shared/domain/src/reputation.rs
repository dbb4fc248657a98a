/// Below so many mails in a day, a share says nothing.
const MIN_MAILS: u64 = 500;
/// Of a hundred thousand mails, those that bounce permanently; from here on SES reviews an account.
const MAX_BOUNCES: u64 = 5_000;
/// The same of complaints; from here on SES may pause an account.
const MAX_COMPLAINTS: u64 = 500;

/// What became of mails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MailCounts {
    pub accepted: u64,
    /// For good.
    pub bounced: u64,
    pub complained: u64,
}

impl MailCounts {
    /// Returns why sending has to be paused for how the mails of a day were received, if it has to (SES, "Reputation
    /// metrics").
    pub fn alarm(&self) -> Option<String> {
        let is_over = |count: u64, max: u64| self.accepted >= MIN_MAILS && count * 100_000 > self.accepted * max;
        let Self { accepted, bounced, complained } = self;
        if is_over(*bounced, MAX_BOUNCES) {
            Some(format!(
                "{bounced} of {accepted} mails of the last 24 hours bounced permanently, which is more than 5%."
            ))
        } else if is_over(*complained, MAX_COMPLAINTS) {
            Some(format!(
                "Recipients of {complained} of {accepted} mails of the last 24 hours complained, which is more than 0.5%."
            ))
        } else {
            None
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns true if there is something that can make an alarm.
    pub fn has_harm(&self) -> bool {
        self.bounced > 0 || self.complained > 0
    }
}

impl std::ops::AddAssign for MailCounts {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.bounced += other.bounced;
        self.complained += other.complained;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sending_is_paused_for_more_bounces_or_complaints_than_ses_puts_up_with_but_not_for_a_few_mails() {
        let alarm = |accepted, bounced, complained| MailCounts { accepted, bounced, complained }.alarm();

        assert_eq!(alarm(499, 499, 499), None);
        assert_eq!((alarm(500, 25, 0), alarm(500, 0, 2)), (None, None));
        assert!(alarm(500, 26, 0).is_some_and(|why| why.contains("26 of 500") && why.contains("5%")));
        assert!(alarm(500, 0, 3).is_some_and(|why| why.contains("3 of 500")));
    }
}
