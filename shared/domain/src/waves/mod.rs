//! Waves: how many mails about a scope of a SKU may leave within an interval, by the stock that there is.
//!
//! The law, which `tests/it/histories` checks: when a mail's request to SES leaves, it and the mails of its scope that
//! left in the interval before are at most as many as the policy gives places to the stock in force.

mod forecast;
mod in_force;
mod places;
mod policy;
mod quiet_hours;
mod stock_history;

pub use forecast::Forecast;
pub use in_force::{PolicyOwner, Waves};
pub use places::{LEAVES_WITHIN, ON_THE_WAY, Places};
pub use policy::{First, Leave, PerUnit, Trigger, WavePolicy};
pub use quiet_hours::QuietHours;
pub use stock_history::StockHistory;
