//! What happened, in sentences for somebody at a help desk who has a shopper on the phone.

use crate::what::{Automations, What, skipped, template_of};
use restock_domain::automation::{Verdict, VerdictOutcome};
use restock_domain::delivery::{Milestone, Record};
use restock_domain::{Contact, KnownLevel, Obstacle, Outlook, Skip, Subscription, newest_covering, time};

const STAYS: &str = "The shopper stays on the list for the next time that it is reported in stock.";

/// Says what somebody waits for who was not mailed.
fn stays(skip: Skip) -> &'static str {
    match skip {
        Skip::NotRestocked => "The shopper stays on the list for the next time that it comes back.",
        _ => STAYS,
    }
}

/// What is so now for somebody who waits.
pub struct Now<'a> {
    pub outlook: &'a Outlook,
    /// Of all scopes of the SKU.
    pub levels: &'a [KnownLevel],
    /// True if mails leave in waves.
    pub has_waves: bool,
    /// How many of the same locale asked for the SKU before and still wait, if somebody waits for a wave.
    pub ahead: Option<usize>,
}

/// Says what happened.
pub fn of(subscription: &Subscription, what: &What<'_>, automations: &Automations) -> String {
    match what {
        What::Subscribed => subscribed(subscription),
        What::Decided { level, verdict, place } => {
            let mut said = vec![format!("The product was reported in stock ({}).", level.quantity)];
            said.extend(refusals(verdict, automations));
            let name = |id, version| format!("The automation “{}” chose the shopper", automations.name(id, version));
            match &verdict.outcome {
                VerdictOutcome::Taken(id, version) => said.push(format!("{}, so a mail was to leave.", name(id, *version))),
                VerdictOutcome::InLine(id, version) => {
                    // A level that names an external id has one line for all locales.
                    let of = if level.external_id.is_some() { String::new() } else { format!(" in {}", subscription.locale) };
                    let place = place.map(|place| format!(", at place {place} of those who waited{of}")).unwrap_or_default();
                    let name = name(id, *version);
                    said.push(format!("{name}. As mails leave in waves, the shopper waited for a turn{place}."));
                }
                VerdictOutcome::Skipped(skip) => {
                    said.push(no_mail(*skip, subscription, verdict.refusals.is_empty()));
                    said.push(stays(*skip).to_owned());
                }
            }
            said.join(" ")
        }
        What::Undecided(level) => format!(
            "The product was reported in stock ({}). What was decided about the shopper is not known: it is still being decided, or could not be written down.",
            level.quantity
        ),
        What::NotSent(_, verdict) if skipped(verdict) == Some(Skip::SameContact) => {
            "There was no mail for this subscription, because the mail for another one of the shopper was about the same product. This one ended with it."
                .to_owned()
        }
        What::NotSent(level, verdict) => {
            let mut said = vec![format!("The mail for the stock level of {} was not sent after all.", level.quantity)];
            said.extend(refusals(verdict, automations));
            let skip = skipped(verdict).unwrap_or(Skip::NoAutomation);
            said.push(no_mail(skip, subscription, verdict.refusals.is_empty()));
            said.push(stays(skip).to_owned());
            said.join(" ")
        }
        What::Reached(milestone, record) => reached(*milestone, record),
    }
}

fn subscribed(subscription: &Subscription) -> String {
    let Subscription { sku, locale, external_id, moved_in_on, .. } = subscription;
    let external_id = external_id.as_ref().map(|id| format!(", {id}")).unwrap_or_default();
    let said = format!("The shopper subscribed to {sku} ({locale}{external_id})");
    match moved_in_on {
        None => format!("{said}."),
        Some(on) => format!("{said} in another system. Stock levels here count since {}.", time::sortable(*on)),
    }
}

/// Says why no mail has come to somebody who waits. `newest` is what the newest level that the log has brought about.
pub fn why_none_came(subscription: &Subscription, now: &Now<'_>, newest: Option<&What<'_>>) -> String {
    let Subscription { sku, locale, external_id, .. } = subscription;
    let no_consent = now.outlook.contact.as_ref().is_some_and(|contact: &Contact| contact.accepts_email == Some(false));
    let outcome = match newest {
        Some(What::Decided { verdict, .. } | What::NotSent(_, verdict)) => Some(&verdict.outcome),
        _ => None,
    };
    match now.outlook.obstacles(subscription).first() {
        Some(Obstacle::Suppressed) => {
            "No mail can come, because mail to the address bounced or its owner complained. Ask for another address."
                .to_owned()
        }
        Some(Obstacle::Unsubscribed) => "No mail can come, because the shopper unsubscribed from all mail.".to_owned(),
        Some(Obstacle::NoFeed) => format!("No mail can come, because no product feed serves the locale {locale}."),
        Some(Obstacle::NoProductData) => {
            format!("No mail can come, because the product feed of {locale} does not have {sku}.")
        }
        _ if no_consent && matches!(outcome, Some(VerdictOutcome::Skipped(Skip::NoConsent))) => no_consent_yet(),
        Some(Obstacle::NoConsent) => no_consent_yet(),
        Some(Obstacle::InStock) => in_stock(subscription, now, outcome),
        None if newest.is_some() => {
            "The product is not in stock now. The shopper waits for it to be reported in stock.".to_owned()
        }
        None => {
            let counts = newest_covering(now.levels, locale, external_id.as_ref());
            let since = |level: &&KnownLevel| level.quantity > 0 && level.at >= subscription.here_since();
            let elsewhere = now.levels.iter().filter(|level| Some(*level) != counts).find(since);
            let scope = elsewhere.map(|level| {
                let locale = level.scope.locale().map(ToString::to_string);
                locale
                    .into_iter()
                    .chain(level.scope.external_id().map(ToString::to_string))
                    .collect::<Vec<_>>()
                    .join(", ")
            });
            match scope {
                Some(scope) => format!(
                    "The product was reported in stock for {scope} only, which is not what the shopper waits for ({locale})."
                ),
                None => "The product was not reported in stock since the shopper subscribed, as far as the log goes back. If it was, ask whoever runs the stock system."
                    .to_owned(),
            }
        }
    }
}

fn no_consent_yet() -> String {
    "No mail can come, because the shopper does not accept email.".to_owned()
}

/// Says why no mail has come about a product that is in stock.
fn in_stock(subscription: &Subscription, now: &Now<'_>, outcome: Option<&VerdictOutcome>) -> String {
    let counts = newest_covering(now.levels, &subscription.locale, subscription.external_id.as_ref());
    match outcome {
        Some(VerdictOutcome::Taken(..)) => "A mail is on its way, unless sending is paused or the product is held.".to_owned(),
        Some(VerdictOutcome::InLine(..)) if now.has_waves => {
            let ahead = now.ahead.map(|ahead| format!("; {ahead} of the same locale asked before")).unwrap_or_default();
            format!("The shopper waits for a turn, as mails leave in waves{ahead}.")
        }
        Some(VerdictOutcome::InLine(..)) => {
            "The shopper waited for a turn, and mails do not leave in waves any more. The next time that the product is reported in stock counts."
                .to_owned()
        }
        Some(VerdictOutcome::Skipped(Skip::NotRestocked)) => {
            "The product is in stock, as it was when the shopper subscribed. Only a restock counts: a mail can come after the stock was below the minimum."
                .to_owned()
        }
        Some(VerdictOutcome::Skipped(_)) => {
            "The product is in stock, and the last stock level brought the shopper no mail. The next one may.".to_owned()
        }
        None => match counts.filter(|level| level.quantity > 0) {
            Some(level) if level.at < subscription.here_since() => format!(
                "The product was in stock already ({}) when the shopper subscribed. The next time that it is reported in stock counts.",
                level.quantity
            ),
            Some(level) => format!("The product was reported in stock ({}), and whom to mail is being decided.", level.quantity),
            None => "The product feed says that it is in stock, and no stock level was reported. The next one counts.".to_owned(),
        },
    }
}

/// Says why automations left a shopper out, one after the other.
fn refusals(verdict: &Verdict, automations: &Automations) -> Vec<String> {
    let said = verdict.refusals.iter().map(|refusal| {
        let explained = automations.explain(refusal);
        let conditions: Vec<&str> = explained.conditions.iter().map(|named| named.condition.as_str()).collect();
        let mut why = Vec::new();
        if explained.no_consent {
            why.push("the shopper does not accept email".to_owned());
        }
        if !conditions.is_empty() {
            why.push(format!("this did not hold: {}", conditions.join("; ")));
        }
        let name = automations.name(&explained.id, explained.version);
        match why.as_slice() {
            [] => format!("The automation “{name}” left the shopper out."),
            why => format!("The automation “{name}” left the shopper out, because {}.", why.join(", and ")),
        }
    });
    said.collect()
}

/// Says why there was no mail. Where automations left the shopper out, `is_all` is false, and that has been said.
fn no_mail(skip: Skip, subscription: &Subscription, is_all: bool) -> String {
    let Subscription { sku, locale, .. } = subscription;
    let because = match skip {
        Skip::NoConsent | Skip::NoAutomation if !is_all => return "So there was no mail.".to_owned(),
        Skip::NoFeed => format!("no product feed served the locale {locale}"),
        Skip::NoProductData => format!("the product feed of {locale} did not have {sku}"),
        Skip::ContactGone => "the contact was erased".to_owned(),
        Skip::Suppressed => "mail to the address had bounced, or its owner had complained".to_owned(),
        Skip::Unsubscribed => "the shopper had unsubscribed from all mail".to_owned(),
        Skip::NoConsent => "the shopper did not accept email".to_owned(),
        Skip::NoAutomation => "no automation is on".to_owned(),
        Skip::BelowMinimum => "the stock was below the minimum that is set for waves".to_owned(),
        Skip::NotRestocked => {
            "only a restock counts, and the stock had not been below the minimum since the shopper subscribed"
                .to_owned()
        }
        Skip::AutomationOff => "the automation was switched off or deleted meanwhile".to_owned(),
        Skip::SoldOutAgain => "the product was sold out again before the mail left".to_owned(),
        Skip::SubscriptionGone => "the subscription had ended".to_owned(),
        Skip::SameContact => "another subscription of the shopper was mailed".to_owned(),
        Skip::AlreadyMailed => {
            "the shopper had been mailed for this stock level, and then subscribed again; the next one counts"
                .to_owned()
        }
    };
    format!("There was no mail, because {because}.")
}

fn reached(milestone: Milestone, record: &Record) -> String {
    match milestone {
        Milestone::Accepted => match template_of(record) {
            Some((id, version)) if version > 0 => {
                format!("The mail was sent, with version {version} of the template {id}.")
            }
            _ => "The mail was sent.".to_owned(),
        },
        Milestone::Failed => {
            let reason = record.reason.as_deref().unwrap_or("it did not say why");
            format!("The mail service refused the mail for good ({reason}). {STAYS}")
        }
        Milestone::Delivered => {
            "The shopper's mail server took the mail. If it can't be found, look among spam.".to_owned()
        }
        Milestone::Bounced => "The mail came back: the shopper's mail server did not take it.".to_owned(),
        Milestone::Complained => "The shopper marked the mail as spam, and gets no more mail.".to_owned(),
        Milestone::Rejected => {
            "The mail service took the mail and then found that it can't be sent, such as for a virus.".to_owned()
        }
        Milestone::NotRendered => "The mail could not be made of its template, so it was never sent.".to_owned(),
    }
}
