use import_feed::{Addresses, App, Settings};
use jiff::Timestamp;
use lambda_runtime::Error;
use restock_runtime::{Runtime, SettingError};
use std::time::Duration;

/// What is left of an invocation to tell that the time of an import was over.
const RESERVE: Duration = Duration::from_secs(30);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let max_receives = u32::try_from(restock_runtime::whole_number("MAX_RECEIVES")?)?;
    let seconds = |name| restock_runtime::whole_number(name).map(Duration::from_secs);
    let addresses = Addresses::parse(&restock_runtime::required("FEED_ADDRESSES")?);
    let settings = Settings {
        addresses: addresses.ok_or(SettingError::Invalid { name: "FEED_ADDRESSES", expected: "public or any" })?,
        max_receives,
        lease: seconds("LEASE_SECONDS")?,
        time: seconds("TIMEOUT_SECONDS")?.saturating_sub(RESERVE),
    };
    let app = App { store: runtime.store(), queues: runtime.queues(), settings, clock: Timestamp::now };
    restock_runtime::serve_queue(|event| app.handle(event)).await
}
