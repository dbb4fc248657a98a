//! Subscriptions that end by themselves.

use crate::restock::Restock;
use restock_domain::SubscriptionId;
use serde_json::{Value, json};

fn with_days(days: &str) -> Restock {
    let restock = Restock::start_as(|options| {
        options.parameters.insert("SubscriptionDays".into(), days.into());
    });
    restock.feed("sv-SE", &["A"]);
    restock
}

fn moment(value: &Value) -> jiff::Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

impl Restock {
    /// Lets a subscription look as if it had expired so many seconds ago.
    fn expire(&self, subscription: &Value, seconds_ago: i64) {
        let id = SubscriptionId::parse(subscription["id"].as_str().unwrap()).unwrap();
        let at = jiff::Timestamp::now().as_second() - seconds_ago;
        self.dynamodb(
            "UpdateItem",
            json!({
                "TableName": self.stack.ready.tables["subscriptions"],
                "Key": {"contactId": {"S": id.contact_id}, "subscription": {"S": id.key.to_string()}},
                "UpdateExpression": "SET expiresAt = :at",
                "ConditionExpression": "attribute_exists(contactId)",
                "ExpressionAttributeValues": {":at": {"N": at.to_string()}},
            }),
        );
    }
}

#[test]
fn a_subscription_ends_after_the_days_that_are_set_and_not_at_all_without() {
    let restock = with_days("30");
    let contact = restock.contact("a");

    let subscription = restock.subscribe(&contact, "A", "sv-SE", None);

    let days = moment(&subscription["expiresOn"]).duration_since(moment(&subscription["createdOn"])).as_hours() / 24;
    assert!((29..=30).contains(&days), "{subscription}");
    assert_eq!(restock.subscriptions(&contact)[0]["expiresOn"], subscription["expiresOn"]);
    let endless = with_days("0");
    assert_eq!(endless.subscribe(&endless.contact("a"), "A", "sv-SE", None)["expiresOn"], Value::Null);
}

#[test]
fn one_that_has_expired_is_neither_mailed_nor_listed_even_before_it_is_deleted() {
    let restock = with_days("30");
    let (gone, stays) = (restock.contact("gone"), restock.contact("stays"));
    let expired = restock.subscribe(&gone, "A", "sv-SE", None);
    restock.subscribe(&stays, "A", "sv-SE", None);
    restock.expire(&expired, 1);

    assert_eq!(restock.subscriptions(&gone), Vec::<Value>::new());
    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_eq!(restock.mailed(), ["stays"]);
    assert_eq!(restock.log_entry("A")["mails"]["subscriptionGone"], 1);
}

#[test]
fn subscribing_again_puts_the_end_off_and_replaces_what_has_expired() {
    let restock = with_days("30");
    let contact = restock.contact("a");
    let first = restock.subscribe(&contact, "A", "sv-SE", None);
    restock.expire(&first, -60);

    let again = restock.subscribe(&contact, "A", "sv-SE", None);
    assert_eq!((&again["id"], &again["createdOn"]), (&first["id"], &first["createdOn"]));
    assert!(moment(&again["expiresOn"]) >= moment(&first["expiresOn"]), "{again}");

    restock.expire(&first, 1);
    let anew = restock.subscribe(&contact, "A", "sv-SE", None);
    assert!(moment(&anew["createdOn"]) > moment(&first["createdOn"]), "{anew}");
    restock.level(json!({"sku": "A", "quantity": 1}));
    assert_eq!(restock.mailed(), ["a"]);
}
