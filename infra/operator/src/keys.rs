//! API keys: made, listed, revoked and replaced.

use clap::Subcommand;
use clap::builder::RangedI64ValueParser;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use restock_api::{KeyScope, KeySet};
use restock_domain::hex;
use restock_local::Error;
use restock_store::{ApiKey, Store};
use std::collections::HashMap;
use std::io::Write;
use strum::IntoEnumIterator;

/// Bytes of chance in a key.
const KEY_BYTES: usize = 32;
/// How much of a digest is shown, which a command takes at least.
const SHOWN: usize = 12;
/// A key that ends within this time is to be replaced, unless it was made for a short time or is replaced already.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

#[derive(Subcommand)]
pub enum Keys {
    /// Makes a key and prints it, which is the only time that it is seen.
    Create {
        /// Whose key it is, such as "web shop".
        #[arg(long)]
        name: String,
        /// What it may do: storefront, erp, operator, or scopes such as read-log; several with commas between them.
        #[arg(long = "may", value_name = "SCOPES", value_delimiter = ',', value_parser = word, required = true)]
        scopes: Vec<String>,
        /// After how long it is refused, such as 365d; never by default.
        #[arg(long, value_name = "TIME", value_parser = time)]
        expires_in: Option<Span>,
        /// How many calls a second it may make. A key that has rested may make 96 at once, however low its limit.
        #[arg(long, value_name = "CALLS", default_value_t = ApiKey::CALLS_PER_SECOND, value_parser = limit())]
        calls_per_second: u32,
    },
    /// Lists all keys, with the last time that each was used.
    List,
    /// Deletes a key. Functions that know it take it for another minute.
    Revoke {
        /// The key's id, as `list` shows it.
        id: String,
    },
    /// Sets how many calls a second a key may make. Functions that know the key go on as before for another minute.
    Limit {
        /// The key's id, as `list` shows it.
        id: String,
        #[arg(value_parser = limit())]
        calls_per_second: u32,
    },
    /// Makes a key that may do the same, prints it, and lets the old one expire.
    Rotate {
        /// The key's id, as `list` shows it.
        id: String,
        /// How long the old key still works.
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = time)]
        overlap: Span,
    },
}

fn word(word: &str) -> Result<String, String> {
    let word = word.trim();
    if KeyScope::of_word(word).is_empty() {
        let sets: Vec<&str> = KeySet::iter().map(KeySet::as_str).collect();
        return Err(format!("there is no such scope; use {}, or scopes of docs/api.md", sets.join(", ")));
    }
    Ok(word.to_owned())
}

fn time(written: &str) -> Result<Span, String> {
    written.trim().parse().map_err(|_| "give a time such as 365d or 12h".to_owned())
}

/// Bytes of a key's name, so that a list has a line for each.
const MAX_NAME: usize = 100;

/// Reads a limit of calls a second; the most is more than a single endpoint takes at all.
fn limit() -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=100_000)
}

/// Carries a command out. What was asked for goes to `out`, a key by itself; all else that is said to standard error.
pub async fn run(command: Keys, store: &Store, out: &mut impl Write) -> Result<(), Error> {
    let now = Timestamp::now();
    match command {
        Keys::Create { name, .. } if name.trim().is_empty() => {
            return Err("Give the key a name that says whose it is: --name shop.".into());
        }
        Keys::Create { name, .. } if name.len() > MAX_NAME || name.chars().any(char::is_control) => {
            return Err(format!(
                "Give the key a name of at most {MAX_NAME} bytes without line breaks and control characters."
            )
            .into());
        }
        Keys::Create { name, scopes, expires_in, calls_per_second } => {
            let until = expires_in.map(|span| after(now, span)).transpose()?;
            let made_for_seconds = until.map(|until| until.duration_since(now).as_secs());
            let max_calls_per_second = calls_per_second;
            let key =
                ApiKey { name, scopes, created_on: None, expires_on: None, made_for_seconds, max_calls_per_second };
            let id = create(store, key, now, out).await?;
            eprintln!("Key {id} was made. Keep it now; it is stored nowhere.");
        }
        Keys::List => {
            for line in lines(store.api_keys().await?, &store.key_uses().await?, now) {
                writeln!(out, "{line}")?;
            }
        }
        Keys::Revoke { id } => {
            let (digest, key) = find(store, &id).await?;
            store.delete_api_key(&digest).await?;
            store.forget_key_use(&digest).await?;
            eprintln!("Key {} of {} is revoked; in a minute nobody takes it any more.", short(&digest), key.name);
        }
        Keys::Limit { id, calls_per_second } => {
            let (digest, key) = find(store, &id).await?;
            if !store.limit_api_key(&digest, calls_per_second).await? {
                return Err(format!("Key {} was revoked meanwhile.", short(&digest)).into());
            }
            eprintln!(
                "Key {} of {} may make {calls_per_second} calls a second, in a minute.",
                short(&digest),
                key.name
            );
        }
        Keys::Rotate { id, overlap } => {
            let (old, key) = find(store, &id).await?;
            let until = after(now, overlap)?;
            let until = key.expires_on.map_or(until, |expires_on| expires_on.min(until));
            let id = create(store, key, now, out).await?;
            let old_one = short(&old);
            if !store.expire_api_key(&old, until).await? {
                eprintln!("Key {id} was made. {old_one} was revoked meanwhile.");
            } else if until <= now {
                eprintln!("Key {id} was made in place of {old_one}, which had expired on {until:.0}.");
            } else {
                eprintln!("Key {id} was made in place of {old_one}, which works until {until:.0}.");
            }
        }
    }
    Ok(())
}

/// Stores a new key that is like another one, writes it to `out`, and returns what is shown of its digest. One that
/// can't be written is deleted again, as nobody would have it.
async fn create(store: &Store, like: ApiKey, now: Timestamp, out: &mut impl Write) -> Result<String, Error> {
    let until = |seconds| now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    let expires_on = like.made_for_seconds.map(until);
    let key = ApiKey { created_on: Some(now), expires_on, ..like };
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes)?;
    let fresh = format!("restock_{}", hex(&bytes));
    let digest = ApiKey::digest(&fresh);
    store.put_api_key(&digest, &key).await?;
    if let Err(error) = writeln!(out, "{fresh}").and_then(|()| out.flush()) {
        store.delete_api_key(&digest).await?;
        return Err(format!(
            "The new key could not be written ({error}), so it was deleted again. Nothing has changed."
        )
        .into());
    }
    Ok(short(&digest).to_owned())
}

/// Returns the key whose id begins so, with its digest.
async fn find(store: &Store, id: &str) -> Result<(String, ApiKey), Error> {
    // Less of an id may be a slip that names a key of somebody else.
    let mut found: Vec<_> = if id.len() < SHOWN { Vec::new() } else { store.api_keys().await? };
    found.retain(|(digest, _)| digest.starts_with(id));
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => {
            Err(format!("There is no key {id}; `cargo restock … keys list` shows the ids, of {SHOWN} characters.")
                .into())
        }
        _ => Err(format!("Several keys begin with {id}; give more of it.").into()),
    }
}

fn lines(mut keys: Vec<(String, ApiKey)>, uses: &HashMap<String, Timestamp>, now: Timestamp) -> Vec<String> {
    keys.sort_by_key(|(_, key)| key.created_on);
    let line = |(digest, key): (String, ApiKey)| {
        let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
        let made = key.created_on.map_or("?".to_owned(), day);
        let until = match key.expires_on {
            Some(_) if key.has_expired(now) => "expired".to_owned(),
            Some(at) => format!("until {}", at.strftime("%Y-%m-%d %H:%M")),
            None => "no end".to_owned(),
        };
        let used =
            uses.get(&digest).map_or("never used".to_owned(), |on| format!("used {}", on.strftime("%Y-%m-%d %H:%M")));
        let limit = format!("{}/s", key.max_calls_per_second);
        let (id, scopes) = (short(&digest), key.scopes.join(", "));
        format!("{id}  {made}  {until:22}  {used:21}  {limit:>7}  {}: {scopes}", key.name)
    };
    keys.into_iter().map(line).collect()
}

/// Returns what to do about each key that ends soon.
pub(crate) async fn ending_soon(store: &Store, now: Timestamp) -> Result<Vec<String>, Error> {
    let mut keys = store.api_keys().await?;
    keys.retain(|(_, key)| {
        let meant = key.created_on.zip(key.made_for_seconds.map(SignedDuration::from_secs));
        let is_long =
            |(made, kept): (Timestamp, SignedDuration)| kept > SOON * 2 && key.expires_on == Some(made + kept);
        meant.is_some_and(is_long) && key.expires_on.is_some_and(|at| now < at && at < now + SOON)
    });
    let line = |(digest, key): &(String, ApiKey)| {
        let until = key.expires_on.unwrap_or(now).strftime("%Y-%m-%d %H:%M");
        format!("The key of {} ends on {until}: `cargo restock … keys rotate {}`", key.name, short(digest))
    };
    Ok(keys.iter().map(line).collect())
}

fn short(digest: &str) -> &str {
    digest.get(..SHOWN).unwrap_or(digest)
}

/// Returns a moment so long after another one, by UTC's calendar.
fn after(now: Timestamp, span: Span) -> Result<Timestamp, Error> {
    let until = now.to_zoned(TimeZone::UTC).checked_add(span).map(|until| until.timestamp());
    match until {
        Ok(until) if until > now => Ok(until),
        Ok(_) => Err("Give a time above zero, such as 90d.".into()),
        Err(_) => Err("Give a time that ends before the year 10000, such as 3650d.".into()),
    }
}
