//! Serves `GET /automations` and `GET /automations/{automationId}`.

use restock_api::Problem;
use restock_api::automations::{Automation, GetAutomation, ListAutomations};
use restock_domain::AutomationId;
use restock_http::{Call, Failure, Handles, Reply, wanted_version};
use restock_store::Store;

pub struct App {
    pub store: Store,
}

/// Lists all automations in the order in which they are asked.
impl Handles<ListAutomations> for App {
    async fn handle(&self, _: Call, (): ()) -> Result<Reply<ListAutomations>, Failure> {
        let automations = self.store.automations().await?;
        Ok(Reply::new(automations.into_iter().map(Automation::from).collect::<Vec<_>>()))
    }
}

/// Shows one automation; `?version=` shows it as it once was.
impl Handles<GetAutomation> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<GetAutomation>, Failure> {
        let id = call.path_parameter::<AutomationId>()?;
        let found = match wanted_version(&call)? {
            Some(version) => self.store.automation_version(&id, version).await?,
            None => self.store.automation(&id).await?,
        };
        let automation = found.ok_or_else(Problem::no_automation)?;
        let version = automation.version;
        Ok(Reply::new(automation).with_version(version))
    }
}
