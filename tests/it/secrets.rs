//! The keys of links and addresses: made when the stack is deployed, and replaced without breaking the links of old
//! mails.

use crate::restock::{Restock, eventually};
use restock_local::client::Client;
use restock_local::faults::Spec;
use restock_operator::link_keys::{self, LinkKeys};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

impl Restock {
    /// Carries a command out, and returns what it printed.
    fn link_keys(&self, command: LinkKeys) -> Result<String, String> {
        let (store, mut out) = (self.store(), Vec::new());
        let run = link_keys::run(command, &store, &mut out);
        self.runtime.block_on(run).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    /// Returns the ids of the keys that sign links, the newest first.
    fn link_key_ids(&self) -> Vec<String> {
        let listed = self.link_keys(LinkKeys::List).unwrap();
        listed.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    }

    /// Mails a new contact, and returns the path of the link in the mail.
    fn mailed_link(&self, name: &str) -> String {
        self.subscribe(&self.contact(name), "A", "sv-SE", None);
        self.level(json!({"sku": "A", "quantity": 1}));
        let mails = self.mails();
        let mail = mails.iter().find(|mail| mail["to"][0] == format!("{name}@example.com")).expect("a mail");
        mail["headers"]["List-Unsubscribe"].as_str().unwrap().trim_matches(['<', '>']).to_owned()
    }

    /// Deploys, or deletes, as far as secrets are concerned; returns what CloudFormation is answered.
    fn deploys_secrets(&self, request: &str, properties: Value) -> Value {
        let bucket = TcpListener::bind("127.0.0.1:0").unwrap();
        let event = json!({
            "RequestType": request,
            "ServiceToken": "arn:aws:lambda:eu-north-1:000000000000:function:make-secrets",
            "ResponseURL": format!("http://{}/answer?signature=x", bucket.local_addr().unwrap()),
            "StackId": "stack",
            "RequestId": "request",
            "ResourceType": "Custom::Secrets",
            "LogicalResourceId": "Secrets",
            "PhysicalResourceId": "secrets",
            "ResourceProperties": properties,
            "OldResourceProperties": {},
        });
        let answer = thread::spawn(move || {
            let (mut connection, _) = bucket.accept().unwrap();
            let mut read = Vec::new();
            loop {
                let mut part = [0; 4096];
                let length = connection.read(&mut part).unwrap();
                read.extend_from_slice(&part[..length]);
                let text = String::from_utf8_lossy(&read).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                if let Ok(answer) = serde_json::from_str::<Value>(body) {
                    connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
                    assert!(head.starts_with("PUT /answer?signature=x "), "{head}");
                    return answer;
                }
            }
        });
        self.runtime.block_on(self.stack.invoke("make-secrets", &event)).unwrap();
        answer.join().unwrap()
    }
}

fn status(link: &str) -> u16 {
    Client::new(link).get("").unwrap().status
}

#[test]
fn links_of_old_mails_work_after_another_key_signs_and_until_theirs_is_taken_away() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let old = restock.mailed_link("old");
    let old_key = restock.link_key_ids().remove(0);

    restock.link_keys(LinkKeys::Rotate).unwrap();
    restock.stack.kill("send-email");
    let new = restock.mailed_link("new");
    assert_eq!((status(&old), status(&new)), (200, 200), "the function knows the new key as soon as it sees its links");

    let new_key = restock.link_key_ids().remove(0);
    let retire = |id: &str, at_once| restock.link_keys(LinkKeys::Retire { id: id.to_owned(), at_once });
    assert!(retire(&new_key, true).unwrap_err().contains("signs the links"));
    assert!(retire(&old_key, false).unwrap_err().contains("last 30 days"));
    assert!(retire("nonsense", true).unwrap_err().contains("no key nonsense"));
    retire(&old_key, true).unwrap();
    // Half a minute later.
    eventually(|| (status(&old) == 404).then_some(()));
    assert_eq!(status(&new), 200);
    assert_eq!(restock.link_key_ids(), [new_key]);
}

#[test]
fn an_address_that_was_suppressed_before_is_recognised_after_the_keys_of_links_were_replaced() {
    let restock = Restock::start();
    let contact = restock.contact("a");
    Client::new(&restock.unsubscribe_link(&contact)).send("POST", "", b"").unwrap();
    restock.delete(&format!("/contacts/{contact}"));

    restock.link_keys(LinkKeys::Rotate).unwrap();
    restock.stack.kill("create-contact");

    let again = restock.contact("a");
    assert_eq!(restock.get(&format!("/contacts/{again}")).json()["suppressed"], "unsubscribed");
}

#[test]
fn a_deployment_makes_the_secrets_that_are_missing_and_keeps_those_that_are_there() {
    let restock = Restock::start();
    let first = restock.link_key_ids();

    for request in ["Create", "Update", "Delete"] {
        let answer = restock.deploys_secrets(request, json!({}));
        let expected = json!({
            "Status": "SUCCESS",
            "PhysicalResourceId": "secrets",
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "Secrets",
        });
        assert_eq!(answer, expected, "{request}");
        assert_eq!(restock.link_key_ids(), first, "{request}");
    }

    restock.runtime.block_on(restock.store().delete_link_key(&first[0])).unwrap();
    restock.deploys_secrets("Create", json!({}));
    assert_eq!(restock.link_key_ids().len(), 1);
}

#[test]
fn a_deployment_whose_sender_ses_would_refuse_fails_and_says_what_to_change() {
    let restock = Restock::start();
    let deployed = |sender: &str, identity: &str, reply_to: &str| {
        let properties = json!({"Sender": sender, "SenderIdentity": identity, "ReplyTo": reply_to, "Restart": ""});
        let answer = restock.deploys_secrets("Update", properties);
        answer["Reason"].as_str().map_or_else(|| answer["Status"].as_str().unwrap().to_owned(), ToOwned::to_owned)
    };

    for (sender, identity) in [
        ("My Shop <hello@shop.se>", "shop.se"),
        ("hello@mail.shop.se", "shop.se"),
        ("Hello@Shop.se", "shop.se"),
        ("hello@shop.se", "hello@shop.se"),
        ("Kafé <hej@kafé.se>", "xn--kaf-dma.se"),
    ] {
        assert_eq!(deployed(sender, identity, "Café <reply@elsewhere.se>"), "SUCCESS", "{sender}");
    }
    for (sender, identity) in
        [("hello@other.se", "shop.se"), ("hello@notshop.se", "shop.se"), ("info@shop.se", "hello@shop.se")]
    {
        let said = deployed(sender, identity, "");
        assert_eq!(
            said,
            format!(
                "The parameter Sender: SES may send from {identity} only. Use such an address, or verify another one."
            )
        );
    }
    assert!(deployed("hello@shop", "shop", "").starts_with("The parameter Sender: "));
    assert!(deployed("hello@shop.se", "shop.se", "reply@").starts_with("The parameter ReplyTo: "));
}

#[test]
fn a_deployment_that_can_not_make_the_secrets_fails_at_once_and_says_why() {
    let faults = Spec { error: 1.0, function: Some("make-secrets".into()), ..Spec::default() };
    let restock = Restock::start_with_faults(faults, &[]);

    let answer = restock.deploys_secrets("Create", json!({}));

    assert_eq!(answer["Status"], "FAILED");
    assert!(answer["Reason"].as_str().unwrap().starts_with("DynamoDB did not carry out"), "{answer}");
}

#[test]
fn a_deployment_with_a_fraction_where_functions_read_a_whole_number_is_refused() {
    let template = include_str!("../../template.yaml");
    let lines: Vec<&str> = template.lines().collect();
    let is_number = |pair: &&[&str]| pair[1] == "    Type: Number";
    let numbers: Vec<&str> =
        lines.windows(2).filter(is_number).map(|pair| pair[0].trim().trim_end_matches(':')).collect();
    assert!(numbers.len() >= 10, "{numbers:?}");
    for name in numbers {
        assert!(template.contains(&format!("{name}=${{{name}}}")), "Secrets does not check {name}");
    }

    let restock = Restock::start();
    let deployed = |numbers: &str| restock.deploys_secrets("Update", json!({ "WholeNumbers": numbers }));
    assert_eq!(deployed("LogDays=90 MaxMailsPerSecond=14")["Status"], "SUCCESS");
    let refused = deployed("LogDays=90 MaxMailsPerSecond=13.5");
    assert_eq!(
        (&refused["Status"], &refused["Reason"]),
        (&json!("FAILED"), &json!("The parameter MaxMailsPerSecond: write a whole number, not 13.5."))
    );
}
