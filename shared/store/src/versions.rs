//! Documents with numbered versions, and what callers say of the version that they change.

use crate::database::{Item, Query, Range, Table, TableCondition, Write, Written};
use crate::item::{DOCUMENT, count_in, damaged, number, read_document, string_of, text};
use crate::keyspace::{Keyspace, kind_key};
use crate::{Error, Race, Store};
use serde::de::DeserializeOwned;

const VERSION: &str = "version";

/// The outcome of a change of a versioned document.
#[derive(Debug)]
pub enum DocumentChange<T> {
    Done(Box<T>),
    /// The version is not the one that the caller has seen.
    Stale,
    /// There is none to delete.
    Missing,
    /// There are as many as there may be.
    TooMany,
}

/// The kinds of items that versioned documents have: the newest version of each, and every version there ever was, so
/// that the log stays readable.
pub(crate) struct Kinds<N, V> {
    pub newest: N,
    pub versions: V,
}

impl<N: Keyspace, V: Keyspace> Kinds<N, V> {
    pub fn key(&self, id: &str) -> Item {
        kind_key(self.newest, id)
    }

    /// Returns the key of a version; keys sort as the numbers do.
    pub fn version_key(&self, id: &str, version: u64) -> Item {
        kind_key(self.versions, &format!("{id}#{version:010}"))
    }

    /// Returns the writes that make the version after the one that was seen, which have to be made together.
    pub fn next_version(&self, id: &str, seen: u64, document: String) -> Vec<Write> {
        let item = Item::from([(VERSION.into(), number(seen as i64 + 1)), (DOCUMENT.into(), text(document))]);
        let newest = Write::put(self.newest, self.key(id), item.clone()).when(unchanged_since(seen));
        vec![newest, Write::put(self.versions, self.version_key(id, seen + 1), item)]
    }

    /// Returns the write after which there is no document. Its number goes on counting.
    pub fn deletion(&self, id: &str, seen: u64) -> Write {
        let item = Item::from([(VERSION.into(), number(seen as i64 + 1))]);
        Write::put(self.newest, self.key(id), item).when(unchanged_since(seen))
    }
}

impl Store {
    /// Returns the number of a document's newest version, 0 if there never was one, and whether it is there: even one
    /// that can't be read can be replaced and deleted. `built_in` stands for a version 0 where nothing is stored.
    pub(crate) async fn newest_version<N: Keyspace, V: Keyspace>(
        &self,
        kinds: &Kinds<N, V>,
        id: &str,
        built_in: bool,
    ) -> Result<(u64, bool), Error> {
        let item = self.get(kinds.newest, kinds.key(id)).await?;
        Ok(match item {
            Some(item) => (version_of(kinds.newest, &item)?, has_document(&item)),
            None => (0, built_in),
        })
    }

    /// Deletes a document. Its number goes on counting if it is stored again.
    pub(crate) async fn delete_document<N: Keyspace, V: Keyspace>(
        &self,
        kinds: &Kinds<N, V>,
        id: &str,
        built_in: bool,
        expected: Expected,
    ) -> Result<DocumentChange<()>, Error> {
        let mut race = Race::about("the deletion of a document");
        loop {
            race.enter()?;
            let (version, is_there) = self.newest_version(kinds, id, built_in).await?;
            if !expected.allows(is_there.then_some(version)) {
                return Ok(DocumentChange::Stale);
            }
            if !is_there {
                return Ok(DocumentChange::Missing);
            }
            if let Written::Done(_) = self.database.write(kinds.deletion(id, version)).await? {
                return Ok(DocumentChange::Done(Box::new(())));
            }
        }
    }

    /// Returns the items of a document's versions, even if it was deleted since; the newest first, at most so many.
    /// Says too whether these are all.
    pub(crate) async fn versions_of(
        &self,
        versions: impl Keyspace,
        id: &str,
        max: usize,
    ) -> Result<(Vec<Item>, bool), Error> {
        let range = Range::BeginsWith(format!("{id}#"));
        let mut query = Query { range, newest_first: true, ..Query::of_kind(versions) };
        let mut versions = Vec::new();
        loop {
            let found = self.database.query(query.clone()).await?;
            versions.extend(found.items);
            query.after = found.next;
            if versions.len() >= max || query.after.is_none() {
                let all = query.after.is_none() && versions.len() <= max;
                versions.truncate(max);
                return Ok((versions, all));
            }
        }
    }
}

/// Returns the id and the document of an item of either kind.
pub(crate) fn document_of<T: DeserializeOwned>(item: &Item) -> Result<(&str, T), Error> {
    // The id of a version's item ends with its number.
    let id = string_of(item, "id").and_then(|id| id.split('#').next());
    let id = id.ok_or_else(|| damaged(Table::Configuration, item, "it has no id"))?;
    Ok((id, read_document(Table::Configuration, item)?))
}

/// Returns true for an item that has a document, and false for what is left of one that was deleted.
pub(crate) fn has_document(item: &Item) -> bool {
    item.contains_key(DOCUMENT)
}

/// A caller's claim about the version that it has seen (RFC 9110, `If-Match` and `If-None-Match`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Anything,
    /// There is one.
    Something,
    Nothing,
    Version(u64),
    /// Given, and no version that there can be.
    Unmet,
}

impl Expected {
    /// Returns true if the newest version is one that the caller may change; `None` stands for no document.
    pub(crate) fn allows(self, newest: Option<u64>) -> bool {
        match self {
            Self::Anything => true,
            Self::Something => newest.is_some(),
            Self::Nothing => newest.is_none(),
            // Where none was stored, what stands in for it is shown as version 0.
            Self::Version(version) => newest.unwrap_or_default() == version,
            Self::Unmet => false,
        }
    }
}

/// Returns the number of an item's version; 0 if there is none.
pub(crate) fn version_of(table: impl Into<Table>, item: &Item) -> Result<u64, Error> {
    count_in(table, item, VERSION)
}

/// Returns the condition that an item still has the version that was read; 0 if there was none.
pub(crate) fn unchanged_since(version: u64) -> TableCondition {
    match version {
        0 => TableCondition::Missing(VERSION),
        seen => TableCondition::Is(VERSION, number(seen as i64)),
    }
}
