//! `PUT /automations/{automationId}`

use jiff::Timestamp;
use restock_domain::wire::Errors;
use restock_domain::{Automation, AutomationId, Invalid, Sender};
use restock_email::check_subject;
use restock_http::{Call, Problem, Reply, etag, expected_version};
use restock_store::{AutomationChange, MOST_AUTOMATIONS, Store};

pub struct App {
    pub store: Store,
    /// The domain or the address that SES may send from.
    pub sender_identity: String,
}

impl App {
    /// Stores an automation as a whole. `If-Match` with the `ETag` that was read refuses to overwrite somebody else's change.
    pub async fn handle(&self, call: Call) -> Result<Reply, Problem> {
        let id = call.parsed_parameter("automationId", AutomationId::parse)?;
        let automation = Automation::from_json(call.json()?, id).map_err(Problem::invalid)?;
        self.check_email(&automation)?;
        match self.store.put_automation(automation, expected_version(&call), Timestamp::now()).await? {
            AutomationChange::Done(automation) => {
                Ok(Reply::ok(&automation)?.with_header("etag", etag(automation.version)))
            }
            AutomationChange::Stale | AutomationChange::Missing => Err(Problem::stale()),
            AutomationChange::TooMany => Err(Problem::conflict(
                "TooManyAutomations",
                format!("There are {MOST_AUTOMATIONS} automations already. Delete one, or add conditions to another."),
            )),
        }
    }

    /// What only the email's own rules can tell.
    fn check_email(&self, automation: &Automation) -> Result<(), Problem> {
        let mut errors = Errors::default();
        if let Some(sender) = &automation.email.sender
            && !self.may_send_as(sender)
        {
            let message =
                format!("SES may send from {} only. Use such an address, or verify another one.", self.sender_identity);
            errors.refuse::<()>("/email/sender", Invalid::new("SenderNotVerified", message));
        }
        for (language, text) in &automation.email.subject {
            if let Err(invalid) = check_subject(text) {
                errors.refuse::<()>(&format!("/email/subject/{language}"), invalid);
            }
        }
        errors.finish().map_err(Problem::invalid)
    }

    fn may_send_as(&self, sender: &Sender) -> bool {
        let (address, identity) = (sender.address.key(), self.sender_identity.to_lowercase());
        let domain = address.rsplit('@').next().unwrap_or_default();
        // An identity that is a domain covers its subdomains too.
        address == identity || domain == identity || domain.ends_with(&format!(".{identity}"))
    }
}
