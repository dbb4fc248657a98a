//! Calls that name themselves (`Idempotency-Key`), so that the same one again does nothing.

use crate::database::{Action, Item, TableCondition, Write, Written};
use crate::item::{EXPIRES_AT, number, string_of, text, texts};
use crate::keyspace;
use crate::{Error, Store};
use jiff::Timestamp;
use restock_domain::{hex, time};
use sha2::{Digest, Sha256};
use std::time::Duration;
use uuid::Uuid;

const TABLE: keyspace::Uploads = keyspace::Uploads;
/// Until when the call is known, or taken to be running.
const UNTIL: &str = "until";
const CONTENT: &str = "content";
/// Who runs the call.
const HOLDER: &str = "holder";
const DONE: &str = "done";
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// Names a call: the caller's key for it, together with who the caller is.
#[derive(Debug, Clone)]
pub struct CallKey(String);

/// What a call with a key is to the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It is to be carried out.
    Now,
    /// The same call was carried out.
    Done,
    /// The same call may still be running.
    Running,
    /// A call with another content has this key.
    Different,
}

impl CallKey {
    pub fn new(caller: &str, key: &str) -> Self {
        let mut digest = Sha256::new();
        digest.update(Sha256::digest(caller));
        digest.update(key);
        Self(hex(&digest.finalize()))
    }

    /// Returns a short name of the call, of letters and digits.
    pub fn short(&self) -> String {
        self.0[..32].to_owned()
    }

    fn item(&self) -> Item {
        texts([("upload", &format!("call#{}", self.0)), ("part", "0")])
    }
}

impl Store {
    /// Begins a call, unless one with its key was carried out or is running. It is taken to be running for `at_most`,
    /// if nobody says how it ended.
    pub async fn begin_call(
        &self,
        key: &CallKey,
        content: &[u8],
        now: Timestamp,
        at_most: Duration,
    ) -> Result<Begun, Error> {
        let (content, holder) = (hex(&Sha256::digest(content)), Uuid::new_v4().to_string());
        let until = time::sortable(now + at_most);
        let mut call = texts([(CONTENT, &content), (HOLDER, &holder), (UNTIL, &until)]);
        call.insert(EXPIRES_AT.into(), number((now + KEPT).as_second()));
        let over = TableCondition::AtMost(UNTIL, text(time::sortable(now)));
        let free = TableCondition::Any(vec![TableCondition::Missing(UNTIL), over]);
        let Written::Refused(known) = self.database.write(Write::put(TABLE, key.item(), call).when(free)).await? else {
            return Ok(Begun::Now);
        };
        let Some(known) = known else { return Ok(Begun::Running) };
        // The SDK repeats a request whose answer was lost; the second one then meets the first one's item.
        if string_of(&known, HOLDER) == Some(&holder) {
            return Ok(Begun::Now);
        }
        if string_of(&known, CONTENT) != Some(&content) {
            return Ok(Begun::Different);
        }
        Ok(if known.contains_key(DONE) { Begun::Done } else { Begun::Running })
    }

    /// Says that a call was carried out.
    pub async fn end_call(&self, key: &CallKey, now: Timestamp) -> Result<(), Error> {
        let until = Action::set(UNTIL, text(time::sortable(now + KEPT)));
        let done = vec![Action::set(DONE, text("yes")), until];
        self.database.write(Write::update(TABLE, key.item(), done)).await.map(drop)
    }

    /// Forgets a call of which nobody knows whether it was carried out, so that it can be made again.
    pub async fn forget_call(&self, key: &CallKey) -> Result<(), Error> {
        self.database.write(Write::delete(TABLE, key.item())).await.map(drop)
    }
}
