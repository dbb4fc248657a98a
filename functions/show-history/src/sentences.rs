//! What happened, in sentences that somebody at a help desk can read to a shopper.

use crate::happened::{Automations, Happened, What, template_of};
use restock_domain::automation::{Verdict, VerdictOutcome};
use restock_domain::delivery::{Milestone, Record};
use restock_domain::{Obstacle, Outlook, Skip, Subscription};

const STAYS: &str = "The subscription stays and is tried again when the next positive stock level comes.";

/// Says what happened.
pub fn of(subscription: &Subscription, what: &What<'_>, automations: &Automations) -> String {
    let Subscription { sku, locale, .. } = subscription;
    match what {
        What::Subscribed => format!("The shopper subscribed to {sku} ({locale})."),
        What::Decided { level, verdict, place } => {
            let mut said = vec![format!("A stock level of {} came.", level.quantity)];
            said.extend(refusals(verdict, automations));
            said.push(match &verdict.outcome {
                VerdictOutcome::Taken(id, version) => {
                    format!("The automation “{}” took the subscription, so its mail was to leave.", automations.name(id, *version))
                }
                VerdictOutcome::InLine(id, version) => {
                    let name = automations.name(id, *version);
                    let place = place.map(|place| format!(", at place {place} of those who waited for it in {locale}"));
                    let place = place.unwrap_or_default();
                    format!("The automation “{name}” took the subscription. As mails leave in waves, it waited for its turn{place}.")
                }
                VerdictOutcome::Skipped(skip) => format!("There was no mail: {}. {STAYS}", because(*skip, subscription)),
            });
            said.join(" ")
        }
        What::Undecided(level) => {
            let quantity = level.quantity;
            format!("A stock level of {quantity} came. What was decided about this subscription was not written down.")
        }
        What::NotSent(_, Skip::SameContact) => {
            format!("There was no mail: {}.", because(Skip::SameContact, subscription))
        }
        What::NotSent(_, skip) => format!("The mail was not sent after all: {}. {STAYS}", because(*skip, subscription)),
        What::Reached(milestone, record) => reached(*milestone, record),
    }
}

/// Says why no mail has come to somebody who waits. `newest` is what happened last.
pub fn why_none_came(subscription: &Subscription, outlook: &Outlook, newest: Option<&Happened<'_>>) -> String {
    let newest = newest.map(|newest| &newest.what);
    if let Some(What::Decided { verdict, .. }) = newest {
        match verdict.outcome {
            VerdictOutcome::Taken(..) => return "Its mail is on its way.".to_owned(),
            VerdictOutcome::InLine(..) => return "It waits for its turn, as mails leave in waves.".to_owned(),
            VerdictOutcome::Skipped(_) => {}
        }
    }
    let Subscription { sku, locale, .. } = subscription;
    let obstacle = outlook.obstacles(subscription).into_iter().next();
    match obstacle {
        Some(Obstacle::Suppressed) => {
            "No mail can come, as mail to the address bounced or its owner complained. Ask for another address."
                .to_owned()
        }
        Some(Obstacle::Unsubscribed) => "No mail can come, as the contact unsubscribed from all mail.".to_owned(),
        Some(Obstacle::NoFeed) => format!("No mail can come, as no product feed serves the locale {locale}."),
        Some(Obstacle::NoProductData) => {
            format!("No mail can come, as the product feed of {locale} does not have {sku}.")
        }
        Some(Obstacle::InStock) if matches!(newest, None | Some(What::Subscribed)) => {
            "It was in stock already when the shopper subscribed. The mail comes with the next positive stock level."
                .to_owned()
        }
        Some(Obstacle::InStock) => {
            "It is in stock, and the last stock level brought no mail. The next positive one may.".to_owned()
        }
        None if matches!(newest, None | Some(What::Subscribed)) => {
            "No positive stock level has come since the shopper subscribed.".to_owned()
        }
        None => "It waits for the next positive stock level.".to_owned(),
    }
}

/// Says why automations did not take a subscription, one after the other.
fn refusals(verdict: &Verdict, automations: &Automations) -> Vec<String> {
    let said = verdict.refusals.iter().map(|refusal| {
        let explained = automations.explain(refusal);
        let conditions: Vec<&str> = explained.conditions.iter().map(|named| named.condition.as_str()).collect();
        let mut why = Vec::new();
        if explained.no_consent {
            why.push("the contact does not accept email".to_owned());
        }
        if !conditions.is_empty() {
            why.push(format!("this did not hold: {}", conditions.join("; ")));
        }
        let name = automations.name(&explained.id, explained.version);
        match why.as_slice() {
            [] => format!("The automation “{name}” did not take it."),
            why => format!("The automation “{name}” did not take it, as {}.", why.join(", and ")),
        }
    });
    said.collect()
}

/// Says why there was no mail, as the rest of a sentence.
fn because(skip: Skip, subscription: &Subscription) -> String {
    let Subscription { sku, locale, .. } = subscription;
    match skip {
        Skip::NoFeed => format!("no product feed served the locale {locale}"),
        Skip::NoProductData => format!("the product feed of {locale} did not have {sku}"),
        Skip::ContactGone => "the contact was erased".to_owned(),
        Skip::Suppressed => "mail to the address had bounced, or its owner had complained".to_owned(),
        Skip::Unsubscribed => "the contact had unsubscribed from all mail".to_owned(),
        Skip::NoConsent => "the contact did not accept email".to_owned(),
        Skip::NoAutomation => "no automation took the subscription".to_owned(),
        Skip::AutomationOff => "the automation that took it was switched off or deleted meanwhile".to_owned(),
        Skip::SoldOutAgain => "it was sold out again before the mail left".to_owned(),
        Skip::SubscriptionGone => "the subscription had ended".to_owned(),
        Skip::SameContact => "another subscription of the shopper was mailed for the same stock level".to_owned(),
    }
}

fn reached(milestone: Milestone, record: &Record) -> String {
    match milestone {
        Milestone::Accepted => match template_of(record) {
            Some((id, version)) => format!("The mail was sent, with version {version} of the template {id}."),
            None => "The mail was sent.".to_owned(),
        },
        Milestone::Failed => {
            let reason = record.reason.as_deref().unwrap_or("it did not say why");
            format!("The mail service permanently refused the mail ({reason}). {STAYS}")
        }
        Milestone::Delivered => "The mail server of the shopper took the mail.".to_owned(),
        Milestone::Bounced => "The mail came back: the mail server of the shopper did not take it.".to_owned(),
        Milestone::Complained => "The shopper marked the mail as spam, and gets no more mail.".to_owned(),
        Milestone::Rejected => {
            "The mail service took the mail and then found that it can't be sent, such as for a virus.".to_owned()
        }
        Milestone::NotRendered => "The mail could not be made of its template, so it was never sent.".to_owned(),
    }
}
