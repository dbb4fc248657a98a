//! What an operator looks at first: whether mails leave, what waits, what was given up, how old the feeds are.

use crate::keys;
use crate::stack::{Stack, word};
use jiff::Timestamp;
use restock_api::sending::Sending;
use restock_domain::{Feed, FeedWarning, Import, MailCounts, SendingState};
use restock_local::Error;
use restock_queue::Queue;
use std::io::Write;
use strum::IntoEnumIterator;

/// Writes the state of a stack, and what it asks of an operator.
pub async fn run(stack: &Stack, out: &mut impl Write) -> Result<(), Error> {
    let (store, now) = (&stack.store, Timestamp::now());
    let (quota, pause) = tokio::try_join!(store.send_quota(), store.pause_in_force())?;
    let (counts, holds, mut feeds) = tokio::try_join!(store.outcomes_of_a_day(now), store.holds(), store.feeds())?;
    let mut to_do = Vec::new();

    let sending = Sending::of(quota, pause);
    writeln!(out, "Sending   {}", line_of_sending(&sending))?;
    match sending.state {
        SendingState::Sending => {}
        SendingState::Paused => to_do.push("Sending: docs/operations.md#stop-all-mail".to_owned()),
        SendingState::QuotaUsedUp | SendingState::PausedBySes => {
            to_do.push("Sending: docs/operations.md#the-account-may-send-no-more".to_owned());
        }
    }
    let MailCounts { accepted, bounced, complained } = counts;
    writeln!(out, "24 hours  accepted by SES: {accepted}, bounced permanently: {bounced}, complaints: {complained}")?;
    for (sku, hold) in &holds {
        writeln!(out, "Held      {sku}, {}", since(hold.since, hold.reason.as_deref()))?;
        to_do.push(format!("{sku}: docs/operations.md#stop-the-mails-about-one-product"));
    }

    writeln!(out, "\n{:14} {:>9} {:>9} {:>9} {:>9}", "Queue", "waiting", "in work", "later", "given up")?;
    for queue in Queue::iter() {
        let (depth, dead) = tokio::try_join!(stack.depth(queue, false), stack.depth(queue, true))?;
        let (word, given_up) = (word(queue), dead.total());
        writeln!(out, "{word:14} {:>9} {:>9} {:>9} {given_up:>9}", depth.waiting, depth.in_work, depth.later)?;
        if given_up > 0 {
            to_do.push(format!("{word}: docs/operations.md#dead-letters, then `cargo restock … redrive {word}`"));
        }
    }

    writeln!(out, "\n{:14} {:20} Products", "Feed", "Imported")?;
    feeds.sort_by_key(|feed| feed.locale.to_string());
    for feed in &feeds {
        let warning = feed.warning(now);
        writeln!(out, "{}", line_of_feed(feed, warning))?;
        if warning.is_some() {
            to_do.push(format!("Feed {}: docs/operations.md#a-feed-needs-attention", feed.locale));
        }
    }
    if feeds.is_empty() {
        writeln!(out, "none, so nobody can be mailed: PUT /api/v3/feeds/{{locale}}")?;
    }
    to_do.extend(keys::ending_soon(store, now).await?);
    if !to_do.is_empty() {
        writeln!(out, "\nTo do")?;
        to_do.iter().try_for_each(|one| writeln!(out, "- {one}"))?;
    }
    Ok(())
}

fn line_of_sending(sending: &Sending) -> String {
    let state = match sending.state {
        SendingState::Sending => "mails leave".to_owned(),
        SendingState::QuotaUsedUp => "the quota of 24 hours is used up".to_owned(),
        SendingState::PausedBySes => "SES has paused the account".to_owned(),
        SendingState::Paused => {
            let on = sending.paused_on.map(|on| since(on.0, sending.pause_reason.as_deref()));
            format!("paused, {}", on.unwrap_or_default())
        }
    };
    let (Some(rate), Some(sent), Some(read_on)) = (sending.rate, sending.sent, sending.read_on) else {
        return format!("{state}; SES was not asked yet what the account may send");
    };
    let day = sending.quota.map_or("any number".to_owned(), |day| day.to_string());
    format!("{state}; {rate} a second, {sent} of {day} in 24 hours, as of {:.0}", read_on.0)
}

fn since(on: Timestamp, why: Option<&str>) -> String {
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    format!("since {on:.0}{why}")
}

fn line_of_feed(feed: &Feed, warning: Option<FeedWarning>) -> String {
    let imported = feed.last_succeeded_on.map_or("never".to_owned(), |on| format!("{on:.0}"));
    let usable = |last: &Import| format!("{} of {}", last.imported + last.unchanged, last.items);
    let products = feed.last_import.as_ref().map_or(String::new(), usable);
    let warning = warning.map_or("", |warning| warning.into());
    format!("{:14} {imported:20} {products:16} {warning}", feed.locale.to_string()).trim_end().to_owned()
}
