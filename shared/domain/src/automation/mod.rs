//! Automations: who gets which email. `docs/automations.md` teaches them.

mod condition;
mod decide;
mod field;
mod predicate;
mod tally;
#[cfg(test)]
mod tests;

pub use condition::{Condition, Facts, MOST_CONDITIONS, MOST_LEVELS};
pub use decide::{Candidate, Decision, ExplainedRefusal, NamedCondition, Refusal, Skip, decide};
pub use predicate::OPERATORS;
pub use tally::{AutomationTally, ConditionTally, ExplainedTally, Tally};

use crate::wire::{self, FieldError, Fields};
use crate::{EmailAddress, Invalid, Locale, time};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use utoipa::ToSchema;

/// What is done with a triggered subscription: whoever passes every condition gets the email.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Automation {
    pub id: AutomationId,
    pub name: String,
    pub enabled: bool,
    /// From 1 to 1,000. Of several automations that accept a subscription, the one with the lowest number gets it; of
    /// several with the same number, the one whose id sorts first.
    pub priority: u32,
    /// Whether a contact that does not accept email (`acceptsEmail` is false) is left out.
    pub requires_consent: bool,
    /// All of them must hold.
    pub conditions: Vec<Condition>,
    pub email: EmailChoice,
    /// Counts the changes, from 1; 0 for the one that is built in.
    pub version: u64,
    #[serde(serialize_with = "time::rfc3339::serialize_option", skip_serializing_if = "Option::is_none")]
    pub updated_on: Option<Timestamp>,
}

/// Up to 50 lower-case letters, digits and hyphens; it stands in paths, in the log and in the tags of mails.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AutomationId(String);

/// The email of an automation; what is missing is as the deployment's settings and the compiled-in texts say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EmailChoice {
    pub template: Template,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<Sender>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<EmailAddress>,
    /// By language tag (`sv`, `sv-SE`) or `default`. A text may hold `{ $title }` and `{ $price }`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub subject: BTreeMap<String, String>,
}

/// The templates that are compiled in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Template {
    /// Picture, title, price and a button.
    #[default]
    BackInStock,
    /// A few lines and a link, as a person would write them.
    Letter,
}

/// What stands in `From`: an address, or a name and an address such as `My Shop <hello@shop.example>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    pub name: Option<String>,
    pub address: EmailAddress,
}

/// As JSON. DynamoDB takes 400 KB to an item, and functions keep all automations in memory.
const MOST_BYTES: usize = 100_000;
/// Characters of a condition in words; the automation itself has the whole.
const MOST_SHOWN: usize = 300;
const LOWEST_PRIORITY: i64 = 1_000;
const USUAL_PRIORITY: u32 = 100;
/// In `subject`, the text for languages that have none of their own.
pub const ANY_LANGUAGE: &str = "default";

impl Automation {
    /// The automation that is on until one with its id is stored: no conditions, the compiled-in email, after all others.
    pub fn built_in() -> Self {
        Self {
            id: AutomationId("default".into()),
            name: "Back in stock".into(),
            enabled: true,
            priority: LOWEST_PRIORITY as u32,
            requires_consent: true,
            conditions: Vec::new(),
            email: EmailChoice::default(),
            version: 0,
            updated_on: None,
        }
    }

    /// Reads the body of `PUT /automations/{id}`.
    pub fn from_json(body: Value, id: AutomationId) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body).map_err(|invalid| vec![invalid.at("")])?;
        let name = fields.required("name", wire::text);
        if name.as_ref().is_some_and(String::is_empty) {
            fields.refuse::<()>("name", Invalid::new("Empty", "The name can't be empty or blank."));
        }
        let enabled = fields.optional("enabled", wire::boolean).unwrap_or(true);
        let priority = fields.optional("priority", priority).unwrap_or(USUAL_PRIORITY);
        let requires_consent = fields.optional("requiresConsent", wire::boolean).unwrap_or(true);
        let conditions = fields.take("conditions").filter(|value| !value.is_null()).map(Condition::conditions);
        let conditions = conditions.unwrap_or(Ok(Vec::new())).unwrap_or_else(|errors| {
            fields.refuse_inside("conditions", errors);
            Vec::new()
        });
        let email = fields.take("email").filter(|value| !value.is_null()).map(EmailChoice::from_json);
        let email = email.unwrap_or(Ok(EmailChoice::default())).unwrap_or_else(|errors| {
            fields.refuse_inside("email", errors);
            EmailChoice::default()
        });
        // What is shown may be sent back as it is.
        fields.refuse_others(&["id", "version", "updatedOn"]);
        fields.finish()?;
        let Some(name) = name else { return Err(Vec::new()) };
        let automation =
            Self { id, name, enabled, priority, requires_consent, conditions, email, version: 0, updated_on: None };
        if serde_json::json!(automation).to_string().len() > MOST_BYTES {
            let message =
                format!("An automation has at most {MOST_BYTES} bytes. Use shorter lists, or several automations.");
            return Err(vec![Invalid::new("TooLong", message).at("")]);
        }
        Ok(automation)
    }

    /// One of its conditions, by its place.
    pub fn named_condition(&self, index: usize) -> NamedCondition {
        let mut condition = self.conditions.get(index).map(ToString::to_string).unwrap_or_default();
        if let Some((cut, _)) = condition.char_indices().nth(MOST_SHOWN) {
            condition.truncate(cut);
            condition.push('…');
        }
        NamedCondition { pointer: format!("/conditions/{index}"), condition }
    }

    /// The order in which automations are asked.
    pub fn order(&self) -> (u32, &AutomationId) {
        (self.priority, &self.id)
    }
}

impl EmailChoice {
    fn from_json(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body).map_err(|invalid| vec![invalid.at("")])?;
        let template = fields.optional("template", wire::string(Template::parse)).unwrap_or_default();
        let sender = fields.optional("sender", wire::string(Sender::parse));
        let reply_to = fields.optional("replyTo", wire::string(EmailAddress::parse));
        let subject = fields.take("subject").filter(|value| !value.is_null()).map(subjects);
        let subject = subject.unwrap_or(Ok(BTreeMap::new())).unwrap_or_else(|errors| {
            fields.refuse_inside("subject", errors);
            BTreeMap::new()
        });
        fields.refuse_others(&[]);
        fields.finish()?;
        Ok(Self { template, sender, reply_to, subject })
    }

    /// The subject that fits a locale best, of those that the automation has.
    pub fn subject(&self, locale: &Locale) -> Option<&str> {
        let tags = locale.fallbacks().chain([ANY_LANGUAGE]);
        tags.into_iter().find_map(|tag| self.subject.get(tag)).map(String::as_str)
    }
}

/// Languages are kept in lower case, which is how they are looked up.
fn subjects(value: Value) -> Result<BTreeMap<String, String>, Vec<FieldError>> {
    let Value::Object(map) = value else {
        return Err(vec![wire::wrong_type("an object of texts by language", &value).at("")]);
    };
    let (mut subjects, mut errors) = (BTreeMap::new(), wire::Errors::default());
    for (language, text) in map {
        let pointer = format!("/{}", wire::escaped(&language));
        if language != ANY_LANGUAGE
            && let Err(invalid) = Locale::parse(&language)
        {
            errors.refuse::<()>(&pointer, invalid);
        }
        match wire::text(text) {
            Ok(text) if text.is_empty() => {
                errors.refuse::<()>(&pointer, Invalid::new("Empty", "A subject can't be empty or blank."));
            }
            Ok(text) => drop(subjects.insert(language.to_lowercase(), text)),
            Err(invalid) => drop(errors.refuse::<()>(&pointer, invalid)),
        }
    }
    errors.finish()?;
    Ok(subjects)
}

fn priority(value: Value) -> Result<u32, Invalid> {
    let priority = wire::integer(value)?;
    let allowed = (1..=LOWEST_PRIORITY).contains(&priority);
    let priority = u32::try_from(priority).ok().filter(|_| allowed);
    priority.ok_or_else(|| Invalid::new("OutOfRange", "Use a whole number from 1, which comes first, to 1000."))
}

impl AutomationId {
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if raw.is_empty() || raw.len() > 50 || !raw.chars().all(fits) || raw.starts_with('-') {
            let message = "Use up to 50 lower-case letters, digits and hyphens, such as early-birds.";
            return Err(Invalid::new("InvalidAutomationId", message));
        }
        Ok(Self(raw.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AutomationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for AutomationId {
    type Error = Invalid;
    fn try_from(raw: String) -> Result<Self, Invalid> {
        Self::parse(&raw)
    }
}

impl From<AutomationId> for String {
    fn from(id: AutomationId) -> Self {
        id.0
    }
}

impl Template {
    fn parse(raw: &str) -> Result<Self, Invalid> {
        match raw {
            "back-in-stock" => Ok(Self::BackInStock),
            "letter" => Ok(Self::Letter),
            _ => Err(Invalid::new("UnknownTemplate", "Use back-in-stock or letter.")),
        }
    }
}

impl Sender {
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        let raw = raw.trim();
        let Some((name, address)) = raw.strip_suffix('>').and_then(|raw| raw.rsplit_once('<')) else {
            return Ok(Self { name: None, address: EmailAddress::parse(raw)? });
        };
        let name = name.trim().trim_matches('"').trim();
        let usable = name.chars().count() <= 100 && !name.contains(|c: char| c.is_control() || "<>\"\\".contains(c));
        if !usable {
            let message = "Use a name of at most 100 characters, without quotes, brackets and backslashes.";
            return Err(Invalid::new("InvalidSender", message));
        }
        let name = Some(name.to_owned()).filter(|name| !name.is_empty());
        Ok(Self { name, address: EmailAddress::parse(address)? })
    }
}

/// As it is read.
impl Serialize for Sender {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.name {
            Some(name) => serializer.collect_str(&format_args!("{name} <{}>", self.address.as_str())),
            None => serializer.serialize_str(self.address.as_str()),
        }
    }
}
