//! What happened, in sentences that somebody at a help desk can read to a shopper.

use crate::happened::{Automations, Happened, What, skipped, template_of};
use restock_domain::automation::{Verdict, VerdictOutcome};
use restock_domain::delivery::{Milestone, Record};
use restock_domain::{Obstacle, Outlook, Skip, Subscription, time};

const STAYS: &str = "The subscription stays and is tried again when the next positive stock level comes.";

/// Says what happened.
pub fn of(subscription: &Subscription, what: &What<'_>, automations: &Automations) -> String {
    let Subscription { sku, locale, .. } = subscription;
    match what {
        What::Subscribed => match subscription.moved_in_on {
            None => format!("The shopper subscribed to {sku} ({locale})."),
            Some(on) => {
                let on = time::sortable(on);
                format!(
                    "The shopper subscribed to {sku} ({locale}) in another system. Stock levels here count for the subscription since {on}."
                )
            }
        },
        What::Decided { level, verdict, place } => {
            let mut said = vec![format!("A stock level of {} came.", level.quantity)];
            said.extend(refusals(verdict, automations));
            said.push(match &verdict.outcome {
                VerdictOutcome::Taken(id, version) => {
                    format!("The automation “{}” took the subscription, so its mail was to leave.", automations.name(id, *version))
                }
                VerdictOutcome::InLine(id, version) => {
                    let name = automations.name(id, *version);
                    // A level that names an external id has one line for all locales.
                    let of = if level.external_id.is_some() { String::new() } else { format!(" in {locale}") };
                    let place = place.map(|place| format!(", at place {place} of those who waited for it{of}"));
                    let place = place.unwrap_or_default();
                    format!("The automation “{name}” took the subscription. As mails leave in waves, it waited for its turn{place}.")
                }
                VerdictOutcome::Skipped(skip) => format!("There was no mail: {}. {STAYS}", because(*skip, subscription)),
            });
            said.join(" ")
        }
        What::Undecided(level) => {
            let quantity = level.quantity;
            format!(
                "A stock level of {quantity} came. What was decided about this subscription is not known: it is still being decided, or could not be written down."
            )
        }
        What::NotSent(level, verdict) => {
            let mut said = vec![format!("The mail for the stock level of {} was not sent after all.", level.quantity)];
            said.extend(refusals(verdict, automations));
            let skip = skipped(verdict).unwrap_or(Skip::NoAutomation);
            said.push(format!("The reason: {}.", because(skip, subscription)));
            // The other mail has used it up.
            if skip != Skip::SameContact {
                said.push(STAYS.to_owned());
            }
            said.join(" ")
        }
        What::Reached(milestone, record) => reached(*milestone, record),
    }
}

/// Says why no mail has come to somebody who waits. `newest` is what the newest level that the log has brought about.
pub fn why_none_came(subscription: &Subscription, outlook: &Outlook, newest: Option<&Happened<'_>>) -> String {
    let Subscription { sku, locale, .. } = subscription;
    let newest = newest.map(|newest| &newest.what);
    let obstacles = outlook.obstacles(subscription);
    let said = match obstacles.first() {
        Some(Obstacle::Suppressed) => {
            "No mail can come, as mail to the address bounced or its owner complained. Ask for another address."
        }
        Some(Obstacle::Unsubscribed) => "No mail can come, as the contact unsubscribed from all mail.",
        Some(Obstacle::NoFeed) => return format!("No mail can come, as no product feed serves the locale {locale}."),
        Some(Obstacle::NoProductData) => {
            return format!("No mail can come, as the product feed of {locale} does not have {sku}.");
        }
        Some(Obstacle::InStock) => match newest {
            Some(What::Decided { verdict: Verdict { outcome: VerdictOutcome::Taken(..), .. }, .. }) => {
                "An automation took it, so its mail is on its way, unless sending is paused."
            }
            Some(What::Decided { verdict: Verdict { outcome: VerdictOutcome::InLine(..), .. }, .. }) => {
                "It waits for its turn, as mails leave in waves."
            }
            Some(_) => "It is in stock, and the last stock level brought no mail. The next positive one may.",
            None => "It is in stock, and no stock level has met the subscription yet. The next positive one will.",
        },
        None if newest.is_some() => "It is not in stock now. It waits for the next positive stock level.",
        None => "No positive stock level has come since the shopper subscribed, as far as the log goes back.",
    };
    said.to_owned()
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
