//! The decision log: what was decided about each subscription at each level.
//!
//! A page of matches is one list, of 22 bytes for each subscription, and so are the mails of a message that were not
//! sent after all. A list has the place of its last subscription in its key, so of a level the one that a subscription
//! is in is found without the others. The lists are in the partition of the SKU's log, after its entries.

use crate::database::{Action, Item, Query, Range, Write};
use crate::item::{damaged, read_each, string_of, text, texts};
use crate::keyspace;
use crate::{Error, LogKey, Store};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::try_join_all;
use jiff::Timestamp;
use restock_domain::automation::{RefusedBy, Verdict, VerdictOutcome};
use restock_domain::{AutomationId, HeldBack, Scope, Subscription, time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

const TABLE: keyspace::Log = keyspace::Log;
/// Begins the sort key of a list. Entries begin with a digit and come before it.
pub(crate) const LISTS: &str = "decided#";
/// The different verdicts of a list, and the automations that took part, as JSON.
const VERDICTS: &str = "verdicts";
/// For each subscription its delivery, the place of its verdict and its place in line, or 0: 16, 2 and 4 bytes.
const DECIDED: &str = "decided";
const RECORD: usize = 22;
/// Lists that are read at a time to find a subscription. It is in the first one, unless a level was matched again or
/// lists overlap.
const PAGE: i32 = 3;
/// Lists that are looked through at most.
const MAX_LISTS: usize = 100;

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
pub enum Lists<'a> {
    /// Those of a page of subscriptions that a level of this scope met.
    Matched(&'a Scope),
    /// Those of senders and ticks, about subscriptions that were matched and not mailed after all.
    NotSent,
}

/// The form in which the verdicts of a list are stored. Automations are named by their place.
#[derive(Default, Serialize, Deserialize)]
struct VerdictsItem {
    automations: Vec<(AutomationId, u64)>,
    verdicts: Vec<VerdictItem>,
}

#[derive(Serialize, Deserialize)]
enum OutcomeItem {
    #[serde(rename = "t")]
    Taken(usize),
    #[serde(rename = "l")]
    InLine(usize),
    #[serde(rename = "s")]
    Skipped(String),
}

#[derive(Serialize, Deserialize)]
enum HeldBackItem {
    #[serde(rename = "p")]
    Pause,
    #[serde(rename = "h")]
    Hold,
    #[serde(rename = "d")]
    HoldDown(Timestamp),
    #[serde(rename = "q")]
    QuietHours(Timestamp),
}

#[derive(Serialize, Deserialize)]
struct VerdictItem(
    OutcomeItem,
    /// For each refusal its automation, whether consent was missing, and the places of conditions.
    Vec<(usize, bool, Vec<usize>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")] Option<HeldBackItem>,
);

impl From<HeldBack> for HeldBackItem {
    fn from(held_back: HeldBack) -> Self {
        match held_back {
            HeldBack::Pause => Self::Pause,
            HeldBack::Hold => Self::Hold,
            HeldBack::HoldDown(until) => Self::HoldDown(until),
            HeldBack::QuietHours(until) => Self::QuietHours(until),
        }
    }
}

impl From<&HeldBackItem> for HeldBack {
    fn from(item: &HeldBackItem) -> Self {
        match *item {
            HeldBackItem::Pause => Self::Pause,
            HeldBackItem::Hold => Self::Hold,
            HeldBackItem::HoldDown(until) => Self::HoldDown(until),
            HeldBackItem::QuietHours(until) => Self::QuietHours(until),
        }
    }
}

impl Lists<'_> {
    /// Returns what the keys of these lists of a level begin with.
    fn prefix(self, entry: &str) -> String {
        let of = if let Self::Matched(_) = self { "matched" } else { "not-sent" };
        format!("{LISTS}{entry}#{of}#")
    }

    /// Returns the place of a subscription among all of these lists.
    fn order(self, subscription: &Subscription) -> String {
        let scope = if let Self::Matched(scope) = self { scope } else { &Scope::Sku };
        place_among(scope, subscription)
    }
}

/// Returns a text that sorts a subscription among all that a level of a scope meets, in the order in which it does.
pub fn place_among(scope: &Scope, subscription: &Subscription) -> String {
    let age = format!("{}#{}", time::sortable(subscription.created_on), subscription.id().key);
    match scope.external_id() {
        Some(_) => age,
        None => format!("{}#{age}", subscription.locale.key()),
    }
}

impl Store {
    /// Writes down what was decided about a page of subscriptions. The same page again replaces itself; if fewer are
    /// left of it, it is another list beside the first.
    pub async fn log_matched(
        &self,
        key: &LogKey,
        scope: &Scope,
        page: u64,
        decided: &[Decided<'_>],
        kept: Duration,
    ) -> Result<(), Error> {
        // The first look's sort before those of the second.
        let suffix = format!("{page:010}-{}", decided.len());
        let Some((list, actions)) = list(key, Lists::Matched(scope), &suffix, decided, kept) else { return Ok(()) };
        // It is mostly new, and is written together with the entry.
        if self.insert(TABLE, list.clone(), &actions).await? {
            return Ok(());
        }
        self.database.write(Write::update(TABLE, list, actions)).await.map(drop)
    }

    /// Writes down why subscriptions that were matched were not mailed after all: a list for each locale, so that those
    /// of several messages don't overlap.
    pub async fn log_not_sent(&self, key: &LogKey, decided: Vec<Decided<'_>>, kept: Duration) -> Result<(), Error> {
        let mut by_locale: BTreeMap<&str, Vec<Decided<'_>>> = BTreeMap::new();
        for one in decided {
            by_locale.entry(one.subscription.locale.key()).or_default().push(one);
        }
        let lists = by_locale.values().filter_map(|decided| {
            let suffix = decided.first()?.subscription.delivery.to_string();
            list(key, Lists::NotSent, &suffix, decided, kept)
        });
        let writes = lists.map(|(list, actions)| self.database.write(Write::update(TABLE, list, actions)));
        try_join_all(writes).await.map(drop)
    }

    /// Returns what was decided about a subscription, and its place in line if it has one; `None` if that was not
    /// written down.
    pub async fn decided(
        &self,
        key: &LogKey,
        lists: Lists<'_>,
        subscription: &Subscription,
    ) -> Result<Option<(Verdict, Option<u32>)>, Error> {
        let prefix = lists.prefix(&key.entry);
        let range = Range::Between(format!("{prefix}{}", lists.order(subscription)), format!("{prefix}~"));
        let mut query = Query { range, limit: Some(PAGE), ..Query::of(TABLE, key.sku.as_str()) };
        let mut looked_at = 0;
        loop {
            let found = self.database.query(query.clone()).await?;
            looked_at += found.items.len();
            let mut decided: Vec<_> =
                read_each(found.items, |list| found_in(&list, subscription)).into_iter().flatten().collect();
            // Only the list of the first look has places.
            let first = decided.iter().position(|(_, place)| place.is_some()).unwrap_or_default();
            query.after = found.next;
            if !decided.is_empty() {
                return Ok(Some(decided.swap_remove(first)));
            }
            if query.after.is_none() || looked_at >= MAX_LISTS {
                return Ok(None);
            }
        }
    }
}

/// Returns the key and the attributes of a list; `None` for an empty one.
fn list(
    key: &LogKey,
    lists: Lists<'_>,
    suffix: &str,
    decided: &[Decided<'_>],
    kept: Duration,
) -> Option<(Item, Vec<Action>)> {
    let last = decided.iter().map(|one| lists.order(one.subscription)).max()?;
    let mut item = VerdictsItem::default();
    let mut places: HashMap<&Verdict, u16> = HashMap::new();
    let mut records = Vec::with_capacity(decided.len() * RECORD);
    for Decided { subscription, verdict, place } in decided {
        let verdict = *places.entry(verdict).or_insert_with(|| item.add(verdict));
        records.extend_from_slice(subscription.delivery.as_bytes());
        records.extend_from_slice(&verdict.to_be_bytes());
        records.extend_from_slice(&place.unwrap_or_default().to_be_bytes());
    }
    let name = format!("{}{last}#{suffix}", lists.prefix(&key.entry));
    let mut actions = vec![
        Action::set(VERDICTS, text(serde_json::json!(item).to_string())),
        Action::set(DECIDED, AttributeValue::B(Blob::new(records))),
    ];
    actions.extend(key.expiry(kept));
    Some((texts([("sku", key.sku.as_str()), ("entry", &name)]), actions))
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
    let verdicts: VerdictsItem = serde_json::from_str(verdicts).map_err(|error| damaged(TABLE, list, error))?;
    let verdict = verdicts.get(u16::from_be_bytes([*high, *low]).into()).ok_or_else(|| missing(VERDICTS))?;
    let place = u32::from_be_bytes([*a, *b, *c, *d]);
    Ok(Some((verdict, (place > 0).then_some(place))))
}

impl VerdictsItem {
    /// Adds a verdict, and returns its place.
    fn add(&mut self, verdict: &Verdict) -> u16 {
        let outcome = match &verdict.outcome {
            VerdictOutcome::Taken(id, version) => OutcomeItem::Taken(self.place_of(id, *version)),
            VerdictOutcome::InLine(id, version) => OutcomeItem::InLine(self.place_of(id, *version)),
            VerdictOutcome::Skipped(skip) => OutcomeItem::Skipped(skip.as_str().to_owned()),
        };
        let refusals = verdict.refusals.iter().map(|refusal| {
            (self.place_of(&refusal.automation, refusal.version), refusal.no_consent, refusal.conditions.clone())
        });
        let item = VerdictItem(outcome, refusals.collect(), verdict.held_back.map(HeldBackItem::from));
        self.verdicts.push(item);
        // A list has fewer subscriptions than this can count.
        u16::try_from(self.verdicts.len() - 1).unwrap_or(u16::MAX)
    }

    fn place_of(&mut self, id: &AutomationId, version: u64) -> usize {
        let known = self.automations.iter().position(|(known, of)| known == id && *of == version);
        known.unwrap_or_else(|| {
            self.automations.push((id.clone(), version));
            self.automations.len() - 1
        })
    }

    /// Returns a verdict by its place.
    fn get(&self, place: usize) -> Option<Verdict> {
        let VerdictItem(outcome, refusals, held_back) = self.verdicts.get(place)?;
        let automation = |place: &usize| self.automations.get(*place).cloned();
        let outcome = match outcome {
            OutcomeItem::Taken(by) => automation(by).map(|(id, version)| VerdictOutcome::Taken(id, version)),
            OutcomeItem::InLine(by) => automation(by).map(|(id, version)| VerdictOutcome::InLine(id, version)),
            OutcomeItem::Skipped(word) => word.parse().ok().map(VerdictOutcome::Skipped),
        };
        let refusals = refusals.iter().map(|(by, no_consent, conditions)| {
            let (id, version) = automation(by)?;
            Some(RefusedBy { automation: id, version, no_consent: *no_consent, conditions: conditions.clone() })
        });
        let refusals = refusals.collect::<Option<_>>()?;
        Some(Verdict { outcome: outcome?, refusals, held_back: held_back.as_ref().map(HeldBack::from) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use restock_domain::Skip;

    #[test]
    fn verdicts_are_read_as_they_were_written_and_name_each_automation_once() {
        let (gold, all) = (AutomationId::parse("gold").unwrap(), AutomationId::parse("all").unwrap());
        let until = Timestamp::from_second(1_800_000_000).unwrap();
        let refused = |conditions: &[usize]| RefusedBy {
            automation: gold.clone(),
            version: 3,
            no_consent: conditions.is_empty(),
            conditions: conditions.to_vec(),
        };
        let verdicts = [
            Verdict {
                outcome: VerdictOutcome::Taken(all.clone(), 1),
                refusals: vec![refused(&[0, 2])],
                held_back: Some(HeldBack::Hold),
            },
            Verdict {
                outcome: VerdictOutcome::InLine(gold.clone(), 3),
                refusals: Vec::new(),
                held_back: Some(HeldBack::QuietHours(until)),
            },
            Verdict {
                outcome: VerdictOutcome::Skipped(Skip::NoConsent),
                refusals: vec![refused(&[])],
                held_back: None,
            },
        ];
        let mut item = VerdictsItem::default();
        let places = verdicts.each_ref().map(|verdict| item.add(verdict));
        let written = serde_json::to_string(&item).unwrap();

        let read: VerdictsItem = serde_json::from_str(&written).unwrap();
        assert_eq!(places.map(|place| read.get(place.into()).unwrap()), verdicts);
        assert_eq!(written.matches("gold").count(), 1, "{written}");

        let of_last_version = r#"{"automations":[["all",1]],"verdicts":[[{"t":0},[]]]}"#;
        let read = serde_json::from_str::<VerdictsItem>(of_last_version).unwrap().get(0).unwrap();
        assert_eq!(read, Verdict { outcome: VerdictOutcome::Taken(all, 1), refusals: Vec::new(), held_back: None });
    }
}
