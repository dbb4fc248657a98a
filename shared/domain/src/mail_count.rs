//! What the integration log counts the mails of a level by.

use crate::{AutomationId, Template, TemplateId};
use std::fmt::Display;

/// A count of mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailCount {
    /// `accepted`, `failed`, or why one was not sent after all.
    Outcome(String),
    /// Accepted by SES, and made of this version of a template.
    OfTemplate(TemplateId, u64),
    /// Accepted by SES, and chosen by this version of an automation.
    ByAutomation(AutomationId, u64),
}

const TEMPLATE: &str = "template:";
const AUTOMATION: &str = "automation:";

impl MailCount {
    /// Returns the name that the count has in tables and messages.
    pub fn name(&self) -> String {
        match self {
            Self::Outcome(outcome) => outcome.clone(),
            Self::OfTemplate(id, version) => format!("{TEMPLATE}{}", tag(id, *version)),
            Self::ByAutomation(id, version) => format!("{AUTOMATION}{}", tag(id, *version)),
        }
    }

    /// Returns the count that has a name.
    pub fn restore(name: &str) -> Self {
        let of_template = || name.strip_prefix(TEMPLATE).and_then(template_of).map(|(id, v)| Self::OfTemplate(id, v));
        let by_automation =
            || name.strip_prefix(AUTOMATION).and_then(automation_of).map(|(id, v)| Self::ByAutomation(id, v));
        of_template().or_else(by_automation).unwrap_or_else(|| Self::Outcome(name.to_owned()))
    }
}

/// Returns what names a version of a template or an automation in tables and in the tags of mails, whose letters SES
/// limits.
pub fn tag(id: &impl Display, version: u64) -> String {
    format!("{id}_{version}")
}

/// Returns the [`tag`] of a template.
pub fn tag_of(template: &Template) -> String {
    tag(&template.id, template.version)
}

/// Returns the version of a template that a [`tag`] names.
pub fn template_of(tag: &str) -> Option<(TemplateId, u64)> {
    let (id, version) = tag.rsplit_once('_')?;
    Some((TemplateId::restore(id), version.parse().ok()?))
}

/// Returns the version of an automation that a [`tag`] names.
pub fn automation_of(tag: &str) -> Option<(AutomationId, u64)> {
    let (id, version) = tag.rsplit_once('_')?;
    Some((AutomationId::restore(id), version.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_count_is_read_as_it_was_written() {
        for (count, name) in [
            (MailCount::Outcome("accepted".to_owned()), "accepted"),
            (MailCount::OfTemplate(TemplateId::restore("spring-sale"), 2), "template:spring-sale_2"),
            (MailCount::ByAutomation(AutomationId::restore("club"), 10), "automation:club_10"),
        ] {
            assert_eq!(count.name(), name);
            assert_eq!(MailCount::restore(name), count);
        }
    }
}
