//! What happened, in sentences for somebody at a help desk who has a shopper on the phone.

use crate::what::{Automations, What, skipped, template_of};
use restock_domain::automation::{Verdict, VerdictOutcome};
use restock_domain::delivery::{Milestone, Record};
use restock_domain::{HeldBack, Skip, Subscription, time};

const STAYS: &str = "The shopper stays on the list for the next time that it is reported in stock.";

/// Says what somebody waits for who was not mailed.
fn stays(skip: Skip) -> &'static str {
    match skip {
        Skip::NotRestocked => "The shopper stays on the list for the next time that it comes back.",
        _ => STAYS,
    }
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
                    said.push(format!("{name}. A policy for waves says when such mails leave, so the shopper waited in line{place}."));
                }
                VerdictOutcome::Skipped(skip) => {
                    said.push(no_mail(*skip, subscription, verdict.refusals.is_empty()));
                    said.push(stays(*skip).to_owned());
                }
            }
            said.extend(verdict.held_back.map(held_back));
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
        What::Reached(milestone, record) => reached(*milestone, record, automations),
    }
}

/// Says what kept a mail from leaving then.
fn held_back(by: HeldBack) -> String {
    match by {
        HeldBack::Pause => "Nothing left then, because all sending was paused.".to_owned(),
        HeldBack::Hold => "Nothing left then, because the product was held.".to_owned(),
        HeldBack::HoldDown(until) => {
            format!(
                "Nothing was to leave before {}, because the stock had to hold for a while first.",
                time::sortable(until)
            )
        }
        HeldBack::QuietHours(until) => {
            format!("Nothing was to leave before {}, because of quiet hours.", time::sortable(until))
        }
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

/// Says why automations left a shopper out, one after the other.
fn refusals(verdict: &Verdict, automations: &Automations) -> Vec<String> {
    let said = verdict.refusals.iter().map(|refusal| {
        let conditions = automations.in_words(refusal);
        let mut why = Vec::new();
        if refusal.no_consent {
            why.push("the shopper does not accept email".to_owned());
        }
        if !conditions.is_empty() {
            why.push(format!("this did not hold: {}", conditions.join("; ")));
        }
        let name = automations.name(&refusal.automation, refusal.version);
        match why.as_slice() {
            [] => format!("The automation “{name}” left the shopper out."),
            why => format!("The automation “{name}” left the shopper out, because {}.", why.join(", and ")),
        }
    });
    said.collect()
}

/// Says why there was no mail. Where automations left the shopper out, `is_all` is false, and that has been said.
pub fn no_mail(skip: Skip, subscription: &Subscription, is_all: bool) -> String {
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

fn reached(milestone: Milestone, record: &Record, automations: &Automations) -> String {
    match milestone {
        Milestone::Accepted => {
            let name = |(id, version)| format!(" by the automation “{}”", automations.name(id, version));
            let by = record.chosen_by.as_ref().map(|(id, version)| name((id, *version))).unwrap_or_default();
            let with = template_of(record).filter(|(_, version)| *version > 0);
            let with = with.map(|(id, version)| format!(", with version {version} of the template {id}"));
            format!("The mail was sent{by}{}.", with.unwrap_or_default())
        }
        Milestone::Failed => {
            let reason = record.reason.as_deref().unwrap_or("it did not say why");
            format!("The mail service permanently refused the mail ({reason}). {STAYS}")
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
