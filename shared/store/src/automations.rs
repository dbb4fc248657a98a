use crate::cached::Cached;
use crate::database::{AllWritten, Item, Query, Range, Table, Write};
use crate::item::{damaged, number, read_each, string_of, text, texts};
use crate::versions::{Expected, unchanged_since, version_of};
use crate::{Error, Race, Store};
use jiff::Timestamp;
use restock_domain::{Automation, AutomationId, Condition, EmailAddress, EmailChoice, Sender, Template, time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

const TABLE: Table = Table::Configuration;
/// The newest version of each; of one that was deleted, only its number.
const KIND: &str = "automation";
/// Every version there ever was, so that the log stays readable.
const VERSION_KIND: &str = "automation-version";
const DOCUMENT: &str = "document";
/// The limit of stored automations; each subscription may have to be shown to all of them.
pub const MAX_AUTOMATIONS: usize = 50;

/// The outcome of a change.
#[derive(Debug)]
pub enum AutomationChange {
    Done(Box<Automation>),
    /// The version is not the one that the caller has seen.
    Stale,
    /// There is none to delete.
    Missing,
    /// There are [`MAX_AUTOMATIONS`] already.
    TooMany,
}

/// An automation as it is stored, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    name: String,
    enabled: bool,
    priority: u32,
    requires_consent: bool,
    conditions: Vec<Condition>,
    email: EmailDocument,
    updated_on: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EmailDocument {
    template: Template,
    sender: Option<Sender>,
    reply_to: Option<EmailAddress>,
    #[serde(default)]
    subject: BTreeMap<String, String>,
}

/// An automation's newest item, or what stands for it where there is none.
struct Newest {
    version: u64,
    automation: Option<Automation>,
}

impl Store {
    /// Stores an automation as the next version.
    pub async fn put_automation(
        &self,
        automation: Automation,
        expected: Expected,
        now: Timestamp,
    ) -> Result<AutomationChange, Error> {
        self.change(&automation.id, Some(&automation), expected, now).await
    }

    /// Deletes an automation, even the one that is built in. Its number goes on counting if it is stored again.
    pub async fn delete_automation(
        &self,
        id: &AutomationId,
        expected: Expected,
        now: Timestamp,
    ) -> Result<AutomationChange, Error> {
        self.change(id, None, expected, now).await
    }

    async fn change(
        &self,
        id: &AutomationId,
        to: Option<&Automation>,
        expected: Expected,
        now: Timestamp,
    ) -> Result<AutomationChange, Error> {
        let mut race = Race::about("the change of an automation");
        loop {
            race.enter()?;
            let newest = newest(id, self.get(TABLE, key(id)).await?)?;
            let seen = newest.automation.as_ref().map(|automation| automation.version);
            if !expected.allows(seen) {
                return Ok(AutomationChange::Stale);
            }
            match (&newest.automation, to) {
                (None, None) => return Ok(AutomationChange::Missing),
                (None, Some(_)) if self.automations().await?.len() >= MAX_AUTOMATIONS => {
                    return Ok(AutomationChange::TooMany);
                }
                _ => {}
            }
            let version = newest.version + 1;
            let changed = to.or(newest.automation.as_ref());
            let changed = changed.map(|automation| Automation {
                version,
                updated_on: Some(time::to_millisecond(now)),
                ..automation.clone()
            });
            let mut writes = vec![
                Write::put(TABLE, key(id), item(version, to.and(changed.as_ref()))?)
                    .when(unchanged_since(newest.version)),
            ];
            if let (Some(_), Some(changed)) = (to, &changed) {
                writes.push(Write::put(TABLE, version_key(id, version), item(version, Some(changed))?));
            }
            if let (AllWritten::Done, Some(changed)) = (self.database.write_all(writes).await?, changed) {
                return Ok(AutomationChange::Done(Box::new(changed)));
            }
        }
    }

    pub async fn automation(&self, id: &AutomationId) -> Result<Option<Automation>, Error> {
        Ok(newest(id, self.get(TABLE, key(id)).await?)?.automation)
    }

    /// Returns an automation as it was in that version, even if it was deleted since.
    pub async fn automation_version(&self, id: &AutomationId, version: u64) -> Result<Option<Automation>, Error> {
        let wanted = (id.clone(), version);
        Ok(self.automation_versions(&HashSet::from([wanted.clone()])).await?.remove(&wanted))
    }

    /// Returns the given versions that there ever were.
    pub async fn automation_versions(
        &self,
        versions: &HashSet<(AutomationId, u64)>,
    ) -> Result<HashMap<(AutomationId, u64), Automation>, Error> {
        let built_in = Automation::built_in();
        let keys = versions.iter().map(|(id, version)| version_key(id, *version)).collect();
        let mut found = HashMap::from([((built_in.id.clone(), built_in.version), built_in)]);
        let stored = read_each(self.batch_get(TABLE, keys).await?, |item| read(&item));
        found.extend(stored.into_iter().map(|automation| ((automation.id.clone(), automation.version), automation)));
        Ok(found)
    }

    /// Returns the versions of an automation that were stored, even if it was deleted since; the newest first, at most so
    /// many.
    pub async fn automation_history(&self, id: &AutomationId, max: usize) -> Result<Vec<Automation>, Error> {
        let range = Range::BeginsWith(format!("{id}#"));
        let mut query = Query { range, newest_first: true, ..Query::of(TABLE, VERSION_KIND) };
        let mut versions = Vec::new();
        loop {
            let found = self.database.query(query.clone()).await?;
            versions.extend(read_each(found.items, |item| read(&item)));
            query.after = found.next;
            if versions.len() >= max || query.after.is_none() {
                let built_in = Automation::built_in();
                versions.extend((query.after.is_none() && built_in.id == *id).then_some(built_in));
                versions.truncate(max);
                return Ok(versions);
            }
        }
    }

    /// Returns all automations in the order in which they are asked; strongly consistent.
    pub async fn automations(&self) -> Result<Vec<Automation>, Error> {
        let items = self.query_all(Query::of(TABLE, KIND)).await?;
        let built_in = Automation::built_in();
        let replaced = items.iter().any(|item| string_of(item, "id").is_some_and(|id| id == built_in.id.as_str()));
        let mut automations = if replaced { Vec::new() } else { vec![built_in] };
        // Of one that was deleted there is no document.
        let there = items.into_iter().filter(|item| item.contains_key(DOCUMENT));
        automations.extend(read_each(there, |item| read(&item)));
        automations.sort_by(|one, other| one.order().cmp(&other.order()));
        Ok(automations)
    }
}

/// The automations as they were not longer than a while ago, so that not every message reads them.
pub struct CachedAutomations {
    store: Store,
    seen: Cached<[Automation]>,
}

impl CachedAutomations {
    pub fn new(store: Store, kept: Duration) -> Self {
        Self { store, seen: Cached::new(kept) }
    }

    /// Returns them in the order in which they are asked.
    pub async fn current(&self) -> Result<Arc<[Automation]>, Error> {
        self.seen.current(self.read()).await
    }

    /// Returns one of them, at least as new as a version that somebody else has seen; `None` if it was deleted.
    pub async fn since(&self, id: &AutomationId, version: u64) -> Result<Option<Automation>, Error> {
        let find = |automations: Arc<[Automation]>| automations.iter().find(|automation| automation.id == *id).cloned();
        match find(self.current().await?).filter(|automation| automation.version >= version) {
            Some(automation) => Ok(Some(automation)),
            None => Ok(find(self.seen.newest(self.read()).await?)),
        }
    }

    async fn read(&self) -> Result<Arc<[Automation]>, Error> {
        Ok(self.store.automations().await?.into())
    }
}

fn newest(id: &AutomationId, item: Option<Item>) -> Result<Newest, Error> {
    let Some(item) = item else {
        let built_in = Automation::built_in();
        return Ok(Newest { version: 0, automation: (built_in.id == *id).then_some(built_in) });
    };
    let automation = item.contains_key(DOCUMENT).then(|| read(&item)).transpose()?;
    Ok(Newest { version: version_of(&item), automation })
}

/// Returns the item of a version. Without an automation, it says that the automation was deleted.
fn item(version: u64, automation: Option<&Automation>) -> Result<Item, Error> {
    let mut item = Item::from([("version".into(), number(version as i64))]);
    if let Some(automation) = automation.cloned() {
        let EmailChoice { template, sender, reply_to, subject } = automation.email;
        let document = Document {
            name: automation.name,
            enabled: automation.enabled,
            priority: automation.priority,
            requires_consent: automation.requires_consent,
            conditions: automation.conditions,
            email: EmailDocument { template, sender, reply_to, subject },
            updated_on: automation.updated_on,
        };
        let document = serde_json::to_string(&document);
        item.insert(DOCUMENT.into(), text(document.map_err(|error| damaged(TABLE, &key(&automation.id), error))?));
    }
    Ok(item)
}

/// Reads an item of either kind. The id of a version's item ends with its number.
fn read(item: &Item) -> Result<Automation, Error> {
    let id = string_of(item, "id").and_then(|id| id.split('#').next()).map(AutomationId::restore);
    let id = id.ok_or_else(|| damaged(TABLE, item, "it has no id"))?;
    let document = string_of(item, DOCUMENT).map(String::as_str).unwrap_or_default();
    let document: Document = serde_json::from_str(document).map_err(|error| damaged(TABLE, item, error))?;
    let EmailDocument { template, sender, reply_to, subject } = document.email;
    Ok(Automation {
        id,
        name: document.name,
        enabled: document.enabled,
        priority: document.priority,
        requires_consent: document.requires_consent,
        conditions: document.conditions,
        email: EmailChoice { template, sender, reply_to, subject },
        version: version_of(item),
        updated_on: document.updated_on,
    })
}

fn key(id: &AutomationId) -> Item {
    texts([("kind", KIND), ("id", id.as_str())])
}

/// Sorts as the numbers do.
fn version_key(id: &AutomationId, version: u64) -> Item {
    texts([("kind", VERSION_KIND), ("id", &format!("{id}#{version:010}"))])
}
