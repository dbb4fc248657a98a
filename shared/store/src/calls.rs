//! Calls that name themselves (`Idempotency-Key`), so that the same one again does nothing.

use crate::database::{Action, Item, TableCondition, Write, Written};
use crate::item::{number, string_of, text, texts};
use crate::keyspace;
use crate::{Error, Store};
use jiff::Timestamp;
use restock_domain::{hex, time};
use sha2::{Digest, Sha256};
use std::time::Duration;

const TABLE: keyspace::Uploads = keyspace::Uploads;
/// Until when the call is known, or taken to be running.
const UNTIL: &str = "until";
const CONTENT: &str = "content";
const DONE: &str = "done";
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// What a call with a key is to the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    First,
    /// The same call was carried out.
    Done,
    /// The same call may still be running.
    Running,
    /// A call with another content has this key.
    Different,
}

impl Store {
    /// Begins a call, unless one with its key was begun. It is taken to be running for `at_most`, if nobody says how it ended.
    pub async fn begin_call(
        &self,
        key: &str,
        content: &[u8],
        now: Timestamp,
        at_most: Duration,
    ) -> Result<Begun, Error> {
        let content = hex(&Sha256::digest(content));
        let mut call = texts([(CONTENT, &content), (UNTIL, &time::sortable(now + at_most))]);
        call.insert("expiresAt".into(), number((now + KEPT).as_second()));
        let over = TableCondition::AtMost(UNTIL, text(time::sortable(now)));
        let free = TableCondition::Any(vec![TableCondition::Missing(UNTIL), over]);
        match self.database.write(Write::put(TABLE, call_key(key), call).when(free)).await? {
            Written::Done(_) => Ok(Begun::First),
            Written::Refused(None) => Ok(Begun::Running),
            Written::Refused(Some(known)) if string_of(&known, CONTENT) != Some(&content) => Ok(Begun::Different),
            Written::Refused(Some(known)) if known.contains_key(DONE) => Ok(Begun::Done),
            Written::Refused(Some(_)) => Ok(Begun::Running),
        }
    }

    /// Says that a call was carried out.
    pub async fn end_call(&self, key: &str, now: Timestamp) -> Result<(), Error> {
        let until = Action::set(UNTIL, text(time::sortable(now + KEPT)));
        let done = vec![Action::set(DONE, text("yes")), until];
        self.database.write(Write::update(TABLE, call_key(key), done)).await.map(drop)
    }

    /// Forgets a call that was not carried out, so that it can be made again.
    pub async fn forget_call(&self, key: &str) -> Result<(), Error> {
        self.database.write(Write::delete(TABLE, call_key(key))).await.map(drop)
    }
}

fn call_key(key: &str) -> Item {
    texts([("upload", &format!("call#{}", hex(&Sha256::digest(key)))), ("part", "0")])
}
