//! Folds what is new in the journal into the table.
//!
//! A fold reads the version of the table first and lists the journal then. It changes the table by commits, each for a batch
//! of facts: new files are put, then the state that names the folded objects, then the commit that names both. Until the
//! commit is there nothing has happened, and if another builder's is there first, the fold is over and the next one
//! begins with that.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use futures::future::try_join_all;
use sales::clock::Clock;
use sales::entropy::Entropy;
use sales::journal::{FOLDER, Hour};
use sales::ports::{Create, LakeStore, Listing};
use sales::sale::Fact;
use sales_table::data_file::{self, DataFile};
use sales_table::delta::{Changes, Table, TableFile, first_commit};
use sales_table::error::TableError;
use sales_table::log_store::{LogStore, TABLE};
use sales_table::objects;
use sales_table::row::{DAY, Row, RowId, Texts, day_of_name};
use sales_table::state::{Day, Root, StateId};

use crate::keys::{self, Keys, Scopes};
use crate::lines::{Lines, PART};
use crate::merge::{Batch, Plan, cut, edited};
use crate::metrics::{Foreign, Metrics};
use crate::schedule::{Place, Schedule};

/// Facts of a batch, about: they are in memory at once.
const BATCH: usize = 250_000;

/// Objects of the journal that are read at the same time.
const READS: usize = 16;

/// New objects that are looked for before those found are folded.
const FOUND: usize = 20_000;

/// Which parts of the journal a fold looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those that are due.
    Due,
    /// All, and cancellations that wait for a large file, too.
    All,
}

/// How a fold ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All that was new is in the table.
    Complete,
    /// Another builder's commit came first.
    Overtaken,
}

/// What folds have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Objects of the journal.
    pub objects: u64,
    /// Lines of them.
    pub lines: u64,
    /// Lines and objects that no worker writes.
    pub foreign: u64,
    /// Commits.
    pub commits: u64,
}

/// An object of the journal that has not been folded.
#[derive(Clone, Debug)]
struct Found {
    key: String,
    size: u64,
    day: i64,
}

/// An object of which a part has been read.
struct Begun {
    object: Found,
    read: u64,
    lines: Lines,
}

/// The builder of one region's table.
pub struct Builder<S> {
    pub(crate) store: S,
    pub(crate) clock: Clock,
    entropy: Entropy,
    pub(crate) metrics: Metrics,
    pub(crate) log: LogStore,
    keys: Keys,
    texts: Texts,
    schedule: Schedule,
    seen: BTreeMap<i64, (StateId, Day)>,
    told: HashSet<String>,
    work: Work,
}

/// Foreign objects that are named in the log, each once.
const TOLD: usize = 1_000;

/// The table with the state of its fold.
pub(crate) struct Current {
    pub(crate) table: Table,
    pub(crate) root: Root,
}

/// What one batch has read.
#[derive(Default)]
struct Portion {
    batch: Batch,
    done: Vec<Found>,
    facts: usize,
}

impl<S: LakeStore> Builder<S> {
    /// A builder that knows nothing yet.
    pub fn new(store: S, clock: Clock, entropy: Entropy, metrics: Metrics) -> Self {
        Self {
            store,
            clock,
            entropy,
            metrics,
            log: LogStore::default(),
            keys: Keys::default(),
            texts: Texts::default(),
            schedule: Schedule::default(),
            seen: BTreeMap::new(),
            told: HashSet::new(),
            work: Work::default(),
        }
    }

    /// What it has done so far.
    pub fn work(&self) -> Work {
        self.work
    }

    /// The size of the newest version's files.
    ///
    /// # Errors
    /// If a call fails, or the log is damaged.
    pub async fn table_bytes(&mut self) -> Result<u64, TableError> {
        Ok(self.open().await?.table.files().values().map(|file| file.size).sum())
    }

    /// Folds once. `progress` is called after each commit.
    ///
    /// # Errors
    /// If a call fails, or something in the bucket is damaged.
    pub async fn fold(&mut self, reach: Reach, progress: impl Fn(Work)) -> Result<Ending, TableError> {
        let began = self.clock.now();
        let now = began.unix_seconds();
        let mut current = self.open().await?;
        let mut found = VecDeque::new();
        let mut looked = Vec::new();
        let mut places = self.places(reach, &current.root, now).await?;
        loop {
            let place = places.pop_front();
            if let Some(place) = place {
                let new = self.look(place, &current.root, &mut found).await?;
                looked.push((place, new));
            }
            if found.len() >= FOUND || place.is_none() {
                current = match self.fold_objects(current, &mut found, reach, &progress).await? {
                    Some(current) => current,
                    None => return Ok(Ending::Overtaken),
                };
                looked.drain(..).for_each(|(place, new)| self.schedule.looked(place, new, now));
            }
            if place.is_none() {
                break;
            }
        }
        self.forget(&current);
        self.log.keep(current.table);
        self.metrics.folded_at.set(u64::try_from(now).unwrap_or(0));
        Ok(Ending::Complete)
    }

    /// The newest version of the table, which is made if there is none, and its state.
    pub(crate) async fn open(&mut self) -> Result<Current, TableError> {
        let mut table = self.log.open(&self.store).await?;
        while table.is_none() {
            let id = self.entropy.uuid_v7(&self.clock);
            let content = first_commit(id, self.clock.now().unix_seconds());
            table = match self.log.commit(&self.store, 0, content.into()).await? {
                None => self.log.open(&self.store).await?,
                created => created,
            };
        }
        let Some(table) = table else { return Err(TableError::Gone(TABLE.to_owned())) };
        let root = objects::root(&self.store, &table).await?;
        let Metrics { rows, files, version, waiting, .. } = &self.metrics;
        rows.set(table.rows());
        files.set(table.files().len() as u64);
        version.set(table.version());
        waiting.set(root.waiting.len() as u64);
        Ok(Current { table, root })
    }

    /// Where to look. The days come first, since they tell which others there are.
    async fn places(&mut self, reach: Reach, root: &Root, now: i64) -> Result<VecDeque<Place>, TableError> {
        if reach == Reach::All || self.schedule.due(now).contains(&Place::Days) {
            let mut after = None;
            loop {
                let page = self.store.list(FOLDER, after.as_deref(), Listing::Folders).await?;
                for folder in &page.folders {
                    let day = folder.strip_prefix(FOLDER).and_then(|name| name.strip_prefix("dt="));
                    match day.and_then(|name| day_of_name(name.strip_suffix('/')?)) {
                        Some(day) => self.schedule.found(day, root.days.contains_key(&day), now),
                        None => self.meet_foreign(folder),
                    }
                }
                page.objects.iter().for_each(|object| self.meet_foreign(&object.key));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            self.schedule.looked(Place::Days, false, now);
        }
        let places = if reach == Reach::All { self.schedule.all() } else { self.schedule.due(now) };
        Ok(places.into_iter().filter(|place| *place != Place::Days).collect())
    }

    /// Adds the objects at a place that have not been folded, in the order in which they were made; whether there are any.
    async fn look(&mut self, place: Place, root: &Root, found: &mut VecDeque<Found>) -> Result<bool, TableError> {
        let mut new = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.list(&place.prefix(), after.as_deref(), Listing::Deep).await?;
            for object in page.objects {
                let Some(day) = day_of_key(&object.key) else {
                    self.meet_foreign(&object.key);
                    continue;
                };
                self.load_seen(day, root).await?;
                if !self.seen.get(&day).is_some_and(|(_, seen)| seen.contains(&object.key)) {
                    new.push(Found { key: object.key, size: object.size, day });
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        new.sort_by(|one, other| made(&one.key).cmp(made(&other.key)));
        let any = !new.is_empty();
        found.extend(new);
        Ok(any)
    }

    /// Loads which objects of a day have been folded.
    async fn load_seen(&mut self, day: i64, root: &Root) -> Result<(), TableError> {
        match (root.days.get(&day), self.seen.get(&day)) {
            (Some(id), Some((known, _))) if id == known => {}
            (None, _) => _ = self.seen.remove(&day),
            (Some(id), _) => {
                let seen = objects::day(&self.store, *id).await?;
                self.seen.insert(day, (*id, seen));
            }
        }
        Ok(())
    }

    fn meet_foreign(&mut self, key: &str) {
        self.metrics.count_foreign(Foreign::Object, 1);
        if self.told.len() < TOLD && self.told.insert(key.to_owned()) {
            self.work.foreign += 1;
            tracing::warn!(lake.object = key, "object of another tool in the journal: left alone");
        }
    }

    /// Folds objects, batch by batch; `None` if another builder's commit came first.
    async fn fold_objects(
        &mut self,
        mut current: Current,
        found: &mut VecDeque<Found>,
        reach: Reach,
        progress: &impl Fn(Work),
    ) -> Result<Option<Current>, TableError> {
        // What overlapping places have found twice.
        let mut keys = HashSet::new();
        found.retain(|found| keys.insert(found.key.clone()));
        let mut begun = None;
        loop {
            let portion = self.read_portion(found, &mut begun).await?;
            let last = found.is_empty() && begun.is_none();
            let Some(next) = self.commit(current, portion, reach).await? else { return Ok(None) };
            current = next;
            progress(self.work);
            if last {
                return Ok(Some(current));
            }
        }
    }

    /// Reads facts until a batch is full.
    async fn read_portion(
        &mut self,
        found: &mut VecDeque<Found>,
        begun: &mut Option<Begun>,
    ) -> Result<Portion, TableError> {
        let mut portion = Portion::default();
        while portion.facts < BATCH {
            if let Some(begun_now) = begun.take() {
                *begun = self.read_part(begun_now, &mut portion).await?;
                continue;
            }
            match found.front() {
                None => break,
                Some(large) if large.size > PART => {
                    *begun = found.pop_front().map(|object| Begun { object, read: 0, lines: Lines::default() });
                }
                Some(_) => self.read_small(found, &mut portion).await?,
            }
        }
        Ok(portion)
    }

    /// Reads the next objects that are not large, a few at a time.
    async fn read_small(&mut self, found: &mut VecDeque<Found>, portion: &mut Portion) -> Result<(), TableError> {
        let (mut group, mut size) = (Vec::new(), 0);
        while group.len() < READS
            && size < PART
            && let Some(object) = found.pop_front_if(|object| object.size <= PART)
        {
            size += object.size;
            group.push(object);
        }
        let contents = try_join_all(group.iter().map(|object| self.store.read(&object.key, None))).await?;
        for (object, content) in group.into_iter().zip(contents) {
            // One that is no longer there has come to the end of its life.
            let Some(content) = content else { continue };
            let mut lines = Lines::default();
            lines.read(&content, |fact| self.take(fact, portion));
            lines.end(|fact| self.take(fact, portion));
            self.end_object(object, &lines, portion);
        }
        Ok(())
    }

    /// Reads a part of a large object; `None` after its last.
    async fn read_part(&mut self, begun: Begun, portion: &mut Portion) -> Result<Option<Begun>, TableError> {
        let Begun { object, read, mut lines } = begun;
        let end = (read + PART).min(object.size);
        let Some(content) = self.store.read(&object.key, Some(read..end)).await? else { return Ok(None) };
        lines.read(&content, |fact| self.take(fact, portion));
        if end < object.size && !content.is_empty() {
            return Ok(Some(Begun { object, read: end, lines }));
        }
        lines.end(|fact| self.take(fact, portion));
        self.end_object(object, &lines, portion);
        Ok(None)
    }

    fn take(&mut self, fact: Fact, portion: &mut Portion) {
        portion.facts += 1;
        let changes = &mut portion.batch.changes;
        match fact {
            Fact::Sale(sale) => {
                let row = Row::of(&sale, &mut self.texts);
                if row.amount.is_none() {
                    self.metrics.inexact_amounts.inc();
                }
                changes.entry(row.id).or_default().register(row);
            }
            Fact::Cancellation(cancellation) => {
                changes.entry(RowId::of(cancellation.sale)).or_default().cancel(&cancellation);
            }
        }
    }

    fn end_object(&mut self, object: Found, lines: &Lines, portion: &mut Portion) {
        self.metrics.objects.inc();
        self.metrics.lines.inc_by(lines.number);
        self.work.objects += 1;
        self.work.lines += lines.number;
        if let Some((number, problem)) = &lines.first_foreign {
            self.metrics.count_foreign(Foreign::Line, lines.foreign);
            self.work.foreign += lines.foreign;
            tracing::warn!(
                lake.object = object.key,
                lake.line = number,
                lake.foreign_lines = lines.foreign,
                error.detail = problem,
                "lines of another tool in the journal: left out"
            );
        }
        portion.done.push(object);
    }

    /// Commits a batch; `None` if another builder's commit came first.
    async fn commit(
        &mut self,
        Current { table, root }: Current,
        portion: Portion,
        reach: Reach,
    ) -> Result<Option<Current>, TableError> {
        let now = self.clock.now().unix_seconds();
        let Portion { mut batch, done, .. } = portion;
        let mut next = root.clone();
        batch.add_waiting(&mut next.waiting, now, reach == Reach::All);
        let mut changes = Changes { rows_change: true, ..Changes::default() };
        if !batch.changes.is_empty() {
            let holders = self.locate(&table, &batch).await?;
            if reach == Reach::Due {
                postpone(&mut batch, &holders, now, &mut next);
            }
            let mut rows = self.rows_of(&batch, &holders).await?;
            let plan = Plan::new(batch, &mut rows, &mut next.waiting);
            self.write_files(&table, plan, &mut changes).await?;
        }
        self.write_days(&table, &done, &mut next).await?;
        if next == root && changes.add.is_empty() && changes.remove.is_empty() {
            return Ok(Some(Current { table, root }));
        }
        let (id, content) = next.encode(table.version());
        self.create(&id.name(), content).await?;
        changes.state = Some(id.0);
        let content = table.commit(&changes, now)?;
        let Some(table) = self.log.commit(&self.store, table.version() + 1, content).await? else { return Ok(None) };
        self.work.commits += 1;
        self.metrics.rows.set(table.rows());
        self.metrics.files.set(table.files().len() as u64);
        self.metrics.version.set(table.version());
        self.metrics.waiting.set(next.waiting.len() as u64);
        self.keys.retain(|file| table.files().contains_key(file));
        Ok(Some(Current { table, root: next }))
    }

    /// The files that may hold sales of a batch, each with those.
    async fn locate(&mut self, table: &Table, batch: &Batch) -> Result<BTreeMap<DataFile, Vec<RowId>>, TableError> {
        let ids: HashMap<u64, RowId> = batch.changes.keys().map(|id| (id.mixed(), *id)).collect();
        let scopes = Scopes::of(&batch.changes);
        let compared: BTreeSet<&DataFile> = keys::compared(table.files().keys()).into_iter().collect();
        if scopes.reach_everywhere() {
            self.metrics.uncompared_files.set((table.files().len() - compared.len()) as u64);
        }
        let mut holders = BTreeMap::new();
        for file in table.files().keys() {
            let keys = scopes.keys(file, compared.contains(file));
            if keys.is_empty() {
                continue;
            }
            if !self.keys.knows(file) {
                let ids = objects::ids(&self.store, file).await?;
                self.keys.insert(file.clone(), ids);
            }
            let found = self.keys.found(file, &keys);
            if !found.is_empty() {
                holders.insert(file.clone(), found.into_iter().filter_map(|key| ids.get(&key).copied()).collect());
            }
            self.keys.retain(|_| true);
        }
        Ok(holders)
    }

    /// The rows that the table has of the sales of a batch, each with its file.
    async fn rows_of(
        &mut self,
        batch: &Batch,
        holders: &BTreeMap<DataFile, Vec<RowId>>,
    ) -> Result<HashMap<RowId, Vec<(DataFile, Row)>>, TableError> {
        let mut rows: HashMap<RowId, Vec<(DataFile, Row)>> = HashMap::new();
        for (file, ids) in holders {
            if !ids.iter().any(|id| batch.changes.contains_key(id)) {
                continue;
            }
            for row in self.read_rows(file).await? {
                if batch.changes.contains_key(&row.id) {
                    rows.entry(row.id).or_default().push((file.clone(), row));
                }
            }
        }
        Ok(rows)
    }

    pub(crate) async fn read_rows(&mut self, file: &DataFile) -> Result<Vec<Row>, TableError> {
        objects::rows(&self.store, file, &mut self.texts).await
    }

    /// Writes the files that a plan asks for.
    async fn write_files(&mut self, table: &Table, mut plan: Plan, changes: &mut Changes) -> Result<(), TableError> {
        let days: Vec<i64> = plan.fresh.keys().copied().collect();
        for day in days {
            let absorbed = plan.absorbed(day, table.files().keys());
            let mut rows = plan.fresh.remove(&day).unwrap_or_default();
            for file in absorbed {
                let edits = plan.edits.remove(&file);
                rows.extend(edited(self.read_rows(&file).await?, edits.as_ref()));
                changes.remove.insert(file);
            }
            self.write_rows(table, rows, changes).await?;
        }
        for (file, edits) in plan.edits {
            let rows = edited(self.read_rows(&file).await?, Some(&edits));
            changes.remove.insert(file);
            self.write_rows(table, rows, changes).await?;
        }
        Ok(())
    }

    /// Writes rows of one day into as few files as possible.
    pub(crate) async fn write_rows(
        &mut self,
        table: &Table,
        rows: Vec<Row>,
        changes: &mut Changes,
    ) -> Result<(), TableError> {
        for rows in cut(rows) {
            let Some(file) = DataFile::of(&rows, table.version()) else { continue };
            let content = data_file::encode(&rows).map_err(|error| TableError::File(file.to_string(), error))?;
            let size = content.len() as u64;
            self.create(&file.to_string(), content).await?;
            self.metrics.rows_written.inc_by(file.rows);
            self.keys.insert(file.clone(), rows.iter().map(|row| row.id));
            changes.add.push(TableFile { file, size });
        }
        Ok(())
    }

    /// Puts an object below the table. If there is one of its name, it is the same.
    async fn create(&self, name: &str, content: Vec<u8>) -> Result<Create, TableError> {
        Ok(self.store.create(&format!("{TABLE}{name}"), content).await?)
    }

    /// Notes which objects have been folded.
    async fn write_days(&mut self, table: &Table, done: &[Found], root: &mut Root) -> Result<(), TableError> {
        let mut days: BTreeMap<i64, Vec<&Found>> = BTreeMap::new();
        for object in done {
            days.entry(object.day).or_default().push(object);
        }
        for (day, objects) in days {
            self.load_seen(day, root).await?;
            let mut seen = self.seen.get(&day).map(|(_, seen)| seen.clone()).unwrap_or_default();
            objects.into_iter().for_each(|object| seen.insert(&object.key));
            let (id, content) = seen.encode(day, table.version());
            self.create(&id.name(), content).await?;
            root.days.insert(day, id);
            self.seen.insert(day, (id, seen));
        }
        Ok(())
    }

    /// Forgets what the next fold is not likely to need.
    fn forget(&mut self, Current { table, root }: &Current) {
        self.keys.retain(|file| table.files().contains_key(file));
        let today = self.clock.now().unix_seconds().div_euclid(DAY);
        self.seen.retain(|day, (id, _)| *day >= today - 2 && root.days.get(day) == Some(id));
    }
}

/// Lets cancellations wait for the large files that hold their sales.
fn postpone(batch: &mut Batch, holders: &BTreeMap<DataFile, Vec<RowId>>, now: i64, root: &mut Root) {
    let mut times: HashMap<RowId, u32> = HashMap::new();
    holders.values().flatten().for_each(|id| *times.entry(*id).or_default() += 1);
    for (file, ids) in holders {
        if ids.iter().all(|id| times.get(id) == Some(&1)) {
            batch.postpone(file, ids, now, &mut root.waiting);
        }
    }
}

/// The day of an object of the journal; `None` if no worker writes its key.
fn day_of_key(key: &str) -> Option<i64> {
    Hour::of_key(key)?;
    day_of_name(key.strip_prefix(FOLDER)?.strip_prefix("dt=")?.split_once('/')?.0)
}

/// What orders the keys of all regions by the time at which they were made: the unique part of the name.
fn made(key: &str) -> &str {
    const NAME: usize = "00000000-0000-0000-0000-000000000000.ndjson".len();
    key.len().checked_sub(NAME).and_then(|start| key.get(start..)).unwrap_or(key)
}
