//! What Restock is about, as types that cannot be wrong and functions that only compute.
//!
//! Nothing here awaits, reads a clock or an environment variable, or knows AWS or HTTP. Time is always an argument.

pub mod automation;
mod contact;
pub mod delivery;
mod identifiers;
mod locale;
mod money;
mod product;
mod receipt;
mod schema;
pub mod signing;
mod stock_level;
mod subscription;
pub mod time;
pub mod unsubscribe;
pub mod wire;

pub use automation::{
    Automation, AutomationId, Candidate, Condition, Decision, EmailChoice, Facts, Refusal, Sender, Skip, Template,
    decide,
};
pub use contact::{Contact, ContactId, EmailAddress, Suppression};
pub use identifiers::{ExternalId, Sku};
pub use locale::Locale;
pub use money::{Currency, Money};
pub use product::Product;
pub use receipt::Receipt;
pub use stock_level::{KnownLevel, Scope, Source, StockLevel, restocked_since, sold_out_since};
pub use subscription::{ShownSubscription, Subscription, SubscriptionId, SubscriptionKey};
pub use wire::{FieldError, Invalid};
