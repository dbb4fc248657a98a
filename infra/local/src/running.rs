//! A stack that is running already, for commands that are about it.

use crate::client::Client;
use crate::{Error, Ready};
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use restock_store::{DynamoDb, Store, Tables};

/// Returns the addresses of the stack whose inbox is on a port.
pub async fn at(inbox: u16) -> Result<Ready, Error> {
    let asked = tokio::task::spawn_blocking(move || {
        let answer = Client::new(&format!("http://127.0.0.1:{inbox}")).get("/ready.json");
        let answer = answer.map_err(|_| "No stack is running there: start one with `cargo local`.")?;
        serde_json::from_str::<Ready>(&answer.text).map_err(Error::from)
    });
    asked.await?
}

/// Returns the store of a running stack, which the faults and limits between functions and tables do not concern.
pub fn store(ready: &Ready) -> Store {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(&ready.endpoints["dynamodb"])
        .region(Region::from_static(crate::aws::names::REGION))
        .credentials_provider(Credentials::new("local", "local", None, None, "restock-local"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let name = |setting: &str| ready.tables.get(&setting.trim_end_matches("_TABLE").to_lowercase()).cloned();
    Store::new(DynamoDb { client: aws_sdk_dynamodb::Client::from_conf(config), tables: Tables::of(name) })
}
