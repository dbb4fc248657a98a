//! Serves `GET /automations/{automationId}/versions`.

use restock_api::Problem;
use restock_api::automations::{AutomationVersion, ListAutomationVersions, MAX_VERSIONS};
use restock_domain::AutomationId;
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::Store;

pub struct App {
    pub store: Store,
}

/// Lists the versions of an automation with their times, the newest first.
impl Handles<ListAutomationVersions> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<ListAutomationVersions>, Failure> {
        let id = call.path_parameter::<AutomationId>()?;
        let versions = self.store.automation_history(&id, MAX_VERSIONS).await?;
        if versions.is_empty() {
            return Err(Problem::no_automation().into());
        }
        Ok(Reply::new(versions.into_iter().map(AutomationVersion::from).collect::<Vec<_>>()))
    }
}
