use crate::cached::CachedEach;
use crate::database::{AllWritten, Item, Query};
use crate::item::{or_none, read_each, write_document};
use crate::keyspace;
use crate::versions::{DocumentChange, Expected, Kinds, document_of, has_document, version_of};
use crate::{Error, Race, Store};
use jiff::Timestamp;
use restock_domain::{Template, TemplateId, TemplateSource, time};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

const TABLE: keyspace::Templates = keyspace::Templates;
const KINDS: Kinds<keyspace::Templates, keyspace::TemplateVersions> =
    Kinds { newest: keyspace::Templates, versions: keyspace::TemplateVersions };
/// The limit of stored templates.
pub const MAX_TEMPLATES: usize = 50;

/// A template as it is stored, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TemplateDocument {
    name: Option<String>,
    html: TemplateSource,
    text: Option<String>,
    updated_on: Option<Timestamp>,
}

impl Store {
    /// Stores a template as the next version.
    pub async fn put_template(
        &self,
        template: Template,
        expected: Expected,
        now: Timestamp,
    ) -> Result<DocumentChange<Template>, Error> {
        let id = template.id.clone();
        let template = Template { updated_on: Some(time::to_millisecond(now)), ..template };
        let document = document(&template)?;
        let mut race = Race::about("the change of a template");
        loop {
            race.enter()?;
            let (seen, is_there) = self.newest_version(&KINDS, id.as_str(), false).await?;
            if !expected.allows(is_there.then_some(seen)) {
                return Ok(DocumentChange::Stale);
            }
            if !is_there && self.templates().await?.len() >= MAX_TEMPLATES {
                return Ok(DocumentChange::TooMany);
            }
            let writes = KINDS.next_version(id.as_str(), seen, document.clone());
            if let AllWritten::Done = self.database.write_all(writes).await? {
                return Ok(DocumentChange::Done(Box::new(Template { version: seen + 1, ..template })));
            }
        }
    }

    /// Deletes a stored template. Its number goes on counting if it is stored again.
    pub async fn delete_template(&self, id: &TemplateId, expected: Expected) -> Result<DocumentChange<()>, Error> {
        self.delete_document(&KINDS, id.as_str(), false, expected).await
    }

    /// Returns a stored template; strongly consistent.
    pub async fn template(&self, id: &TemplateId) -> Result<Option<Template>, Error> {
        let item = self.get(TABLE, KINDS.key(id.as_str())).await?;
        item.filter(has_document).map(|item| read(&item)).transpose()
    }

    /// Returns a template as it was stored in that version, even if it was deleted since.
    pub async fn template_version(&self, id: &TemplateId, version: u64) -> Result<Option<Template>, Error> {
        self.get(KINDS.versions, KINDS.version_key(id.as_str(), version)).await?.map(|item| read(&item)).transpose()
    }

    /// Returns the versions of a template that were stored, even if it was deleted since; the newest first, at most
    /// `max`.
    pub async fn template_history(&self, id: &TemplateId, max: usize) -> Result<Vec<Template>, Error> {
        let (items, _) = self.versions_of(KINDS.versions, id.as_str(), max).await?;
        Ok(read_each(items, |item| read(&item)))
    }

    /// Returns the stored templates, by id; strongly consistent.
    pub async fn templates(&self) -> Result<Vec<Template>, Error> {
        let items = self.query_all(Query::of_kind(KINDS.newest)).await?;
        Ok(read_each(items.into_iter().filter(has_document), |item| read(&item)))
    }
}

/// Stored templates as they were not longer than a while ago, so that not every message reads them.
pub struct CachedTemplates {
    store: Store,
    cached: CachedEach<TemplateId, Option<Arc<Template>>>,
}

impl CachedTemplates {
    pub fn new(store: Store, kept: Duration) -> Self {
        Self { store, cached: CachedEach::new(kept) }
    }

    /// Returns a stored template; none if it can't be read.
    pub async fn get(&self, id: &TemplateId) -> Result<Option<Arc<Template>>, Error> {
        let read = async { Ok(or_none(self.store.template(id).await)?.map(Arc::new)) };
        self.cached.current(id, |_| true, read).await
    }
}

fn document(template: &Template) -> Result<String, Error> {
    let Template { id: _, name, html, text, updated_on, version: _ } = template.clone();
    let document = TemplateDocument { name, html, text, updated_on };
    write_document(TABLE, &document)
}

fn read(item: &Item) -> Result<Template, Error> {
    let (id, TemplateDocument { name, html, text, updated_on }) = document_of(item)?;
    Ok(Template { id: TemplateId::restore(id), name, html, text, version: version_of(TABLE, item)?, updated_on })
}
