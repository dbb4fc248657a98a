//! Serves `GET /inventory/stock-levels`.

use restock_api::stock_levels::{KnownLevel, KnownLevels, ShowStockLevels};
use restock_domain::Sku;
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::Store;

pub struct App {
    pub store: Store,
}

/// Shows the newest level of each scope of a SKU (`?sku=`).
impl Handles<ShowStockLevels> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<ShowStockLevels>, Failure> {
        let sku = call.required_query("sku", Sku::parse, "Add ?sku= with the SKU to look for.")?;
        let (in_demand, levels) = self.store.stock_levels(&sku).await?;
        let levels = levels.into_iter().map(KnownLevel::from).collect();
        Ok(Reply::new(KnownLevels { sku, in_demand, levels }))
    }
}
