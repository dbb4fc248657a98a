//! The only crate of the functions that knows DynamoDB: keys, items, queries and conditional writes.
//!
//! `docs/architecture.md` lists the tables with their keys, and says which order of writes the guarantees rest on.

mod api_keys;
mod automations;
mod batch;
mod brand;
mod cached;
mod calls;
mod contact_changes;
mod contacts;
pub mod database;
mod deliveries;
mod delivery_record;
mod demand;
mod dynamodb;
mod end_of_sku;
mod error;
mod feeds;
mod fetches;
mod item;
mod key_use;
mod keyspace;
mod log;
mod log_pages;
mod moving_in;
mod open_subscriptions;
mod outlook;
mod partiql;
mod pause;
mod products;
mod purchases;
mod reputation;
mod secrets;
mod seed;
mod send_quota;
mod since;
mod stock;
mod stock_imports;
mod subscription_item;
mod subscriptions;
mod suppression;
mod table;
mod templates;
mod threshold;
mod ticks;
mod together;
mod turns;
mod uploads;
mod verdicts;
mod versions;
mod wave_policy;
mod waves;
mod wording;

pub use api_keys::ApiKey;
pub use automations::{CachedAutomations, MAX_AUTOMATIONS};
pub use batch::Deleted;
pub use brand::CachedBrands;
pub use calls::{Begun, CallKey};
pub use contact_changes::{ChangedContact, ContactChange};
pub use contacts::CreatedContact;
pub use deliveries::{Accepted, Claimed, Noted, Refused, SettledSent};
pub use demand::Demand;
pub use dynamodb::{DynamoDb, Tables};
pub use error::{Error, Race};
pub use feeds::{CachedFeeds, FeedConfiguration};
pub use fetches::Fetch;
pub use key_use::{Calls, Taken};
pub use log::{LogKey, LoggedLevel, LoggedPage};
pub use log_pages::{LevelsMet, LogFilter, LogPage};
pub use moving_in::MovedIn;
pub use outlook::Prospect;
pub use pause::{CachedStops, Stops};
pub use products::{ProductChange, RelatedBy};
pub use purchases::RecordedReceipts;
pub use secrets::KnownLinkKey;
pub use send_quota::QuotaTurn;
pub use since::Since;
pub use stock::{LastLook, LevelWrite, Mark, StockFacts};
pub use subscription_item::Waiting;
pub use subscriptions::{Cursor, MatchedPage, WaitingPage, cursor_after};
pub use templates::{CachedTemplates, MAX_TEMPLATES};
pub use ticks::{DueTick, Tick};
pub use turns::Turn;
pub use verdicts::{Decided, Lists, place_among};
pub use versions::{DocumentChange, Expected};
pub use wave_policy::{CachedWavePolicy, ShopPolicy};
pub use waves::{Course, Line, PlaceAsk, Wave};

use database::Database;
use std::sync::Arc;
use together::Together;

/// Everything that Restock keeps. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    database: Arc<dyn Database>,
    together: Arc<Together>,
    places: Arc<waves::Asked>,
}

impl Store {
    pub fn new(database: impl Database + 'static) -> Self {
        let database: Arc<dyn Database> = Arc::new(database);
        Self { together: Arc::new(Together::new(database.clone())), places: Arc::new(waves::gather()), database }
    }
}
