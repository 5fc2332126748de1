//! The API's HTTP byte by byte: requests that a client library cannot send, and details of responses that it hides.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use std::time::Duration;

use sales_testbed::testing::{Running, Stage};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

const ORDER: &str = r#"{"product":"O Pequeno Principe", "amount": 14.00}"#;
const UNKNOWN: &str = "/sales/0192f5c0-7c1d-7a3e-8f11-0123456789ab";

/// `{"product":"Livro","amount":14}`, compressed with gzip.
const GZIPPED: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xab\x56\x2a\x28\xca\x4f\x29\x4d\x2e\x51\xb2\x52\xf2\xc9\x2c\
    \x2b\xca\x57\xd2\x51\x4a\xcc\xcd\x2f\xcd\x03\x0a\x18\x9a\xd4\x02\x00\x62\x49\x58\x5b\x1f\x00\x00\x00";

/// Time until the test gives up on a response.
const PATIENCE: Duration = Duration::from_secs(20);

async fn api(stage: &Stage) -> Running {
    stage.start(env!("CARGO_BIN_EXE_sales-api"), stage.active().api_environment(), &[]).await.expect("the API serves")
}

/// One connection to the API.
struct Wire(BufReader<TcpStream>);

struct Answer {
    status: u16,
    /// The fields, in lower case.
    head: String,
    body: String,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find_map(|(found, value)| (found == name).then_some(value))
    }

    fn is_last(&self) -> bool {
        self.field("connection") == Some("close")
    }

    fn detail(&self) -> String {
        assert_eq!(self.field("content-type"), Some("application/problem+json"), "{}{}", self.head, self.body);
        let document: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(document["status"], self.status);
        document["detail"].as_str().unwrap().to_owned()
    }
}

impl Wire {
    async fn to(api: &Running) -> Self {
        let address = api.url.strip_prefix("http://").unwrap();
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next response; without a body for HEAD.
    async fn answer_to(&mut self, method: &str) -> Answer {
        timeout(PATIENCE, self.read_answer(method == "HEAD")).await.expect("an answer")
    }

    async fn answer(&mut self) -> Answer {
        self.answer_to("POST").await
    }

    async fn read_answer(&mut self, without_body: bool) -> Answer {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.0.read_line(&mut head).await.unwrap() > 0, "closed within an answer: {head}");
        }
        let head = head.to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: String::new() };
        if let Some(length) = answer.field("content-length").filter(|_| !without_body) {
            let mut body = vec![0; length.parse().unwrap()];
            self.0.read_exact(&mut body).await.unwrap();
            answer.body = String::from_utf8(body).unwrap();
        }
        answer
    }

    async fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        timeout(PATIENCE, self.0.read_to_end(&mut rest))
            .await
            .expect("the connection ends")
            .is_ok_and(|_| rest.is_empty())
    }

    async fn order(&mut self) -> Answer {
        self.send(post("", ORDER)).await;
        self.answer().await
    }

    /// A client that was not told that the connection ends can reuse it.
    async fn assert_next_is_served_unless_told(&mut self, answer: &Answer, case: &str) {
        if answer.is_last() {
            assert!(self.is_closed().await, "{case}: told that it ends");
        } else {
            assert_eq!(self.order().await.status, 201, "{case}: the next request");
        }
    }
}

/// A POST with these fields, each line terminated, and this body.
fn post(fields: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    request("POST /sales HTTP/1.1", fields, body)
}

fn request(line: &str, fields: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("{line}\r\nHost: sales\r\n{fields}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// The same in two chunks.
fn chunked(line: &str, fields: &str, body: &str) -> Vec<u8> {
    let (one, two) = body.split_at(body.len() / 2);
    let chunks = format!("{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
    format!("{line}\r\nHost: sales\r\n{fields}Transfer-Encoding: chunked\r\n\r\n{chunks}").into_bytes()
}

#[tokio::test]
async fn a_body_in_a_content_coding_is_415_and_says_what_is_read_instead() {
    let stage = Stage::set("coding").await.unwrap();
    let api = api(&stage).await;
    let mut wire = Wire::to(&api).await;
    for fields in [
        "Content-Encoding: gzip\r\n",
        "content-encoding: GZIP\r\n",
        "Content-Encoding: x-gzip\r\n",
        "Content-Encoding: deflate, gzip\r\n",
        "Content-Encoding: gzip, identity\r\n",
        "Content-Encoding: identity,br\r\n",
        "Content-Encoding: identity\r\nContent-Encoding: zstd\r\n",
        "Content-Encoding: aws-chunked\r\n",
        "Content-Encoding: \u{fc}\r\n",
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
    ] {
        for body in [GZIPPED, ORDER.as_bytes(), b"", &[b'x'; 200_000]] {
            wire.send(post(fields, body)).await;
            let answer = wire.answer().await;
            assert_eq!((answer.status, answer.field("accept-encoding")), (415, Some("identity")), "{fields}");
            assert!(answer.detail().contains("content coding"), "{}", answer.body);
            assert!(!answer.is_last(), "{fields}: it was read");
        }
        wire.send(chunked("POST /sales HTTP/1.1", fields, ORDER)).await;
        assert_eq!(wire.answer().await.status, 415, "{fields}");
    }
    for fields in [
        "Content-Encoding: identity\r\n",
        "Content-Encoding: IDENTITY, identity\r\n",
        "Content-Encoding:\r\n",
        "Content-Encoding: ,\r\nContent-Encoding: identity\r\n",
        "Content-Type: application/json; charset=utf-16\r\n",
        "Accept-Encoding: gzip\r\n",
    ] {
        wire.send(post(fields, ORDER)).await;
        assert_eq!(wire.answer().await.status, 201, "{fields}");
    }
    wire.send(post("", GZIPPED)).await;
    let answer = wire.answer().await;
    assert_eq!((answer.status, answer.detail().contains("not UTF-8")), (400, true), "{}", answer.body);
}

#[tokio::test]
async fn a_body_in_another_encoding_is_told_which() {
    let stage = Stage::set("encoding").await.unwrap();
    let api = api(&stage).await;
    let mut wire = Wire::to(&api).await;
    let utf16 = |mark: bool, bytes: fn(u16) -> [u8; 2]| {
        let mark = mark.then_some(0xfeff_u16);
        mark.into_iter().chain(ORDER.encode_utf16()).flat_map(bytes).collect::<Vec<_>>()
    };
    for (body, told) in [
        (format!("\u{feff}{ORDER}").into_bytes(), "byte order mark"),
        (format!(" \r\n\u{feff}{ORDER}").into_bytes(), "byte order mark"),
        (utf16(true, u16::to_le_bytes), "UTF-16"),
        (utf16(true, u16::to_be_bytes), "UTF-16"),
        (utf16(false, u16::to_le_bytes), "UTF-16"),
        (utf16(false, u16::to_be_bytes), "UTF-16"),
        (format!("\u{feff}{ORDER}").chars().flat_map(|one| (one as u32).to_le_bytes()).collect(), "UTF-32"),
        (b"{\"product\":\"Caf\xe9\",\"amount\":1}".to_vec(), "not UTF-8 at byte 16"),
    ] {
        for fields in ["", "Content-Type: application/json; charset=utf-16\r\n"] {
            wire.send(post(fields, &body)).await;
            let answer = wire.answer().await;
            assert_eq!(answer.status, 400);
            assert!(answer.detail().contains(told), "{told}: {}", answer.body);
        }
    }
    assert_eq!(wire.order().await.status, 201);
}

const UPGRADES: [&str; 9] = [
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQBAAAAAAIAAAAA\r\n",
    "CONNECTION: UPGRADE\r\nUPGRADE: H2C\r\n",
    "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    "connection: upgrade\r\nupgrade: WebSocket, h2c, TLS/1.2\r\n",
    "Upgrade: websocket\r\n",
    "Connection: upgrade\r\n",
    "Connection: HTTP2-Settings\r\nConnection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n",
    "Connection:upgrade,HTTP2-Settings,keep-alive\r\nUpgrade:h2c\r\n",
    "Upgrade: foo/2\r\nConnection: \tUpGrAdE \t\r\n",
];

#[tokio::test]
async fn a_request_for_another_protocol_is_answered_as_any_other_and_the_connection_stays() {
    let stage = Stage::set("upgrade").await.unwrap();
    let api = api(&stage).await;
    let mut wire = Wire::to(&api).await;
    let sale = wire.order().await.field("location").unwrap().to_owned();
    for fields in UPGRADES {
        for (line, status) in [
            ("GET /healthcheck HTTP/1.1".to_owned(), 200),
            ("HEAD /readiness HTTP/1.1".to_owned(), 200),
            (format!("GET {sale} HTTP/1.1"), 200),
            (format!("GET {UNKNOWN} HTTP/1.1"), 404),
            (format!("DELETE {UNKNOWN} HTTP/1.1"), 404),
            ("GET /sales HTTP/1.1".to_owned(), 405),
            ("GET /chat HTTP/1.1".to_owned(), 404),
            ("GET /openapi.json HTTP/1.1".to_owned(), 200),
        ] {
            wire.send(format!("{line}\r\nHost: sales\r\n{fields}\r\n")).await;
            let answer = wire.answer_to(line.split(' ').next().unwrap()).await;
            assert_eq!((answer.status, answer.field("connection")), (status, None), "{line} {fields}");
            assert_eq!(wire.order().await.status, 201, "after {line} {fields}");
        }
        for (sent, status) in [
            (post(fields, ORDER), 201),
            (chunked("POST /sales HTTP/1.1", fields, ORDER), 201),
            (post(fields, "no JSON"), 400),
            (post(fields, " ".repeat(70_000)), 413),
            (post(&format!("Content-Encoding: gzip\r\n{fields}"), ORDER), 415),
        ] {
            wire.send(sent).await;
            let answer = wire.answer().await;
            assert_eq!((answer.status, answer.field("connection")), (status, None), "{fields}");
            assert_eq!(wire.order().await.status, 201, "after {status} {fields}");
        }
        // No handler reads the body of these.
        for line in ["POST /nothing HTTP/1.1", "PUT /sales HTTP/1.1", "GET /healthcheck HTTP/1.1"] {
            let mut wire = Wire::to(&api).await;
            wire.send(request(line, fields, ORDER)).await;
            let answer = wire.answer().await;
            assert!([None, Some("close")].contains(&answer.field("connection")), "{}", answer.head);
            wire.assert_next_is_served_unless_told(&answer, line).await;
        }
        wire.send([post(fields, ORDER), post(fields, ORDER), post("", ORDER)].concat()).await;
        for _ in 0..3 {
            assert_eq!(wire.answer().await.status, 201, "several at once, {fields}");
        }
    }
    wire.send(post("Connection: close, Upgrade\r\nUpgrade: h2c\r\n", ORDER)).await;
    let answer = wire.answer().await;
    assert!(answer.status == 201 && answer.is_last() && wire.is_closed().await, "who asked for the end gets it");

    let mut wire = Wire::to(&api).await;
    for fields in ["Connection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n", "Connection: upgrade, keep-alive\r\n"] {
        wire.send(request("POST /sales HTTP/1.0", fields, ORDER)).await;
        let answer = wire.answer().await;
        assert_eq!((answer.status, answer.field("connection")), (201, Some("keep-alive")), "{fields}");
    }
}

#[tokio::test]
async fn a_body_that_says_what_an_upgrade_says_is_kept_as_it_is() {
    let stage = Stage::set("lookalike").await.unwrap();
    let api = api(&stage).await;
    let mut wire = Wire::to(&api).await;
    let product = r"Connection: upgrade\r\nupgrade: h2c";
    wire.send(post("", format!("{{\r\n\"upgrade\": \"h2c\",\r\n\"product\":\r\n\"{product}\",\n\"amount\":1}}"))).await;
    let answer = wire.answer().await;
    assert!(answer.status == 201 && answer.body.contains(product), "{}", answer.body);
}

#[tokio::test]
async fn whoever_waits_to_be_asked_for_the_body_is_asked_if_it_is_wanted() {
    let stage = Stage::set("expect").await.unwrap();
    let api = api(&stage).await;
    let expecting = |line: &str, fields: &str| format!("{line}\r\nHost: sales\r\nExpect: 100-continue\r\n{fields}\r\n");
    let within = format!("Content-Length: {}\r\n", ORDER.len());

    let mut wire = Wire::to(&api).await;
    for fields in [
        within.clone(),
        format!("Connection: Upgrade\r\nUpgrade: h2c\r\n{within}"),
        format!("expect: 100-CONTINUE\r\n{within}"),
    ] {
        wire.send(expecting("POST /sales HTTP/1.1", &fields)).await;
        assert_eq!(wire.answer().await.status, 100, "{fields}");
        wire.send(ORDER).await;
        assert_eq!(wire.answer().await.status, 201, "{fields}");
    }
    wire.send(expecting("POST /sales HTTP/1.1", "Transfer-Encoding: chunked\r\n")).await;
    assert_eq!(wire.answer().await.status, 100);
    wire.send(format!("{:x}\r\n{ORDER}\r\n0\r\n\r\n", ORDER.len())).await;
    assert_eq!(wire.answer().await.status, 201);
    wire.send(format!("{}{ORDER}", expecting("POST /sales HTTP/1.1", &within))).await;
    let mut answer = wire.answer().await;
    if answer.status == 100 {
        answer = wire.answer().await;
    }
    assert_eq!(answer.status, 201, "who does not wait");
    wire.send(expecting("GET /healthcheck HTTP/1.1", "")).await;
    assert_eq!(wire.answer().await.status, 200, "there is no body to ask for");
    wire.send(expecting("POST /sales HTTP/1.1", "Content-Length: 0\r\n")).await;
    assert_eq!(wire.answer().await.status, 400, "there is no body to ask for");
    assert_eq!(wire.order().await.status, 201);

    let long = "k".repeat(256);
    for (line, fields, status) in [
        ("POST /sales HTTP/1.1", "Content-Length: 65537\r\n".to_owned(), 413),
        ("POST /sales HTTP/1.1", "Content-Length: 18446744073709551615\r\n".to_owned(), 413),
        ("POST /sales HTTP/1.1", format!("Content-Encoding: gzip\r\n{within}"), 415),
        ("POST /sales HTTP/1.1", "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n".to_owned(), 415),
        ("POST /sales HTTP/1.1", format!("Idempotency-Key: {long}\r\n{within}"), 400),
        ("POST /nothing HTTP/1.1", within.clone(), 404),
        ("PUT /sales HTTP/1.1", within.clone(), 405),
        ("POST /sales HTTP/1.1", format!("Expect: foo\r\n{within}"), 417),
    ] {
        let mut wire = Wire::to(&api).await;
        wire.send(expecting(line, &fields)).await;
        let answer = wire.answer().await;
        assert_eq!((answer.status, answer.is_last()), (status, true), "{line} {fields}: no 100, and no next request");
        answer.detail();
    }
    let mut wire = Wire::to(&api).await;
    wire.send(expecting("POST /sales HTTP/1.1", "Content-Length: 65536\r\n")).await;
    assert_eq!(wire.answer().await.status, 100, "as large as is allowed");

    let mut metrics = Wire::to(&api).await;
    metrics.send("GET /metrics HTTP/1.1\r\nHost: sales\r\n\r\n").await;
    let counted = metrics.answer().await.body;
    let refused = r#"http_requests_total{method="POST",route="/sales",status="413"} 2"#;
    assert!(counted.contains(refused), "what is refused early is counted, too: {counted}");
}

#[tokio::test]
async fn an_expectation_that_nobody_can_meet_is_417() {
    let stage = Stage::set("expectation").await.unwrap();
    let api = api(&stage).await;
    for expectation in ["foo", "100-continue, foo", "200-ok=\"yes\"", "100-continue;q=1", "100"] {
        for line in ["POST /sales HTTP/1.1", "GET /healthcheck HTTP/1.1"] {
            let mut wire = Wire::to(&api).await;
            wire.send(format!("{line}\r\nHost: sales\r\nExpect: {expectation}\r\n\r\n")).await;
            let answer = wire.answer().await;
            assert_eq!(answer.status, 417, "{expectation}");
            assert!(answer.detail().contains("100-continue"));
            wire.assert_next_is_served_unless_told(&answer, expectation).await;
        }
    }
    for (line, fields) in [
        ("POST /sales HTTP/1.1", "Expect:\r\n"),
        ("POST /sales HTTP/1.0", "Expect: foo\r\n"),
        ("POST /sales HTTP/1.0", "Expect: 100-continue\r\n"),
    ] {
        let mut wire = Wire::to(&api).await;
        wire.send(request(line, fields, ORDER)).await;
        assert_eq!(wire.answer().await.status, 201, "{line} {fields}");
    }
}

#[tokio::test]
async fn after_an_error_the_next_request_is_served_or_the_client_was_told_that_the_connection_ends() {
    let stage = Stage::set("errors").await.unwrap();
    let api = api(&stage).await;
    let broken = "POST /sales HTTP/1.1\r\nHost: sales\r\nTransfer-Encoding: chunked\r\n\r\n";
    let nested = "[".repeat(60_000);
    for (case, sent, status) in [
        ("no JSON", post("", "no JSON"), 400),
        ("too large", post("", " ".repeat(70_000)), 413),
        ("too large, in chunks", chunked("POST /sales HTTP/1.1", "", &" ".repeat(70_000)), 413),
        ("much too large, in chunks", chunked("POST /sales HTTP/1.1", "", &" ".repeat(5_000_000)), 413),
        ("a coding", post("Content-Encoding: gzip\r\n", GZIPPED), 415),
        ("two keys", post("Idempotency-Key: a\r\nIdempotency-Key: b\r\n", ORDER), 400),
        ("nothing there", request("POST /nothing HTTP/1.1", "", ORDER), 404),
        ("nothing there, in chunks", chunked("POST /nothing HTTP/1.1", "", ORDER), 404),
        ("not allowed", request("PUT /sales HTTP/1.1", "", ORDER), 405),
        ("a body of GET", request(&format!("GET {UNKNOWN} HTTP/1.1"), "", ORDER), 404),
        ("a body of DELETE", request(&format!("DELETE {UNKNOWN} HTTP/1.1"), "", ORDER), 404),
        ("a chunk that is none", [broken.as_bytes(), b"5\r\n{\"pro\r\nzz\r\n\r\n"].concat(), 400),
        ("a chunk of no size", [broken.as_bytes(), b"\r\n\r\n"].concat(), 400),
        ("deep", post("", format!(r#"{{"product":"Livro","amount":{nested}"#)), 400),
        ("deep, elsewhere", post("", format!(r#"{{"product":"Livro","amount":1,"x":{nested}"#)), 400),
        ("a product that is deep", post("", format!(r#"{{"amount":1,"product":{nested}"#)), 400),
        (
            "a body shorter than told",
            b"POST /sales HTTP/1.1\r\nHost: sales\r\nContent-Length: 20\r\n\r\n{}".to_vec(),
            0,
        ),
        ("a transfer coding", post("Transfer-Encoding: gzip, chunked\r\n", ORDER), 400),
        ("two lengths", post("Content-Length: 3\r\n", ORDER), 400),
        ("no host", b"GET /healthcheck HTTP/1.1\r\n\r\n".to_vec(), 400),
        ("a tunnel", b"CONNECT sales:80 HTTP/1.1\r\nHost: sales:80\r\n\r\n".to_vec(), 404),
    ] {
        let mut wire = Wire::to(&api).await;
        wire.send(sent).await;
        if status == 0 {
            wire.0.get_mut().shutdown().await.unwrap();
            let answer = wire.answer().await;
            assert_eq!((answer.status, answer.is_last()), (400, true), "{case}: {}", answer.head);
            continue;
        }
        let answer = wire.answer().await;
        assert_eq!(answer.status, status, "{case}: {}", answer.body);
        if answer.is_last() {
            continue;
        }
        assert_eq!(wire.order().await.status, 201, "{case}: the next request");
    }
}

#[tokio::test]
async fn what_json_allows_is_accepted_and_what_it_does_not_is_400() {
    let stage = Stage::set("json").await.unwrap();
    let api = api(&stage).await;
    let mut wire = Wire::to(&api).await;
    for (body, status, told) in [
        (r#"{"product":"a\u0000b","amount":1}"#, 201, r#""product":"a\u0000b""#),
        (r#"{"product":"\ud83d\ude00","amount":1}"#, 201, "\u{1f600}"),
        (r#"{"product":"a","amount":1,"x":1,"x":2}"#, 201, "processed"),
        (r#"{"product":"a","product":"b","amount":1}"#, 400, "duplicate field `product`"),
        (r#"{"product":"a","amount":1,"\u0061mount":2}"#, 400, "duplicate field `amount`"),
        (r#"{"product":"\ud83d","amount":1}"#, 400, "not valid JSON"),
        (r#"{"product":"\ude00","amount":1}"#, 400, "not valid JSON"),
        (r#"{"product":"a","amount":"1"}"#, 400, "must be a number"),
        (r#"{"product":"a","amount":[1]}"#, 400, "must be a number"),
        (r#"{"product":"a","amount":Infinity}"#, 400, "not valid JSON"),
        (r#"{"product":"a","amount":+1}"#, 400, "not valid JSON"),
        (r#"{"product":"a","amount":1.}"#, 400, "not valid JSON"),
        (r#"{"product":"a","amount":0x1}"#, 400, "not valid JSON"),
        (r#"{"product":"a","amount":1,}"#, 400, "not valid JSON"),
        ("{\"product\":\"a\0b\",\"amount\":1}", 400, "not valid JSON"),
        ("{\"product\":\"a\nb\",\"amount\":1}", 400, "not valid JSON"),
        ("\u{c}{\"product\":\"a\",\"amount\":1}", 400, "not valid JSON"),
        ("{\"product\":\"a\",\"amount\":1}\0", 400, "not valid JSON"),
    ] {
        wire.send(post("", body)).await;
        let answer = wire.answer().await;
        assert_eq!(answer.status, status, "{body:?}: {}", answer.body);
        assert!(answer.body.contains(told), "{body:?}: {}", answer.body);
    }
}
