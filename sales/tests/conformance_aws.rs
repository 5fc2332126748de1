//! The suite of the ports on their AWS adapters, against the emulator.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]
#![expect(clippy::disallowed_types, reason = "a test looks into the dead letters and takes the parameter away itself")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sales::attributes::Attributes;
use sales::aws::sale_queue::{from_sqs, to_sqs};
use sales::aws::{
    Connection, DynamoKeyStore, DynamoLeases, DynamoMarks, DynamoSaleTable, S3Addressing, S3Journal, S3LakeStore,
    SnsSaleTopic, SqsSaleQueue, SsmSiteSwitch,
};
use sales::clock::Clock;
use sales::conformance::{Ports, Regions};
use sales::entropy::Entropy;
use sales::event::Event;
use sales::health::{Dependency, Health};
use sales::journal::{Hour, JournalObject};
use sales::ports::{
    FailureKind, Holder, Journal, KeyStore, LakeStore, Leases, Mark, Marks, SaleQueue, SaleTable, SaleTopic, SiteSwitch,
};
use sales::sale::{self};
use sales::shard::Shards;
use sales::site_state::SiteState;
use sales_testbed::resources::{RegionResources, RegionState};
use sales_testbed::testing::{Fault, FaultProxy, Stage};

/// A region of a stage.
struct AwsRegion {
    region: RegionResources,
    connection: Connection,
    dependency: Dependency,
    proxy: FaultProxy,
    sqs: aws_sdk_sqs::Client,
    ssm: aws_sdk_ssm::Client,
}

impl AwsRegion {
    async fn new(stage: &Stage, region: &RegionResources) -> Self {
        let config = stage.sdk(region);
        let proxy = stage.own_proxy().await.unwrap();
        let through_proxy = config.to_builder().endpoint_url(proxy.endpoint()).build();
        Self {
            region: region.clone(),
            dependency: Health::default().needs("checked"),
            sqs: aws_sdk_sqs::Client::new(&config),
            ssm: aws_sdk_ssm::Client::new(&config),
            connection: through_proxy.into(),
            proxy,
        }
    }
}

impl Ports for AwsRegion {
    fn sale_table(&self) -> impl SaleTable {
        let table = self.region.sales_table.clone();
        DynamoSaleTable::new(&self.connection, table, Shards::DEFAULT, self.dependency.clone(), Entropy::system())
    }

    fn sale_topic(&self) -> impl SaleTopic {
        SnsSaleTopic::new(&self.connection, self.region.topic_arn.clone(), self.dependency.clone())
    }

    fn sale_queue(&self) -> impl SaleQueue {
        let url = self.region.queue_url.clone();
        SqsSaleQueue::new(&self.connection, url, self.dependency.clone(), self.dependency.clone())
    }

    fn journal(&self) -> impl Journal {
        let (bucket, dependency) = (self.region.bucket.clone(), self.dependency.clone());
        S3Journal::new(&self.connection, bucket, S3Addressing::Path, dependency)
    }

    fn lake_store(&self) -> impl LakeStore {
        let (bucket, dependency) = (self.region.bucket.clone(), self.dependency.clone());
        S3LakeStore::new(&self.connection, bucket, S3Addressing::Path, dependency)
    }

    fn marks(&self) -> impl Marks {
        DynamoMarks::new(&self.connection, self.region.idempotency_table.clone(), self.dependency.clone())
    }

    fn leases(&self) -> impl Leases {
        let region = self.region.name.parse().unwrap();
        let table = self.region.idempotency_table.clone();
        DynamoLeases::new(&self.connection, table, region, self.dependency.clone())
    }

    fn key_store(&self) -> impl KeyStore {
        let region = self.region.name.parse().unwrap();
        DynamoKeyStore::new(&self.connection, self.region.sales_table.clone(), region, self.dependency.clone())
    }

    fn site_switch(&self) -> impl SiteSwitch {
        SsmSiteSwitch::new(&self.connection, self.region.state_parameter.clone(), self.dependency.clone())
    }

    async fn set_state(&self, state: Option<SiteState>) {
        match state {
            Some(SiteState::Active) => self.region.set_state(RegionState::Active).await.unwrap(),
            Some(SiteState::Passive) => self.region.set_state(RegionState::Passive).await.unwrap(),
            None => _ = self.ssm.delete_parameter().name(&self.region.state_parameter).send().await.unwrap(),
        }
    }

    async fn object(&self, key: &str) -> Option<String> {
        let there = self.region.lake_keys().await.unwrap().iter().any(|known| known == key);
        if !there {
            return None;
        }
        Some(String::from_utf8(self.region.lake_object(key).await.unwrap()).unwrap())
    }

    async fn send(&self, body: &str, attributes: &Attributes) {
        let message = self.sqs.send_message().queue_url(&self.region.queue_url).message_body(body);
        message.set_message_attributes(Some(to_sqs(attributes.clone()))).send().await.unwrap();
    }

    fn lose_next_answer(&self, operation: &'static str) {
        self.proxy.fail_once(operation, Fault::CutAnswer);
    }

    async fn dead_letters(&self) -> Vec<(String, Attributes)> {
        let request = self.sqs.receive_message().queue_url(&self.region.dead_letter_queue_url);
        let answer = request.message_attribute_names("All").max_number_of_messages(10).send().await.unwrap();
        let letters = answer
            .messages
            .unwrap_or_default()
            .into_iter()
            .map(|letter| (letter.body.unwrap(), from_sqs(letter.message_attributes.unwrap_or_default())));
        letters.collect()
    }
}

/// Two regions on a stage of their own.
async fn regions() -> (Stage, Regions<AwsRegion>) {
    static STAGES: AtomicUsize = AtomicUsize::new(1);
    let number = STAGES.fetch_add(1, Ordering::Relaxed);
    let stage = Stage::set(&format!("conformance-{number}")).await.unwrap();
    let here = AwsRegion::new(&stage, stage.active()).await;
    let there = AwsRegion::new(&stage, stage.passive()).await;
    (stage, Regions { here, there, shards: Shards::DEFAULT, clock: Clock::system() })
}

#[tokio::test]
async fn a_resource_that_does_not_exist_is_missing() {
    let (_stage, Regions { mut here, .. }) = regions().await;
    let region = &mut here.region;
    for name in [
        &mut region.topic_arn,
        &mut region.queue_url,
        &mut region.sales_table,
        &mut region.idempotency_table,
        &mut region.bucket,
        &mut region.state_parameter,
    ] {
        name.push_str("-nowhere");
    }
    let shard = Shards::DEFAULT.iter().next().unwrap();
    let now = Clock::system().now();
    let cancellation = sale::Cancellation {
        sale: sale::SaleId::new(Default::default()),
        timestamp: now,
        sale_timestamp: None,
        region: None,
        client: None,
    };
    let fact = sale::Fact::Cancellation(cancellation);
    let event = Event { fact: fact.clone(), home: None, trace: None };
    let object = JournalObject::new(Hour::of(now), &"sa-east-1".parse().unwrap(), Default::default(), [&fact]);
    let mark = Mark { id: fact.id(), object: object.key.as_str().into() };
    let holder = Holder::new(Default::default());
    let (table, queue) = (here.sale_table(), here.sale_queue());
    let failures = [
        table.probe().await.err(),
        table.insert(&fact).await.err(),
        table.held(&[fact.id()]).await.err(),
        table.settle(std::slice::from_ref(&fact), now).await.pop().unwrap().err(),
        table.settle(&[fact.clone(), fact.clone()], now).await.pop().unwrap().err(),
        table.pending(shard, now, None).await.err(),
        table.backlog(shard).await.err(),
        here.marks().probe().await.err(),
        here.marks().record(&[mark], now).await.pop().unwrap().err(),
        here.leases().acquire(shard, holder, now, now).await.err(),
        here.leases().release(shard, holder).await.err(),
        here.journal().probe().await.err(),
        here.journal().put(&object).await.err(),
        here.sale_topic().publish(&[event]).await.pop().unwrap().err(),
        queue.receive(Duration::ZERO, Duration::ZERO).await.err(),
        queue.acknowledge(&["receipt"]).await.err(),
        queue.hide(&[("receipt", Duration::ZERO)]).await.err(),
        here.site_switch().read().await.err(),
        here.key_store().load("https://issuer.example").await.err(),
        here.key_store().save("https://issuer.example", "{}").await.err(),
    ];
    for (number, failure) in failures.into_iter().enumerate() {
        let failure = failure.unwrap_or_else(|| panic!("call {number} succeeded"));
        assert_eq!(failure.kind, FailureKind::Missing, "{failure}");
    }
}

#[tokio::test]
async fn a_parameter_that_is_no_state_is_invalid() {
    let (_stage, Regions { here, .. }) = regions().await;
    let parameter = here.ssm.put_parameter().name(&here.region.state_parameter).overwrite(true);
    parameter.value("active").send().await.unwrap();
    assert_eq!(here.site_switch().read().await.unwrap_err().kind, FailureKind::Invalid);
}

/// Each check is a test.
macro_rules! on_aws {
    ($($module:ident { $($check:ident)* })*) => {
        $(mod $module {
            $(#[tokio::test]
            async fn $check() {
                let (_stage, regions) = crate::regions().await;
                sales::conformance::$module::$check(&regions).await;
            })*
        })*
    };
}

sales::every_check!(on_aws);
