//! The topic, and an event's way to the queues.

use super::messages::{event, publish, take};
use super::samples::{self, cancellation, sale};
use super::{Ports, Regions};
use crate::event::Event;
use crate::ports::SaleTopic;
use crate::sale::{Fact, LONGEST_PRODUCT, Sale};

/// A sale alone, and facts of every kind together.
pub async fn an_event_arrives_in_both_regions_as_it_was_published(regions: &Regions<impl Ports>) {
    publish_and_take(regions, &[event(Fact::Sale(sale()))]).await;
    let plain = |fact| Event { fact, home: None, trace: None };
    let sales = samples::unusual_sales().into_iter().map(Fact::Sale);
    let all: Vec<Event> = [event(cancellation(samples::id())), plain(cancellation(samples::id()))]
        .into_iter()
        .chain(sales.map(plain))
        .collect();
    publish_and_take(regions, &all).await;
}

/// As many as one call takes, and more than one message does.
pub async fn many_events_arrive_in_both_regions(regions: &Regions<impl Ports>) {
    let count = group(&regions.here.sale_topic());
    let events: Vec<Event> = std::iter::repeat_with(|| event(Fact::Sale(sale()))).take(count).collect();
    publish_and_take(regions, &events).await;
}

/// So that a message holds but a few.
pub async fn the_largest_events_arrive_in_both_regions(regions: &Regions<impl Ports>) {
    // One is long in JSON, the other has the longest characters.
    for character in ["\u{1}", "\u{10fffd}"] {
        let product = samples::product(&character.repeat(LONGEST_PRODUCT));
        let events = std::iter::repeat_with(|| event(Fact::Sale(Sale { product: product.clone(), ..sale() })));
        let events: Vec<Event> = events.take(70).collect();
        publish_and_take(regions, &events).await;
    }
}

/// Whichever succeeds.
pub async fn each_region_publishes_to_both(regions: &Regions<impl Ports>) {
    let [first, second] = [event(Fact::Sale(sale())), event(Fact::Sale(sale()))];
    publish(&regions.here.sale_topic(), std::slice::from_ref(&first)).await;
    publish(&regions.there.sale_topic(), std::slice::from_ref(&second)).await;
    let mut both = [first, second];
    both.sort_by_key(|event| event.fact.id());
    assert_eq!(take(&regions.here.sale_queue(), 2).await, both);
    assert_eq!(take(&regions.there.sale_queue(), 2).await, both);
}

/// Publishes events, and takes exactly these off both queues.
async fn publish_and_take(regions: &Regions<impl Ports>, events: &[Event]) {
    publish(&regions.here.sale_topic(), events).await;
    let mut expected = events.to_vec();
    expected.sort_by_key(|event| event.fact.id());
    assert_eq!(take(&regions.here.sale_queue(), events.len()).await, expected);
    assert_eq!(take(&regions.there.sale_queue(), events.len()).await, expected);
}

fn group<T: SaleTopic>(_: &T) -> usize {
    T::GROUP
}
