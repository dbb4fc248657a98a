//! A stack that is running already, for commands that are about it.

use crate::Error;
use crate::client::Client;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use restock_store::{DynamoDb, Store, Tables};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The addresses of a running stack; also the line that `cargo local --json` prints.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    pub ready: bool,
    pub api: String,
    pub api_key: String,
    pub inbox: String,
    pub endpoints: BTreeMap<String, String>,
    pub queues: BTreeMap<String, String>,
    pub tables: BTreeMap<String, String>,
}

/// Returns the addresses of the stack whose API is on a port. Without functions nothing answers there, and the inbox is
/// on the next one.
pub async fn at(api: u16) -> Result<Ready, Error> {
    let asked = tokio::task::spawn_blocking(move || {
        let ask = |port: u16| Client::new(&format!("http://127.0.0.1:{port}")).get("/ready.json");
        let answer = ask(api).or_else(|_| ask(api.saturating_add(1)));
        let answer = answer.map_err(|_| "No stack is running there: start one with `cargo local`.")?;
        let no_stack = |_| "That is no running stack. Give the port of its API, which `cargo local` prints.".into();
        serde_json::from_str::<Ready>(&answer.text).map_err(no_stack)
    });
    asked.await?
}

/// Returns the store of a running stack, which the faults and limits between functions and tables do not concern.
pub fn store(ready: &Ready) -> Store {
    Store::new(database(ready))
}

/// Returns the tables of a running stack, likewise.
pub fn database(ready: &Ready) -> DynamoDb {
    let name = |setting: &str| ready.tables.get(&setting.trim_end_matches("_TABLE").to_lowercase()).cloned();
    DynamoDb { client: aws_sdk_dynamodb::Client::new(&config(ready, "dynamodb")), tables: Tables::of(name) }
}

/// Returns the SQS of a running stack, which the faults do not concern either.
pub fn sqs(ready: &Ready) -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::new(&config(ready, "sqs"))
}

fn config(ready: &Ready, service: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(&ready.endpoints[service])
        .region(Region::from_static(crate::aws::names::REGION))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "local",
            "local",
            None,
            None,
            "restock-local",
        )))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}
