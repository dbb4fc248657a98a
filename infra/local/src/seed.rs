//! Subscribers by the thousand, written straight into the tables of a running stack.

use crate::{Error, Ready, running};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{Span, Timestamp};
use restock_domain::{Attributes, Contact, ContactId, DeliveryId, EmailAddress, Locale, Sku, Subscription};
use restock_store::Store;
use std::time::Duration;
use uuid::Uuid;

/// Whose subscriptions are written before the progress is shown again.
const STEP: u64 = 1_000;

/// Contacts `c00000@example.com`, `c00001@example.com` … who wait for a SKU.
#[derive(Debug, Clone, clap::Args)]
pub struct Seed {
    /// How many wait.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub subscriptions: u64,
    /// The number of the first of them; others than these wait already.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub first: u64,
    /// What they wait for; in a feed of the locale, or nobody can be mailed.
    #[arg(long, value_parser = sku)]
    pub sku: Sku,
    /// In which locale.
    #[arg(long, default_value = "en-GB", value_parser = locale)]
    pub locale: Locale,
}

fn sku(raw: &str) -> Result<Sku, String> {
    Sku::parse(raw).map_err(|invalid| invalid.message)
}

fn locale(raw: &str) -> Result<Locale, String> {
    Locale::parse(raw).map_err(|invalid| invalid.message)
}

/// Fills a running stack, and shows how far it has come.
pub async fn run(seed: Seed, ready: &Ready) -> Result<(), Error> {
    let store = running::store(ready);
    let style = ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len}, {per_sec}, {eta} left")?;
    let bar = ProgressBar::new(seed.subscriptions).with_style(style);
    fill(&store, &seed, |written| bar.inc(written)).await?;
    bar.finish();
    let Seed { subscriptions, sku, locale, .. } = seed;
    println!("{subscriptions} contacts wait for {sku} in {locale}, as of an hour ago. A stock level of it mails them,");
    println!("apart from those whose mail about it has left since then: seed others with --first.");
    Ok(())
}

/// Writes the subscriptions, oldest first, as of an hour ago; tells how many were written each time. The same again
/// replaces what is there, and another SKU is waited for by the same contacts.
pub async fn fill(store: &Store, seed: &Seed, mut progress: impl FnMut(u64)) -> Result<(), Error> {
    let newest = Timestamp::now() - Duration::from_secs(3600);
    for start in (0..seed.subscriptions).step_by(STEP as usize) {
        let numbers = start..(start + STEP).min(seed.subscriptions);
        let mut contacts = Vec::new();
        let mut subscriptions = Vec::new();
        for n in numbers {
            let created_on = newest - Span::new().milliseconds(i64::try_from(seed.subscriptions - n)?);
            let contact = contact(seed.first + n, created_on)?;
            subscriptions.push(subscription(contact.id, seed, created_on));
            contacts.push(contact);
        }
        store.seed(&contacts, &subscriptions).await?;
        progress(contacts.len() as u64);
    }
    Ok(store.mark_demand(&seed.sku, Timestamp::now()).await?)
}

/// Returns the contact of a number, which is always the same.
fn contact(n: u64, created_on: Timestamp) -> Result<Contact, Error> {
    let email = EmailAddress::parse(&format!("c{n:05}@example.com")).map_err(|invalid| invalid.message)?;
    Ok(Contact {
        id: ContactId::new(Uuid::from_u128(u128::from(n) + 1)),
        email,
        first_name: None,
        last_name: None,
        language: None,
        country_code: None,
        attributes: Attributes::new(),
        accepts_email: None,
        created_on,
        suppressed: None,
        unsubscribed: false,
    })
}

fn subscription(contact_id: ContactId, seed: &Seed, created_on: Timestamp) -> Subscription {
    Subscription {
        contact_id,
        sku: seed.sku.clone(),
        locale: seed.locale.clone(),
        external_id: None,
        created_on,
        delivery: DeliveryId::random(),
        moved_in_on: None,
        expires_on: None,
    }
}
