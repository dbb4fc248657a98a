use crate::database::Table;
use crate::{Error, Store, read_item, texts};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const TABLE: Table = Table::Configuration;

/// What a key may do; each HTTP operation asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyScope {
    ReadAutomations,
    WriteAutomations,
    ReadContacts,
    WriteContacts,
    ReadFeeds,
    WriteFeeds,
    ReadLog,
    WriteStockLevels,
    ReadSubscriptions,
    WriteSubscriptions,
}

impl KeyScope {
    pub const ALL: [Self; 10] = [
        Self::ReadAutomations,
        Self::WriteAutomations,
        Self::ReadContacts,
        Self::WriteContacts,
        Self::ReadFeeds,
        Self::WriteFeeds,
        Self::ReadLog,
        Self::WriteStockLevels,
        Self::ReadSubscriptions,
        Self::WriteSubscriptions,
    ];
}

/// What is known of an API key. Of the key itself only the SHA-256 digest is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApiKey {
    pub name: String,
    pub scopes: Vec<KeyScope>,
}

impl ApiKey {
    /// The id under which a key is stored: the SHA-256 digest of the key, in hexadecimal.
    pub fn digest(key: &str) -> String {
        Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Store {
    pub async fn api_key(&self, digest: &str) -> Result<Option<ApiKey>, Error> {
        let key = texts([("kind", "api-key"), ("id", digest)]);
        self.get(TABLE, key).await?.map(|item| read_item(TABLE, item)).transpose()
    }
}
