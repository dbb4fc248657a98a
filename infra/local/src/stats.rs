//! `cargo local stats`: shows what the functions of a running stack use.

use crate::client::Client;
use crate::faults::proxy::Observer;
use crate::usage::{Use, table};
use crate::{Error, Ready};
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use std::io::{IsTerminal, stdout};
use std::sync::Arc;
use std::time::Duration;

/// Serves what was used so far, for `cargo local stats`.
pub fn router(observer: Arc<Observer>) -> Router {
    let usage = async |State(observer): State<Arc<Observer>>| Json(observer.usage().into_iter().collect::<Vec<_>>());
    Router::new().route("/usage.json", get(usage)).with_state(observer)
}

/// Shows what the functions of a running stack have used: each second on a terminal, else once.
pub fn show(ready: &Ready) -> Result<(), Error> {
    let client = Client::new(&ready.inbox);
    loop {
        let answer =
            client.get("/usage.json").map_err(|_| "No stack is running there: start one with `cargo local`.")?;
        if answer.status != 200 {
            return Err("That stack runs no functions, so nothing is counted.".into());
        }
        let usage: Vec<((String, String), Use)> = serde_json::from_str(&answer.text)?;
        let table = table(&usage.into_iter().collect());
        if !stdout().is_terminal() {
            print!("{table}");
            return Ok(());
        }
        // Clears the screen.
        println!("\u{1b}[2J\u{1b}[H{table}\nCtrl-C ends this.");
        std::thread::sleep(Duration::from_secs(1));
    }
}
