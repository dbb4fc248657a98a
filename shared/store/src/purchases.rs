use crate::batch::Deleted;
use crate::database::{Action, Item, Query, Range, TableCondition, Write, Written};
use crate::item::{damaged, read_each, string_of, text, texts};
use crate::keyspace;
use crate::{Error, Store};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use restock_domain::{ContactId, Receipt, Sku, time};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;

const TABLE: keyspace::Purchases = keyspace::Purchases;
const RECEIPT: &str = "receipt#";
const IN_FLIGHT: usize = 8;
/// How long taking back purchases of an erased contact may take.
const UNDONE_WITHIN: Duration = Duration::from_secs(5);

/// How many receipts were new, and how many were known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedReceipts {
    pub recorded: u64,
    pub known: u64,
}

impl Store {
    /// Records what a contact bought; `None` if there is no such contact.
    pub async fn record_receipts(
        &self,
        contact: ContactId,
        receipts: &[Receipt],
    ) -> Result<Option<RecordedReceipts>, Error> {
        if self.contact(contact).await?.is_none() {
            return Ok(None);
        }
        let mut counts = RecordedReceipts { recorded: 0, known: 0 };
        for receipt in receipts {
            let new = self.put_receipt(contact, receipt).await?;
            *if new { &mut counts.recorded } else { &mut counts.known } += 1;
        }
        // One that is erased meanwhile is either missing now, or its erasure finds the purchases.
        if self.contact(contact).await?.is_none() {
            // A request has a few receipts at most, besides what the erasure finds.
            self.delete_purchases_of(contact, Instant::now() + UNDONE_WITHIN).await?;
            return Ok(None);
        }
        Ok(Some(counts))
    }

    /// Records a receipt once: if an id repeats, only the first receipt counts. Returns true if this was the first.
    ///
    /// The receipt comes first and the SKUs follow from it, even if it is sent again, so a crash in between loses none.
    async fn put_receipt(&self, contact: ContactId, receipt: &Receipt) -> Result<bool, Error> {
        let skus: Vec<&str> = receipt.skus.iter().map(Sku::as_str).collect();
        let facts = texts([
            ("purchasedOn", &time::sortable(receipt.purchased_on)),
            ("skus", &serde_json::json!(skus).to_string()),
        ]);
        let write = Write::put(TABLE, receipt_key(contact, &receipt.id), facts);
        match self.database.write(write.when(TableCondition::Missing("contactId"))).await? {
            Written::Refused(Some(first)) => {
                let (skus, on) = read(&first)?;
                self.bought(contact, &skus, on).await?;
                Ok(false)
            }
            Written::Refused(None) | Written::Done(_) => {
                self.bought(contact, &receipt.skus, receipt.purchased_on).await?;
                Ok(true)
            }
        }
    }

    /// Remembers of each SKU when it was last bought.
    async fn bought(&self, contact: ContactId, skus: &[Sku], on: Timestamp) -> Result<(), Error> {
        let on = text(time::sortable(on));
        let writes: Vec<Write> = skus
            .iter()
            .map(|sku| {
                let later = vec![TableCondition::Missing("lastOn"), TableCondition::AtMost("lastOn", on.clone())];
                let write = Write::update(TABLE, sku_key(contact, sku), vec![Action::set("lastOn", on.clone())]);
                write.when(TableCondition::Any(later))
            })
            .collect();
        let writes = writes.into_iter().map(|write| self.database.write(write));
        stream::iter(writes).buffer_unordered(IN_FLIGHT).try_for_each(|_| async { Ok(()) }).await
    }

    /// Returns when the contacts who ever bought the SKU last did; strongly consistent.
    pub async fn last_purchases(
        &self,
        sku: &Sku,
        contacts: &HashSet<ContactId>,
    ) -> Result<HashMap<ContactId, Timestamp>, Error> {
        let items = self.batch_get(TABLE, contacts.iter().map(|contact| sku_key(*contact, sku)).collect()).await?;
        let last = |item: &Item| {
            let contact = ContactId::parse(string_of(item, "contactId")?).ok()?;
            Some((contact, string_of(item, "lastOn")?.parse().ok()?))
        };
        let read = |item: Item| last(&item).ok_or_else(|| damaged(TABLE, &item, "it has no contact or time"));
        Ok(read_each(items, read).into_iter().collect())
    }

    /// Returns a page of the receipts of a contact by their ids, from after one of them on, and the id where the page
    /// ends if more follow.
    pub async fn receipts_of(
        &self,
        contact: ContactId,
        after: Option<&str>,
        limit: i32,
    ) -> Result<(Vec<Receipt>, Option<String>), Error> {
        let range = Range::BeginsWith(RECEIPT.into());
        let after = after.map(|id| receipt_key(contact, id));
        let found = Query { range, limit: Some(limit), after, ..Query::of(TABLE, contact.to_string()) };
        let found = self.database.query(found).await?;
        let id_of = |item: &Item| string_of(item, "purchase")?.strip_prefix(RECEIPT).map(ToOwned::to_owned);
        let next = found.next.as_ref().and_then(id_of);
        let receipts = read_each(found.items, |item| {
            let (skus, purchased_on) = read(&item)?;
            Ok(Receipt { id: id_of(&item).unwrap_or_default(), purchased_on, skus })
        });
        Ok((receipts, next))
    }

    /// Deletes the purchases of a contact, or as many as the deadline allows.
    pub async fn delete_purchases_of(&self, contact: ContactId, deadline: Instant) -> Result<Deleted, Error> {
        self.delete_all(TABLE, contact.to_string(), deadline).await
    }
}

fn read(receipt: &Item) -> Result<(Vec<Sku>, Timestamp), Error> {
    let skus = string_of(receipt, "skus").and_then(|skus| serde_json::from_str(skus).ok());
    let on = string_of(receipt, "purchasedOn").and_then(|on| on.parse().ok());
    skus.zip(on).ok_or_else(|| damaged(TABLE, receipt, "it has no SKUs or no time"))
}

fn receipt_key(contact: ContactId, id: &str) -> Item {
    key(contact, &format!("{RECEIPT}{id}"))
}

fn sku_key(contact: ContactId, sku: &Sku) -> Item {
    key(contact, &format!("sku#{sku}"))
}

fn key(contact: ContactId, purchase: &str) -> Item {
    texts([("contactId", &contact.to_string()), ("purchase", purchase)])
}
