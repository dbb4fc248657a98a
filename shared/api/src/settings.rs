//! What automations, templates, the brand and the policy for waves have in common: who may read and change them, and
//! versions.

use crate::KeyScope;
use crate::schema::WholeNumber;

pub(crate) const READ: Option<KeyScope> = Some(KeyScope::ReadAutomations);
pub(crate) const WRITE: Option<KeyScope> = Some(KeyScope::WriteAutomations);
/// The number of a version.
pub(crate) type Version = WholeNumber<0, 1_000_000_000_000_000>;
