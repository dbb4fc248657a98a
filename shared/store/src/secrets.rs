use crate::database::{Condition, Item, Table, Write};
use crate::{Error, Store, texts};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use restock_domain::signing::SigningKey;

const TABLE: Table = Table::Configuration;

impl Store {
    /// The key that signs unsubscribe links. Whoever needs it first makes it, so there is nothing to set up; all that
    /// come later read that one.
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
        self.database.write(Write::put(TABLE, id(), secret).when(Condition::Missing("kind"))).await?;
        self.stored_signing_key().await?.ok_or(Error::Unprocessed { operation: "PutItem of the signing key" })
    }

    async fn stored_signing_key(&self) -> Result<Option<SigningKey>, Error> {
        let found = self.get(TABLE, id()).await?;
        let secret = found.and_then(|item| item.get("secret")?.as_b().ok().cloned());
        Ok(secret.and_then(|secret| secret.into_inner().try_into().ok()).map(SigningKey))
    }
}

fn id() -> Item {
    texts([("kind", "secret"), ("id", "unsubscribe")])
}
