//! The wire format: announced by the API, carried by the queues and read by the worker.
//!
//! The body is JSON in one canonical form, so that two regions write the same bytes for the same fact. It travels with
//! the attributes of CloudEvents 1.0: in binary mode as here, or with others in one [`message`](crate::message).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::attributes::{Attribute, Attributes};
use crate::clock::Timestamp;
use crate::region::Region;
use crate::sale::{Amount, Cancellation, ClientId, Fact, FactId, InvalidSale, Product, Sale, SaleId};
use crate::trace::TraceParent;

/// The version of CloudEvents.
pub(crate) const SPECIFICATION: &str = "1.0";

const REGISTERED: &str = "sale.registered";
const CANCELLED: &str = "sale.cancelled";

/// A fact on its way to the lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The fact.
    pub fact: Fact,
    /// The region that should process it; `None` means any ACTIVE region.
    pub home: Option<Region>,
    /// The span of the request that announced it.
    pub trace: Option<TraceParent>,
}

impl Event {
    /// The attributes to send with [`body`].
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::from([
            ("ce-specversion".into(), SPECIFICATION.into()),
            ("ce-id".into(), self.fact.id().to_string().into()),
            ("ce-type".into(), kind(&self.fact).into()),
            ("ce-time".into(), self.fact.timestamp().rfc3339().into()),
        ]);
        let optional = [
            ("ce-source", self.fact.region().map(ToString::to_string)),
            ("home", self.home.as_ref().map(ToString::to_string)),
            ("traceparent", self.trace.map(|trace| trace.to_string())),
        ];
        attributes.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
        attributes
    }

    /// Parses a message in binary mode.
    ///
    /// A message without attributes is from another tool: a registered sale without a home.
    ///
    /// # Errors
    /// If it is malformed, so that no redelivery can help.
    pub fn parse(body: &str, attributes: &Attributes) -> Result<Self, NotAnEvent> {
        let [kind, source, home, trace] =
            ["ce-type", "ce-source", "home", "traceparent"].map(|name| attributes.get(name).and_then(Attribute::text));
        Self::of_parts(kind, source, home, trace, body)
    }

    /// Parses the context attributes of an event and its data. Whatever is invalid of the optional ones counts as absent.
    pub(crate) fn of_parts(
        kind: Option<&str>,
        source: Option<&str>,
        home: Option<&str>,
        trace: Option<&str>,
        data: &str,
    ) -> Result<Self, NotAnEvent> {
        let region = source.and_then(|source| source.parse().ok());
        let is_cancellation = match kind {
            None | Some(REGISTERED) => false,
            Some(CANCELLED) => true,
            Some(_) => return Err(NotAnEvent::UnknownType),
        };
        let fact = parse_fact(is_cancellation, region, data)?;
        let home = home.and_then(|home| home.parse().ok());
        Ok(Self { fact, home, trace: trace.and_then(TraceParent::parse) })
    }
}

/// The `type` of a fact's event.
pub(crate) fn kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::Sale(_) => REGISTERED,
        Fact::Cancellation(_) => CANCELLED,
    }
}

/// Why a message is not an event. [`NotAnEvent::reason`] is short and stable; the message names the cause.
#[derive(Debug, Error)]
pub enum NotAnEvent {
    /// Not JSON, or without a required field.
    #[error("body is not an event: {0}")]
    Malformed(#[from] serde_json::Error),
    /// An invalid id.
    #[error("id is not a UUID, or not that of the sale it belongs to")]
    InvalidId,
    /// A time outside the years 1970 to 9999.
    #[error("timestamp is not a moment between 1970 and 9999 in unix seconds")]
    InvalidTimestamp,
    /// An invalid product or amount.
    #[error("{0}")]
    InvalidSale(#[from] InvalidSale),
    /// A type that this version does not know.
    #[error("type is neither {REGISTERED} nor {CANCELLED}")]
    UnknownType,
}

impl NotAnEvent {
    /// A fixed word, fit for a metric's label.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::InvalidId => "invalid-id",
            Self::InvalidTimestamp => "invalid-timestamp",
            Self::InvalidSale(_) => "invalid-sale",
            Self::UnknownType => "unknown-type",
        }
    }
}

/// Field order is the canonical order of the bytes.
#[derive(Serialize)]
struct SaleBody<'a> {
    id: String,
    product: &'a str,
    amount: &'a RawValue,
    sale_processed: bool,
    timestamp: i64,
    #[serde(flatten)]
    origin: Origin<'a>,
}

#[derive(Deserialize)]
struct ReceivedSale<'a> {
    id: String,
    product: String,
    #[serde(borrow)]
    amount: &'a RawValue,
    timestamp: i64,
    #[serde(borrow)]
    client: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct CancellationBody<'a> {
    id: String,
    sale_id: String,
    timestamp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sale_timestamp: Option<i64>,
    #[serde(flatten)]
    origin: Origin<'a>,
}

#[derive(Deserialize)]
struct ReceivedCancellation<'a> {
    id: String,
    sale_id: String,
    timestamp: i64,
    /// Missing in events of earlier versions.
    sale_timestamp: Option<i64>,
    #[serde(borrow)]
    client: Option<&'a RawValue>,
}

/// Where a fact is from, as far as it is known.
#[derive(Serialize)]
struct Origin<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
}

/// The canonical bytes of a fact's event. The region is among the event's attributes.
#[must_use]
pub fn body(fact: &Fact) -> String {
    text(fact, None)
}

/// The same with the region that accepted the fact, for places without attributes.
pub(crate) fn body_with_region(fact: &Fact) -> String {
    text(fact, fact.region())
}

fn text(fact: &Fact, region: Option<&Region>) -> String {
    let origin = Origin { region: region.map(Region::as_str), client: fact.client().map(ClientId::as_str) };
    let timestamp = fact.timestamp().unix_seconds();
    let id = fact.id().to_string();
    let text = match fact {
        Fact::Sale(sale) => RawValue::from_string(sale.amount.to_string()).and_then(|amount| {
            let product = sale.product.as_str();
            serde_json::to_string(&SaleBody { id, product, amount: &amount, sale_processed: false, timestamp, origin })
        }),
        Fact::Cancellation(cancellation) => {
            let sale_timestamp = cancellation.sale_timestamp.map(Timestamp::unix_seconds);
            serde_json::to_string(&CancellationBody {
                id,
                sale_id: cancellation.sale.to_string(),
                timestamp,
                sale_timestamp,
                origin,
            })
        }
    };
    text.expect("strings and numbers are always JSON")
}

/// The fact in an event's data.
pub(crate) fn parse_fact(is_cancellation: bool, region: Option<Region>, data: &str) -> Result<Fact, NotAnEvent> {
    if is_cancellation {
        parse_cancellation(data, region).map(Fact::Cancellation)
    } else {
        parse_sale(data, region).map(Fact::Sale)
    }
}

fn parse_sale(body: &str, region: Option<Region>) -> Result<Sale, NotAnEvent> {
    let received: ReceivedSale<'_> = serde_json::from_str(body)?;
    Ok(Sale {
        id: received.id.parse().map_err(|_| NotAnEvent::InvalidId)?,
        product: Product::new(received.product)?,
        amount: Amount::from_json_number(received.amount.get())?,
        timestamp: Timestamp::from_unix_seconds(received.timestamp).ok_or(NotAnEvent::InvalidTimestamp)?,
        region,
        client: parse_client(received.client),
    })
}

fn parse_cancellation(body: &str, region: Option<Region>) -> Result<Cancellation, NotAnEvent> {
    let received: ReceivedCancellation<'_> = serde_json::from_str(body)?;
    let sale: SaleId = received.sale_id.parse().map_err(|_| NotAnEvent::InvalidId)?;
    if received.id.parse() != Ok(FactId::Cancellation(sale)) {
        return Err(NotAnEvent::InvalidId);
    }
    let moment = |seconds| Timestamp::from_unix_seconds(seconds).ok_or(NotAnEvent::InvalidTimestamp);
    let sale_timestamp = received.sale_timestamp.map(moment).transpose()?;
    let client = parse_client(received.client);
    Ok(Cancellation { sale, timestamp: moment(received.timestamp)?, sale_timestamp, region, client })
}

/// Anything but an id counts as absent.
fn parse_client(client: Option<&RawValue>) -> Option<ClientId> {
    let client: String = serde_json::from_str(client?.get()).ok()?;
    ClientId::new(&client)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0192f5c0-7c1d-7a3e-8f11-0123456789ab";

    fn sale() -> Fact {
        Fact::Sale(Sale {
            id: ID.parse().unwrap(),
            product: Product::new("O Pequeno \"Príncipe\"\n".into()).unwrap(),
            amount: Amount::from_json_number("14.50").unwrap(),
            timestamp: Timestamp::from_unix_seconds(1_764_547_199).unwrap(),
            region: Some("sa-east-1".parse().unwrap()),
            client: None,
        })
    }

    /// A fact with the client who signed in.
    fn of_client(mut fact: Fact) -> Fact {
        match &mut fact {
            Fact::Sale(sale) => sale.client = ClientId::new("shop-\"a\""),
            Fact::Cancellation(cancellation) => cancellation.client = ClientId::new("shop-\"a\""),
        }
        fact
    }

    fn cancellation() -> Fact {
        Fact::Cancellation(Cancellation {
            sale: ID.parse().unwrap(),
            timestamp: Timestamp::from_unix_seconds(1_764_547_200).unwrap(),
            sale_timestamp: Timestamp::from_unix_seconds(1_764_547_199),
            region: Some("us-east-1".parse().unwrap()),
            client: None,
        })
    }

    #[test]
    fn a_sale_has_one_canonical_body() {
        let expected = format!(
            r#"{{"id":"{ID}","product":"O Pequeno \"Príncipe\"\n","amount":14.5,"sale_processed":false,"timestamp":1764547199}}"#
        );
        assert_eq!(body(&sale()), expected);
    }

    #[test]
    fn a_cancellation_has_one_canonical_body() {
        let expected =
            format!(r#"{{"id":"{ID}#cancelled","sale_id":"{ID}","timestamp":1764547200,"sale_timestamp":1764547199}}"#);
        assert_eq!(body(&cancellation()), expected);
    }

    #[test]
    fn the_client_is_the_last_member_of_the_body_where_it_is_known() {
        for fact in [sale(), cancellation()] {
            let without = body(&fact);
            let expected = without.replacen('}', r#","client":"shop-\"a\""}"#, 1);
            assert_eq!(body(&of_client(fact)), expected);
        }
    }

    #[test]
    fn whatever_is_no_id_of_a_client_counts_as_absent() {
        for client in ["42", "null", "{\"id\":\"x\"}", "\"\"", "\"a b\""] {
            let sent = body(&sale()).replacen('}', &format!(r#","client":{client}}}"#), 1);
            assert_eq!(Event::parse(&sent, &Attributes::new()).unwrap().fact.client(), None, "{client}");
        }
    }

    #[test]
    fn an_event_is_read_as_it_was_written() {
        for fact in [sale(), cancellation(), of_client(sale()), of_client(cancellation())] {
            let trace = TraceParent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
            let event = Event { fact, home: Some("sa-east-1".parse().unwrap()), trace };
            assert_eq!(Event::parse(&body(&event.fact), &event.attributes()).unwrap(), event);
        }
    }

    #[test]
    fn attributes_fit_the_ten_that_sqs_carries_with_room_for_a_reason() {
        let trace = Some(TraceParent::new(&crate::entropy::Entropy::system()));
        let event = Event { fact: sale(), home: Some("sa-east-1".parse().unwrap()), trace };
        assert_eq!(event.attributes().len(), 7);
    }

    #[test]
    fn a_message_without_attributes_is_a_sale_without_a_home_in_canonical_bytes() {
        let foreign = format!(
            r#" {{ "timestamp": 1764547199, "amount": 14.50, "extra": [1], "product": "Livro", "id": "{}", "sale_processed": true }} "#,
            ID.to_uppercase()
        );
        let event = Event::parse(&foreign, &Attributes::new()).unwrap();
        assert_eq!((event.home, event.trace), (None, None));
        assert_eq!(
            body(&event.fact),
            format!(r#"{{"id":"{ID}","product":"Livro","amount":14.5,"sale_processed":false,"timestamp":1764547199}}"#)
        );
    }

    #[test]
    fn an_amount_that_was_accepted_under_the_wider_rule_is_still_read_from_its_message() {
        for amount in ["1234567890123456789012345", "0.0000000000000000000000000001"] {
            let message = format!(r#"{{"id":"{ID}","product":"Livro","amount":{amount},"timestamp":1764547199}}"#);
            let event = Event::parse(&message, &Attributes::new()).unwrap();
            assert!(body(&event.fact).contains(&format!(r#""amount":{amount},"#)), "{}", body(&event.fact));
        }
    }

    #[test]
    fn what_can_not_be_understood_says_why() {
        let with = |id: &str, amount: &str, timestamp: &str| {
            format!(r#"{{"id":"{id}","product":"Livro","amount":{amount},"timestamp":{timestamp}}}"#)
        };
        for (text, reason) in [
            (String::new(), "malformed"),
            ("not json".into(), "malformed"),
            ("[]".into(), "malformed"),
            ("{}".into(), "malformed"),
            (with(ID, "14", "\"today\""), "malformed"),
            (with("42", "14", "1764547199"), "invalid-id"),
            (with(ID, "-14", "1764547199"), "invalid-sale"),
            (with(ID, "\"14\"", "1764547199"), "invalid-sale"),
            (with(ID, "14", "-1"), "invalid-timestamp"),
            (with(ID, "14", "999999999999999"), "invalid-timestamp"),
        ] {
            assert_eq!(Event::parse(&text, &Attributes::new()).unwrap_err().reason(), reason, "{text}");
        }
    }

    #[test]
    fn a_cancellation_of_an_earlier_version_does_not_say_when_its_sale_was_accepted() {
        let typed = Attributes::from([("ce-type".into(), CANCELLED.into())]);
        let earlier = format!(r#"{{"id":"{ID}#cancelled","sale_id":"{ID}","timestamp":1764547200}}"#);
        let event = Event::parse(&earlier, &typed).unwrap();
        assert_eq!(body(&event.fact), earlier);
        assert_eq!(event.fact.sale_timestamp(), event.fact.timestamp());
        let wrong = earlier.replace('}', r#","sale_timestamp":-1}"#);
        assert_eq!(Event::parse(&wrong, &typed).unwrap_err().reason(), "invalid-timestamp");
    }

    #[test]
    fn an_unknown_type_and_a_cancellation_of_another_sale_are_not_understood() {
        let typed = |name: &str| Attributes::from([("ce-type".into(), name.into())]);
        let unknown = Event::parse(&body(&sale()), &typed("sale.refunded")).unwrap_err();
        assert_eq!(unknown.reason(), "unknown-type");
        let other = format!(r#"{{"id":"{ID}","sale_id":"{ID}","timestamp":1764547200}}"#);
        assert_eq!(Event::parse(&other, &typed(CANCELLED)).unwrap_err().reason(), "invalid-id");
    }
}
