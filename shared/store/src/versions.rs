//! Documents with numbered versions, and what callers say of the version that they change.

use crate::database::{Item, TableCondition};
use crate::item::{number, number_of};

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
            Self::Version(version) => newest == Some(version),
            Self::Unmet => false,
        }
    }
}

/// Returns the number of an item's version; 0 if there is none.
pub(crate) fn version_of(item: &Item) -> u64 {
    number_of(item, "version").and_then(|version| version.try_into().ok()).unwrap_or_default()
}

/// Returns the condition that an item still has the version that was read; 0 if there was none.
pub(crate) fn unchanged_since(version: u64) -> TableCondition {
    match version {
        0 => TableCondition::Missing("version"),
        seen => TableCondition::Is("version", number(seen as i64)),
    }
}
