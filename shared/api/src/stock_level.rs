use crate::{Moment, body};
use restock_domain::{EventId, ExternalId, Locale, Scope, Sku};

body! {
    /// A stock level, as the body of a request or in a message on the stock-level queue.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct StockLevel {
        pub sku: Sku,
        /// Zero and below mean "not in stock".
        pub quantity: i64,
        pub locale: Option<Locale>,
        pub external_id: Option<ExternalId>,
        /// The time of the reading; a level that is older than the newest known for its scope is ignored.
        pub updated_on: Option<Moment>,
        /// The sender's name of this statement. The same one again changes nothing, on the queue too and hours later:
        /// the newest 30 of a scope are remembered while somebody waits.
        pub event_id: Option<EventId>,
    }
}

impl From<StockLevel> for restock_domain::StockLevel {
    fn from(level: StockLevel) -> Self {
        let StockLevel { sku, quantity, locale, external_id, updated_on, event_id } = level;
        let updated_on = updated_on.map(|Moment(at)| at);
        Self { sku, scope: Scope::of(locale, external_id), quantity, updated_on, event_id }
    }
}

impl From<&restock_domain::StockLevel> for StockLevel {
    fn from(level: &restock_domain::StockLevel) -> Self {
        Self {
            sku: level.sku.clone(),
            quantity: level.quantity,
            locale: level.scope.locale().cloned(),
            external_id: level.scope.external_id().cloned(),
            updated_on: level.updated_on.map(Moment),
            event_id: level.event_id.clone(),
        }
    }
}
