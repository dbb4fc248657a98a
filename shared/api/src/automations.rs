//! Automations: who gets which email. `docs/automations.md` teaches them.

use crate::conditions::Conditions;
use crate::schema::{Described, Schemas, WholeNumber};
use crate::settings::{READ, Version, WRITE};
use crate::values::{Name, by_language};
use crate::waves::{WaveSettings, Waves};
use crate::wire::{Read, alone};
use crate::{Errors, FieldError, IdReply, Moment, answer, body, endpoints};
use restock_domain::automation::{ANY_LANGUAGE, DEFAULT_PRIORITY, LOWEST_PRIORITY};
use restock_domain::{AutomationId, Condition, EmailAddress, EmailChoice, ErrorCode, Invalid, Sender, TemplateId};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::openapi::{RefOr, Schema};

/// Versions of an automation that are listed.
pub const MAX_VERSIONS: usize = 100;
const NO_AUTOMATION: &str = "There is no such automation.";

endpoints! {
    /// All automations
    ListAutomations("listAutomations"): Get "/automations", "show-automations", READ,
        () => 200 Vec<Automation>, "In the order in which they are asked.";

    /// Show an automation
    GetAutomation("getAutomation"): Get "/automations/{automationId}" ? {
            "version": Option<Version>, "As it was in that version.";
        }, "show-automations", READ,
        () => 200 Automation, "The automation.",
        |operation| operation
            .etag()
            .problem(404, NO_AUTOMATION);

    /// When an automation was changed
    ListAutomationVersions("listAutomationVersions"):
        Get "/automations/{automationId}/versions", "list-automation-versions", READ,
        () => 200 Vec<AutomationVersion>, "Its newest 100 versions, the newest first.",
        |operation| operation.problem(404, NO_AUTOMATION);

    /// Store an automation
    PutAutomation("putAutomation"): Put "/automations/{automationId}", "put-automation", WRITE,
        AutomationSettings => 200 Automation, "The automation, as its next version.",
        |operation| operation
            .conditional()
            .etag()
            .problem(409, "There are fifty automations already.");

    /// Delete an automation
    DeleteAutomation("deleteAutomation"): Delete "/automations/{automationId}", "delete-automation", WRITE,
        () => 200 IdReply, "It is deleted.",
        |operation| operation.conditional().problem(404, NO_AUTOMATION);
}

body! {
    /// An automation as it is stored.
    #[derive(Debug)]
    pub struct AutomationSettings {
        pub name: Name,
        /// `true` by default.
        pub enabled: Option<bool>,
        /// The lowest number comes first; 100 by default.
        pub priority: Option<Priority>,
        /// True if a contact that does not accept email is left out; `true` by default.
        pub requires_consent: Option<bool>,
        /// All of them must hold.
        pub conditions: Option<Conditions>,
        pub email: Option<EmailSettings>,
        /// In place of the shop's policy for waves.
        pub waves: Option<WaveSettings>,
    }
    // What is shown may be sent back as it is.
    strict ["id", "version", "updatedOn", "warnings"]
}

body! {
    /// What is missing is as the deployment's settings and the compiled-in texts say.
    #[derive(Debug, Default)]
    pub struct EmailSettings {
        /// `back-in-stock` by default.
        pub template: Option<TemplateId>,
        pub sender: Option<Sender>,
        pub reply_to: Option<EmailAddress>,
        /// By language tag (`sv`, `sv-SE`) or `default`. A text may hold `{ $title }` and `{ $price }`.
        pub subject: Option<Subjects>,
    }
    strict []
}

/// Functions keep all automations in memory, and the list of all fifty is one answer, of which Lambda takes 6 MB.
const MAX_BYTES: usize = 80_000;

impl AutomationSettings {
    /// Makes the automation that a caller describes. `shortest` is the shortest interval of waves that the deployment
    /// allows.
    pub fn into_automation(
        self,
        id: AutomationId,
        shortest: Duration,
    ) -> Result<restock_domain::Automation, Vec<FieldError>> {
        if json!(self).to_string().len() > MAX_BYTES {
            let message =
                format!("An automation has at most {MAX_BYTES} bytes. Use shorter lists, or several automations.");
            return Err(alone(Invalid::new(ErrorCode::TooLong, message)));
        }
        let EmailSettings { template, sender, reply_to, subject } = self.email.unwrap_or_default();
        let (template, subject) = (template.unwrap_or_default(), subject.unwrap_or_default().texts());
        let mut errors = Errors::default();
        let waves = self.waves.map(|waves| waves.into_policy(shortest)).transpose();
        let waves = errors.take("/waves", waves).flatten();
        errors.finish()?;
        Ok(restock_domain::Automation {
            id,
            name: self.name.0,
            enabled: self.enabled.unwrap_or(true),
            priority: self.priority.map_or(DEFAULT_PRIORITY, |Priority(priority)| priority),
            requires_consent: self.requires_consent.unwrap_or(true),
            conditions: self.conditions.unwrap_or_default().0,
            email: EmailChoice { template, sender, reply_to, subject },
            waves,
            version: 0,
            updated_on: None,
        })
    }
}

/// A whole number from 1, which comes first, to 1,000.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(transparent)]
pub struct Priority(u32);

impl Read for Priority {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        let priority = u32::try_from(i64::read(value)?).ok().filter(|number| (1..=LOWEST_PRIORITY).contains(number));
        let message = "Use a whole number from 1, which comes first, to 1000.";
        priority.map(Self).ok_or_else(|| alone(Invalid::new(ErrorCode::OutOfRange, message)))
    }
}

impl Described for Priority {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        WholeNumber::<1, { LOWEST_PRIORITY as usize }>::schema(schemas)
    }
}

/// Texts by language, or for all others.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Subjects(BTreeMap<String, Name>);

impl Subjects {
    fn texts(self) -> BTreeMap<String, String> {
        self.0.into_iter().map(|(language, Name(text))| (language, text)).collect()
    }
}

impl Read for Subjects {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        by_language(value, &[ANY_LANGUAGE]).map(Self)
    }
}

impl Described for Subjects {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        BTreeMap::<String, String>::schema(schemas)
    }
}

answer! {
    /// Who gets which email when a subscription is triggered: whoever passes every condition gets the email.
    #[derive(Debug)]
    pub struct Automation {
        pub id: AutomationId,
        pub name: String,
        pub enabled: bool,
        /// From 1 to 1,000. Of several automations that accept a subscription, the one with the lowest number gets it;
        /// of several with the same number, the one whose id sorts first.
        pub priority: u64,
        /// True if a contact that does not accept email (`acceptsEmail` is false) is left out.
        pub requires_consent: bool,
        /// All of them must hold.
        pub conditions: Vec<Condition>,
        pub email: Email,
        /// In place of the shop's policy for waves.
        pub waves: Option<Waves>,
        /// Counts the changes, from 1; 0 for the one that is built in.
        pub version: u64,
        pub updated_on: Option<Moment>,
        /// What could surprise beside the other automations, in sentences. Only in the answer to storing one.
        pub warnings: Option<Vec<String>>,
    }
}

/// Returns what could surprise about an automation beside the others: one without conditions takes whoever is shown to
/// it.
pub fn warnings(automation: &restock_domain::Automation, all: &[restock_domain::Automation]) -> Vec<String> {
    let others = all.iter().filter(|other| automation.enabled && other.enabled && other.id != automation.id);
    let warning = |other: &restock_domain::Automation| {
        let (id, is_before) = (&other.id, other.order() < automation.order());
        if is_before && (automation.requires_consent || !other.requires_consent) {
            Some(format!(
                "{id} is asked before this one and takes everybody, so this one gets nobody. Give one of them another priority."
            ))
        } else if !is_before && !automation.conditions.is_empty() {
            Some(format!(
                "{id} is asked after this one and takes everybody, so whoever this one refuses gets its mail. If they should get none, switch it off by \"enabled\": false."
            ))
        } else {
            None
        }
    };
    others.filter(|other| other.conditions.is_empty()).filter_map(warning).collect()
}

answer! {
    /// One version of an automation; `GET /automations/{id}?version=` shows all of it.
    #[derive(Debug)]
    pub struct AutomationVersion {
        pub version: u64,
        pub name: String,
        pub enabled: bool,
        /// When it was stored; the one that is built in has none.
        pub updated_on: Option<Moment>,
    }
}

impl From<restock_domain::Automation> for AutomationVersion {
    fn from(automation: restock_domain::Automation) -> Self {
        let restock_domain::Automation { version, name, enabled, updated_on, .. } = automation;
        Self { version, name, enabled, updated_on: updated_on.map(Moment) }
    }
}

answer! {
    /// The email of an automation; what is missing is as the deployment's settings and the compiled-in texts say.
    #[derive(Debug)]
    pub struct Email {
        pub template: TemplateId,
        pub sender: Option<Sender>,
        pub reply_to: Option<EmailAddress>,
        /// By language tag (`sv`, `sv-SE`) or `default`. A text may hold `{ $title }` and `{ $price }`.
        pub subject: Option<BTreeMap<String, String>>,
    }
}

impl From<restock_domain::Automation> for Automation {
    fn from(automation: restock_domain::Automation) -> Self {
        let EmailChoice { template, sender, reply_to, subject } = automation.email;
        let subject = Some(subject).filter(|subject| !subject.is_empty());
        Self {
            id: automation.id,
            name: automation.name,
            enabled: automation.enabled,
            priority: automation.priority.into(),
            requires_consent: automation.requires_consent,
            conditions: automation.conditions,
            email: Email { template, sender, reply_to, subject },
            waves: automation.waves.map(Waves::from),
            version: automation.version,
            updated_on: automation.updated_on.map(Moment),
            warnings: None,
        }
    }
}
