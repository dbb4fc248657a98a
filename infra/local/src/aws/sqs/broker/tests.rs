use super::*;

fn broker(fifo: bool) -> Broker {
    let queue = |name: &str, redrive: Option<(String, u32)>| Queue {
        name: name.into(),
        visibility_seconds: 30,
        delay_seconds: 0,
        fifo,
        deduplicates_content: false,
        redrive,
    };
    Broker::new(&[queue("q", Some(("dead".into(), 2))), queue("dead", None)], Timestamp::now)
}

fn send(broker: &Broker, body: &str, group: Option<&str>) {
    let options = SendOptions { group: group.map(Into::into), ..SendOptions::default() };
    broker.send("q", body.into(), BTreeMap::new(), options).unwrap();
}

async fn receive(broker: &Broker, queue: &str) -> Vec<(Message, String)> {
    broker.receive(queue, 10, None, Duration::ZERO).await.unwrap()
}

#[tokio::test]
async fn a_received_message_is_hidden_until_it_is_deleted_or_made_visible() {
    let broker = broker(false);
    send(&broker, "a", None);

    let received = receive(&broker, "q").await;
    assert!(receive(&broker, "q").await.is_empty());
    broker.change_visibility("q", &received[0].1, 0).unwrap().unwrap();
    let again = receive(&broker, "q").await;

    assert_eq!(again[0].0.receives, 2);
    broker.delete("q", &again[0].1).unwrap();
    assert_eq!(broker.counts("q").unwrap(), QueueCounts::default());
}

#[tokio::test]
async fn a_message_waits_no_longer_than_is_let_whatever_was_asked_for() {
    let broker = broker(false);
    broker.set_max_wait(0);
    let options = SendOptions { delay_ms: Some(900_000), ..SendOptions::default() };
    broker.send("q", "a".into(), BTreeMap::new(), options).unwrap();

    let received = receive(&broker, "q").await;
    broker.change_visibility("q", &received[0].1, 900_000).unwrap().unwrap();

    assert_eq!(receive(&broker, "q").await.len(), 1);
}

#[tokio::test]
async fn a_message_that_was_received_too_often_goes_to_the_dead_letter_queue_and_back() {
    let broker = broker(false);
    send(&broker, "a", None);
    for _ in 0..2 {
        let received = receive(&broker, "q").await;
        broker.change_visibility("q", &received[0].1, 0).unwrap().unwrap();
    }

    assert!(receive(&broker, "q").await.is_empty());
    assert_eq!(broker.counts("dead").unwrap().visible, 1);
    assert_eq!(broker.redrive("dead", None, |_| true).unwrap(), 1);
    assert_eq!(receive(&broker, "q").await[0].0.receives, 1);
}

#[tokio::test]
async fn a_group_with_a_message_in_flight_waits_and_other_groups_go_on() {
    let broker = broker(true);
    send(&broker, "a1", Some("a"));
    let first = broker.receive("q", 1, None, Duration::ZERO).await.unwrap();
    send(&broker, "a2", Some("a"));
    send(&broker, "b1", Some("b"));

    assert_eq!(receive(&broker, "q").await[0].0.body, "b1");
    broker.delete("q", &first[0].1).unwrap();
    assert_eq!(receive(&broker, "q").await[0].0.body, "a2");
}

#[tokio::test]
async fn a_standard_queue_lets_quiet_groups_go_before_a_noisy_one() {
    let broker = broker(false);
    (0..40).for_each(|n| send(&broker, &format!("a{n}"), Some("a")));
    let first = broker.receive("q", 30, None, Duration::ZERO).await.unwrap();
    send(&broker, "b", Some("b"));
    send(&broker, "none", None);

    let bodies: Vec<String> = receive(&broker, "q").await.into_iter().map(|(message, _)| message.body).collect();

    assert_eq!(first.len(), 30);
    assert_eq!(bodies[..3], ["b", "none", "a30"]);
}

#[tokio::test]
async fn a_receiver_that_waits_gets_what_arrives_meanwhile() {
    let broker = broker(false);

    let (received, ()) = tokio::join!(broker.receive("q", 1, None, Duration::from_secs(20)), async {
        tokio::task::yield_now().await;
        send(&broker, "late", None);
    });

    assert_eq!(received.unwrap()[0].0.body, "late");
}
