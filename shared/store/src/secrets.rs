//! The retailer's secrets. One function makes them; whoever may read them can recognise addresses, or sign links.

use crate::database::{Item, Query, TableCondition, Write, Written};
use crate::item::{damaged, read_each, string_of, text};
use crate::keyspace::{self, Keyspace, kind_key};
use crate::{Error, Store};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use restock_domain::signing::{AddressKey, LinkKey};
use restock_domain::time;
use std::time::Duration;
use tracing::warn;

const SECRETS: keyspace::Secrets = keyspace::Secrets;
const LINK_KEYS: keyspace::LinkKeys = keyspace::LinkKeys;
/// What the address key is called since it was the only secret, and signed links too.
const ADDRESS_KEY: &str = "unsubscribe";
const SECRET: &str = "secret";

/// A key that signs links, without the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownLinkKey {
    pub id: String,
    pub created_on: Timestamp,
}

impl Store {
    /// Makes the secrets that are missing. Links that the address key has signed, when it was the only secret, stay
    /// valid.
    pub async fn make_secrets(&self, now: Timestamp) -> Result<(), Error> {
        let address_key = self.stored_address_key().await?;
        let link_keys = self.known_link_keys().await?;
        if address_key.is_none() && !link_keys.is_empty() {
            warn!("The key for addresses was missing; whoever was suppressed before is no longer recognised");
        }
        if link_keys.is_empty() {
            // Before the address key, so that whoever goes on after a crash does not take a new one for the only secret
            // that there was.
            self.put_link_key(address_key.as_ref().map_or_else(random, |key| key.0), now).await?;
        }
        if address_key.is_none() {
            let secret = Item::from([(SECRET.into(), bytes(random()))]);
            let key = kind_key(SECRETS, ADDRESS_KEY);
            self.database.write(Write::put(SECRETS, key, secret).when(TableCondition::Missing("kind"))).await?;
        }
        Ok(())
    }

    /// Returns the key that recognises addresses.
    pub async fn address_key(&self) -> Result<AddressKey, Error> {
        self.stored_address_key().await?.ok_or(Error::NoAddressKey)
    }

    /// Returns the keys that sign links or have signed some that are to work, the newest first; there is one at the
    /// least.
    pub async fn link_keys(&self) -> Result<Vec<LinkKey>, Error> {
        let items = self.query_all(newest_first()).await?;
        let keys = read_each(items, |item| secret_of(LINK_KEYS, &item).map(LinkKey));
        if keys.is_empty() { Err(Error::NoLinkKey) } else { Ok(keys) }
    }

    /// Returns the key that signs links now.
    pub async fn newest_link_key(&self) -> Result<LinkKey, Error> {
        self.link_keys().await?.into_iter().next().ok_or(Error::NoLinkKey)
    }

    /// Returns what is known of the keys that sign links, the newest first.
    pub async fn known_link_keys(&self) -> Result<Vec<KnownLinkKey>, Error> {
        let known = |item: Item| {
            let id = string_of(&item, "id").cloned().unwrap_or_default();
            let created_on = string_of(&item, "createdOn").and_then(|on| on.parse().ok());
            let created_on = created_on.ok_or_else(|| damaged(LINK_KEYS, &item, "it has no createdOn"))?;
            Ok(KnownLinkKey { id, created_on })
        };
        Ok(read_each(self.query_all(newest_first()).await?, known))
    }

    /// Makes another key, which signs links from now on, even if the newest seems to be of the future.
    pub async fn add_link_key(&self, now: Timestamp) -> Result<(), Error> {
        let newest = self.known_link_keys().await?.into_iter().next();
        let after = newest.map_or(now, |newest| now.max(newest.created_on + Duration::from_millis(1)));
        self.put_link_key(random(), after).await
    }

    /// Deletes a key; the links that it has signed work no more. Returns false if there is none.
    pub async fn delete_link_key(&self, id: &str) -> Result<bool, Error> {
        let delete = Write::delete(LINK_KEYS, kind_key(LINK_KEYS, id)).when(TableCondition::Exists("kind"));
        Ok(matches!(self.database.write(delete).await?, Written::Done(_)))
    }

    async fn stored_address_key(&self) -> Result<Option<AddressKey>, Error> {
        let item = self.get(SECRETS, kind_key(SECRETS, ADDRESS_KEY)).await?;
        item.map(|item| secret_of(SECRETS, &item).map(AddressKey)).transpose()
    }

    async fn put_link_key(&self, secret: [u8; 32], now: Timestamp) -> Result<(), Error> {
        // By the moment, so that they come in their order.
        let id = time::sortable(now);
        let item = Item::from([(SECRET.into(), bytes(secret)), ("createdOn".into(), text(id.clone()))]);
        let write = Write::put(LINK_KEYS, kind_key(LINK_KEYS, &id), item).when(TableCondition::Missing("kind"));
        self.database.write(write).await.map(drop)
    }
}

fn newest_first() -> Query {
    Query { newest_first: true, ..Query::of_kind(LINK_KEYS) }
}

fn random() -> [u8; 32] {
    let mut secret = [0; 32];
    // Two version-4 UUIDs hold 244 random bits from the operating system.
    secret[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    secret[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    secret
}

fn bytes(secret: [u8; 32]) -> AttributeValue {
    AttributeValue::B(Blob::new(secret))
}

fn secret_of(table: impl Keyspace, item: &Item) -> Result<[u8; 32], Error> {
    let secret = item.get(SECRET).and_then(|secret| secret.as_b().ok()?.as_ref().try_into().ok());
    secret.ok_or_else(|| damaged(table, item, "it has no key of 32 bytes"))
}
