//! The effects of the ports in memory on their callers: each path of a call, and the flows between regions.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sales::attributes::Attributes;
use sales::clock::{Clock, Timestamp};
use sales::entropy::Entropy;
use sales::event::Event;
use sales::journal::{Hour, JournalObject};
use sales::memory::{Call, Cloud, Flow, Network, Passage};
use sales::ports::{
    Backlog, FailureKind, Insert, InsertSale, Journal, Mark, Marks, PendingPage, SaleQueue, SaleTable, SaleTopic,
    StoredSale,
};
use sales::sale::{Amount, Fact, FactId, Product, Sale, SaleId};
use sales::shard::Shards;
use tokio::time::{Instant, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// A network that does what a test sets. All else succeeds without delay.
#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    passages: VecDeque<Passage>,
    index_lags: VecDeque<Duration>,
    replication_lag: Duration,
    deliveries: Option<Vec<Duration>>,
    storage_ahead: BTreeMap<usize, Duration>,
}

impl Scripted {
    /// What happens to the next call.
    fn next_meets(&self, passage: Passage) {
        self.write(|script| script.passages.push_back(passage));
    }

    fn write<R>(&self, write: impl FnOnce(&mut Script) -> R) -> R {
        write(&mut self.0.lock().unwrap())
    }
}

impl Network for Scripted {
    fn call(&self, _: Call) -> Passage {
        let through = Passage::Through { there: Duration::ZERO, back: Duration::ZERO, refused: 0 };
        self.write(|script| script.passages.pop_front()).unwrap_or(through)
    }

    fn replication_lag(&self, _: Flow) -> Duration {
        self.write(|script| script.replication_lag)
    }

    fn index_lag(&self) -> Duration {
        self.write(|script| script.index_lags.pop_front()).unwrap_or_default()
    }

    fn deliveries(&self, _: usize, _: usize, _: &[Event]) -> Vec<Duration> {
        self.write(|script| script.deliveries.clone()).unwrap_or_else(|| vec![Duration::ZERO])
    }

    fn storage_clock(&self, region: usize) -> Duration {
        self.write(|script| script.storage_ahead.get(&region).copied()).unwrap_or_default()
    }
}

/// Two regions with one shard, and the network between them and their callers.
fn cloud() -> (Cloud, Scripted) {
    let network = Scripted::default();
    let began = Instant::now();
    let clock = Clock::new(move || Duration::from_secs(1_764_547_199) + began.elapsed());
    (Cloud::new(2, Shards::new(1).unwrap(), clock, network.clone()), network)
}

fn sale() -> Sale {
    Sale {
        id: SaleId::new(Entropy::system().uuid_v7(&Clock::system())),
        product: Product::new("Livro".into()).unwrap(),
        amount: Amount::from_json_number("14.5").unwrap(),
        timestamp: moment(0),
        region: None,
    }
}

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_764_547_199 + seconds).unwrap()
}

fn event() -> Event {
    Event { fact: Fact::Sale(sale()), home: None, trace: None }
}

fn mark(sale: &Sale) -> Mark {
    Mark { id: id(sale), object: "journal/dt=2025-11-30/hour=23/x.ndjson".into() }
}

fn object(sale: &Sale) -> JournalObject {
    let fact = Fact::Sale(sale.clone());
    JournalObject::new(
        Hour::of_fact(&fact),
        &"sa-east-1".parse().unwrap(),
        Entropy::system().uuid_v7(&Clock::system()),
        [&fact],
    )
}

fn id(sale: &Sale) -> FactId {
    FactId::Sale(sale.id)
}

/// The ids of all pages.
async fn indexed(table: &impl SaleTable) -> Vec<FactId> {
    let shard = Shards::new(1).unwrap().iter().next().unwrap();
    let (mut ids, mut page) = (Vec::new(), None);
    loop {
        let PendingPage { ids: some, next, .. } = table.pending(shard, moment(9_999), page).await.unwrap();
        ids.extend(some);
        page = next;
        if page.is_none() {
            return ids;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_takes_effect_on_its_way_and_is_answered_after_it() {
    let (cloud, network) = cloud();
    let (table, sale) = (cloud.client(0, 1).sale_table(), sale());
    network.next_meets(Passage::Through { there: 3 * SECOND, back: 2 * SECOND, refused: 0 });
    let (called, other) = (Instant::now(), cloud.clone());
    let seen = async {
        sleep(SECOND).await;
        assert!(other.items(0).is_empty());
        sleep(3 * SECOND).await;
        assert_eq!(other.items(0).len(), 1);
    };
    let (inserted, ()) = tokio::join!(table.insert_sale(&sale), seen);
    assert_eq!((inserted.unwrap(), called.elapsed()), (InsertSale::Inserted, 5 * SECOND));
    assert_eq!(cloud.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_has_no_effect() {
    let (cloud, network) = cloud();
    let called = Instant::now();
    network.next_meets(Passage::Refused { after: SECOND, kind: FailureKind::Denied });
    let error = cloud.client(0, 1).sale_table().insert_sale(&sale()).await.unwrap_err();
    assert_eq!((error.kind, called.elapsed()), (FailureKind::Denied, SECOND));
    assert!(cloud.items(0).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_a_failure_with_an_effect() {
    let (cloud, network) = cloud();
    let (table, sale) = (cloud.client(0, 1).sale_table(), sale());
    network.next_meets(Passage::AnswerLost { there: SECOND, back: SECOND });
    assert_eq!(table.insert_sale(&sale).await.unwrap_err().kind, FailureKind::Unavailable);
    let stored = StoredSale { sale: sale.clone(), processed: false };
    assert_eq!(table.insert_sale(&sale).await.unwrap(), InsertSale::AlreadyExists(stored));
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_takes_effect_twice_but_for_a_conditional_write_which_knows_its_own() {
    let (cloud, network) = cloud();
    let (client, sale) = (cloud.client(0, 1), sale());
    let twice = Passage::Repeated { there: SECOND, between: SECOND, back: SECOND };
    network.next_meets(twice);
    assert_eq!(client.sale_table().insert_sale(&sale).await.unwrap(), InsertSale::Inserted);
    network.next_meets(twice);
    client.journal().put(&object(&sale)).await.unwrap();
    assert_eq!((cloud.puts(), cloud.objects(0).len()), (1, 1));
    network.next_meets(twice);
    client.sale_topic().publish(&[event()]).await.pop().unwrap().unwrap();
    assert_eq!((cloud.queued(0), cloud.queued(1)), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_call_fails_at_its_deadline_and_may_take_effect_later() {
    let (cloud, network) = cloud();
    let (table, sale) = (cloud.client(0, 1).sale_table(), sale());
    for effect_after in [None, Some(10 * SECOND)] {
        let called = Instant::now();
        network.next_meets(Passage::Hanging { effect_after });
        assert_eq!(table.insert_sale(&sale).await.unwrap_err().kind, FailureKind::Unavailable);
        assert_eq!(called.elapsed(), Duration::from_millis(4_200));
        assert!(cloud.items(0).is_empty());
        assert_eq!(cloud.is_settling(), effect_after.is_some());
    }
    sleep(5 * SECOND).await;
    assert!(cloud.items(0).is_empty());
    sleep(SECOND).await;
    assert!(cloud.items(0).contains_key(&id(&sale)));
}

#[tokio::test(start_paused = true)]
async fn a_late_effect_sees_what_has_replicated_before_it() {
    let (cloud, network) = cloud();
    let (first, second) = (sale(), sale());
    let (here, there) = (cloud.client(0, 1).sale_table(), cloud.client(1, 2).sale_table());
    network.write(|script| script.replication_lag = 5 * SECOND);
    here.insert_sale(&first).await.unwrap();
    network.next_meets(Passage::Hanging { effect_after: Some(10 * SECOND) });
    let other = Sale { id: first.id, amount: Amount::from_json_number("2").unwrap(), ..second };
    there.insert_sale(&other).await.unwrap_err();
    sleep(HOUR).await;
    for region in [0, 1] {
        assert_eq!(cloud.items(region)[&id(&first)].fact, Fact::Sale(first.clone()));
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_messages_is_told_of_those_whose_publisher_hears_nothing() {
    let (cloud, network) = cloud();
    let (topic, queue) = (cloud.client(0, 1).sale_topic(), cloud.client(0, 1).sale_queue());
    network.next_meets(Passage::Hanging { effect_after: Some(10 * SECOND) });
    topic.publish(&[event()]).await.pop().unwrap().unwrap_err();
    let received = queue.receive(20 * SECOND, HOUR).await.unwrap();
    assert_eq!(received[0].first_received, Some(moment(10)));

    let (received, _) = tokio::join!(queue.receive(20 * SECOND, HOUR), async {
        sleep(SECOND).await;
        network.next_meets(Passage::Never { takes_effect: true });
        timeout(SECOND, topic.publish(&[event()])).await.unwrap_err()
    });
    assert_eq!(received.unwrap()[0].first_received, Some(moment(11)));
}

#[tokio::test(start_paused = true)]
async fn whoever_never_hears_of_a_call_waits_for_ever() {
    let (cloud, network) = cloud();
    let (table, sale) = (cloud.client(0, 1).sale_table(), sale());
    for takes_effect in [false, true] {
        network.next_meets(Passage::Never { takes_effect });
        assert!(timeout(HOUR, table.insert_sale(&sale)).await.is_err());
        assert_eq!(cloud.items(0).contains_key(&id(&sale)), takes_effect);
    }
}

#[tokio::test(start_paused = true)]
async fn refused_entries_of_a_batch_fail_alone() {
    let (cloud, network) = cloud();
    let client = cloud.client(0, 1);
    let second_refused = Passage::Through { there: Duration::ZERO, back: Duration::ZERO, refused: 0b010 };
    let sales = [sale(), sale(), sale()];
    let ids = sales.each_ref().map(id);

    network.next_meets(second_refused);
    let inserted = client.sale_table().insert_new_sales(&sales).await;
    assert_eq!(inserted.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(client.sale_table().held(&ids).await.unwrap(), [ids[0], ids[2]].into());

    network.next_meets(second_refused);
    let recorded = client.marks().record(&sales.each_ref().map(mark), moment(99)).await;
    assert_eq!(recorded.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(client.marks().present(&ids).await.unwrap(), [ids[0], ids[2]].into());

    for _ in 0..2 {
        client.sale_topic().publish(&[event()]).await.pop().unwrap().unwrap();
    }
    assert_eq!(cloud.queued(0), 2);

    let queue = client.sale_queue();
    let received = queue.receive(SECOND, HOUR).await.unwrap();
    let receipts: Vec<&str> = received.iter().map(|delivery| delivery.receipt.as_str()).collect();
    network.next_meets(second_refused);
    queue.hide(&[(receipts[0], Duration::ZERO), (receipts[1], Duration::ZERO)]).await.unwrap_err();
    assert_eq!(queue.receive(SECOND, HOUR).await.unwrap().len(), 1);
    network.next_meets(second_refused);
    queue.acknowledge(&[receipts[1], receipts[0]]).await.unwrap_err();
    assert_eq!(cloud.queued(0), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cut_delays_what_flows_one_way_and_loses_nothing() {
    let (cloud, _) = cloud();
    let (here, there) = (cloud.client(0, 1), cloud.client(1, 2));
    let (sale, back) = (sale(), sale());
    let flows = [Flow::Tables, Flow::Announcements, Flow::Lakes];
    for flow in flows {
        cloud.cut(flow, 0, 1, true);
    }
    here.sale_table().insert_sale(&sale).await.unwrap();
    here.marks().record(&[mark(&sale)], moment(99)).await.pop().unwrap().unwrap();
    here.journal().put(&object(&sale)).await.unwrap();
    here.sale_topic().publish(&[event()]).await.pop().unwrap().unwrap();
    there.sale_table().insert_sale(&back).await.unwrap();
    sleep(HOUR).await;
    assert_eq!(cloud.items(1).len(), 1, "its own alone");
    assert_eq!((cloud.marked(1).len(), cloud.objects(1).len(), cloud.queued(1)), (0, 0, 0));
    assert_eq!((cloud.items(0).len(), cloud.queued(0)), (2, 1));
    assert!(!cloud.is_settling(), "nothing moves");

    for flow in flows {
        cloud.cut(flow, 0, 1, false);
    }
    assert_eq!(cloud.items(1), cloud.items(0));
    assert_eq!((cloud.marked(1), cloud.objects(1)), (cloud.marked(0), cloud.objects(0)));
    assert_eq!(cloud.queued(1), 1);
}

#[tokio::test(start_paused = true)]
async fn a_condition_is_decided_where_it_is_asked_and_the_last_writer_wins_everywhere() {
    let (cloud, network) = cloud();
    let (here, there) = (cloud.client(0, 1), cloud.client(1, 2));
    // By the storage's clock, which may be wrong, not by the real order.
    for (ahead, winner) in [(Duration::ZERO, "2"), (HOUR, "1")] {
        network.write(|script| script.storage_ahead.insert(0, ahead));
        let mine = Sale { amount: Amount::from_json_number("1").unwrap(), ..sale() };
        let theirs = Sale { amount: Amount::from_json_number("2").unwrap(), ..mine.clone() };
        cloud.cut(Flow::Tables, 0, 1, true);
        cloud.cut(Flow::Tables, 1, 0, true);
        for (client, sale) in [(&here, &mine), (&there, &theirs)] {
            assert_eq!(client.sale_table().insert_sale(sale).await.unwrap(), InsertSale::Inserted);
            sleep(SECOND).await;
        }
        cloud.cut(Flow::Tables, 0, 1, false);
        cloud.cut(Flow::Tables, 1, 0, false);
        let Fact::Sale(kept) = &cloud.items(0)[&id(&mine)].fact else { unreachable!() };
        assert_eq!(kept.amount.to_string(), winner);
        assert_eq!(cloud.items(0), cloud.items(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_settled_item_stays_settled_when_an_older_insertion_arrives() {
    let (cloud, network) = cloud();
    let (here, there, sale) = (cloud.client(0, 1).sale_table(), cloud.client(1, 2).sale_table(), sale());
    network.write(|script| script.replication_lag = 5 * SECOND);
    here.insert_sale(&sale).await.unwrap();
    sleep(SECOND).await;
    assert_eq!(there.held(&[id(&sale)]).await.unwrap().len(), 0);
    there.settle(&[Fact::Sale(sale.clone())], moment(1)).await.pop().unwrap().unwrap();
    sleep(4 * SECOND).await;
    assert_eq!(there.insert(&Fact::Sale(sale.clone())).await.unwrap(), Insert::AlreadyExists);
    sleep(HOUR).await;
    for region in [0, 1] {
        let item = &cloud.items(region)[&id(&sale)];
        assert!(item.processed && !item.pending, "in region {region}");
    }
    assert_eq!((indexed(&here).await, indexed(&there).await), (Vec::new(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn the_index_trails_its_table_and_never_goes_back() {
    let (cloud, network) = cloud();
    let (table, sale) = (cloud.client(0, 1).sale_table(), sale());
    network.write(|script| script.index_lags = [2 * SECOND].into());
    table.insert_sale(&sale).await.unwrap();
    assert_eq!(table.load_pending(&[id(&sale)]).await.unwrap().facts.len(), 1);
    assert_eq!(indexed(&table).await, []);
    sleep(2 * SECOND).await;
    assert_eq!(indexed(&table).await, [id(&sale)]);
    // The settled item leaves the other region's index at once, this one after three seconds.
    network.write(|script| script.index_lags = [3 * SECOND].into());
    table.settle(&[Fact::Sale(sale.clone())], moment(1)).await.pop().unwrap().unwrap();
    assert_eq!(table.load_pending(&[id(&sale)]).await.unwrap().facts, []);
    assert_eq!(indexed(&table).await, [id(&sale)]);
    sleep(3 * SECOND).await;
    assert_eq!(indexed(&table).await, []);

    // A settled item that overtakes its insertion on the way to the index.
    let overtaken = self::sale();
    network.write(|script| script.index_lags = [5 * SECOND].into());
    table.insert_sale(&overtaken).await.unwrap();
    table.settle(&[Fact::Sale(overtaken)], moment(1)).await.pop().unwrap().unwrap();
    sleep(HOUR).await;
    assert_eq!(indexed(&table).await, []);
    let shard = Shards::new(1).unwrap().iter().next().unwrap();
    assert_eq!(table.backlog(shard).await.unwrap(), Backlog::default());
}

#[tokio::test(start_paused = true)]
async fn a_full_page_names_a_next_one_that_may_be_empty() {
    let (cloud, _) = cloud();
    let table = cloud.client(0, 1).sale_table();
    let shard = Shards::new(1).unwrap().iter().next().unwrap();
    let sales: Vec<Sale> = std::iter::repeat_with(sale).take(4).collect();
    table.insert_new_sales(&sales).await.into_iter().for_each(Result::unwrap);
    let full = table.pending(shard, moment(1), None).await.unwrap();
    assert_eq!((full.ids.len(), full.next.is_some()), (4, true));
    assert_eq!(table.pending(shard, moment(1), full.next).await.unwrap(), PendingPage::default());
}

#[tokio::test(start_paused = true)]
async fn an_event_is_delivered_as_often_as_the_network_says() {
    let (cloud, network) = cloud();
    let topic = cloud.client(0, 1).sale_topic();
    for (deliveries, at_once, in_all) in [(vec![], 0, 0), (vec![Duration::ZERO, 2 * SECOND, HOUR], 1, 3)] {
        network.write(|script| script.deliveries = Some(deliveries));
        topic.publish(&[event()]).await.pop().unwrap().unwrap();
        assert_eq!(cloud.queued(1), at_once);
        sleep(HOUR).await;
        assert_eq!((cloud.queued(0), cloud.queued(1)), (in_all, in_all));
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_counts_in_whole_seconds_and_hides_only_what_is_hidden() {
    let (cloud, _) = cloud();
    let queue = cloud.client(0, 1).sale_queue();
    cloud.enqueue(0, "a message".into(), Attributes::new());
    let almost_two = Duration::from_millis(1_900);
    let first = queue.receive(Duration::ZERO, almost_two).await.unwrap().pop().unwrap();
    sleep(SECOND).await;
    assert_eq!(queue.hide(&[(&first.receipt, HOUR)]).await.unwrap_err().kind, FailureKind::Rejected);
    let second = queue.receive(Duration::ZERO, HOUR).await.unwrap().pop().unwrap();
    queue.hide(&[(&second.receipt, almost_two)]).await.unwrap();
    sleep(SECOND).await;
    assert_eq!(queue.receive(Duration::ZERO, HOUR).await.unwrap().len(), 1);
    let began = Instant::now();
    assert_eq!(queue.receive(almost_two, HOUR).await.unwrap(), []);
    assert_eq!(began.elapsed(), SECOND);
}
