//! Serves `PUT /automations/{automationId}`.

use jiff::Timestamp;
use restock_api::automations::{self, AutomationSettings, PutAutomation, warnings};
use restock_api::{ErrorCode, Errors, Problem};
use restock_domain::{Automation, AutomationId, Invalid};
use restock_email::{built_in_template, check_subject};
use restock_http::{Call, Failure, Handles, Reply, expected_version};
use restock_store::{DocumentChange, MAX_AUTOMATIONS, Store};
use std::time::Duration;

pub struct App {
    pub store: Store,
    /// The domain or the address that SES may send from.
    pub sender_identity: String,
    /// The shortest interval that waves may have.
    pub shortest: Duration,
    pub clock: fn() -> Timestamp,
}

/// Stores an automation as a whole. `If-Match` with the `ETag` that was read refuses to overwrite somebody else's
/// change.
impl Handles<PutAutomation> for App {
    async fn handle(&self, call: Call, body: AutomationSettings) -> Result<Reply<PutAutomation>, Failure> {
        let id = call.path_parameter::<AutomationId>()?;
        let automation = body.into_automation(id, self.shortest)?;
        self.check_email(&automation).await?;
        let warnings = warnings(&automation, &self.store.automations().await?);
        match self.store.put_automation(automation, expected_version(&call), (self.clock)()).await? {
            DocumentChange::Done(automation) => {
                let version = automation.version;
                let answer = automations::Automation { warnings: Some(warnings), ..(*automation).into() };
                Ok(Reply::new(answer).with_version(version))
            }
            DocumentChange::Stale | DocumentChange::Missing => Err(Problem::stale().into()),
            DocumentChange::TooMany => {
                let detail = format!(
                    "There are {MAX_AUTOMATIONS} automations already. Delete one, or add conditions to another."
                );
                Err(Problem::conflict(ErrorCode::TooManyAutomations, detail).into())
            }
        }
    }
}

impl App {
    /// Refuses what only the email's own rules can tell.
    async fn check_email(&self, automation: &Automation) -> Result<(), Failure> {
        let mut errors = Errors::default();
        let template = &automation.email.template;
        if built_in_template(template).is_none() && self.store.template(template).await?.is_none() {
            let message =
                "There is no such template. GET /templates lists them; PUT /templates/{templateId} stores one.";
            errors.add("/email/template", Invalid::new(ErrorCode::UnknownTemplate, message));
        }
        if let Some(Err(invalid)) = automation.email.sender.as_ref().map(|sender| sender.check(&self.sender_identity)) {
            errors.add("/email/sender", invalid);
        }
        for (language, text) in &automation.email.subject {
            if let Err(invalid) = check_subject(text) {
                errors.add(&format!("/email/subject/{language}"), invalid);
            }
        }
        Ok(errors.finish()?)
    }
}
