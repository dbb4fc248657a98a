//! The keys that sign the links of mails: listed, followed by another one, and taken away.

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use restock_local::Error;
use restock_store::{KnownLinkKey, Store};
use std::io::Write;

/// How long functions may go on to sign with the key that they know: far longer than Lambda lets an instance live.
const SIGNS_ON_FOR: SignedDuration = SignedDuration::from_hours(24);

#[derive(Subcommand)]
pub enum LinkKeys {
    /// Lists the keys, the one that signs first.
    List,
    /// Makes a key that signs from now on. Links that others have signed work as before.
    Rotate,
    /// Takes a key away, so that the links that it has signed no longer work.
    Retire {
        /// The key's id, as `list` shows it.
        id: String,
        /// Even though functions may have signed with it a moment ago. Deploy with any change of a parameter before, so that none does
        /// any more.
        #[arg(long)]
        at_once: bool,
    },
}

/// Carries a command out. The list goes to `out`, all else that is said to standard error.
pub async fn run(command: LinkKeys, store: &Store, out: &mut impl Write) -> Result<(), Error> {
    let now = Timestamp::now();
    let keys = store.known_link_keys().await?;
    match command {
        LinkKeys::List => {
            for (place, KnownLinkKey { id, .. }) in keys.iter().enumerate() {
                writeln!(out, "{id}  {}", if place == 0 { "signs" } else { "has signed" })?;
            }
        }
        LinkKeys::Rotate => {
            if keys.is_empty() {
                store.make_secrets(now).await?;
            } else {
                store.add_link_key(now).await?;
            }
            eprintln!("A new key was made; functions take it as their instances are replaced, the last within a day.");
        }
        LinkKeys::Retire { id, at_once } => {
            let newest = keys.first().ok_or("There is no key.")?;
            if newest.id == id {
                return Err("This key signs the links of mails. Make another one first, with `rotate`.".into());
            }
            let signs_since = now.duration_since(newest.created_on);
            if signs_since < SIGNS_ON_FOR && !at_once {
                let wait =
                    "Mails that leave now may still have links of this key, as its successor is younger than a day";
                return Err(format!(
                    "{wait}. Wait until then, or deploy with a change of a parameter and add --at-once."
                )
                .into());
            }
            if !store.delete_link_key(&id).await? {
                return Err(format!("There is no key {id}; `cargo restock link-keys list` shows them.").into());
            }
            eprintln!("The links that {id} has signed work for another minute.");
        }
    }
    Ok(())
}
