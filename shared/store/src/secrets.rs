use crate::database::{Item, TableCondition, Write};
use crate::item::damaged;
use crate::keyspace::{self, kind_key};
use crate::{Error, Store};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use restock_domain::signing::SigningKey;

const TABLE: keyspace::Secrets = keyspace::Secrets;

impl Store {
    /// Returns the key that signs unsubscribe links. The first that needs it makes it, so there is nothing to set up; all
    /// others read that one.
    pub async fn signing_key(&self) -> Result<SigningKey, Error> {
        if let Some(key) = self.stored_signing_key().await? {
            return Ok(key);
        }
        let mut fresh = [0; 32];
        // Two version-4 UUIDs hold 244 random bits from the operating system.
        fresh[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        fresh[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        let secret = Item::from([("secret".into(), AttributeValue::B(Blob::new(fresh)))]);
        // Refused if somebody else was a moment earlier.
        self.database.write(Write::put(TABLE, id(), secret).when(TableCondition::Missing("kind"))).await?;
        self.stored_signing_key().await?.ok_or(Error::Contended { what: "the signing key" })
    }

    async fn stored_signing_key(&self) -> Result<Option<SigningKey>, Error> {
        let Some(item) = self.get(TABLE, id()).await? else { return Ok(None) };
        let secret = item.get("secret").and_then(|secret| secret.as_b().ok()?.as_ref().try_into().ok());
        secret.map(|secret| Some(SigningKey(secret))).ok_or_else(|| damaged(TABLE, &item, "it has no key of 32 bytes"))
    }
}

fn id() -> Item {
    kind_key(TABLE, "unsubscribe")
}
