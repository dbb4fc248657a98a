use crate::database::{Action, Item, Query, TableCondition, Write, Written};
use crate::item::{number, read_each, read_item, string_of, text, write_item};
use crate::keyspace::{self, Keyspace, kind_key};
use crate::{Error, Store};
use jiff::Timestamp;
use restock_domain::{hex, time};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const TABLE: keyspace::ApiKeys = keyspace::ApiKeys;

/// An API key. Of the key itself only the SHA-256 digest is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// Says whose it is.
    #[serde(default)]
    pub name: String,
    /// The words of what the key may do: scopes, or sets of them.
    pub scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_on: Option<Timestamp>,
    /// From when on the key is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<Timestamp>,
    /// How long it was made for, in seconds; so long its successor has too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_for_seconds: Option<i64>,
    /// How many calls a second it may make, all functions together.
    #[serde(default = "ApiKey::calls_per_second")]
    pub max_calls_per_second: u32,
}

impl ApiKey {
    /// Of a key for which nothing else was said. A shop's pages make a call for each subscription, an ERP one for 100
    /// levels.
    pub const CALLS_PER_SECOND: u32 = 500;

    fn calls_per_second() -> u32 {
        Self::CALLS_PER_SECOND
    }

    /// Returns the id under which a key is stored: its SHA-256 digest, in hexadecimal.
    pub fn digest(key: &str) -> String {
        hex(&Sha256::digest(key))
    }

    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_on.is_some_and(|expires_on| expires_on <= now)
    }
}

impl Store {
    pub async fn api_key(&self, digest: &str) -> Result<Option<ApiKey>, Error> {
        self.get(TABLE, kind_key(TABLE, digest)).await?.map(read).transpose()
    }

    /// Returns all API keys by their digests.
    pub async fn api_keys(&self) -> Result<Vec<(String, ApiKey)>, Error> {
        let items = self.query_all(Query::of(TABLE, keyspace::ApiKeys::KIND)).await?;
        let with_digest = |item: Item| Ok((string_of(&item, "id").cloned().unwrap_or_default(), read(item)?));
        Ok(read_each(items, with_digest))
    }

    /// Stores a new API key.
    pub async fn put_api_key(&self, digest: &str, key: &ApiKey) -> Result<(), Error> {
        let write = Write::put(TABLE, kind_key(TABLE, digest), write_item(TABLE, key)?);
        self.database.write(write).await.map(drop)
    }

    /// Lets an API key expire at a time. Returns false if there is none by now.
    pub async fn expire_api_key(&self, digest: &str, on: Timestamp) -> Result<bool, Error> {
        let expire = vec![Action::set("expiresOn", text(time::sortable(on)))];
        let write = Write::update(TABLE, kind_key(TABLE, digest), expire).when(TableCondition::Exists("kind"));
        Ok(matches!(self.database.write(write).await?, Written::Done(_)))
    }

    /// Sets how many calls a second an API key may make. Returns false if there is none by now.
    pub async fn limit_api_key(&self, digest: &str, calls_per_second: u32) -> Result<bool, Error> {
        let limit = vec![Action::set("maxCallsPerSecond", number(calls_per_second.into()))];
        let write = Write::update(TABLE, kind_key(TABLE, digest), limit).when(TableCondition::Exists("kind"));
        Ok(matches!(self.database.write(write).await?, Written::Done(_)))
    }

    /// Deletes an API key. Returns false if there is none.
    pub async fn delete_api_key(&self, digest: &str) -> Result<bool, Error> {
        let write = Write::delete(TABLE, kind_key(TABLE, digest)).when(TableCondition::Exists("kind"));
        Ok(matches!(self.database.write(write).await?, Written::Done(_)))
    }
}

fn read(item: Item) -> Result<ApiKey, Error> {
    read_item(TABLE, item)
}
