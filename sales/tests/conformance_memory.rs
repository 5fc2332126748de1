//! The suite of the ports on those in memory, in virtual time: with a perfect network, and with a slow one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sales::attributes::Attributes;
use sales::clock::Clock;
use sales::conformance::{Ports, Regions};
use sales::event::Event;
use sales::memory::{Call, Client, Cloud, Flow, Network, Passage, Perfect};
use sales::ports::{Journal, KeyStore, LakeStore, Leases, Marks, SaleQueue, SaleTable, SaleTopic, SiteSwitch};
use sales::shard::Shards;
use sales::site_state::SiteState;
use tokio::time::Instant;

/// A region of a cloud in memory.
struct MemoryRegion {
    cloud: Cloud,
    number: usize,
    client: Client,
    lost: Lost,
}

/// The operation whose next response is lost.
type Lost = Arc<Mutex<Option<&'static str>>>;

/// A network that can lose one response, and otherwise behaves like the wrapped one.
struct Losing<N> {
    lost: Lost,
    network: N,
}

impl Ports for MemoryRegion {
    fn sale_table(&self) -> impl SaleTable {
        self.client.sale_table()
    }

    fn sale_topic(&self) -> impl SaleTopic {
        self.client.sale_topic()
    }

    fn sale_queue(&self) -> impl SaleQueue {
        self.client.sale_queue()
    }

    fn journal(&self) -> impl Journal {
        self.client.journal()
    }

    fn lake_store(&self) -> impl LakeStore {
        self.client.lake_store()
    }

    fn marks(&self) -> impl Marks {
        self.client.marks()
    }

    fn leases(&self) -> impl Leases {
        self.client.leases()
    }

    fn key_store(&self) -> impl KeyStore {
        self.client.key_store()
    }

    fn site_switch(&self) -> impl SiteSwitch {
        self.client.site_switch()
    }

    async fn set_state(&self, state: Option<SiteState>) {
        self.cloud.set_state(self.number, state);
    }

    async fn object(&self, key: &str) -> Option<String> {
        self.cloud.objects(self.number).remove(key)
    }

    async fn send(&self, body: &str, attributes: &Attributes) {
        self.cloud.enqueue(self.number, body.to_owned(), attributes.clone());
    }

    fn lose_next_answer(&self, operation: &'static str) {
        *self.lost.lock().expect("whole") = Some(operation);
    }

    async fn dead_letters(&self) -> Vec<(String, Attributes)> {
        self.cloud.dead_letters(self.number)
    }
}

/// Two regions of their own cloud, in the year 2025 of virtual time.
fn regions(network: impl Network) -> Regions<MemoryRegion> {
    let began = Instant::now();
    let clock = Clock::new(move || Duration::from_secs(1_764_547_199) + began.elapsed());
    let lost = Lost::default();
    let network = Losing { lost: Arc::clone(&lost), network };
    let cloud = Cloud::new(2, Shards::DEFAULT, clock.clone(), network);
    let region = |number| MemoryRegion {
        cloud: cloud.clone(),
        number,
        client: cloud.client(number, 1),
        lost: Arc::clone(&lost),
    };
    Regions { here: region(0), there: region(1), shards: Shards::DEFAULT, clock }
}

impl<N: Network> Network for Losing<N> {
    fn call(&self, call: Call) -> Passage {
        let lost = self.lost.lock().expect("whole").take_if(|lost| *lost == call.operation);
        match (lost, self.network.call(call)) {
            (Some(_), Passage::Through { there, back, .. }) => Passage::Repeated { there, between: back, back },
            (_, passage) => passage,
        }
    }

    fn replication_lag(&self, flow: Flow) -> Duration {
        self.network.replication_lag(flow)
    }

    fn index_lag(&self) -> Duration {
        self.network.index_lag()
    }

    fn deliveries(&self, from: usize, to: usize, events: &[Event]) -> Vec<Duration> {
        self.network.deliveries(from, to, events)
    }

    fn storage_clock(&self, region: usize) -> Duration {
        self.network.storage_clock(region)
    }
}

/// All calls succeed, but with delays, and later messages may arrive earlier.
#[derive(Default)]
struct Trailing(AtomicU64);

impl Trailing {
    /// A random delay up to `longest`.
    fn some_of(&self, longest: Duration) -> Duration {
        let turn = u32::try_from(self.0.fetch_add(3, Ordering::Relaxed) % 8).unwrap_or_default();
        longest * (8 - turn) / 8
    }
}

impl Network for Trailing {
    fn call(&self, _: Call) -> Passage {
        Passage::Through { there: Duration::from_millis(7), back: Duration::from_millis(5), refused: 0 }
    }

    fn replication_lag(&self, flow: Flow) -> Duration {
        self.some_of(match flow {
            Flow::Tables | Flow::Announcements => Duration::from_millis(900),
            Flow::Lakes => Duration::from_secs(15),
        })
    }

    fn index_lag(&self) -> Duration {
        self.some_of(Duration::from_millis(400))
    }

    fn deliveries(&self, _: usize, _: usize, _: &[Event]) -> Vec<Duration> {
        vec![self.some_of(Duration::from_millis(300))]
    }

    fn storage_clock(&self, region: usize) -> Duration {
        Duration::from_millis(if region == 0 { 0 } else { 40 })
    }
}

/// Each check is a test, with either network.
macro_rules! on_memory {
    ($($module:ident { $($check:ident)* })*) => {
        mod perfect {
            $(mod $module {
                $(#[tokio::test(start_paused = true)]
                async fn $check() {
                    sales::conformance::$module::$check(&crate::regions(crate::Perfect)).await;
                })*
            })*
        }

        mod trailing {
            $(mod $module {
                $(#[tokio::test(start_paused = true)]
                async fn $check() {
                    sales::conformance::$module::$check(&crate::regions(crate::Trailing::default())).await;
                })*
            })*
        }
    };
}

sales::every_check!(on_memory);
