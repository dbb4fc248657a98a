//! Serves `GET /inventory/stock-levels` and `GET /inventory/stock-levels/imports/{importId}`.

use restock_api::stock_levels::{KnownLevel, KnownLevels, ShowStockImport, ShowStockLevels, StockImport};
use restock_api::{ErrorCode, Problem};
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

/// Shows how far the import of a file of stock levels is.
impl Handles<ShowStockImport> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<ShowStockImport>, Failure> {
        let import = self.store.stock_import(call.parameter("importId")).await?.ok_or_else(|| {
            let detail = "There is no import with this id, or it was started more than a week ago. Start it again.";
            Problem::not_found(ErrorCode::ImportNotFound, detail)
        })?;
        Ok(Reply::new(StockImport::from(import)))
    }
}
