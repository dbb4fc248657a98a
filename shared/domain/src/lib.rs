//! The subject of Restock, as types that cannot be wrong and functions that only compute.
//!
//! Nothing here awaits, reads a clock or an environment variable, or knows AWS, HTTP or JSON. Time is always an
//! argument.

pub mod automation;
mod availability;
pub mod brand;
mod contact;
pub mod delivery;
mod error_code;
mod feed;
mod held_back;
mod identifiers;
mod locale;
mod log;
pub mod mail_count;
mod money;
mod outlook;
mod pause;
mod product;
mod receipt;
mod reputation;
mod scalar;
mod seen_events;
mod send_quota;
pub mod signing;
mod skip;
mod stock_import;
mod stock_level;
mod subscription;
pub mod template;
pub mod time;
pub mod unsubscribe;
pub mod waves;

pub use automation::{
    Automation, AutomationId, Candidate, Condition, Decision, EmailChoice, Facts, Refusal, Sender, decide,
};
pub use availability::Availability;
pub use brand::{Brand, Brands};
pub use contact::{Attributes, Contact, ContactId, CountryCode, EmailAddress, Suppression};
pub use error_code::{ErrorCode, Invalid};
pub use feed::{Feed, FeedSchedule, FeedWarning, Import, ImportError, ImportStatus};
pub use held_back::HeldBack;
pub use identifiers::{EventId, ExternalId, MAX_IDENTIFIER_BYTES, Sku, hex};
pub use locale::Locale;
pub use log::{LogEntry, Waiters, Wanted};
pub use mail_count::MailCount;
pub use money::{Currency, Money};
pub use outlook::{Obstacle, Outlook};
pub use pause::{Pause, STOPPED};
pub use product::{Product, leave_out};
pub use receipt::Receipt;
pub use reputation::MailCounts;
pub use scalar::{FieldValue, Fields, Number, Scalar, bytes_of};
pub use seen_events::{Repetition, SeenEvents};
pub use send_quota::{QuotaReading, SendQuota, SendingState};
pub use skip::Skip;
pub use stock_import::StockImport;
pub use stock_level::{
    Arrival, KnownLevel, Scope, Source, StockLevel, just_before, level_met, met_together, newest_covering,
    sold_out_since,
};
pub use subscription::{DeliveryId, MAX_SUBSCRIPTIONS, Subscription, SubscriptionId, SubscriptionKey};
pub use template::{Template, TemplateId, TemplateSource};
pub use waves::{WavePolicy, Waves};
