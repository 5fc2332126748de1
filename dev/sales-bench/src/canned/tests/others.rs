//! S3, SSM, unknown requests, TLS, and control.

use aws_config::SdkConfig;
use aws_sdk_sqs::config::SharedHttpClient;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use sales::aws::{Connection, S3Addressing, S3Journal, SqsSaleQueue, SsmSiteSwitch};
use sales::clock::Clock;
use sales::entropy::Entropy;
use sales::event::Event;
use sales::journal::{Hour, JournalObject};
use sales::ports::{Journal, SaleQueue, SiteSwitch};
use sales::site_state::SiteState;
use sales_testbed::testing;

use super::{Counts, Latency, Running, called, dependency};
use crate::canned::endpoint::LONGEST_BODY;

#[tokio::test]
async fn the_journal_stores_and_the_site_is_active() {
    let running = Running::loaded(3, 0).await;
    let connection = running.connection();
    let queue =
        SqsSaleQueue::new(&connection, format!("{}/000000000000/sales", running.url()), dependency(), dependency());
    let deliveries = queue.receive(Default::default(), Default::default()).await.unwrap();
    let facts = deliveries.iter().map(|delivery| Event::parse(&delivery.body, &delivery.attributes).unwrap().fact);
    let facts: Vec<_> = facts.collect();

    let id = Entropy::system().uuid_v7(&Clock::system());
    let object = JournalObject::new(Hour::of_fact(&facts[0]), &"sa-east-1".parse().unwrap(), id, &facts);
    let journal = S3Journal::new(&connection, "lake".into(), S3Addressing::Path, dependency());
    journal.put(&object).await.unwrap();
    journal.probe().await.unwrap();
    let switch = SsmSiteSwitch::new(&connection, "/sales/site".into(), dependency());
    assert_eq!(switch.read().await.unwrap(), SiteState::Active);
    let counts = running.counts().await;
    assert_eq!((counts.objects_put, counts.lines_put), (1, 3));
    let expected =
        called(&[("S3.HeadBucket", 1), ("S3.PutObject", 1), ("SQS.ReceiveMessage", 1), ("SSM.GetParameter", 1)]);
    assert_eq!(running.calls().await, expected);
}

#[tokio::test]
async fn an_object_has_a_tag() {
    let running = Running::loaded(0, 0).await;
    let config = aws_sdk_s3::config::Builder::from(&running.sdk()).force_path_style(true).build();
    let put = aws_sdk_s3::Client::from_conf(config).put_object().bucket("lake").key("a");
    assert!(put.body("{}\n".repeat(30_000).into_bytes().into()).send().await.unwrap().e_tag().is_some());
    assert_eq!(running.counts().await.lines_put, 30_000);
}

#[tokio::test]
async fn what_is_unknown_is_refused_and_named() {
    let running = Running::loaded(0, 0).await;
    aws_sdk_dynamodb::Client::new(&running.sdk()).scan().table_name("sales").send().await.unwrap_err();
    aws_sdk_sns::Client::new(&running.sdk()).list_topics().send().await.unwrap_err();
    let client = testing::client();
    let post = |target: &'static str, body: Vec<u8>| {
        client.post(running.url()).header("x-amz-target", target).body(body).send()
    };
    assert_eq!(client.get(format!("{}/lake/a?b", running.url())).send().await.unwrap().status(), 400);
    assert_eq!(post("DynamoDB_20120810.PutItem", b"{}".into()).await.unwrap().status(), 400);
    assert_eq!(post("DynamoDB_20120810.PutItem", vec![b' '; LONGEST_BODY + 1]).await.unwrap().status(), 413);
    assert_eq!(client.put(format!("{}/lake/a", running.url())).body("{}").send().await.unwrap().status(), 400);
    let unknown = running.counts().await.unknown;
    let expected = [
        "POST / DynamoDB_20120810.Scan",
        "POST / ListTopics",
        "GET /lake/a?b",
        "POST / DynamoDB_20120810.PutItem missing field `TableName` at line 1 column 2",
        "POST / DynamoDB_20120810.PutItem an unreadable body",
        "PUT /lake/a  an object without lines",
    ];
    assert_eq!(unknown, expected);
    assert_eq!(running.counts().await.calls.len(), 0);
}

#[tokio::test]
async fn a_load_forgets_what_was_counted_and_offered() {
    let running = Running::loaded(10, 0).await;
    let queue =
        SqsSaleQueue::new(&running.connection(), format!("{}/0/sales", running.url()), dependency(), dependency());
    queue.receive(Default::default(), Default::default()).await.unwrap();
    let counts = running.counts().await;
    assert_eq!((counts.connections, counts.messages_received), (1, 10));
    running.load(0, 0).await;
    assert_eq!(running.counts().await, Counts::default());
    assert_eq!(queue.receive(Default::default(), Default::default()).await.unwrap().len(), 0);
    // An existing connection.
    assert_eq!(running.counts().await.connections, 0);
}

#[tokio::test]
async fn control_refuses_what_it_does_not_know() {
    let running = Running::loaded(0, 0).await;
    let control = format!("http://127.0.0.1:{}", running.ports.control);
    let client = testing::client();
    assert_eq!(client.get(format!("{control}/load")).send().await.unwrap().status(), 404);
    for body in ["", r#"{"message":1}"#, r#"{"messages":4294967296}"#, r#"{"messages":4,"events":1000}"#] {
        assert_eq!(client.post(format!("{control}/load")).body(body).send().await.unwrap().status(), 400, "{body}");
    }
}

#[tokio::test]
async fn tls_is_spoken_to_those_who_trust_the_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let certificate = directory.path().join("certificate.pem");
    let running = Running::start(Latency::NONE, Some(certificate.clone()));
    running.load(1, 0).await;
    let trusted = TrustStore::empty().with_pem_certificate(std::fs::read(&certificate).unwrap());
    for host in ["localhost", "127.0.0.1"] {
        let switch = switch(&running, host, trusted.clone());
        assert_eq!(switch.read().await.unwrap(), SiteState::Active);
    }
    let switch = switch(&running, "localhost", TrustStore::empty());
    assert!(switch.read().await.is_err());
    assert_eq!(running.calls().await, called(&[("SSM.GetParameter", 2)]));
}

fn switch(running: &Running, host: &str, trusted: TrustStore) -> SsmSiteSwitch {
    let config = running.sdk().to_builder().endpoint_url(format!("https://{host}:{}", running.ports.aws));
    let config: SdkConfig = config.http_client(https(trusted)).build();
    SsmSiteSwitch::new(&Connection::from(config), "/sales/site".into(), dependency())
}

fn https(trusted: TrustStore) -> SharedHttpClient {
    let context = TlsContext::builder().with_trust_store(trusted).build().unwrap();
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(context)
        .build_https()
}
