//! The contract of the HTTP API, and nothing else: what callers send, what they are answered, and with which words they
//! are refused.
//!
//! An endpoint is declared once, in the module of its area. The functions serve it by that declaration, and
//! `docs/openapi.json`, the tables of `docs/api.md` and the routes of `cargo lambda watch` are printed from it
//! (`cargo openapi`). A body is one type, from which come both its parser and its description.

#[cfg(test)]
mod automation_tests;
pub mod automations;
pub mod brand;
mod conditions;
pub mod contacts;
pub mod documents;
mod endpoint;
pub mod feeds;
pub mod history;
pub mod holds;
#[cfg(test)]
mod limits_tests;
mod lines;
pub mod log;
pub mod moving_in;
mod openapi;
pub mod operation;
mod path;
mod payload;
mod problem;
pub mod purchases;
pub mod schema;
pub mod sending;
mod settings;
pub mod stock_file;
mod stock_level;
pub mod stock_levels;
pub mod subscriptions;
pub mod system;
mod table;
pub mod templates;
pub mod values;
pub mod waves;
pub mod wire;

pub use endpoint::{Description, Endpoint, KeyScope, KeySet, Method};
pub use lines::{Line, LineError, LineOutcome, Lines, LinesReport, MAX_LINES};
pub use openapi::document;
pub use operation::ETAG;
pub use path::PathParameter;
pub use payload::{Answer, Body, HtmlPage, RawJson};
pub use problem::Problem;
pub use restock_domain::ErrorCode;
pub use stock_file::StockFile;
pub use stock_level::StockLevel;
pub use values::{IdReply, Moment};
pub use wire::{Errors, FieldError, Read};

/// Returns the descriptions of all endpoints, area by area.
pub fn endpoints() -> Vec<Description> {
    let areas = [
        subscriptions::all,
        moving_in::all,
        stock_levels::all,
        log::all,
        history::all,
        contacts::all,
        purchases::all,
        automations::all,
        brand::all,
        waves::all,
        templates::all,
        feeds::all,
        holds::all,
        sending::all,
        system::all,
    ];
    areas.into_iter().flat_map(|area| area()).collect()
}
