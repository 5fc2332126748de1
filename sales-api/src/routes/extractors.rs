//! Extractors: parse and validate what clients send before a handler sees it.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use futures::StreamExt;
use sales::entropy::Entropy;
use sales::sale::{Amount, IdempotencyKey, Product, SaleId};
use sales::trace::TraceParent;
use sales_service::http::Problem;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::register_sale::Order;

/// Maximum body in bytes: the longest product with every character escaped fits many times over.
pub const LARGEST_BODY: usize = 64 * 1024;

/// Bytes of an oversized body that are read before the response, so that a client that is still sending can read it.
const DRAINED: usize = 16 * 1024 * 1024;

/// Allowed at the beginning of a text (RFC 8259, section 8.1: not of JSON).
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Maximum time for a body.
const BODY_TIME: Duration = Duration::from_secs(10);

const IDEMPOTENCY_KEY: &str = "idempotency-key";

impl FromRequest for Order {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    /// JSON, whatever the Content-Type: `curl -d` sends that of a form.
    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let payload = payload.take();
        let readable = check_coding(request).and_then(|()| check_length(request));
        let waits = request.head().expect();
        Box::pin(async move {
            if waits && let Err(problem) = readable {
                // The client waits for 100 Continue, so it has not sent the body.
                return Err(problem);
            }
            let body = tokio::time::timeout(BODY_TIME, read_body(payload)).await;
            let body = body.map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the body took too long").last())?;
            let body = body?;
            readable?;
            parse_order(&body.ok_or_else(too_large)?).map_err(Problem::bad_request)
        })
    }
}

impl Order {
    /// Parses a request's body.
    fn from_fields(fields: Fields<'_>) -> Result<Self, String> {
        let product = fields.product.ok_or("product is missing")?;
        let amount = fields.amount.ok_or("amount is missing")?;
        Ok(Self {
            product: Product::new(product).map_err(|error| error.to_string())?,
            amount: Amount::ordered(amount.get()).map_err(|error| error.to_string())?,
        })
    }
}

/// The fields of the body; others are ignored.
#[derive(Deserialize)]
struct Fields<'a> {
    product: Option<String>,
    #[serde(borrow)]
    amount: Option<&'a RawValue>,
}

/// No content coding is accepted (RFC 9110, section 8.4): a coding could turn a small body into a large one.
fn check_coding(request: &HttpRequest) -> Result<(), Problem> {
    let fields = request.headers().get_all(CONTENT_ENCODING).map(|value| value.as_bytes());
    let mut codings = fields.flat_map(|value| value.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii);
    if codings.all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    Err(Problem::content_coding("the body is in a content coding, and none is read; send it without Content-Encoding"))
}

/// The client need not send a body that is known to be too large.
fn check_length(request: &HttpRequest) -> Result<(), Problem> {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    if length.is_some_and(|length: u64| length > LARGEST_BODY as u64) { Err(too_large()) } else { Ok(()) }
}

fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than {LARGEST_BODY} bytes"))
}

fn parse_order(body: &[u8]) -> Result<Order, String> {
    if let Some(encoding) = other_encoding(body) {
        return Err(format!("the body is in {encoding}; send it in UTF-8"));
    }
    let text = std::str::from_utf8(body)
        .map_err(|error| format!("the body is not UTF-8 at byte {}; send it in UTF-8", error.valid_up_to() + 1))?;
    if text.trim_ascii_start().starts_with(BYTE_ORDER_MARK) {
        return Err("the body begins with a byte order mark (U+FEFF); send it without".into());
    }
    if text.trim_ascii().is_empty() {
        return Err(
            r#"the body is empty; send a JSON object such as {"product":"O Pequeno Principe","amount":14.00}"#.into()
        );
    }
    // serde would also accept an array for a struct.
    if !text.trim_ascii_start().starts_with('{') {
        return Err("the body is not a JSON object".into());
    }
    let fields: Fields<'_> = serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => format!("the body is not a sale: {error}"),
        _ => format!("the body is not valid JSON: {error}"),
    })?;
    Order::from_fields(fields)
}

/// The encoding of a body that is not UTF-8, judged by its first bytes: its byte order mark, or the fact that JSON
/// begins with two ASCII characters.
fn other_encoding(body: &[u8]) -> Option<&'static str> {
    match *body {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        [0, 0, 0, _, ..] | [_, 0, 0, 0, ..] => Some("UTF-32"),
        [0, _, ..] | [_, 0, ..] => Some("UTF-16"),
        _ => None,
    }
}

/// `None` if it is too large.
async fn read_body(mut payload: Payload) -> Result<Option<Bytes>, Problem> {
    let mut body = BytesMut::new();
    let mut received = 0;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| broken(&error).last())?;
        received += chunk.len();
        if received <= LARGEST_BODY {
            body.extend_from_slice(&chunk);
        } else if received > DRAINED {
            break;
        }
    }
    Ok((received <= LARGEST_BODY).then(|| body.freeze()))
}

fn broken(error: &PayloadError) -> Problem {
    Problem::bad_request(match error {
        PayloadError::EncodingCorrupted => "the body's chunks are broken (Transfer-Encoding: chunked)",
        _ => "the body ended early",
    })
}

/// The request's `Idempotency-Key`, if it has one.
#[derive(Debug)]
pub struct Key(pub Option<IdempotencyKey>);

impl FromRequest for Key {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut values = request.headers().get_all(IDEMPOTENCY_KEY);
        let (first, second) = (values.next(), values.next());
        ready(match (first, second) {
            (None, _) => Ok(Self(None)),
            (Some(_), Some(_)) => Err(Problem::bad_request("Idempotency-Key must be sent once")),
            (Some(value), None) => {
                let key = std::str::from_utf8(value.as_bytes()).ok().and_then(IdempotencyKey::new);
                key.map(|key| Self(Some(key)))
                    .ok_or_else(|| Problem::bad_request("Idempotency-Key must have 1 to 255 visible characters"))
            }
        })
    }
}

/// The sale named in the path.
#[derive(Debug)]
pub struct PathId(pub SaleId);

impl FromRequest for PathId {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    /// An invalid id names no sale: 404, as for an unknown one.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().get("id").and_then(|text| text.parse().ok());
        ready(id.map(Self).ok_or_else(unknown_sale))
    }
}

/// 404: the sale does not exist, or is cancelled.
pub fn unknown_sale() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no sale with this id")
}

/// The span of a request: within the client's trace if it sent one.
#[derive(Clone, Copy, Debug)]
pub struct Span(pub TraceParent);

impl FromRequest for Span {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let entropy = request
            .app_data::<actix_web::web::Data<Entropy>>()
            .map_or_else(Entropy::system, |entropy| (***entropy).clone());
        let sent = request.headers().get("traceparent").and_then(|value| TraceParent::parse(value.to_str().ok()?));
        ready(Ok(Self(sent.map_or_else(|| TraceParent::new(&entropy), |parent| parent.child(&entropy)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_guide_is_an_order() {
        let order = parse_order(br#"{"product":"O Pequeno Principe", "amount": 14.00}"#).unwrap();
        assert_eq!((order.product.as_str(), order.amount.to_string().as_str()), ("O Pequeno Principe", "14"));
    }

    #[test]
    fn unknown_fields_are_ignored_and_escapes_are_read() {
        let order =
            parse_order(br#" {"id":"x","amount":1e1,"product":"\u00e9\ud83d\ude00","nested":{"a":[1]}}"#).unwrap();
        assert_eq!((order.product.as_str(), order.amount.to_string().as_str()), ("é😀", "10"));
    }

    #[test]
    fn a_wrong_body_is_told_what_is_wrong() {
        for (body, expected) in [
            (&b""[..], "the body is empty"),
            (b" \n", "the body is empty"),
            (b"{\"product\":\"Jos\xe9\",\"amount\":1}", "not UTF-8 at byte 16"),
            (b"\x1f\x8b\x08\0\0\0\0\0\0\x03", "not UTF-8 at byte 2"),
            (b"\xff\xfe", "UTF-16"),
            (b"\xff\xfe{\0\"\0", "UTF-16"),
            (b"\xfe\xff\0{\0\"", "UTF-16"),
            (b"{\0\"\0p\0", "UTF-16"),
            (b"\0{\0\"\0p", "UTF-16"),
            (b"\xff\xfe\0\0{\0\0\0", "UTF-32"),
            (b"\0\0\xfe\xff\0\0\0{", "UTF-32"),
            (b"{\0\0\0\"\0\0\0", "UTF-32"),
            (b"\0\0\0{\0\0\0\"", "UTF-32"),
            (b"\xef\xbb\xbf{\"product\":\"Livro\",\"amount\":14}", "byte order mark"),
            (b"\xef\xbb\xbf", "byte order mark"),
            (b"\n\xef\xbb\xbf{}", "byte order mark"),
            (b"null", "not a JSON object"),
            (br#"["Livro", 14]"#, "not a JSON object"),
            (b"product=Livro&amount=14", "not a JSON object"),
            (b"{", "not valid JSON"),
            (br#"{"product":"Livro","amount":14} x"#, "not valid JSON"),
            (br#"{"product":"Livro","amount":014}"#, "not valid JSON"),
            (br#"{"product":"Livro","amount":NaN}"#, "not valid JSON"),
            (br#"{"product":"\ud800","amount":14}"#, "not valid JSON"),
            (b"{}", "product is missing"),
            (br#"{"product":null,"amount":14}"#, "product is missing"),
            (br#"{"product":"Livro"}"#, "amount is missing"),
            (br#"{"product":7,"amount":14}"#, "not a sale"),
            (br#"{"product":"a","product":"b","amount":14}"#, "not a sale"),
            (br#"{"product":"","amount":14}"#, "must not be empty"),
            (br#"{"product":"Livro","amount":"14"}"#, "must be a number"),
            (br#"{"product":"Livro","amount":true}"#, "must be a number"),
            (br#"{"product":"Livro","amount":-1}"#, "greater than zero"),
            (br#"{"product":"Livro","amount":1e99}"#, "too many digits: at most 28"),
            (br#"{"product":"Livro","amount":1e28}"#, "at most 20 before and 18 after the point"),
            (br#"{"product":"Livro","amount":1e-19}"#, "at most 20 before and 18 after the point"),
        ] {
            let error = parse_order(body).unwrap_err();
            assert!(error.contains(expected), "{}: {error}", String::from_utf8_lossy(body));
        }
    }
}
