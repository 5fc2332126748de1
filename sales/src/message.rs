//! What a message carries: one event in CloudEvents' binary mode, or several in its JSON batch format.
//!
//! Several facts in one message are published, queued and paid for once. A part of a message that is malformed does not
//! affect the others.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::attributes::{Attribute, Attributes};
use crate::event::{self, Event, NotAnEvent};

/// Maximum body of a message of several events, in bytes. SNS and SQS take 256 KiB, attributes included.
pub const LARGEST_BATCH: usize = 200 * 1024;

const CONTENT_TYPE: &str = "content-type";
const BATCH: &str = "application/cloudevents-batch+json";
const STRUCTURED: &str = "application/cloudevents+json";

/// A body with its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Body.
    pub body: String,
    /// Its attributes.
    pub attributes: Attributes,
}

impl Message {
    /// A message of one event, in binary mode.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        Self { body: event::body(&event.fact), attributes: event.attributes() }
    }

    fn batch(parts: &[impl AsRef<str>], attributes: Attributes) -> Self {
        let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
        Self { body: format!("[{}]", parts.join(",")), attributes }
    }
}

/// Packs events, in their order, into as few messages as possible; returns each message with the number of events in it.
/// A message of one event is in binary mode.
#[must_use]
pub fn pack(events: &[Event]) -> Vec<(Message, usize)> {
    if let [event] = events {
        return vec![(Message::of(event), 1)];
    }
    let mut messages = Vec::new();
    let (mut parts, mut size, mut first): (Vec<String>, usize, usize) = (Vec::new(), 2, 0);
    let mut close = |parts: &mut Vec<String>, first: usize| {
        let count = parts.len();
        let message = match count {
            0 => return,
            1 => Message::of(&events[first]),
            _ => Message::batch(parts, Attributes::from([(CONTENT_TYPE.into(), BATCH.into())])),
        };
        parts.clear();
        messages.push((message, count));
    };
    for (place, event) in events.iter().enumerate() {
        let part = structured(event);
        if size + part.len() + 1 > LARGEST_BATCH {
            close(&mut parts, first);
            (size, first) = (2, place);
        }
        size += part.len() + 1;
        parts.push(part);
    }
    close(&mut parts, first);
    messages
}

/// The events of a message, and its malformed parts.
#[derive(Debug, Default)]
pub struct Unpacked {
    /// The well-formed events.
    pub events: Vec<Event>,
    /// Malformed parts, those with the same reason together.
    pub malformed: Vec<Malformed>,
}

/// A message, or a part of one, that is not understood.
#[derive(Debug)]
pub struct Malformed {
    /// The part, as a message of its own; the whole message if nothing of it is understood.
    pub part: Message,
    /// Why; of several parts, that of the first.
    pub error: NotAnEvent,
}

/// Parses a message in any form: a batch, one structured event, an event in binary mode, or the body alone.
#[must_use]
pub fn unpack(body: &str, attributes: &Attributes) -> Unpacked {
    let content_type = attributes.get(CONTENT_TYPE).and_then(Attribute::text).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case(BATCH) {
        return unpack_batch(body, attributes);
    }
    let event = if media_type.eq_ignore_ascii_case(STRUCTURED) {
        parse_structured(body)
    } else {
        Event::parse(body, attributes)
    };
    match event {
        Ok(event) => Unpacked { events: vec![event], malformed: Vec::new() },
        Err(error) => Unpacked { events: Vec::new(), malformed: vec![whole(body, attributes, error)] },
    }
}

fn unpack_batch(body: &str, attributes: &Attributes) -> Unpacked {
    let parts: Vec<&RawValue> = match serde_json::from_str(body) {
        Ok(parts) => parts,
        Err(error) => {
            return Unpacked { events: Vec::new(), malformed: vec![whole(body, attributes, error.into())] };
        }
    };
    let mut events = Vec::with_capacity(parts.len());
    let mut malformed: Vec<(Vec<&str>, NotAnEvent)> = Vec::new();
    for part in parts {
        match parse_structured(part.get()) {
            Ok(event) => events.push(event),
            Err(error) => match malformed.iter_mut().find(|(_, known)| known.reason() == error.reason()) {
                Some((parts, _)) => parts.push(part.get()),
                None => malformed.push((vec![part.get()], error)),
            },
        }
    }
    let malformed = malformed
        .into_iter()
        .map(|(parts, error)| Malformed { part: Message::batch(&parts, attributes.clone()), error });
    Unpacked { events, malformed: malformed.collect() }
}

fn whole(body: &str, attributes: &Attributes, error: NotAnEvent) -> Malformed {
    Malformed { part: Message { body: body.to_owned(), attributes: attributes.clone() }, error }
}

/// An event in CloudEvents' JSON format. `home` and `traceparent` are extension attributes.
#[derive(Serialize)]
struct Structured<'a> {
    specversion: &'static str,
    id: String,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    home: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct ReceivedStructured<'a> {
    #[serde(rename = "type")]
    kind: String,
    source: Option<serde_json::Value>,
    home: Option<serde_json::Value>,
    traceparent: Option<serde_json::Value>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// The source of an event whose region is unknown: CloudEvents requires one.
const UNKNOWN_SOURCE: &str = "/sales";

fn structured(event: &Event) -> String {
    let data = RawValue::from_string(event::body(&event.fact));
    let text = data.and_then(|data| {
        serde_json::to_string(&Structured {
            specversion: event::SPECIFICATION,
            id: event.fact.id().to_string(),
            source: event.fact.region().map_or(UNKNOWN_SOURCE, |region| region.as_str()),
            kind: event::kind(&event.fact),
            time: event.fact.timestamp().rfc3339(),
            home: event.home.as_ref().map(|home| home.as_str()),
            traceparent: event.trace.map(|trace| trace.to_string()),
            data: &data,
        })
    });
    text.expect("strings and numbers are always JSON")
}

fn parse_structured(text: &str) -> Result<Event, NotAnEvent> {
    let received: ReceivedStructured<'_> = serde_json::from_str(text)?;
    let ReceivedStructured { kind, source, home, traceparent, data } = received;
    let [source, home, trace] = [&source, &home, &traceparent].map(|value| value.as_ref().and_then(|it| it.as_str()));
    Event::of_parts(Some(&kind), source, home, trace, data.get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::entropy::Entropy;
    use crate::sale::{Amount, Cancellation, ClientId, Fact, LONGEST_PRODUCT, Product, Sale, SaleId};
    use crate::trace::TraceParent;

    fn id(number: u128) -> SaleId {
        SaleId::new(uuid::Uuid::from_u128(number))
    }

    fn sale(number: u128, product: &str) -> Event {
        let fact = Fact::Sale(Sale {
            id: id(number),
            product: Product::new(product.to_owned()).unwrap(),
            amount: Amount::from_json_number("14.50").unwrap(),
            timestamp: Timestamp::from_unix_seconds(1_764_547_199).unwrap(),
            region: Some("sa-east-1".parse().unwrap()),
            client: ClientId::new("shop-a"),
        });
        Event { fact, home: Some("us-east-1".parse().unwrap()), trace: Some(TraceParent::new(&Entropy::system())) }
    }

    fn cancellation(number: u128) -> Event {
        let timestamp = Timestamp::from_unix_seconds(1_764_547_200).unwrap();
        let (sale_timestamp, region, client) = (None, None, None);
        let fact = Fact::Cancellation(Cancellation { sale: id(number), timestamp, sale_timestamp, region, client });
        Event { fact, home: None, trace: None }
    }

    fn unpacked(message: &Message) -> Vec<Event> {
        let unpacked = unpack(&message.body, &message.attributes);
        assert!(unpacked.malformed.is_empty(), "{:?}", unpacked.malformed);
        unpacked.events
    }

    #[test]
    fn a_lone_event_is_in_binary_mode() {
        let event = sale(1, "Livro");
        let messages = pack(std::slice::from_ref(&event));
        assert_eq!(messages, [(Message { body: event::body(&event.fact), attributes: event.attributes() }, 1)]);
        assert_eq!(unpacked(&messages[0].0), [event]);
        assert!(pack(&[]).is_empty());
    }

    #[test]
    fn several_events_are_one_batch_of_structured_ones() {
        let event = Event {
            trace: TraceParent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ..sale(1, "Livro")
        };
        let messages = pack(&[event.clone(), cancellation(2)]);
        let [(message, 2)] = messages.as_slice() else { panic!("{messages:?}") };
        assert_eq!(message.attributes, Attributes::from([("content-type".into(), BATCH.into())]));
        let (sale, cancelled) = (id(1), id(2));
        assert_eq!(
            message.body,
            format!(
                r#"[{{"specversion":"1.0","id":"{sale}","source":"sa-east-1","type":"sale.registered","time":"2025-11-30T23:59:59Z","home":"us-east-1","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","data":{}}},{{"specversion":"1.0","id":"{cancelled}#cancelled","source":"/sales","type":"sale.cancelled","time":"2025-12-01T00:00:00Z","data":{}}}]"#,
                event::body(&event.fact),
                event::body(&cancellation(2).fact),
            )
        );
        assert_eq!(unpacked(message), [event, cancellation(2)]);
    }

    #[test]
    fn events_of_every_size_come_back_in_order_from_messages_that_are_small_enough() {
        for length in [1, 100, LONGEST_PRODUCT] {
            for count in [2, 37, 38, 400, 1_000] {
                let events: Vec<Event> = (0..count).map(|number| sale(number, &"\u{1}".repeat(length))).collect();
                let messages = pack(&events);
                let mut back = Vec::new();
                for (message, count) in &messages {
                    assert!(message.body.len() <= LARGEST_BATCH, "{}", message.body.len());
                    let events = unpacked(message);
                    assert_eq!(events.len(), *count);
                    back.extend(events);
                }
                assert_eq!(back, events);
            }
        }
    }

    #[test]
    fn a_batch_is_filled_to_the_last_byte() {
        let events: Vec<Event> = (0..2_000).map(|number| sale(number, "Livro")).collect();
        let part = structured(&events[0]).len();
        let messages = pack(&events);
        for (message, _) in &messages[..messages.len() - 1] {
            assert!(message.body.len() + part + 1 > LARGEST_BATCH, "{}", message.body.len());
        }
    }

    #[test]
    fn an_event_that_is_alone_after_a_full_batch_is_in_binary_mode() {
        let part = structured(&sale(0, "Livro")).len();
        let fitting = (LARGEST_BATCH - 2) / (part + 1);
        let events: Vec<Event> = (0..=fitting as u128).map(|number| sale(number, "Livro")).collect();
        let messages = pack(&events);
        assert_eq!(messages.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [fitting, 1]);
        assert_eq!(messages[1].0, Message::of(&events[fitting]));
    }

    #[test]
    fn a_single_structured_event_and_a_content_type_with_parameters_are_understood() {
        let event = sale(1, "Livro");
        for (content_type, body) in [
            ("application/cloudevents+json; charset=utf-8", structured(&event)),
            ("Application/CloudEvents-Batch+JSON;charset=UTF-8", format!(" [ {} ] ", structured(&event))),
        ] {
            let attributes = Attributes::from([("content-type".into(), content_type.into())]);
            assert_eq!(unpacked(&Message { body, attributes }), std::slice::from_ref(&event));
        }
        let attributes = Attributes::from([("content-type".into(), BATCH.into())]);
        assert!(unpacked(&Message { body: "[]".into(), attributes }).is_empty());
    }

    #[test]
    fn an_optional_attribute_that_is_no_text_counts_as_absent() {
        let event = sale(1, "Livro");
        let odd = structured(&event).replace(r#""home":"us-east-1""#, r#""home":{"name":"us-east-1"},"more":1"#);
        let attributes = Attributes::from([("content-type".into(), STRUCTURED.into())]);
        assert_eq!(unpacked(&Message { body: odd, attributes }), [Event { home: None, ..event }]);
    }

    #[test]
    fn the_examples_of_the_documentation_are_what_is_published() {
        let document = include_str!("../../docs/events.md");
        let examples: Vec<&str> =
            document.split("```text\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
        assert_eq!(examples.len(), 3);
        for example in examples {
            let (head, body) = example.split_once("\n\n").unwrap();
            let attributes = head.lines().map(|line| line.split_once(": ").unwrap());
            let attributes: Attributes = attributes.map(|(name, value)| (name.to_owned(), value.into())).collect();
            let events = unpacked(&Message { body: body.to_owned(), attributes: attributes.clone() });
            let published = pack(&events);
            let [(message, _)] = published.as_slice() else { panic!("{published:?}") };
            assert_eq!(message.attributes, attributes);
            let plain = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(plain(&message.body), plain(body));
        }
    }

    #[test]
    fn malformed_parts_are_set_apart_by_their_reason_and_leave_the_others() {
        let (good, also_good) = (structured(&sale(1, "Livro")), structured(&cancellation(2)));
        let refunded = good.replace("sale.registered", "sale.refunded");
        let untyped = good.replace(r#""type":"sale.registered","#, "");
        let body = format!("[{good}, 42, {refunded}, {{}}, {also_good}, {untyped}]");
        let attributes = Attributes::from([("content-type".into(), BATCH.into()), ("kept".into(), "x".into())]);
        let unpacked = unpack(&body, &attributes);
        let sales: Vec<SaleId> = unpacked.events.iter().map(|event| event.fact.id().sale()).collect();
        assert_eq!(sales, [id(1), id(2)]);
        let apart: Vec<(&str, &str)> =
            unpacked.malformed.iter().map(|it| (it.error.reason(), it.part.body.as_str())).collect();
        let malformed = format!("[42,{{}},{untyped}]");
        assert_eq!(apart, [("malformed", malformed.as_str()), ("unknown-type", &format!("[{refunded}]"))]);
        for Malformed { part, error } in &unpacked.malformed {
            assert_eq!(part.attributes, attributes);
            // Given back as it is, it is judged alike.
            let again = unpack(&part.body, &part.attributes);
            assert_eq!(again.malformed.len(), 1);
            assert_eq!((again.malformed[0].error.reason(), &again.malformed[0].part), (error.reason(), part));
        }
    }

    #[test]
    fn a_batch_that_is_no_list_is_malformed_as_a_whole() {
        let attributes = Attributes::from([("content-type".into(), BATCH.into())]);
        for body in ["", "{}", "[1,", "no json", &structured(&sale(1, "Livro"))] {
            let unpacked = unpack(body, &attributes);
            assert!(unpacked.events.is_empty());
            let [Malformed { part, error }] = unpacked.malformed.as_slice() else { panic!("{unpacked:?}") };
            assert_eq!((error.reason(), part.body.as_str(), &part.attributes), ("malformed", body, &attributes));
        }
    }
}
