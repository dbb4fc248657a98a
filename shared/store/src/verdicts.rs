//! The decision log: what was decided about each subscription at each level.
//!
//! A page of matches is one list, of 22 bytes for each subscription, and so are the mails of a message that were not sent
//! after all. A list has the place of its last subscription in its key, so of a level the one that a subscription
//! is in is found without the others. The lists are in the partition of the SKU's log, after its entries.

use crate::database::{Action, Item, Query, Range, Write};
use crate::item::{damaged, number, read_each, string_of, text, texts};
use crate::keyspace;
use crate::{Error, LogKey, Store};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use restock_domain::automation::{RefusedBy, Verdict, VerdictOutcome};
use restock_domain::{AutomationId, Scope, Skip, Subscription, time};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;

const TABLE: keyspace::Log = keyspace::Log;
/// Begins the sort key of a list. Entries begin with a digit and come before it.
pub(crate) const LISTS: &str = "decided#";
/// The different verdicts of a list, as JSON.
const VERDICTS: &str = "verdicts";
/// For each subscription its delivery, the place of its verdict and its place in line, or 0: 16, 2 and 4 bytes.
const DECIDED: &str = "decided";
const RECORD: usize = 22;
/// Lists that are looked through for a subscription. It is in the first one, unless a level was matched again, or lists overlap.
const MAX_LISTS: i32 = 25;

/// What was decided about one subscription of a list.
#[derive(Debug)]
pub struct Decided<'a> {
    pub subscription: &'a Subscription,
    pub verdict: Verdict,
    /// The place in line among those of its locale, from 1 on, if it waits for a wave and its place is known.
    pub place: Option<u32>,
}

/// Which decisions a list has.
#[derive(Debug, Clone, Copy)]
pub enum DecidedBy<'a> {
    /// Those of a page of subscriptions that a level of this scope met.
    Level { scope: &'a Scope, page: u64 },
    /// Those of senders, about mails that were not sent after all.
    Sender,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VerdictItem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    automation: Option<(AutomationId, u64)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    in_line: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    skip: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refusals: Vec<RefusalItem>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefusalItem {
    automation: AutomationId,
    version: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    no_consent: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<usize>,
}

impl DecidedBy<'_> {
    /// Returns what the keys of these lists of a level begin with.
    fn prefix(self, entry: &str) -> String {
        let by = if let Self::Level { .. } = self { "level" } else { "sender" };
        format!("{LISTS}{entry}#{by}#")
    }

    /// Returns the place of a subscription among all, as those come that a level meets.
    fn order(self, subscription: &Subscription) -> String {
        let age = format!("{}#{}", time::sortable(subscription.created_on), subscription.id().key);
        match self {
            Self::Level { scope, .. } if scope.external_id().is_some() => age,
            _ => format!("{}#{age}", subscription.locale.key()),
        }
    }
}

impl Store {
    /// Writes down what was decided. The same list again replaces itself.
    pub async fn log_decisions(
        &self,
        key: &LogKey,
        by: DecidedBy<'_>,
        decided: &[Decided<'_>],
        kept: Duration,
    ) -> Result<(), Error> {
        let last = decided.iter().map(|one| (by.order(one.subscription), one.subscription.delivery)).max();
        let Some((last, delivery)) = last else { return Ok(()) };
        let mut verdicts: Vec<&Verdict> = Vec::new();
        let mut places: HashMap<&Verdict, u16> = HashMap::new();
        let mut records = Vec::with_capacity(decided.len() * RECORD);
        for Decided { subscription, verdict, place } in decided {
            let verdict = *places.entry(verdict).or_insert_with(|| {
                verdicts.push(verdict);
                verdicts.len() as u16 - 1
            });
            records.extend_from_slice(subscription.delivery.as_bytes());
            records.extend_from_slice(&verdict.to_be_bytes());
            records.extend_from_slice(&place.unwrap_or_default().to_be_bytes());
        }
        let suffix = match by {
            DecidedBy::Level { page, .. } => page.to_string(),
            DecidedBy::Sender => delivery.to_string(),
        };
        let verdicts: Vec<VerdictItem> = verdicts.into_iter().map(written).collect();
        let received = LogKey::received_at(&key.entry).unwrap_or_default();
        let name = format!("{}{last}#{suffix}", by.prefix(&key.entry));
        let actions = vec![
            Action::set(VERDICTS, text(serde_json::json!(verdicts).to_string())),
            Action::set(DECIDED, AttributeValue::B(Blob::new(records))),
            Action::set("expiresAt", number((received + kept).as_second())),
        ];
        let list = texts([("sku", key.sku.as_str()), ("entry", &name)]);
        self.database.write(Write::update(TABLE, list, actions)).await.map(drop)
    }

    /// Returns what was decided about a subscription, and its place in line if it has one; `None` if that was not written down.
    pub async fn decided(
        &self,
        key: &LogKey,
        by: DecidedBy<'_>,
        subscription: &Subscription,
    ) -> Result<Option<(Verdict, Option<u32>)>, Error> {
        let prefix = by.prefix(&key.entry);
        let from = format!("{prefix}{}", by.order(subscription));
        let range = Range::Between(from, format!("{prefix}~"));
        let query = Query { range, limit: Some(MAX_LISTS), ..Query::of(TABLE, key.sku.as_str()) };
        let lists = self.database.query(query).await?.items;
        let found = read_each(lists, |list| found_in(&list, subscription));
        Ok(found.into_iter().flatten().next())
    }
}

/// Returns what a list has of a subscription.
fn found_in(list: &Item, subscription: &Subscription) -> Result<Option<(Verdict, Option<u32>)>, Error> {
    let missing = |name: &str| damaged(TABLE, list, format!("{name} is missing, or not as it should be"));
    let records = list.get(DECIDED).and_then(|records| records.as_b().ok()).ok_or_else(|| missing(DECIDED))?;
    let (records, _) = records.as_ref().as_chunks::<RECORD>();
    let delivery = subscription.delivery.as_bytes();
    let Some([.., high, low, a, b, c, d]) = records.iter().find(|record| record.starts_with(delivery)) else {
        return Ok(None);
    };
    let verdicts = string_of(list, VERDICTS).ok_or_else(|| missing(VERDICTS))?;
    let verdicts: Vec<VerdictItem> = serde_json::from_str(verdicts).map_err(|error| damaged(TABLE, list, error))?;
    let verdict = verdicts.into_iter().nth(u16::from_be_bytes([*high, *low]).into());
    let verdict = verdict.and_then(read).ok_or_else(|| missing(VERDICTS))?;
    let place = u32::from_be_bytes([*a, *b, *c, *d]);
    Ok(Some((verdict, (place > 0).then_some(place))))
}

fn written(verdict: &Verdict) -> VerdictItem {
    let refusals = verdict.refusals.iter().map(|refusal| RefusalItem {
        automation: refusal.automation.clone(),
        version: refusal.version,
        no_consent: refusal.no_consent,
        conditions: refusal.conditions.clone(),
    });
    let refusals = refusals.collect();
    match &verdict.outcome {
        VerdictOutcome::Taken(id, version) => {
            VerdictItem { automation: Some((id.clone(), *version)), in_line: false, skip: None, refusals }
        }
        VerdictOutcome::InLine(id, version) => {
            VerdictItem { automation: Some((id.clone(), *version)), in_line: true, skip: None, refusals }
        }
        VerdictOutcome::Skipped(skip) => {
            VerdictItem { automation: None, in_line: false, skip: Some(skip.as_str().to_owned()), refusals }
        }
    }
}

fn read(item: VerdictItem) -> Option<Verdict> {
    let outcome = match (item.automation, item.skip) {
        (Some((id, version)), _) if item.in_line => VerdictOutcome::InLine(id, version),
        (Some((id, version)), _) => VerdictOutcome::Taken(id, version),
        (None, skip) => VerdictOutcome::Skipped(skip?.parse::<Skip>().ok()?),
    };
    let refusals = item.refusals.into_iter().map(|refusal| RefusedBy {
        automation: refusal.automation,
        version: refusal.version,
        no_consent: refusal.no_consent,
        conditions: refusal.conditions,
    });
    Some(Verdict { outcome, refusals: refusals.collect() })
}
