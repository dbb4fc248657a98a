use crate::{Error, Item, Store, failed, texts};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::unsubscribe::SigningKey;

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
        let mut item = id();
        item.insert("secret".into(), AttributeValue::B(Blob::new(fresh)));
        let written = self
            .client
            .put_item()
            .table_name(&self.tables.configuration)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(kind)")
            .send()
            .await;
        match written {
            Err(error) if !error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Err(failed("PutItem of the signing key")(error))
            }
            // Written by us or, a moment earlier, by somebody else.
            _ => self.stored_signing_key().await?.ok_or(Error::Unprocessed { operation: "PutItem of the signing key" }),
        }
    }

    async fn stored_signing_key(&self) -> Result<Option<SigningKey>, Error> {
        let found = self
            .client
            .get_item()
            .table_name(&self.tables.configuration)
            .set_key(Some(id()))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem of the signing key"))?;
        let secret = found.item.and_then(|item| item.get("secret")?.as_b().ok().cloned());
        Ok(secret.and_then(|secret| secret.into_inner().try_into().ok()).map(SigningKey))
    }
}

fn id() -> Item {
    texts([("kind", "secret"), ("id", "unsubscribe")])
}
