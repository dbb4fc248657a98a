//! The keys that sign the links of mails: listed, followed by another one, and taken away.

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use restock_local::Error;
use restock_store::{KnownLinkKey, Store};
use std::io::Write;

/// How long the link of a mail has to work, by US law (CAN-SPAM, 15 U.S.C. 7704(a)(3)), and a day in which functions
/// may have gone on to sign with a key after its successor was made.
const LINKS_WORK_FOR: SignedDuration = SignedDuration::from_hours(31 * 24);

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
        /// Even if it has signed links in the last 30 days. Deploy with another `Restart` before, so that no function
        /// signs with it any more.
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
            // If one of both kinds is missing, it is made first.
            store.make_secrets(now).await?;
            if !keys.is_empty() {
                store.add_link_key(now).await?;
            }
            eprintln!(
                "A new key was made. Functions sign with it as their instances are replaced; a deployment with another `Restart` replaces all."
            );
        }
        LinkKeys::Retire { id, at_once } => {
            let place = keys.iter().position(|key| key.id == id);
            let place =
                place.ok_or_else(|| format!("There is no key {id}; `cargo restock link-keys list` shows them."))?;
            let Some(successor) = place.checked_sub(1).and_then(|newer| keys.get(newer)) else {
                return Err("This key signs the links of mails. Make another one first, with `rotate`.".into());
            };
            if now.duration_since(successor.created_on) < LINKS_WORK_FOR && !at_once {
                let why = "Mails of the last 30 days may have links of this key, which people have to be able to unsubscribe by";
                return Err(format!(
                    "{why}. Wait, or if it has leaked, deploy with another `Restart` and add --at-once."
                )
                .into());
            }
            store.delete_link_key(&id).await?;
            eprintln!("The links that {id} has signed work for another half minute.");
        }
    }
    Ok(())
}
