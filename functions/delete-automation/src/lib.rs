//! Serves `DELETE /automations/{automationId}`.

use restock_api::automations::DeleteAutomation;
use restock_api::{IdReply, Problem};
use restock_domain::AutomationId;
use restock_http::{Call, Failure, Handles, Reply, expected_version};
use restock_store::{DocumentChange, Store};

pub struct App {
    pub store: Store,
}

/// Deletes an automation; whom it has accepted and not mailed yet stays subscribed. The log goes on naming its
/// versions.
impl Handles<DeleteAutomation> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<DeleteAutomation>, Failure> {
        let id = call.path_parameter::<AutomationId>()?;
        match self.store.delete_automation(&id, expected_version(&call)).await? {
            DocumentChange::Done(_) => Ok(Reply::new(IdReply::of(id))),
            DocumentChange::Stale => Err(Problem::stale().into()),
            DocumentChange::Missing | DocumentChange::TooMany => Err(Problem::no_automation().into()),
        }
    }
}
