use crate::cached::Cached;
use crate::database::{AllWritten, Item, Query};
use crate::item::{damaged, read_each, string_of, write_document};
use crate::keyspace;
use crate::versions::{DocumentChange, Expected, Kinds, document_of, has_document, version_of};
use crate::wave_policy::WaveDocument;
use crate::{Error, Race, Store};
use jiff::Timestamp;
use restock_domain::{Automation, AutomationId, Condition, EmailAddress, EmailChoice, Sender, TemplateId, time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

const TABLE: keyspace::Automations = keyspace::Automations;
const KINDS: Kinds<keyspace::Automations, keyspace::AutomationVersions> =
    Kinds { newest: keyspace::Automations, versions: keyspace::AutomationVersions };
/// The limit of stored automations; each subscription may have to be shown to all of them.
pub const MAX_AUTOMATIONS: usize = 50;

/// An automation as it is stored, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AutomationDocument {
    name: String,
    enabled: bool,
    priority: u32,
    requires_consent: bool,
    conditions: Vec<Condition>,
    email: EmailDocument,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waves: Option<WaveDocument>,
    updated_on: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EmailDocument {
    template: TemplateId,
    sender: Option<Sender>,
    reply_to: Option<EmailAddress>,
    #[serde(default)]
    subject: BTreeMap<String, String>,
}

impl Store {
    /// Stores an automation as the next version.
    pub async fn put_automation(
        &self,
        automation: Automation,
        expected: Expected,
        now: Timestamp,
    ) -> Result<DocumentChange<Automation>, Error> {
        let id = automation.id.clone();
        let mut race = Race::about("the change of an automation");
        loop {
            race.enter()?;
            let (version, is_there) = self.newest_version(&KINDS, id.as_str(), is_built_in(&id)).await?;
            if !expected.allows(is_there.then_some(version)) {
                return Ok(DocumentChange::Stale);
            }
            if !is_there && self.automations().await?.len() >= MAX_AUTOMATIONS {
                return Ok(DocumentChange::TooMany);
            }
            let updated_on = Some(time::to_millisecond(now));
            let stored = Automation { version: version + 1, updated_on, ..automation.clone() };
            let writes = KINDS.next_version(id.as_str(), version, document(&stored)?);
            if let AllWritten::Done = self.database.write_all(writes).await? {
                return Ok(DocumentChange::Done(Box::new(stored)));
            }
        }
    }

    /// Deletes an automation, even the one that is built in. Its number goes on counting if it is stored again.
    pub async fn delete_automation(&self, id: &AutomationId, expected: Expected) -> Result<DocumentChange<()>, Error> {
        self.delete_document(&KINDS, id.as_str(), is_built_in(id), expected).await
    }

    pub async fn automation(&self, id: &AutomationId) -> Result<Option<Automation>, Error> {
        match self.get(TABLE, KINDS.key(id.as_str())).await? {
            Some(item) => has_document(&item).then(|| read(&item)).transpose(),
            None => Ok(is_built_in(id).then(Automation::built_in)),
        }
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
        let keys = versions.iter().map(|(id, version)| KINDS.version_key(id.as_str(), *version)).collect();
        let mut found = HashMap::from([((built_in.id.clone(), built_in.version), built_in)]);
        let stored = read_each(self.batch_get(KINDS.versions, keys).await?, |item| read(&item));
        found.extend(stored.into_iter().map(|automation| ((automation.id.clone(), automation.version), automation)));
        Ok(found)
    }

    /// Returns the versions of an automation that were stored, even if it was deleted since; the newest first, at most
    /// so many.
    pub async fn automation_history(&self, id: &AutomationId, max: usize) -> Result<Vec<Automation>, Error> {
        let (items, all) = self.versions_of(KINDS.versions, id.as_str(), max).await?;
        let mut versions = read_each(items, |item| read(&item));
        let built_in = Automation::built_in();
        versions.extend((all && versions.len() < max && built_in.id == *id).then_some(built_in));
        Ok(versions)
    }

    /// Returns all automations in the order in which they are asked; strongly consistent.
    pub async fn automations(&self) -> Result<Vec<Automation>, Error> {
        let items = self.query_all(Query::of_kind(KINDS.newest)).await?;
        let built_in = Automation::built_in();
        let replaced = items.iter().any(|item| string_of(item, "id").is_some_and(|id| id == built_in.id.as_str()));
        let mut automations = if replaced { Vec::new() } else { vec![built_in] };
        // Of one that was deleted there is no document.
        let there = items.into_iter().filter(has_document);
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

fn document(automation: &Automation) -> Result<String, Error> {
    let Automation {
        id: _,
        name,
        enabled,
        priority,
        requires_consent,
        conditions,
        email,
        waves,
        updated_on,
        version: _,
    } = automation.clone();
    let waves = waves.map(WaveDocument::from);
    let EmailChoice { template, sender, reply_to, subject } = email;
    let email = EmailDocument { template, sender, reply_to, subject };
    let document =
        AutomationDocument { name, enabled, priority, requires_consent, conditions, email, waves, updated_on };
    write_document(TABLE, &document)
}

fn is_built_in(id: &AutomationId) -> bool {
    Automation::built_in().id == *id
}

fn read(item: &Item) -> Result<Automation, Error> {
    let (id, document) = document_of::<AutomationDocument>(item)?;
    let EmailDocument { template, sender, reply_to, subject } = document.email;
    Ok(Automation {
        id: AutomationId::restore(id),
        name: document.name,
        enabled: document.enabled,
        priority: document.priority,
        requires_consent: document.requires_consent,
        conditions: document.conditions,
        email: EmailChoice { template, sender, reply_to, subject },
        waves: document.waves.map(WaveDocument::policy).transpose().map_err(|error| damaged(TABLE, item, error))?,
        version: version_of(TABLE, item)?,
        updated_on: document.updated_on,
    })
}
