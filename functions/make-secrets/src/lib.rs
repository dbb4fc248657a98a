//! Makes the secrets of a stack when it is deployed, as a custom resource of CloudFormation. No other function may write them.

use aws_lambda_events::cloudformation::CloudFormationCustomResourceRequest as Request;
use display_error_chain::DisplayErrorChain;
use jiff::Timestamp;
use lambda_runtime::Error;
use restock_store::Store;
use serde_json::{Value, json};
use std::time::Duration;
use tracing::info;

/// What CloudFormation calls the secrets. A change of it would make them deleted and made anew.
const PHYSICAL_ID: &str = "secrets";
/// How long CloudFormation's bucket may take for the answer, of the function's 20 seconds.
const ANSWERED_WITHIN: Duration = Duration::from_secs(8);

pub struct App {
    pub store: Store,
    pub clock: fn() -> Timestamp,
}

impl App {
    /// Makes the secrets that are missing, and tells CloudFormation. Secrets stay when the stack is deleted, as their table does.
    pub async fn handle(&self, request: Request) -> Result<(), Error> {
        let (made, url, answer) = match request {
            Request::Create(create) => {
                let answer = answer_to(create.stack_id, create.request_id, create.logical_resource_id);
                (self.store.make_secrets((self.clock)()).await, create.response_url, answer)
            }
            Request::Update(update) => {
                let answer = answer_to(update.stack_id, update.request_id, update.logical_resource_id);
                (self.store.make_secrets((self.clock)()).await, update.response_url, answer)
            }
            Request::Delete(delete) => {
                let answer = answer_to(delete.stack_id, delete.request_id, delete.logical_resource_id);
                (Ok(()), delete.response_url, answer)
            }
            _ => return Err("CloudFormation asks for something that there was not when this was written".into()),
        };
        let mut answer = answer;
        match made {
            Ok(()) => answer["Status"] = json!("SUCCESS"),
            Err(error) => {
                answer["Status"] = json!("FAILED");
                answer["Reason"] = json!(format!("{}", DisplayErrorChain::new(&error)));
            }
        }
        info!(%answer, "CloudFormation is answered");
        let put = move || {
            let agent = ureq::Agent::config_builder().timeout_global(Some(ANSWERED_WITHIN)).build().new_agent();
            // The URL is signed for a request without a content type.
            agent.put(&url).content_type("").send(answer.to_string())
        };
        tokio::task::spawn_blocking(put).await??;
        Ok(())
    }
}

fn answer_to(stack: String, request: String, resource: String) -> Value {
    json!({
        "PhysicalResourceId": PHYSICAL_ID,
        "StackId": stack,
        "RequestId": request,
        "LogicalResourceId": resource,
    })
}
