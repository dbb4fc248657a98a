//! Many mails in one request to SES.
//!
//! The template of a request has placeholders only, and everything else is data: so nothing that stands in a product's
//! title is read as a part of the template. What mails share is sent once, as the data that entries do not replace.

use crate::mail::Mail;
use crate::outcome::{of_entry, of_failure};
use crate::parts::Parts;
use crate::personal::{Personal, Piece, Values, Which};
use crate::ses::{Ses, headers};
use aws_sdk_sesv2::error::BuildError;
use aws_sdk_sesv2::operation::send_bulk_email::builders::SendBulkEmailFluentBuilder;
use aws_sdk_sesv2::types::{
    BulkEmailContent, BulkEmailEntry, Destination, EmailTemplateContent, MessageTag, ReplacementEmailContent,
    ReplacementTemplate, Template as SesTemplate,
};
use futures::FutureExt;
use futures::future::join_all;
use restock_access::{Access, note};
use restock_domain::Template;
use restock_domain::delivery::{Hindrance, MAX_TOGETHER, Outcome};
use restock_domain::mail_count::tag_of;
use restock_gather::{Ask, Gather, Second};
use serde_json::{Map, Value};
use std::slice;
use std::sync::Arc;
use std::time::Duration;
use strum::IntoEnumIterator;
use tokio::time::{Instant, timeout_at};

/// The most characters of the data of a template (SES API reference, "Template"); here bytes, which are no fewer.
const MAX_DATA: usize = 262_144;
/// What the entries of a request may have together, of the megabyte that a request may have.
const MAX_ENTRIES_BYTES: usize = 700_000;

/// Sends mails together that are sent at the same time and share what they say.
pub struct Bulk {
    gather: Gather<Arc<Shared>, Entry, Outcome>,
    /// The longest that SES is waited for.
    patience: Duration,
}

/// What mails share.
#[derive(Debug, PartialEq)]
pub struct Shared {
    from: String,
    reply_to: Option<String>,
    /// Of placeholders.
    html: String,
    text: String,
    /// What stands in place of those that are the same in all mails, as JSON.
    data: String,
}

/// What belongs to one mail.
#[derive(Clone)]
pub struct Entry {
    to: String,
    delivery: String,
    unsubscribe_url: String,
    /// Names and values.
    tags: Vec<(&'static str, String)>,
    /// What stands in place of the placeholders that differ, as JSON.
    data: String,
}

/// How soon the mails of a refused request have to be asked for one by one; after that, what was looked at before may
/// no longer hold, and they are put off.
const ALONE_WITHIN: Duration = Duration::from_secs(2);

struct SendBulkEmail;

impl Access for SendBulkEmail {
    const ACTION: &'static str = "ses:SendBulkEmail";
    /// Of whatever identity and configuration set the policy names.
    const RESOURCE: &'static str = "";
}

/// SES v2 is reported to look at the action of v1 too.
struct SendBulkTemplatedEmail;

impl Access for SendBulkTemplatedEmail {
    const ACTION: &'static str = "ses:SendBulkTemplatedEmail";
    const RESOURCE: &'static str = "";
}

impl Bulk {
    pub fn new(patience: Duration) -> Self {
        Self { gather: Gather::new(MAX_ENTRIES_BYTES, Second::Waits), patience }
    }

    /// Sends a mail, together with others that are sent at the same time.
    pub async fn send(&self, ses: &Ses, shared: Shared, entry: Entry) -> Outcome {
        let (ses, shared) = (ses.clone(), Arc::new(shared));
        // So that there are no more than SES takes, however small they are.
        let weight = entry.bytes().max(MAX_ENTRIES_BYTES / MAX_TOGETHER);
        let ask = Ask { group: shared.clone(), about: entry.delivery.clone(), weight, asked: entry };
        // The claims hold for no longer.
        let deadline = Instant::now() + self.patience;
        self.gather.ask(ask, move |entries| send_all(ses, shared, entries, deadline).boxed()).await
    }
}

async fn send_all(ses: Ses, shared: Arc<Shared>, entries: Vec<Entry>, deadline: Instant) -> Vec<Outcome> {
    let asked_at = Instant::now();
    match ask(&ses, &shared, &entries).await {
        Ok(outcomes) => outcomes,
        Err(Outcome::Refused { reason }) if entries.len() > 1 && asked_at.elapsed() > ALONE_WITHIN => {
            vec![Outcome::NotAccepted { reason, retry_after: None, hindrance: Hindrance::Sender }; entries.len()]
        }
        // Nobody stays without a mail because of somebody else's.
        Err(Outcome::Refused { .. }) if entries.len() > 1 => {
            let alone = async |entry| match timeout_at(deadline, ask(&ses, &shared, slice::from_ref(entry))).await {
                Ok(Ok(mut outcomes)) => outcomes.swap_remove(0),
                Ok(Err(outcome)) => outcome,
                Err(_) => Outcome::Unknown { reason: "no answer in time".into() },
            };
            join_all(entries.iter().map(alone)).await
        }
        Err(outcome) => vec![outcome; entries.len()],
    }
}

/// Makes one request, and returns what became of each entry, or of all of them.
async fn ask(ses: &Ses, shared: &Shared, entries: &[Entry]) -> Result<Vec<Outcome>, Outcome> {
    let request = request(ses, shared, entries).map_err(|error| Outcome::Refused { reason: error.to_string() })?;
    let answer = request.send().await.map_err(|error| of_failure(&error))?;
    let mut results = answer.bulk_email_entry_results.into_iter();
    let missing = || Outcome::Unknown { reason: "no result for this mail".into() };
    Ok(entries.iter().map(|_| results.next().map_or_else(missing, of_entry)).collect())
}

fn request(ses: &Ses, shared: &Shared, entries: &[Entry]) -> Result<SendBulkEmailFluentBuilder, BuildError> {
    note::<SendBulkEmail>();
    note::<SendBulkTemplatedEmail>();
    let Shared { from, reply_to, html, text, data } = shared;
    let content = EmailTemplateContent::builder().subject("{{subject}}").html(html).text(text).build();
    let template = SesTemplate::builder().template_content(content).template_data(data).build();
    let entries: Vec<BulkEmailEntry> = entries.iter().map(|entry| bulk_entry(from, entry)).collect::<Result<_, _>>()?;
    Ok(ses
        .client
        .send_bulk_email()
        .from_email_address(from)
        .set_reply_to_addresses(reply_to.clone().map(|address| vec![address]))
        .default_content(BulkEmailContent::builder().template(template).build())
        .set_bulk_email_entries(Some(entries))
        .set_configuration_set_name(ses.configuration_set.clone()))
}

fn bulk_entry(from: &str, entry: &Entry) -> Result<BulkEmailEntry, BuildError> {
    // These come back with every event that SES sends about the mail.
    let tag = |(name, value): &(&str, String)| MessageTag::builder().name(*name).value(value).build();
    let template = ReplacementTemplate::builder().replacement_template_data(&entry.data).build();
    Ok(BulkEmailEntry::builder()
        .destination(Destination::builder().to_addresses(&entry.to).build())
        .set_replacement_tags(Some(entry.tags.iter().map(tag).collect::<Result<_, _>>()?))
        .set_replacement_headers(Some(headers(from, &entry.unsubscribe_url)?))
        .replacement_email_content(ReplacementEmailContent::builder().replacement_template(template).build())
        .build())
}

impl Shared {
    pub fn new(from: String, reply_to: Option<String>, subject: &str, parts: &Parts, personal: &Personal) -> Self {
        let mut data = Map::from_iter([("subject".to_owned(), subject.into())]);
        let html = placeholders(personal.pieces(&parts.html), HTML, &mut data);
        let text = placeholders(personal.pieces(&parts.text), TEXT, &mut data);
        Self { from, reply_to, html, text, data: Value::from(data).to_string() }
    }

    /// Returns true if it is not longer than SES takes.
    pub fn fits(&self) -> bool {
        bytes(&self.data) <= MAX_DATA
    }
}

const HTML: &str = "html";
const TEXT: &str = "text";

/// Returns a template of placeholders only, and adds what stands in place of those that all mails share.
fn placeholders(pieces: Vec<Piece<'_>>, part: &str, data: &mut Map<String, Value>) -> String {
    let mut template = String::new();
    for (number, piece) in pieces.into_iter().enumerate() {
        let name = match piece {
            Piece::Shared(text) => {
                let name = format!("{part}_{number}");
                data.insert(name.clone(), text.into());
                name
            }
            Piece::Personal(which) => name_of(which, part),
        };
        template.push_str(&format!("{{{{{name}}}}}"));
    }
    template
}

fn name_of(which: Which, part: &str) -> String {
    format!("{}_{part}", <&str>::from(which))
}

impl Entry {
    pub fn new(mail: Mail<'_>, template: &Template, unsubscribe_url: String, values: &Values) -> Self {
        let Mail { subscription, contact, automation, correlation, .. } = mail;
        let both = |which: Which| {
            let [html, text] = values.get(which).clone();
            [(name_of(which, HTML), Value::from(html)), (name_of(which, TEXT), Value::from(text))]
        };
        let data: Map<String, Value> = Which::iter().flat_map(both).collect();
        Self {
            to: contact.email.as_str().to_owned(),
            delivery: subscription.delivery.to_string(),
            unsubscribe_url,
            tags: vec![
                ("subscription", subscription.id().to_string()),
                ("delivery", subscription.delivery.to_string()),
                ("automation", automation.id.to_string()),
                ("template", tag_of(template)),
                ("correlation", in_a_tag(correlation)),
            ],
            data: Value::from(data).to_string(),
        }
    }

    /// Returns about how many bytes of a request it takes.
    fn bytes(&self) -> usize {
        bytes(&self.data) + self.unsubscribe_url.len() + 1_000
    }
}

/// Returns a text with what SES takes in a tag's value, and something if that is nothing: a name for the logs is no
/// reason to refuse a mail (SES v2 API reference, `MessageTag`).
fn in_a_tag(text: &str) -> String {
    let allowed = |letter: &char| letter.is_ascii_alphanumeric() || "-_".contains(*letter);
    let value: String = text.chars().filter(allowed).take(256).collect();
    if value.is_empty() { "none".to_owned() } else { value }
}

/// Returns how many bytes data take in a request, where they are a text within JSON.
fn bytes(data: &str) -> usize {
    Value::from(data).to_string().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_names_the_work_in_the_logs_is_a_tag_that_ses_takes() {
        assert_eq!(in_a_tag("JKJaXmPLvHc-_SHA"), "JKJaXmPLvHc-_SHA");
        assert_eq!(in_a_tag("a b:c#å=1"), "abc1");
        assert_eq!([in_a_tag(""), in_a_tag("=")], ["none", "none"]);
        assert_eq!(in_a_tag(&"x".repeat(300)).len(), 256);
    }
}
