//! `GET /automations` and `GET /automations/{automationId}`

use restock_domain::{AutomationId, Invalid};
use restock_http::{Call, Problem, Reply, etag};
use restock_store::Store;

/// All automations in the order in which they are asked, or one of them; `?version=` shows it as it once was.
pub async fn handle(store: &Store, call: Call) -> Result<Reply, Problem> {
    if call.parameter("automationId").is_empty() {
        return Reply::ok(&store.automations().await?);
    }
    let id = call.parsed_parameter("automationId", AutomationId::parse)?;
    let found = match call.parsed_query("version", version)? {
        Some(version) => store.automation_version(&id, version).await?,
        None => store.automation(&id).await?,
    };
    let automation = found.ok_or_else(Problem::no_automation)?;
    Ok(Reply::ok(&automation)?.with_header("etag", etag(automation.version)))
}

fn version(raw: &str) -> Result<u64, Invalid> {
    raw.parse().map_err(|_| Invalid::new("WrongType", "Use the number of a version, such as 3."))
}
