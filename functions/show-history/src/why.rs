//! Why no mail has come to somebody who still waits, as of now.

use crate::sentences::no_mail;
use crate::what::What;
use jiff::Timestamp;
use restock_domain::automation::{Verdict, VerdictOutcome};
use restock_domain::waves::WavePolicy;
use restock_domain::{
    AutomationId, HeldBack, KnownLevel, Obstacle, Outlook, Skip, Subscription, Waves, newest_covering, time,
};

/// What is so now for somebody who waits.
pub struct Now<'a> {
    pub at: Timestamp,
    pub outlook: &'a Outlook,
    /// Of all scopes of the SKU.
    pub levels: &'a [KnownLevel],
    pub waves: Waves<'a>,
    /// What to say of it, if nothing leaves now, whoever it is for.
    pub stopped: Option<&'static str>,
    /// True if SES has permanently refused the mail for the newest level.
    pub was_refused: bool,
    /// How many of the same locale asked for the SKU before and still wait, if somebody waits for a wave.
    pub ahead: Option<usize>,
}

const ON_ITS_WAY: &str = "A mail is on its way.";
const TURN_HAS_COME: &str =
    "The shopper's turn has come. A mail leaves within some minutes, if an automation still accepts the shopper then.";
const NEXT_COUNTS: &str = "The next time that the product is reported in stock counts.";
const NO_CONSENT: &str = "No mail can come, because the shopper does not accept email.";

pub const PAUSED: &str = "Nothing leaves now, because all sending is paused. Mails go on once somebody ends the pause.";
pub const HELD: &str =
    "No mail about the product leaves now, because it is held. Mails go on once somebody releases it.";
pub const QUOTA_USED_UP: &str =
    "Nothing leaves now, because the day's quota of the mail service is used up. Mails go on once it has room again.";

/// Says why no mail has come to somebody who waits. `newest` is what the newest level that the log has brought about.
pub fn why_none_came(subscription: &Subscription, now: &Now<'_>, newest: Option<&What<'_>>) -> String {
    let Subscription { sku, locale, .. } = subscription;
    let no_consent = now.outlook.refuses_email();
    let verdict = match newest {
        Some(What::Decided { verdict, .. } | What::NotSent(_, verdict)) => Some(verdict),
        _ => None,
    };
    let outcome = verdict.map(|verdict| &verdict.outcome);
    match now.outlook.obstacles(subscription).first() {
        Some(Obstacle::Suppressed) => {
            "No mail can come, because mail to the address bounced or its owner complained. Ask for another address."
                .to_owned()
        }
        Some(Obstacle::Unsubscribed) => "No mail can come, because the shopper unsubscribed from all mail.".to_owned(),
        Some(Obstacle::NoFeed) => format!("No mail can come, because no product feed serves the locale {locale}."),
        Some(Obstacle::NoProductData) => {
            let feed = now.outlook.feed.as_ref().unwrap_or(locale);
            format!("No mail can come, because the product feed of {feed} does not have {sku}.")
        }
        _ if no_consent && matches!(outcome, Some(VerdictOutcome::Skipped(Skip::NoConsent))) => NO_CONSENT.to_owned(),
        Some(Obstacle::NoConsent) => NO_CONSENT.to_owned(),
        Some(Obstacle::InStock) => match verdict {
            Some(verdict) => in_stock(subscription, now, verdict),
            None => undecided(subscription, now),
        },
        None if newest.is_some() => {
            "The product is not in stock now. The shopper waits for it to be reported in stock.".to_owned()
        }
        None => elsewhere(subscription, now).unwrap_or_else(|| {
            "The product was not reported in stock since the shopper subscribed, as far as the log goes back. If it was, ask whoever runs the stock system: a report with an older time than the one before does not count."
                .to_owned()
        }),
    }
}

/// Says why no mail has come about a product that is in stock, after this was decided at the newest level.
fn in_stock(subscription: &Subscription, now: &Now<'_>, verdict: &Verdict) -> String {
    let is_all = verdict.refusals.is_empty();
    // Quiet hours and a hold-down are of a policy too, even of one without waves.
    let by_policy = matches!(verdict.held_back, Some(HeldBack::HoldDown(_) | HeldBack::QuietHours(_)));
    match &verdict.outcome {
        VerdictOutcome::Taken(..) | VerdictOutcome::InLine(..) if now.was_refused => {
            format!("The mail service refused the mail. {NEXT_COUNTS}")
        }
        VerdictOutcome::Taken(..) | VerdictOutcome::InLine(..) if let Some(stopped) = now.stopped => stopped.to_owned(),
        VerdictOutcome::Taken(id, _) if !by_policy => in_line(subscription, now, id, ON_ITS_WAY),
        VerdictOutcome::Taken(id, _) | VerdictOutcome::InLine(id, _) => {
            let was_in_line = format!("The shopper waited for a turn, and mails do not leave in waves any more. {NEXT_COUNTS}");
            in_line(subscription, now, id, &was_in_line)
        }
        VerdictOutcome::Skipped(Skip::NotRestocked) => {
            "The product is in stock, as it was when the shopper subscribed. Only a restock counts: a mail can come after the stock was below the minimum."
                .to_owned()
        }
        VerdictOutcome::Skipped(Skip::BelowMinimum) => {
            let stock = covering(subscription, now).map_or(0, |level| level.quantity);
            let policies = now.waves.all();
            let minimum = policies.iter().map(|(_, policy)| policy.minimum).filter(|minimum| *minimum > stock).min();
            minimum.map_or_else(
                || format!("The stock was below the minimum that was set for waves then. {NEXT_COUNTS}"),
                |minimum| below(stock, minimum),
            )
        }
        VerdictOutcome::Skipped(Skip::NoConsent | Skip::NoAutomation) if !is_all => {
            "The product is in stock, and at the last stock level every automation left the shopper out, as its entry says. The next stock level may bring a mail."
                .to_owned()
        }
        VerdictOutcome::Skipped(skip) => {
            format!(
                "The product is in stock. {} The next stock level may bring one.",
                no_mail(*skip, subscription, is_all)
            )
        }
    }
}

/// Says what somebody waits for whom an automation chose, or `without_waves` if its mails do not leave in waves now.
/// Whoever was to be mailed before there were any is sent into the line.
fn in_line(subscription: &Subscription, now: &Now<'_>, id: &AutomationId, without_waves: &str) -> String {
    let Some(automation) = now.waves.automations.iter().find(|automation| automation.id == *id && automation.enabled)
    else {
        return format!(
            "The automation that chose the shopper is switched off or deleted now. If another one accepts the shopper and mails in waves, the turn comes by that one. {NEXT_COUNTS}"
        );
    };
    let (policy, level) = match (now.waves.of(automation), covering(subscription, now)) {
        (Some((_, policy)), Some(level)) => (policy, level),
        _ => return without_waves.to_owned(),
    };
    held_back(policy, level, now).unwrap_or_else(|| match policy.per_unit {
        None => TURN_HAS_COME.to_owned(),
        Some(_) => {
            let ahead = now.ahead.map(|ahead| format!("; {ahead} of the same locale asked before")).unwrap_or_default();
            format!("The shopper waits for a turn, as mails leave in waves{ahead}.")
        }
    })
}

/// Says what keeps every mail of a policy back for now, if something does.
fn held_back(policy: &WavePolicy, level: &KnownLevel, now: &Now<'_>) -> Option<String> {
    if level.quantity < policy.minimum {
        return Some(below(level.quantity, policy.minimum));
    }
    if let Some((by, until)) = policy.held_back(level, now.at) {
        let until = time::sortable(until);
        return Some(match by {
            HeldBack::QuietHours(_) => format!("Nothing leaves in quiet hours, which end at {until}."),
            _ => format!("The stock has to hold for a while first: mails about it leave from {until} on, if it does."),
        });
    }
    let turn = policy.begins(policy.pass_of(now.outlook.contact.as_ref()), level).filter(|turn| *turn > now.at)?;
    Some(format!("Others come first until {}. After it the shopper's turn can come.", time::sortable(turn)))
}

fn below(stock: i64, minimum: i64) -> String {
    format!(
        "The stock of {stock} is below the minimum of {minimum} that is set for waves, so nothing leaves. {NEXT_COUNTS}"
    )
}

/// Says what is known of a product that is in stock, and about which nothing was decided.
fn undecided(subscription: &Subscription, now: &Now<'_>) -> String {
    match covering(subscription, now).filter(|level| level.quantity > 0) {
        Some(level) if level.at < subscription.here_since() => {
            let said = if subscription.moved_in_on.is_some() { "was moved in" } else { "subscribed" };
            format!("The product was in stock already ({}) when the shopper {said}. {NEXT_COUNTS}", level.quantity)
        }
        Some(level) => {
            format!("The product was reported in stock ({}), and whom to mail is being decided.", level.quantity)
        }
        None => elsewhere(subscription, now).unwrap_or_else(|| {
            "The product feed says that it is in stock, and no stock level was reported. The next one counts."
                .to_owned()
        }),
    }
}

/// Says for what else the product was reported in stock since the shopper subscribed, if it was.
fn elsewhere(subscription: &Subscription, now: &Now<'_>) -> Option<String> {
    let Subscription { locale, external_id, .. } = subscription;
    let counts = covering(subscription, now);
    let since = |level: &&KnownLevel| level.quantity > 0 && level.at >= subscription.here_since();
    let level = now.levels.iter().filter(|level| Some(*level) != counts).find(since)?;
    let named =
        |locale: Option<String>, id: Option<String>| locale.into_iter().chain(id).collect::<Vec<_>>().join(", ");
    let reported =
        named(level.scope.locale().map(ToString::to_string), level.scope.external_id().map(ToString::to_string));
    let waits_for = named(Some(locale.to_string()), external_id.as_ref().map(ToString::to_string));
    Some(format!(
        "The product was reported in stock for {reported} only, which is not what the shopper waits for ({waits_for})."
    ))
}

fn covering<'a>(subscription: &Subscription, now: &Now<'a>) -> Option<&'a KnownLevel> {
    newest_covering(now.levels, &subscription.locale, subscription.external_id.as_ref())
}
