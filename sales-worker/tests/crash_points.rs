//! The state after a crash, step by step as listed in `design.md`: the worker's own code on the ports in memory, in
//! virtual time. Each test kills a worker right after one step, checks what is left, and lets another worker finish.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use prometheus_client::registry::Registry;
use sales::attributes::Attributes;
use sales::clock::Clock;
use sales::entropy::Entropy;
use sales::event::Event;
use sales::journal;
use sales::memory::{
    Call, Cloud, CloudService, Flow, MemoryJournal, MemoryLeases, MemoryMarks, MemorySaleQueue, MemorySaleTable,
    MemorySiteSwitch, Network, Passage, Perfect,
};
use sales::message;
use sales::ports::{Mark, Marks, SaleTable};
use sales::region::Region;
use sales::sale::{Amount, Cancellation, Fact, Product, Sale};
use sales::shard::Shards;
use sales::site::Site;
use sales::site_state::SiteState;
use sales_worker::backlog::BacklogGauge;
use sales_worker::metrics::Metrics;
use sales_worker::worker::{Inside, Platform, Ports, Settings, work};
use tokio::sync::Notify;
use tokio::task::LocalSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const NAMES: [&str; 2] = ["sa-east-1", "us-east-1"];
const HERE: usize = 0;
const THERE: usize = 1;

/// A network in which the first caller of one operation dies after the call has taken effect.
#[derive(Clone)]
struct Deadly {
    service: CloudService,
    operation: &'static str,
    spared: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    death: Arc<Notify>,
}

impl Deadly {
    /// Kills the caller of an operation, after `spared` successful calls of it.
    fn after(service: CloudService, operation: &'static str, spared: usize) -> Self {
        let (spared, over, death) = (Arc::new(AtomicUsize::new(spared)), Arc::default(), Arc::default());
        Self { service, operation, spared, over, death }
    }

    fn is_meant(&self, call: Call) -> bool {
        call.service == self.service
            && call.operation == self.operation
            && self.spared.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
            && !self.over.swap(true, Ordering::Relaxed)
    }
}

impl Network for Deadly {
    fn call(&self, call: Call) -> Passage {
        if self.is_meant(call) {
            self.death.notify_one();
            return Passage::Never { takes_effect: true };
        }
        Perfect.call(call)
    }

    fn replication_lag(&self, flow: Flow) -> Duration {
        Perfect.replication_lag(flow)
    }

    fn index_lag(&self) -> Duration {
        Perfect.index_lag()
    }

    fn deliveries(&self, from: usize, to: usize, events: &[Event]) -> Vec<Duration> {
        Perfect.deliveries(from, to, events)
    }

    fn storage_clock(&self, region: usize) -> Duration {
        Perfect.storage_clock(region)
    }
}

/// The cloud in memory.
struct InMemory;

impl Platform for InMemory {
    type Switch = MemorySiteSwitch;
    type Queue = MemorySaleQueue;
    type Table = MemorySaleTable;
    type Marks = MemoryMarks;
    type Leases = MemoryLeases;
    type Journal = MemoryJournal;
}

/// Two regions, the first of them ACTIVE, and a worker that will die there.
struct Scene {
    cloud: Cloud,
    clock: Clock,
    death: Arc<Notify>,
}

impl Scene {
    fn set(deadly: Deadly) -> Self {
        let began = Instant::now();
        let clock = Clock::new(move || Duration::from_secs(1_764_547_000) + began.elapsed());
        let death = Arc::clone(&deadly.death);
        let cloud = Cloud::new(2, Shards::new(1).unwrap(), clock.clone(), deadly);
        cloud.set_state(HERE, Some(SiteState::Active));
        Self { cloud, clock, death }
    }

    fn sale(&self) -> Fact {
        Fact::Sale(Sale {
            id: "0192f5c0-7c1d-7a3e-8f11-0123456789ab".parse().unwrap(),
            product: Product::new("Livro".into()).unwrap(),
            amount: Amount::from_json_number("14").unwrap(),
            timestamp: self.clock.now(),
            region: Some(NAMES[HERE].parse().unwrap()),
        })
    }

    /// Accepts a fact in a region, as the API does.
    async fn accept(&self, region: usize, fact: &Fact) {
        self.cloud.client(region, 0).sale_table().insert(fact).await.unwrap();
    }

    fn announce(&self, fact: &Fact, home: Option<&str>) {
        let event = Event { fact: fact.clone(), home: home.map(|home| home.parse().unwrap()), trace: None };
        self.cloud.publish_from_outside(HERE, &event, event.attributes());
    }

    /// The production worker on this region's ports.
    async fn worker(&self, region: usize, caller: u32, stop: CancellationToken) {
        let client = self.cloud.client(region, caller);
        let (entropy, mut registry) = (Entropy::system(), Registry::default());
        let name = NAMES[region].parse::<Region>().unwrap();
        let (site, refresh) = Site::new(name.clone(), client.site_switch(), entropy.clone());
        let ports = Ports::<InMemory> {
            queue: client.sale_queue(),
            table: client.sale_table(),
            marks: client.marks(),
            leases: client.leases(),
            journal: client.journal(),
        };
        let metrics = Metrics::new(&mut registry);
        let backlog = BacklogGauge::new(&mut registry, name, self.clock.clone());
        let inside = Inside { site, refresh, clock: self.clock.clone(), entropy, metrics, backlog };
        let (grace, sweep_interval) = (Duration::from_secs(20), Duration::from_secs(5));
        let settings = Settings {
            concurrency: 1,
            shards: Shards::new(1).unwrap(),
            grace,
            sweep_interval,
            linger: Duration::from_millis(500),
        };
        work(settings, ports, inside, stop).await;
    }

    /// Runs a worker until it dies.
    async fn die(&self, region: usize) {
        let process = LocalSet::new();
        let dead = tokio::select! {
            biased;
            () = self.death.notified() => true,
            () = process.run_until(self.worker(region, 1, CancellationToken::new())) => false,
            () = tokio::time::sleep(Duration::from_secs(600)) => false,
        };
        assert!(dead, "the worker never came to the step after which it was to die");
    }

    /// Runs another worker until `done`, then stops it.
    async fn finish(&self, region: usize, done: impl Fn() -> bool) {
        let stop = CancellationToken::new();
        let process = LocalSet::new();
        let ending = async {
            while !done() {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            stop.cancel();
        };
        let working = async { tokio::join!(self.worker(region, 2, stop.clone()), ending) };
        let finished = tokio::time::timeout(Duration::from_secs(600), process.run_until(working)).await;
        assert!(finished.is_ok(), "the next worker did not finish the work");
    }

    fn is_in_lake(&self, region: usize) -> bool {
        !self.cloud.objects(region).is_empty()
    }

    fn is_marked(&self, fact: &Fact) -> bool {
        self.cloud.marked(HERE).contains_key(&fact.id())
    }

    fn is_pending(&self, fact: &Fact) -> bool {
        self.cloud.items(HERE).get(&fact.id()).is_some_and(|item| item.pending)
    }

    /// Its line in both lakes, marked, processed, not pending, and no message left here.
    fn is_done(&self, fact: &Fact) -> bool {
        let settled = |region: usize| {
            let items = self.cloud.items(region);
            items.get(&fact.id()).is_some_and(|item| item.processed && !item.pending)
        };
        let has_line = |region: usize| self.cloud.objects(region).values().any(|lines| is_line_of(lines, fact));
        [HERE, THERE].into_iter().all(|region| has_line(region) && settled(region))
            && self.is_marked(fact)
            && self.cloud.queued(HERE) == 0
            && self.cloud.dead_letters(HERE).is_empty()
    }
}

/// Whether a fact has a line among these.
fn is_line_of(lines: &str, fact: &Fact) -> bool {
    lines.lines().any(|line| line == journal::line(fact))
}

/// What a worker left behind when it died, and how many objects there are in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Left {
    in_lake: bool,
    marked: bool,
    pending: bool,
    objects: u64,
}

const fn left(in_lake: bool, marked: bool, pending: bool, objects: u64) -> Left {
    Left { in_lake, marked, pending, objects }
}

/// A sale that was accepted and announced here; the worker dies after a step of its message, and the next one finishes it.
async fn message_dies(service: CloudService, operation: &'static str, spared: usize) -> Left {
    let scene = Scene::set(Deadly::after(service, operation, spared));
    let fact = scene.sale();
    scene.accept(HERE, &fact).await;
    scene.announce(&fact, Some(NAMES[HERE]));
    scene.die(HERE).await;
    let left = left(scene.is_in_lake(HERE), scene.is_marked(&fact), scene.is_pending(&fact), 0);
    scene.finish(HERE, || scene.is_done(&fact)).await;
    Left { objects: scene.cloud.puts(), ..left }
}

/// The same for a sale whose message was lost, so that a sweep must find it.
async fn sweep_dies(service: CloudService, operation: &'static str, spared: usize) -> Left {
    let scene = Scene::set(Deadly::after(service, operation, spared));
    let fact = scene.sale();
    scene.accept(HERE, &fact).await;
    scene.die(HERE).await;
    let left = left(scene.is_in_lake(HERE), scene.is_marked(&fact), scene.is_pending(&fact), 0);
    scene.finish(HERE, || scene.is_done(&fact)).await;
    Left { objects: scene.cloud.puts(), ..left }
}

#[tokio::test(start_paused = true)]
async fn received_then_dead_leaves_the_message_hidden_for_a_while() {
    assert_eq!(message_dies(CloudService::Queue, "ReceiveMessage", 0).await, left(false, false, true, 1));
}

#[tokio::test(start_paused = true)]
async fn marks_read_then_dead_leaves_everything_as_it_was() {
    assert_eq!(message_dies(CloudService::Marks, "BatchGetItem", 0).await, left(false, false, true, 1));
}

#[tokio::test(start_paused = true)]
async fn object_put_then_dead_leaves_a_line_that_the_next_object_repeats() {
    assert_eq!(message_dies(CloudService::Lake, "PutObject", 0).await, left(true, false, true, 2));
}

#[tokio::test(start_paused = true)]
async fn marked_then_dead_leaves_a_pending_item_that_a_sweep_settles() {
    assert_eq!(message_dies(CloudService::Marks, "BatchWriteItem", 0).await, left(true, true, true, 1));
}

#[tokio::test(start_paused = true)]
async fn settled_then_dead_leaves_a_message_that_is_known_to_be_done() {
    assert_eq!(message_dies(CloudService::SaleTable, "UpdateItem", 0).await, left(true, true, false, 1));
}

#[tokio::test(start_paused = true)]
async fn acknowledged_then_dead_leaves_nothing_to_do() {
    assert_eq!(message_dies(CloudService::Queue, "DeleteMessageBatch", 0).await, left(true, true, false, 1));
}

#[tokio::test(start_paused = true)]
async fn lease_taken_then_dead_leaves_a_shard_that_another_task_takes_over_when_it_lapses() {
    assert_eq!(sweep_dies(CloudService::Marks, "PutItem", 0).await, left(false, false, true, 1));
}

/// The backlog's measurement makes the first query.
#[tokio::test(start_paused = true)]
async fn page_read_then_dead_leaves_everything_as_it_was() {
    assert_eq!(sweep_dies(CloudService::SaleTable, "Query", 1).await, left(false, false, true, 1));
}

#[tokio::test(start_paused = true)]
async fn items_read_then_dead_leaves_everything_as_it_was() {
    assert_eq!(sweep_dies(CloudService::SaleTable, "BatchGetItem", 0).await, left(false, false, true, 1));
}

#[tokio::test(start_paused = true)]
async fn swept_marks_read_then_dead_leaves_everything_as_it_was() {
    assert_eq!(sweep_dies(CloudService::Marks, "BatchGetItem", 0).await, left(false, false, true, 1));
}

#[tokio::test(start_paused = true)]
async fn swept_object_put_then_dead_leaves_a_line_that_the_next_sweep_repeats() {
    assert_eq!(sweep_dies(CloudService::Lake, "PutObject", 0).await, left(true, false, true, 2));
}

#[tokio::test(start_paused = true)]
async fn swept_and_marked_then_dead_leaves_a_pending_item_that_the_next_sweep_settles() {
    assert_eq!(sweep_dies(CloudService::Marks, "BatchWriteItem", 0).await, left(true, true, true, 1));
}

#[tokio::test(start_paused = true)]
async fn swept_and_settled_then_dead_leaves_nothing_to_do() {
    assert_eq!(sweep_dies(CloudService::SaleTable, "UpdateItem", 0).await, left(true, true, false, 1));
}

/// A sale of the other region whose item does not replicate; the worker here stands by for it and dies.
async fn stand_by_dies(deadly: Deadly) -> (Scene, Fact) {
    let scene = Scene::set(deadly);
    let fact = scene.sale();
    scene.cloud.cut(Flow::Tables, THERE, HERE, true);
    scene.accept(THERE, &fact).await;
    scene.announce(&fact, Some(NAMES[THERE]));
    scene.die(HERE).await;
    (scene, fact)
}

#[tokio::test(start_paused = true)]
async fn looked_for_then_dead_leaves_a_message_that_is_looked_at_again() {
    let (scene, fact) = stand_by_dies(Deadly::after(CloudService::SaleTable, "BatchGetItem", 0)).await;
    assert_eq!((scene.is_pending(&fact), scene.cloud.queued(HERE)), (false, 1));
    scene.finish(HERE, || scene.cloud.queued(HERE) == 0 && scene.is_in_lake(HERE)).await;
    scene.cloud.cut(Flow::Tables, THERE, HERE, false);
    assert!(scene.is_done(&fact));
}

#[tokio::test(start_paused = true)]
async fn adopted_then_dead_leaves_a_message_whose_item_is_held() {
    let (scene, fact) = stand_by_dies(Deadly::after(CloudService::SaleTable, "PutItem", 1)).await;
    assert_eq!((scene.is_pending(&fact), scene.cloud.queued(HERE)), (true, 1));
    scene.finish(HERE, || scene.cloud.queued(HERE) == 0 && scene.is_in_lake(HERE)).await;
    scene.cloud.cut(Flow::Tables, THERE, HERE, false);
    assert!(scene.is_done(&fact));
}

#[tokio::test(start_paused = true)]
async fn stood_by_and_acknowledged_then_dead_leaves_an_item_that_the_sweep_finds() {
    let scene = Scene::set(Deadly::after(CloudService::Queue, "DeleteMessageBatch", 0));
    let fact = scene.sale();
    scene.accept(HERE, &fact).await;
    scene.announce(&fact, Some(NAMES[THERE]));
    scene.die(HERE).await;
    assert_eq!((scene.is_pending(&fact), scene.cloud.queued(HERE)), (true, 0));
    scene.finish(HERE, || scene.is_done(&fact)).await;
}

#[tokio::test(start_paused = true)]
async fn noted_as_processed_then_dead_leaves_a_message_that_is_known_to_be_done() {
    let scene = Scene::set(Deadly::after(CloudService::SaleTable, "UpdateItem", 0));
    let fact = scene.sale();
    // In the lake and marked, but its item has never replicated here.
    let mark = Mark { id: fact.id(), object: "journal/dt=2025-11-30/hour=23/lost.ndjson".into() };
    scene.cloud.client(HERE, 0).marks().record(&[mark], scene.clock.now()).await;
    scene.announce(&fact, Some(NAMES[THERE]));
    scene.die(HERE).await;
    assert!(scene.cloud.items(HERE)[&fact.id()].processed);
    scene.finish(HERE, || scene.cloud.queued(HERE) == 0).await;
    assert!(!scene.is_in_lake(HERE) && scene.cloud.items(HERE)[&fact.id()].processed);
}

#[tokio::test(start_paused = true)]
async fn dead_letter_sent_then_dead_leaves_a_message_that_becomes_one_more_dead_letter() {
    let scene = Scene::set(Deadly::after(CloudService::Queue, "SendMessage", 0));
    scene.cloud.enqueue(HERE, "not json".into(), Attributes::new());
    scene.die(HERE).await;
    assert_eq!((scene.cloud.dead_letters(HERE).len(), scene.cloud.queued(HERE)), (1, 1));
    scene.finish(HERE, || scene.cloud.queued(HERE) == 0).await;
    assert_eq!(scene.cloud.dead_letters(HERE).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_goes_the_same_way_and_survives_the_same_deaths() {
    for (service, operation) in [
        (CloudService::Lake, "PutObject"),
        (CloudService::Marks, "BatchWriteItem"),
        (CloudService::SaleTable, "UpdateItem"),
        (CloudService::Queue, "DeleteMessageBatch"),
    ] {
        let scene = Scene::set(Deadly::after(service, operation, 0));
        let Fact::Sale(sale) = scene.sale() else { unreachable!() };
        let fact = Fact::Cancellation(Cancellation {
            sale: sale.id,
            timestamp: scene.clock.now(),
            sale_timestamp: Some(sale.timestamp),
            region: sale.region.clone(),
        });
        scene.accept(HERE, &fact).await;
        scene.announce(&fact, None);
        scene.die(HERE).await;
        scene.finish(HERE, || scene.is_done(&fact)).await;
    }
}

/// In a message of three facts with a malformed part, another worker finds done what is done, and does the rest.
#[tokio::test(start_paused = true)]
async fn a_message_of_several_facts_survives_the_same_deaths() {
    for (service, operation, spared) in [
        (CloudService::Queue, "ReceiveMessage", 0),
        (CloudService::Marks, "BatchGetItem", 0),
        (CloudService::Lake, "PutObject", 0),
        (CloudService::Marks, "BatchWriteItem", 0),
        (CloudService::SaleTable, "BatchExecuteStatement", 0),
        (CloudService::Queue, "SendMessage", 0),
        (CloudService::Queue, "DeleteMessageBatch", 0),
    ] {
        let scene = Scene::set(Deadly::after(service, operation, spared));
        let Fact::Sale(sale) = scene.sale() else { unreachable!() };
        let ids = ["0192f5c0-7c1d-7a3e-8f11-0123456789a1", "0192f5c0-7c1d-7a3e-8f11-0123456789a2"];
        let mut facts: Vec<Fact> = ids.map(|id| Fact::Sale(Sale { id: id.parse().unwrap(), ..sale.clone() })).into();
        facts.push(Fact::Cancellation(Cancellation {
            sale: sale.id,
            timestamp: scene.clock.now(),
            sale_timestamp: Some(sale.timestamp),
            region: sale.region.clone(),
        }));
        for fact in &facts {
            scene.accept(HERE, fact).await;
        }
        let home = Some(NAMES[HERE].parse().unwrap());
        let events = facts.iter().map(|fact| Event { fact: fact.clone(), home: home.clone(), trace: None });
        let (message, _) = message::pack(&events.collect::<Vec<_>>()).pop().unwrap();
        let body = message.body.replacen('[', "[42,", 1);
        scene.cloud.enqueue(HERE, body, message.attributes);
        scene.die(HERE).await;
        let is_over = || {
            let over = |fact| scene.is_marked(fact) && !scene.is_pending(fact);
            facts.iter().all(over) && scene.cloud.queued(HERE) == 0
        };
        scene.finish(HERE, is_over).await;
        let objects = scene.cloud.objects(HERE);
        for fact in &facts {
            assert!(objects.values().all(|lines| is_line_of(lines, fact)), "{operation}: {objects:?}");
        }
        let puts = if operation == "PutObject" { 2 } else { 1 };
        assert_eq!((objects.len(), scene.cloud.puts()), (puts, puts as u64), "{operation}");
        let letters = scene.cloud.dead_letters(HERE);
        assert!(matches!(letters.len(), 1 | 2), "{operation}: {letters:?}");
        assert!(letters.iter().all(|(body, _)| body == "[42]"), "{operation}: {letters:?}");
    }
}

/// It measures the pending index, and neither sweeps nor takes a lease.
#[tokio::test(start_paused = true)]
async fn an_idle_worker_queries_a_shard_a_few_times_a_minute() {
    let minutes = 20;
    let query = Deadly::after(CloudService::SaleTable, "Query", 1_000);
    let left = Arc::clone(&query.spared);
    let scene = Scene::set(query);
    let idle = scene.worker(HERE, 1, CancellationToken::new());
    let ended = tokio::time::timeout(Duration::from_secs(60 * minutes), LocalSet::new().run_until(idle)).await;
    assert!(ended.is_err(), "the worker ended by itself");
    let queries = 1_000 - left.load(Ordering::Relaxed) as u64;
    assert!((2 * minutes..=5 * minutes).contains(&queries), "{queries} queries in {minutes} minutes");
}
