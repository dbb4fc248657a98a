//! Automations: who gets which email. `docs/automations.md` teaches them.

mod condition;
mod decide;
mod facts;
mod field;
mod predicate;
mod tally;
mod verdict;
mod words;

pub use condition::{Condition, Test};
pub use decide::{Candidate, Decision, Refusal, decide};
pub use facts::Facts;
pub use field::Field;
pub(crate) use field::member;
pub use predicate::{Given, Misfit, Operator, Place, Predicate};
pub use tally::{AutomationTally, Tally};
pub use verdict::{RefusedBy, Verdict, VerdictOutcome};

use crate::contact::in_ascii;
use crate::identifiers::{is_slug, text_type};
use crate::{EmailAddress, ErrorCode, Invalid, Locale, TemplateId, WavePolicy};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Who gets which email when a subscription is triggered: whoever passes every condition gets the email.
#[derive(Debug, Clone, PartialEq)]
pub struct Automation {
    pub id: AutomationId,
    pub name: String,
    pub enabled: bool,
    /// From 1 to 1,000. Of several automations that accept a subscription, the one with the lowest number gets it; of
    /// several with the same number, the one whose id sorts first.
    pub priority: u32,
    /// True if a contact that does not accept email (`acceptsEmail` is false) is left out.
    pub requires_consent: bool,
    /// All of them must hold.
    pub conditions: Vec<Condition>,
    pub email: EmailChoice,
    /// In place of the shop's policy.
    pub waves: Option<WavePolicy>,
    /// Counts the changes, from 1; 0 for the one that is built in.
    pub version: u64,
    pub updated_on: Option<Timestamp>,
}

/// Up to 50 lower-case letters, digits and hyphens; it stands in paths, in the log and in the tags of mails.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AutomationId(String);
text_type!(AutomationId);

/// The email of an automation; what is missing is as the deployment's settings and the compiled-in texts say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EmailChoice {
    pub template: TemplateId,
    pub sender: Option<Sender>,
    pub reply_to: Option<EmailAddress>,
    /// By language tag (`sv`, `sv-SE`) or `default`. A text may hold `{ $title }` and `{ $price }`.
    pub subject: BTreeMap<String, String>,
}

/// The sender in `From`: an address, or a name and an address such as `My Shop <hello@shop.example>`.
///
/// It is written to tables and answers as that text, and reading it back trusts it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Sender {
    pub name: Option<String>,
    pub address: EmailAddress,
}

/// Characters of a condition in words; the automation itself has the whole.
const MAX_SHOWN: usize = 300;
/// The number of the automation that is asked last.
pub const LOWEST_PRIORITY: u32 = 1_000;
pub const DEFAULT_PRIORITY: u32 = 100;
/// In `subject`, the text for languages that have none of their own.
pub const ANY_LANGUAGE: &str = "default";

impl Automation {
    /// Returns the automation that is on until one with its id is stored: no conditions, the compiled-in email, after
    /// all others.
    pub fn built_in() -> Self {
        Self {
            id: AutomationId("default".into()),
            name: "Back in stock".into(),
            enabled: true,
            priority: LOWEST_PRIORITY,
            requires_consent: true,
            conditions: Vec::new(),
            email: EmailChoice::default(),
            waves: None,
            version: 0,
            updated_on: None,
        }
    }

    /// Returns one of its conditions, by its place, in words; cut if they are many.
    pub fn condition_in_words(&self, index: usize) -> String {
        let mut condition = self.conditions.get(index).map(ToString::to_string).unwrap_or_default();
        if let Some((cut, _)) = condition.char_indices().nth(MAX_SHOWN) {
            condition.truncate(cut);
            condition.push('…');
        }
        condition
    }

    /// Returns what automations are sorted by to ask them in their order.
    pub fn order(&self) -> (u32, &AutomationId) {
        (self.priority, &self.id)
    }
}

impl EmailChoice {
    /// Returns the subject that fits a locale best, of those that the automation has.
    pub fn subject(&self, locale: &Locale) -> Option<&str> {
        let own = locale.tags().iter().find_map(|tag| self.subject.get(tag));
        own.or_else(|| self.subject.get(ANY_LANGUAGE)).map(String::as_str)
    }
}

impl AutomationId {
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        if !is_slug(raw) {
            let message = "Use up to 50 lower-case letters, digits and hyphens, such as early-birds.";
            return Err(Invalid::new(ErrorCode::InvalidAutomationId, message));
        }
        Ok(Self(raw.to_owned()))
    }
}

impl Sender {
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        let (name, address) = split(raw);
        let usable = name.chars().count() <= 100 && !name.contains(|c: char| c.is_control() || "<>\"\\".contains(c));
        if !usable {
            let message = "Use a name of at most 100 characters, without quotes, brackets and backslashes.";
            return Err(Invalid::new(ErrorCode::InvalidSender, message));
        }
        if name.contains("=?") && name.contains("?=") {
            let message = "Write the name as people read it, such as Kläder: it is encoded when the mail is sent.";
            return Err(Invalid::new(ErrorCode::InvalidSender, message));
        }
        let address = EmailAddress::parse(address)?;
        Ok(Self { address, ..raw.to_owned().into() })
    }

    /// Refuses an address that SES may not send from, as far as the identity tells: a domain or an address that is
    /// verified.
    pub fn check(&self, identity: &str) -> Result<(), Invalid> {
        let (address, allowed) = (self.address.key(), in_ascii(identity).to_lowercase());
        let domain = address.rsplit('@').next().unwrap_or_default();
        // An identity that is a domain covers its subdomains too.
        if address == allowed || domain == allowed || domain.ends_with(&format!(".{allowed}")) {
            return Ok(());
        }
        let message = format!("SES may send from {identity} only. Use such an address, or verify another one.");
        Err(Invalid::new(ErrorCode::SenderNotVerified, message))
    }
}

/// Returns true if an automation is on, and each that is asks for contacts who accept email.
pub fn ask_for_consent(automations: &[Automation]) -> bool {
    let mut enabled = automations.iter().filter(|automation| automation.enabled).peekable();
    enabled.peek().is_some() && enabled.all(|automation| automation.requires_consent)
}

/// Returns the name, which may be empty, and the address.
fn split(raw: &str) -> (&str, &str) {
    let raw = raw.trim();
    match raw.strip_suffix('>').and_then(|raw| raw.rsplit_once('<')) {
        Some((name, address)) => (name.trim().trim_matches('"').trim(), address.trim()),
        None => ("", raw),
    }
}

impl From<String> for Sender {
    fn from(raw: String) -> Self {
        let (name, address) = split(&raw);
        let name = Some(name.to_owned()).filter(|name| !name.is_empty());
        Self { name, address: EmailAddress::restore(address) }
    }
}

impl From<Sender> for String {
    fn from(sender: Sender) -> Self {
        sender.to_string()
    }
}

/// Writes what [`Sender::parse`] reads.
impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.address.as_str()),
            None => f.write_str(self.address.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_with_an_international_domain_is_the_one_that_ses_knows() {
        let encoded = Sender::parse("=?UTF-8?B?S2zDpGRlcg==?= <a@shop.example>").unwrap_err();
        assert!(encoded.message.starts_with("Write the name as people read it"), "{}", encoded.message);
        let sender = Sender::parse(" Shop <a@blåbär.example> ").unwrap();

        assert_eq!(sender.to_string(), "Shop <a@xn--blbr-noae.example>");
        assert!(sender.check("xn--blbr-noae.example").is_ok() && sender.check("blåbär.example").is_ok());
        assert!(Sender::parse("a@BLÅBÄR.example").unwrap().check("a@blåbär.example").is_ok());
        assert!(sender.check("example.com").is_err());
    }
}
