//! The queue: deliveries, redeliveries and dead letters.

use std::time::Duration;

use tokio::time::Instant;

use super::messages::{MINUTE, PATIENCE, event, parsed, publish, publish_apart, receive_all};
use super::samples::sale;
use super::{Ports, Regions, TOLERANCE, eventually};
use crate::attributes::{self, Attribute, Attributes, DEAD_LETTER_REASON, Value};
use crate::event::{self, Event};
use crate::ports::{DeadLetter, Delivery, FailureKind, PortResult, SaleQueue};
use crate::sale::Fact;

const SECOND: Duration = Duration::from_secs(1);

/// Deliveries that the redrive policy allows.
const DELIVERIES: u32 = 10;

/// Not before, and not much later.
pub async fn an_empty_queue_answers_when_the_wait_is_over(regions: &Regions<impl Ports>) {
    let queue = regions.here.sale_queue();
    for wait in [Duration::ZERO, 2 * SECOND] {
        let began = Instant::now();
        assert_eq!(queue.receive(wait, MINUTE).await.expect("received"), []);
        let waited = began.elapsed();
        assert!(waited + TOLERANCE / 10 >= wait && waited < wait + PATIENCE, "{waited:?} instead of {wait:?}");
    }
}

/// A waiting receiver gets it at once.
pub async fn a_message_that_comes_meanwhile_ends_the_wait(regions: &Regions<impl Ports>) {
    let queue = regions.here.sale_queue();
    let sent = event(Fact::Sale(sale()));
    let began = Instant::now();
    let (received, ()) = futures::join!(queue.receive(longest_wait(&queue), MINUTE), async {
        tokio::time::sleep(SECOND).await;
        publish(&regions.here.sale_topic(), std::slice::from_ref(&sent)).await;
    });
    let received = received.expect("received");
    assert_eq!(received.len(), 1);
    assert_eq!(parsed(&received[0]), sent);
    assert!(began.elapsed() < SECOND + PATIENCE, "{:?}", began.elapsed());
}

/// Whatever their number.
pub async fn at_most_ten_messages_come_at_once(regions: &Regions<impl Ports>) {
    let queue = regions.here.sale_queue();
    for _ in 0..3 {
        let events: Vec<Event> = std::iter::repeat_with(|| event(Fact::Sale(sale()))).take(10).collect();
        publish_apart(&regions.here.sale_topic(), &events).await;
    }
    let all = receive_all(&queue, 30, MINUTE).await;
    for ten in all.chunks(10) {
        let shown: Vec<(&str, Duration)> =
            ten.iter().map(|delivery| (delivery.receipt.as_str(), Duration::ZERO)).collect();
        queue.hide(&shown).await.expect("shown");
    }
    // Now all of them are certain to be there.
    receive_all(&queue, 30, MINUTE).await;
}

/// With its receive count increased and the time of its first delivery kept.
pub async fn a_message_that_is_not_acknowledged_comes_back_after_its_hiding(regions: &Regions<impl Ports>) {
    let queue = regions.here.sale_queue();
    publish_one(regions).await;
    let began = Instant::now();
    let first = receive_one(&queue, 3 * SECOND).await;
    assert_eq!(first.receive_count, 1);
    let told = first.first_received.expect("these queues say when");
    let skew = told.unix_seconds().abs_diff(regions.clock.now().unix_seconds());
    assert!(skew < PATIENCE.as_secs(), "{told:?} is {skew} s from now");

    let second = receive_one(&queue, MINUTE).await;
    assert!(began.elapsed() + TOLERANCE >= 3 * SECOND, "it came back after {:?}", began.elapsed());
    assert_eq!((&second.body, &second.attributes), (&first.body, &first.attributes));
    assert_eq!(second.receive_count, 2);
    let told_again = second.first_received.expect("these queues say when");
    assert!(told_again.unix_seconds().abs_diff(told.unix_seconds()) <= 1, "{told:?} became {told_again:?}");
}

/// The timeout counts from then on.
pub async fn hiding_for_longer_keeps_a_message_away(regions: &Regions<impl Ports>) {
    let queue = regions.here.sale_queue();
    publish_one(regions).await;
    let delivery = receive_one(&queue, 5 * SECOND).await;
    let hidden_at = Instant::now();
    queue.hide(&[(&delivery.receipt, 9 * SECOND)]).await.expect("hidden");
    assert_eq!(receive_one(&queue, MINUTE).await.receive_count, 2);
    let hidden_for = hidden_at.elapsed();
    assert!(hidden_for + TOLERANCE >= 9 * SECOND && hidden_for < 9 * SECOND + PATIENCE, "{hidden_for:?}");
}

/// To be retried now.
pub async fn hiding_for_no_time_brings_a_message_back_at_once(regions: &Regions<impl Ports>) {
    let queue = regions.here.sale_queue();
    publish_one(regions).await;
    let delivery = receive_one(&queue, MINUTE).await;
    let shown_at = Instant::now();
    queue.hide(&[(&delivery.receipt, Duration::ZERO)]).await.expect("shown");
    assert_eq!(receive_one(&queue, MINUTE).await.receive_count, 2);
    assert!(shown_at.elapsed() < PATIENCE, "{:?}", shown_at.elapsed());
}

/// Alone or with others.
pub async fn an_acknowledged_message_does_not_come_back(regions: &Regions<impl Ports>) {
    let queue = regions.here.sale_queue();
    let events: Vec<Event> = std::iter::repeat_with(|| event(Fact::Sale(sale()))).take(4).collect();
    publish_apart(&regions.here.sale_topic(), &events).await;
    let all = receive_all(&queue, 4, 3 * SECOND).await;
    let receipts: Vec<&str> = all.iter().map(|delivery| delivery.receipt.as_str()).collect();
    queue.acknowledge(&receipts[..1]).await.expect("acknowledged");
    queue.acknowledge(&receipts[1..]).await.expect("acknowledged");
    assert_eq!(queue.receive(6 * SECOND, MINUTE).await.expect("received"), []);
}

/// With the receipt of an earlier delivery, or of an acknowledged message.
pub async fn acknowledging_again_or_too_late_concerns_no_other_call(regions: &Regions<impl Ports>) {
    let queue = regions.here.sale_queue();
    publish_one(regions).await;
    let first = receive_one(&queue, MINUTE).await;
    queue.hide(&[(&first.receipt, Duration::ZERO)]).await.expect("shown");
    let second = receive_one(&queue, MINUTE).await;
    assert_ne!(first.receipt, second.receipt);
    concerns_no_other_call(queue.acknowledge(&[&first.receipt]).await);
    concerns_no_other_call(queue.acknowledge(&[&second.receipt]).await);
    concerns_no_other_call(queue.acknowledge(&[&second.receipt]).await);
    concerns_no_other_call(queue.hide(&[(&second.receipt, Duration::ZERO)]).await);
    assert_eq!(queue.receive(2 * SECOND, MINUTE).await.expect("received"), []);
}

/// A rejected entry is reported, and the others of the call succeed.
pub async fn a_receipt_that_is_none_takes_no_other_with_it(regions: &Regions<impl Ports>) {
    let queue = regions.here.sale_queue();
    publish_one(regions).await;
    let delivery = receive_one(&queue, MINUTE).await;
    let shown = [("none", Duration::ZERO), (delivery.receipt.as_str(), Duration::ZERO)];
    is_rejected(queue.hide(&shown).await);
    let delivery = receive_one(&queue, 2 * SECOND).await;
    is_rejected(queue.acknowledge(&["none", &delivery.receipt]).await);
    assert_eq!(queue.receive(4 * SECOND, MINUTE).await.expect("received"), []);
}

/// The message itself stays until it is acknowledged.
pub async fn a_dead_letter_is_a_copy_with_its_reason(regions: &Regions<impl Ports>) {
    let queue = regions.here.sale_queue();
    let sent = publish_one(regions).await;
    let delivery = receive_one(&queue, MINUTE).await;
    assert_eq!(queue.dead_letter(&delivery, "malformed").await.expect("sent"), DeadLetter::Sent);
    let (body, attributes) = dead_letter(regions).await;
    assert_eq!(body, event::body(&sent.fact));
    let mut expected = sent.attributes();
    expected.insert(DEAD_LETTER_REASON.into(), "malformed".into());
    assert_eq!(attributes, expected);
    queue.hide(&[(&delivery.receipt, Duration::ZERO)]).await.expect("shown");
    assert_eq!(receive_one(&queue, MINUTE).await.body, delivery.body);
}

/// Text, numbers and bytes, with their sender's labels.
pub async fn attributes_keep_their_types_on_their_way_to_the_dead_letters(regions: &Regions<impl Ports>) {
    let typed = |data_type: &str, value| Attribute { data_type: data_type.to_owned(), value };
    let attributes = Attributes::from([
        ("bytes".into(), typed("Binary", Value::Base64(vec![0, 255, 10]))),
        ("image".into(), typed("Binary.gif", Value::Base64(b"GIF89a".to_vec()))),
        ("json".into(), typed("String.json", Value::Text("{}".into()))),
        ("number".into(), typed("Number", Value::Text("14.50".into()))),
        ("text".into(), "as it was".into()),
    ]);
    regions.here.send("not an event", &attributes).await;
    let queue = regions.here.sale_queue();
    let received = async || queue.receive(PATIENCE, MINUTE).await.expect("received").pop();
    let delivery = eventually("the message comes", received).await;
    assert_eq!(delivery.attributes, attributes);
    queue.dead_letter(&delivery, "malformed").await.expect("sent");
    let (_, letter) = dead_letter(regions).await;
    assert_eq!(attributes::reason(&letter).as_deref(), Some("malformed"));
    assert_eq!(attributes::without_reason(letter), attributes);
}

/// A message has at most ten; one that was redriven from the dead letters has one reason.
pub async fn a_dead_letter_with_all_its_attributes_has_a_reason_and_loses_none(regions: &Regions<impl Ports>) {
    let queue = regions.here.sale_queue();
    let full: Attributes = (0..10).map(|number| (format!("a{number}"), number.to_string().into())).collect();
    let again = attributes::with_reason(&Attributes::from([("kept".into(), "as it was".into())]), "malformed");
    for (attributes, own) in [(full.clone(), full), (again.clone(), attributes::without_reason(again))] {
        let body = "not an event".to_owned();
        let delivery = Delivery { body, attributes, receipt: "none".into(), receive_count: 1, first_received: None };
        queue.dead_letter(&delivery, "invalid-id").await.expect("sent");
        let told = async || {
            let letters = regions.here.dead_letters().await.into_iter();
            let mut letters = letters.map(|(_, attributes)| attributes);
            letters.find(|letter| attributes::without_reason(letter.clone()) == own)
        };
        let told = eventually("the dead letter comes", told).await;
        assert_eq!(attributes::reason(&told).as_deref(), Some("invalid-id"));
    }
}

/// As the redrive policy says; so that no message circulates forever.
pub async fn a_message_that_is_delivered_too_often_becomes_a_dead_letter_by_itself(regions: &Regions<impl Ports>) {
    let queue = regions.here.sale_queue();
    let sent = publish_one(regions).await;
    for number in 1..=DELIVERIES {
        let delivery = receive_one(&queue, MINUTE).await;
        assert_eq!(delivery.receive_count, number);
        queue.hide(&[(&delivery.receipt, Duration::ZERO)]).await.expect("shown");
    }
    assert_eq!(queue.receive(SECOND, MINUTE).await.expect("received"), []);
    assert_eq!(dead_letter(regions).await, (event::body(&sent.fact), sent.attributes()));
}

/// Publishes an event of a new sale.
async fn publish_one(regions: &Regions<impl Ports>) -> Event {
    let event = event(Fact::Sale(sale()));
    publish(&regions.here.sale_topic(), std::slice::from_ref(&event)).await;
    event
}

/// Receives the one message that is or will be there.
async fn receive_one(queue: &impl SaleQueue, hidden_for: Duration) -> Delivery {
    let mut received = receive_all(queue, 1, hidden_for).await;
    received.pop().expect("one message")
}

async fn dead_letter(regions: &Regions<impl Ports>) -> (String, Attributes) {
    eventually("the dead letter comes", async || regions.here.dead_letters().await.pop()).await
}

fn concerns_no_other_call(result: PortResult<()>) {
    if let Err(error) = result {
        assert_eq!(error.kind, FailureKind::Rejected, "{error}");
    }
}

fn is_rejected(result: PortResult<()>) {
    assert_eq!(result.expect_err("something was refused").kind, FailureKind::Rejected);
}

fn longest_wait<Q: SaleQueue>(_: &Q) -> Duration {
    Q::LONGEST_WAIT
}
