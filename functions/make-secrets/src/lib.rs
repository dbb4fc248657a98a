//! Makes the secrets of a stack when it is deployed, as a custom resource of CloudFormation, and refuses a deployment
//! whose sender is not of the identity that it names, or whose settings functions could not read. No other function may
//! write secrets.

use aws_lambda_events::cloudformation::CloudFormationCustomResourceRequest as Request;
use display_error_chain::DisplayErrorChain;
use jiff::Timestamp;
use lambda_runtime::Error;
use restock_domain::Sender;
use restock_store::Store;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tracing::info;

/// What CloudFormation calls the secrets; always the same, as nothing takes their place.
const PHYSICAL_ID: &str = "secrets";
/// How long each of the two may take, of the function's 20 seconds: the table, and CloudFormation's bucket for the
/// answer. Without an answer, a deployment waits for long.
const PATIENCE: Duration = Duration::from_secs(8);

/// The settings that are checked. The properties of a version that did not have one yet have nothing.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Settings {
    sender: String,
    sender_identity: String,
    reply_to: String,
    /// As `name=value` with spaces between them: a parameter of the type `Number` may have a fraction.
    whole_numbers: String,
}

pub struct App {
    pub store: Store,
    pub clock: fn() -> Timestamp,
}

impl App {
    /// Makes the secrets that are missing, and tells CloudFormation. Secrets stay when the stack is deleted, as their
    /// table does.
    pub async fn handle(&self, request: Request) -> Result<(), Error> {
        let (properties, url, mut answer) = match request {
            Request::Create(create) => {
                let answer = answer_to(create.stack_id, create.request_id, create.logical_resource_id);
                (Some(create.resource_properties), create.response_url, answer)
            }
            Request::Update(update) => {
                let answer = answer_to(update.stack_id, update.request_id, update.logical_resource_id);
                (Some(update.resource_properties), update.response_url, answer)
            }
            Request::Delete(delete) => {
                let answer = answer_to(delete.stack_id, delete.request_id, delete.logical_resource_id);
                (None, delete.response_url, answer)
            }
            _ => return Err("CloudFormation asks for something that there was not when this was written".into()),
        };
        let made = match properties {
            Some(properties) => self.deploy(properties).await,
            None => Ok(()),
        };
        answer["Status"] = json!(if made.is_ok() { "SUCCESS" } else { "FAILED" });
        if let Err(reason) = made {
            answer["Reason"] = json!(reason);
        }
        info!(%answer, "The answer to CloudFormation");
        let put = move || {
            let agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().new_agent();
            // The URL is signed for a request without a content type.
            agent.put(&url).content_type("").send(answer.to_string())
        };
        tokio::task::spawn_blocking(put).await??;
        Ok(())
    }

    /// Makes the secrets if the properties hold, or returns why not.
    async fn deploy(&self, properties: Value) -> Result<(), String> {
        let settings = Settings::deserialize(properties).map_err(|error| error.to_string())?;
        settings.check()?;
        let made = tokio::time::timeout(PATIENCE, self.store.make_secrets((self.clock)())).await;
        made.map_err(|_| "DynamoDB did not answer in time; deploy again".to_owned())?
            .map_err(|error| DisplayErrorChain::new(&error).to_string())
    }
}

impl Settings {
    /// Returns why SES would refuse every mail, or why functions would not start.
    fn check(&self) -> Result<(), String> {
        let Self { sender, sender_identity, reply_to, whole_numbers } = self;
        for setting in whole_numbers.split_whitespace() {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            value.parse::<u64>().map_err(|_| format!("The parameter {name}: write a whole number, not {value}."))?;
        }
        if !sender.is_empty() {
            let checked = Sender::parse(sender).and_then(|sender| sender.check(sender_identity));
            checked.map_err(|invalid| format!("The parameter Sender: {}", invalid.message))?;
        }
        if !reply_to.is_empty() {
            let address = Sender::parse(reply_to);
            address.map_err(|invalid| format!("The parameter ReplyTo: {}", invalid.message))?;
        }
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
