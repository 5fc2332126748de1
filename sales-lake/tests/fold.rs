//! The fold over lakes in memory, in virtual time: seeded disorder, repeats, late replication, calls that fail before or
//! after their effect, builders that die with them, and several builders at once. After every step each table reads, and in
//! the end it has one row for each sale, the same in both regions.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]
#![expect(clippy::print_stdout, reason = "a failure is found again by its seed")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sales::clock::{Clock, Timestamp};
use sales::entropy::Entropy;
use sales::event::Event;
use sales::journal::{Hour, JournalObject};
use sales::memory::{Call, Client, Cloud, CloudService, Flow, MemoryLakeStore, Network, Passage};
use sales::ports::{FailureKind, Journal};
use sales::region::Region;
use sales::sale::{Amount, Cancellation, Fact, Product, Sale, SaleId};
use sales::shard::Shards;
use sales_lake::builder::{Builder, Ending, Reach};
use sales_lake::maintain::Maintenance;
use sales_lake::metrics::Metrics;
use sales_table::data_file::{self, DataFile};
use sales_table::delta::{LOG, LogFile, Table};
use sales_table::log_store::TABLE;
use sales_table::row::{Change, Row, RowId, Texts};
use tokio::time::Instant;
use uuid::Uuid;

/// Shortly before a midnight.
const START: u64 = 1_764_547_199 - 600;

/// A network that delays calls, and lets some of the lake's fail.
#[derive(Clone)]
struct Rough {
    dice: Arc<Mutex<StdRng>>,
    rough: Arc<Mutex<bool>>,
}

impl Rough {
    fn roll(&self, sides: u32) -> u32 {
        self.dice.lock().unwrap().random_range(0..sides)
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(u64::from(self.roll(40)))
    }
}

impl Network for Rough {
    fn call(&self, call: Call) -> Passage {
        let through = Passage::Through { there: self.delay(), back: self.delay(), refused: 0 };
        if !*self.rough.lock().unwrap() || call.service != CloudService::Lake {
            return through;
        }
        match self.roll(60) {
            0 => Passage::Refused { after: self.delay(), kind: FailureKind::Unavailable },
            1 => Passage::AnswerLost { there: self.delay(), back: self.delay() },
            2 => Passage::Repeated { there: self.delay(), between: self.delay(), back: self.delay() },
            3 => Passage::Hanging { effect_after: Some(Duration::from_secs(u64::from(self.roll(300)))) },
            _ => through,
        }
    }

    fn replication_lag(&self, _: Flow) -> Duration {
        Duration::from_secs(u64::from(self.roll(4) * self.roll(900)))
    }

    fn index_lag(&self) -> Duration {
        Duration::ZERO
    }

    fn deliveries(&self, _: usize, _: usize, _: &[Event]) -> Vec<Duration> {
        vec![Duration::ZERO]
    }

    fn storage_clock(&self, _: usize) -> Duration {
        Duration::ZERO
    }
}

/// Two regions, the builders of each, and what they have been told.
struct World {
    cloud: Cloud,
    clock: Clock,
    network: Rough,
    entropy: Entropy,
    builders: Vec<(usize, Builder<MemoryLakeStore>, Maintenance)>,
    told: BTreeMap<RowId, Change>,
    texts: Texts,
}

fn region(number: usize) -> Region {
    ["sa-east-1", "us-east-1"][number].parse().unwrap()
}

impl World {
    fn new(seed: u64) -> Self {
        let began = Instant::now();
        let clock = Clock::new(move || Duration::from_secs(START) + began.elapsed());
        let dice = Arc::new(Mutex::new(StdRng::seed_from_u64(seed)));
        let network = Rough { dice: dice.clone(), rough: Arc::new(Mutex::new(true)) };
        let entropy = Entropy::new(move |bytes| dice.lock().unwrap().fill(bytes));
        let cloud = Cloud::new(2, Shards::DEFAULT, clock.clone(), network.clone());
        let (told, texts) = (BTreeMap::new(), Texts::default());
        let mut world = Self { cloud, clock, network, entropy, builders: Vec::new(), told, texts };
        for number in 0..4 {
            let builder = world.new_builder(number % 2);
            world.builders.push((number % 2, builder, Maintenance::default()));
        }
        world
    }

    fn client(&self, region: usize) -> Client {
        self.cloud.client(region, 0)
    }

    fn new_builder(&self, region: usize) -> Builder<MemoryLakeStore> {
        let store = self.client(region).lake_store();
        Builder::new(store, self.clock.clone(), self.entropy.clone(), Metrics::default())
    }

    fn roll(&self, sides: u32) -> u32 {
        self.network.roll(sides)
    }

    /// A sale of an id that tells its time, or of a key, accepted now or some hours or days ago.
    fn new_sale(&mut self) -> Sale {
        let back = Duration::from_secs([0, 0, 0, 900, 5_000, 100_000][self.roll(6) as usize]);
        let timestamp = self.clock.now().minus(back);
        let id = if self.roll(2) == 0 {
            let clock = Clock::new(move || Duration::from_secs(timestamp.unix_seconds().unsigned_abs()));
            self.entropy.uuid_v7(&clock)
        } else {
            Uuid::new_v5(&Uuid::nil(), &self.entropy.bytes::<8>())
        };
        self.sale(SaleId::new(id), timestamp)
    }

    fn sale(&self, id: SaleId, timestamp: Timestamp) -> Sale {
        let amount = ["14.5", "0.000000000000000001", "3", "0.0000000000000000000001"][self.roll(4) as usize];
        Sale {
            id,
            product: Product::new(format!("product {}", self.roll(3))).unwrap(),
            amount: Amount::from_json_number(amount).unwrap(),
            timestamp,
            region: Some(region(self.roll(2) as usize)),
            client: None,
        }
    }

    /// Some facts of the world: new sales, other versions of known ones, cancellations, repeats.
    fn facts(&mut self, known: &mut Vec<Sale>) -> Vec<Fact> {
        let mut facts = Vec::new();
        for _ in 0..=self.roll(12) {
            let old = (!known.is_empty()).then(|| known[self.roll(known.len() as u32) as usize].clone());
            match (self.roll(10), old) {
                (0, Some(old)) => facts.push(Fact::Sale(old)),
                (1, Some(old)) if old.id.is_from_key() => {
                    let moment = old.timestamp.minus(Duration::from_secs(u64::from(self.roll(3) * self.roll(4_000))));
                    facts
                        .push(Fact::Sale(self.sale(old.id, moment.plus(Duration::from_secs(u64::from(self.roll(3)))))));
                }
                (2 | 3, Some(old)) => facts.push(self.cancellation(&old)),
                (4, _) => {
                    // Its cancellation is in the journal before the sale is.
                    let sale = self.new_sale();
                    facts.push(self.cancellation(&sale));
                    known.push(sale);
                }
                _ => {
                    let sale = self.new_sale();
                    known.push(sale.clone());
                    facts.push(Fact::Sale(sale));
                }
            }
        }
        facts
    }

    fn cancellation(&self, sale: &Sale) -> Fact {
        let timestamp = sale.timestamp.plus(Duration::from_secs(u64::from(self.roll(100_000))));
        let sale_timestamp = (self.roll(4) > 0).then_some(sale.timestamp);
        Fact::Cancellation(Cancellation { sale: sale.id, timestamp, sale_timestamp, region: None, client: None })
    }

    /// A worker puts facts into a region's journal, an object for each hour.
    async fn journal(&mut self, facts: &[Fact]) {
        let number = self.roll(2) as usize;
        let mut hours: BTreeMap<Hour, Vec<&Fact>> = BTreeMap::new();
        facts.iter().for_each(|fact| hours.entry(Hour::of_fact(fact)).or_default().push(fact));
        for (hour, facts) in hours {
            let id = self.entropy.uuid_v7(&self.clock);
            let object = JournalObject::new(hour, &region(number), id, facts.iter().copied());
            let journal = self.client(number).journal();
            // As the worker does, until it is there.
            while journal.put(&object).await.is_err() {}
        }
        for fact in facts {
            self.tell(fact);
        }
    }

    fn tell(&mut self, fact: &Fact) {
        let change = self.told.entry(RowId::of(fact.id().sale())).or_default();
        match fact {
            Fact::Sale(sale) => change.register(Row::of(sale, &mut self.texts)),
            Fact::Cancellation(cancellation) => change.cancel(cancellation),
        }
    }

    /// Another tool's objects and lines in the journal, and a half-written object of ours.
    fn disturb(&mut self) {
        let sale = self.new_sale();
        let hour = Hour::of_fact(&Fact::Sale(sale.clone()));
        let key = |entropy: &Entropy, clock: &Clock| {
            format!("{}sa-east-1-{}.ndjson", hour.prefix(), entropy.uuid_v7(clock).as_hyphenated())
        };
        let half = sales::journal::line(&Fact::Sale(sale));
        let object = key(&self.entropy, &self.clock);
        for number in 0..2 {
            self.cloud.store(number, &object, format!("{{}}\n\u{0}\n{}", &half[..half.len() / 2]).as_bytes());
            self.cloud.store(number, &format!("{}README", hour.prefix()), b"not ours");
            self.cloud.store(number, "journal/other/readme.txt", b"not ours");
            self.cloud.store(number, &format!("{TABLE}dt=2025-11-30/part-0.parquet"), b"not ours");
        }
    }

    /// One or two builders fold at once; one whose calls fail may die.
    async fn fold(&mut self) {
        let reach = |world: &Self| if world.roll(3) == 0 { Reach::All } else { Reach::Due };
        let (one, other) = (self.roll(4) as usize, self.roll(4) as usize);
        let reaches = [reach(self), reach(self)];
        let mut chosen: Vec<_> = [one, other].into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut taken = Vec::new();
        chosen.reverse();
        for number in chosen {
            taken.push(self.builders.remove(number));
        }
        let folds = taken.iter_mut().zip(reaches).map(|((_, builder, maintenance), reach)| async move {
            let ended = builder.fold(reach, |_| {}).await?;
            if ended == Ending::Complete {
                maintenance.run(builder).await?;
            }
            Ok::<_, sales_table::error::TableError>(())
        });
        let ended = futures::future::join_all(folds).await;
        for ((region, builder, maintenance), ended) in taken.into_iter().zip(ended) {
            let dies = ended.is_err() && self.roll(2) == 0;
            let (builder, maintenance) =
                if dies { (self.new_builder(region), Maintenance::default()) } else { (builder, maintenance) };
            self.builders.push((region, builder, maintenance));
        }
        self.builders.sort_by_key(|(region, ..)| *region);
    }

    /// The newest version of a region's table as a reader sees it; every kept version has all its files.
    fn read(&self, region: usize) -> BTreeMap<RowId, Row> {
        let stored = self.cloud.stored(region);
        let folder = format!("{TABLE}{LOG}");
        let files: BTreeMap<LogFile, &Vec<u8>> = stored
            .iter()
            .filter_map(|(key, content)| Some((LogFile::parse(key.strip_prefix(&folder)?)?, content)))
            .collect();
        let Some(newest) = files.keys().filter_map(|file| commit(*file)).max() else { return BTreeMap::new() };
        let checkpoints =
            files.keys().filter_map(|file| if let LogFile::Checkpoint(at) = file { Some(*at) } else { None });
        let oldest_kept = checkpoints.min().filter(|_| !files.contains_key(&LogFile::Commit(0))).unwrap_or(0);
        let mut rows = BTreeMap::new();
        for version in oldest_kept..=newest {
            if version != newest && version != oldest_kept && !version.is_multiple_of(5) {
                continue;
            }
            let table = table_at(&files, version);
            assert_eq!(table.version(), version);
            for file in table.files().keys() {
                let content = stored.get(&format!("{TABLE}{file}"));
                let content = content.unwrap_or_else(|| panic!("version {version} of {newest} lacks {file}"));
                if version == newest {
                    add_rows(&mut rows, file, content);
                }
            }
        }
        rows
    }

    /// Whether a region's table says what it may say now: rows of sales that are in the journal, each once.
    fn check(&self, region: usize) {
        for (id, row) in self.read(region) {
            let told = self.told.get(&id).unwrap_or_else(|| panic!("{id:?} was never accepted"));
            assert!(told.sale.is_some(), "{id:?} was only cancelled");
            assert_eq!(row.id, id);
        }
    }

    /// All is well again: what the tables say in the end.
    async fn settle(&mut self) {
        *self.network.rough.lock().unwrap() = false;
        while self.cloud.is_settling() {
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        for region in 0..2 {
            let mut builder = self.new_builder(region);
            while builder.fold(Reach::All, |_| {}).await.unwrap() != Ending::Complete {}
        }
        let expected: BTreeMap<RowId, Row> =
            self.told.iter().filter_map(|(id, change)| Some((*id, change.apply(None)?))).collect();
        for region in 0..2 {
            assert_eq!(self.read(region), expected, "region {region}");
        }
    }
}

fn commit(file: LogFile) -> Option<u64> {
    match file {
        LogFile::Commit(version) => Some(version),
        LogFile::Checkpoint(_) => None,
    }
}

fn table_at(files: &BTreeMap<LogFile, &Vec<u8>>, version: u64) -> Table {
    let checkpoint = files.keys().filter_map(|file| match file {
        LogFile::Checkpoint(at) if *at <= version => Some(*at),
        _ => None,
    });
    let checkpoint = checkpoint.max();
    let log = files.iter().filter(|(file, _)| match file {
        LogFile::Checkpoint(at) => Some(*at) == checkpoint,
        LogFile::Commit(at) => *at <= version && checkpoint.is_none_or(|checkpoint| *at > checkpoint),
    });
    let log: Vec<(String, bytes::Bytes)> = log
        .map(|(file, content)| {
            let name = match file {
                LogFile::Commit(at) => sales_table::delta::commit_name(*at),
                LogFile::Checkpoint(at) => sales_table::delta::checkpoint_name(*at),
            };
            (name, bytes::Bytes::from((*content).clone()))
        })
        .collect();
    Table::open(log.iter().map(|(name, content)| (name.as_str(), content.clone()))).unwrap()
}

fn add_rows(rows: &mut BTreeMap<RowId, Row>, file: &DataFile, content: &[u8]) {
    let read = data_file::decode(content.to_vec(), &mut Texts::default()).unwrap();
    assert_eq!(DataFile::of(&read, file.base).as_ref(), Some(file), "a name that says what is in the file");
    for row in read {
        assert_eq!(row.day(), file.day);
        let id = row.id;
        assert!(rows.insert(id, row).is_none(), "{id:?} twice");
    }
}

async fn a_life(seed: u64) {
    let mut world = World::new(seed);
    let mut known = Vec::new();
    for _ in 0..25 {
        match world.roll(8) {
            0..4 => {
                let facts = world.facts(&mut known);
                world.journal(&facts).await;
            }
            4 => world.disturb(),
            5 => {
                let pause = [1, 60, 4_000, 90_000, 800_000][world.roll(5) as usize];
                tokio::time::sleep(Duration::from_secs(pause)).await;
            }
            _ => world.fold().await,
        }
        (0..2).for_each(|region| world.check(region));
    }
    world.settle().await;
}

#[tokio::test(start_paused = true)]
async fn one_row_for_each_sale_in_both_regions_whatever_happens() {
    for seed in 0..20 {
        println!("seed {seed}");
        a_life(seed).await;
    }
}
