use crate::item::read_item;
use crate::keyspace::{self, kind_key};
use crate::{Error, Store};
use restock_domain::hex;
use serde::Deserialize;
use sha2::{Digest, Sha256};

const TABLE: keyspace::ApiKeys = keyspace::ApiKeys;

/// An API key. Of the key itself only the SHA-256 digest is stored.
#[derive(Debug, Clone, Deserialize)]
pub struct ApiKey {
    /// The words of what the key may do.
    pub scopes: Vec<String>,
}

impl ApiKey {
    /// Returns the id under which a key is stored: its SHA-256 digest, in hexadecimal.
    pub fn digest(key: &str) -> String {
        hex(&Sha256::digest(key))
    }
}

impl Store {
    pub async fn api_key(&self, digest: &str) -> Result<Option<ApiKey>, Error> {
        self.get(TABLE, kind_key(TABLE, digest)).await?.map(|item| read_item(TABLE, item)).transpose()
    }
}
