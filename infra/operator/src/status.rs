//! What an operator looks at first: whether mails leave, what waits, what was given up, how old the feeds are.

use crate::stack::{Stack, word};
use jiff::Timestamp;

use restock_domain::{Feed, FeedWarning, MailCounts, Pause, QuotaReading, SendingState};
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

    writeln!(out, "Sending   {}", sending(quota, pause.as_ref()))?;
    if pause.is_some() {
        to_do.push("Sending is paused until DELETE /api/v3/sending/pause: docs/operations.md#stop-all-mail".to_owned());
    }
    let MailCounts { accepted, bounced, complained } = counts;
    writeln!(out, "24 hours  {accepted} mails accepted by SES, {bounced} bounced for good, {complained} complaints")?;
    for (sku, hold) in &holds {
        writeln!(out, "Held      {sku}, {}", since(hold))?;
    }

    writeln!(out, "\n{:14} {:>9} {:>9} {:>9} {:>9}", "Queue", "waiting", "in work", "later", "given up")?;
    for queue in Queue::iter() {
        let (depth, dead) = tokio::try_join!(stack.depth(queue, false), stack.depth(queue, true))?;
        let (word, given_up) = (word(queue), dead.waiting + dead.in_work + dead.later);
        writeln!(out, "{word:14} {:>9} {:>9} {:>9} {given_up:>9}", depth.waiting, depth.in_work, depth.later)?;
        if given_up > 0 {
            to_do.push(format!("{word}: docs/operations.md#dead-letters, then `cargo restock … redrive {word}`"));
        }
    }

    writeln!(out, "\n{:14} {:20} Products", "Feed", "Imported")?;
    feeds.sort_by_key(|feed| feed.locale.to_string());
    for feed in &feeds {
        let warning = feed.warning(now);
        writeln!(out, "{}", line(feed, warning))?;
        if warning.is_some() {
            to_do.push(format!("Feed {}: docs/operations.md#a-feed-needs-attention", feed.locale));
        }
    }
    if feeds.is_empty() {
        writeln!(out, "none, so nobody can be mailed: PUT /api/v3/feeds/{{locale}}")?;
    }
    if !to_do.is_empty() {
        writeln!(out, "\nTo do")?;
        to_do.iter().try_for_each(|one| writeln!(out, "- {one}"))?;
    }
    Ok(())
}

fn sending(quota: Option<QuotaReading>, pause: Option<&Pause>) -> String {
    let Some(reading) = quota else {
        return pause.map_or("nothing was sent yet".to_owned(), |pause| format!("paused, {}", since(pause)));
    };
    let state = match (pause, reading.state()) {
        (Some(pause), _) => format!("paused, {}", since(pause)),
        (None, SendingState::QuotaUsedUp) => "the quota of 24 hours is used up".to_owned(),
        (None, SendingState::PausedBySes) => "SES has paused the account".to_owned(),
        (None, SendingState::Sending | SendingState::Paused) => "mails leave".to_owned(),
    };
    let quota = reading.quota;
    let day = quota.day.map_or("any number".to_owned(), |day| format!("{day:.0}"));
    let (rate, sent) = (quota.rate, quota.sent);
    format!("{state}; {rate:.0} a second, {sent:.0} of {day} in 24 hours, as of {:.0}", reading.read_on)
}

fn since(pause: &Pause) -> String {
    let why = pause.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("since {:.0}{why}", pause.since)
}

fn line(feed: &Feed, warning: Option<FeedWarning>) -> String {
    let imported = feed.last_succeeded_on.map_or("never".to_owned(), |on| format!("{on:.0}"));
    let products =
        feed.last_import.as_ref().map_or(String::new(), |last| format!("{} of {}", last.imported, last.items));
    let warning = warning.map_or("", |warning| warning.into());
    format!("{:14} {imported:20} {products:16} {warning}", feed.locale.to_string()).trim_end().to_owned()
}
