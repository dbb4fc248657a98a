//! `DELETE /automations/{automationId}`

use jiff::Timestamp;
use restock_domain::AutomationId;
use restock_http::{Call, Problem, Reply, expected_version};
use restock_store::{AutomationChange, Store};

/// Deletes an automation; whom it has accepted and not mailed yet stays subscribed. The log goes on naming its versions.
pub async fn handle(store: &Store, call: Call) -> Result<Reply, Problem> {
    let id = call.parsed_parameter("automationId", AutomationId::parse)?;
    match store.delete_automation(&id, expected_version(&call), Timestamp::now()).await? {
        AutomationChange::Done(_) => Reply::id(id),
        AutomationChange::Stale => Err(Problem::stale()),
        AutomationChange::Missing | AutomationChange::TooMany => Err(Problem::no_automation()),
    }
}
