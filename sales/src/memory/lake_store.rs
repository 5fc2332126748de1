//! The lake of each region as the builder of its table sees it: the journal, and what only this region has.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::{Client, CloudService, CloudState, Moment};
use crate::clock::Timestamp;
use crate::ports::{Create, LakeStore, Listing, ObjectPage, PortResult, StoredObject};

/// The real one's deadline.
const DEADLINE: Duration = Duration::from_secs(130);

/// Keys of a page.
const PAGE: usize = 1_000;

/// [`LakeStore`] in memory.
#[derive(Clone)]
pub struct MemoryLakeStore(Client);

/// What each region's lake holds besides the journal.
pub(super) struct Stored {
    regions: Vec<BTreeMap<String, (Vec<u8>, Moment)>>,
    began: Timestamp,
}

impl Stored {
    pub(super) fn new(regions: usize, began: Timestamp) -> Self {
        Self { regions: vec![BTreeMap::new(); regions], began }
    }

    pub(super) fn contents(&self, region: usize) -> BTreeMap<String, Vec<u8>> {
        self.regions[region].iter().map(|(key, (content, _))| (key.clone(), content.clone())).collect()
    }

    pub(super) fn put(&mut self, region: usize, key: &str, content: Vec<u8>, now: Moment) {
        self.regions[region].insert(key.to_owned(), (content, now));
    }

    fn modified(&self, moment: Moment) -> Timestamp {
        self.began.plus(Duration::from_millis(moment))
    }
}

/// The keys of a region's lake with this prefix that sort after `after`.
fn keys<'a>(
    state: &'a CloudState,
    region: usize,
    prefix: &'a str,
    after: Option<&'a str>,
) -> impl Iterator<Item = StoredObject> + use<'a> {
    let stored = state.stored.regions[region].iter().map(|(key, (content, moment))| (key, content.len(), *moment));
    let journal = state.lakes.lines(region).iter().map(|(key, lines)| (key, lines.len(), 0));
    let all: BTreeMap<&String, (usize, Moment)> =
        journal.chain(stored).map(|(key, size, moment)| (key, (size, moment))).collect();
    let found = all.into_iter().filter(move |(key, _)| key.starts_with(prefix));
    let found = found.filter(move |(key, _)| after.is_none_or(|after| key.as_str() > after));
    found.map(|(key, (size, moment))| StoredObject {
        key: key.clone(),
        size: size as u64,
        modified: state.stored.modified(moment),
    })
}

fn page(state: &CloudState, region: usize, prefix: &str, after: Option<&str>, listing: Listing) -> ObjectPage {
    let mut page = ObjectPage::default();
    for object in keys(state, region, prefix, after) {
        let folder = match listing {
            Listing::Deep => None,
            Listing::Folders => object.key[prefix.len()..].find('/').map(|slash| &object.key[..=prefix.len() + slash]),
        };
        if folder.is_some() && page.folders.last().map(String::as_str) == folder {
            continue;
        }
        if page.objects.len() + page.folders.len() == PAGE {
            let last = page.objects.last().map(|object| object.key.clone());
            page.next = last.max(page.folders.last().map(|folder| format!("{folder}\u{10ffff}")));
            break;
        }
        match folder {
            Some(folder) => page.folders.push(folder.to_owned()),
            None => page.objects.push(object),
        }
    }
    page
}

impl Client {
    /// The objects of the lake.
    #[must_use]
    pub fn lake_store(&self) -> MemoryLakeStore {
        MemoryLakeStore(self.clone())
    }
}

impl LakeStore for MemoryLakeStore {
    async fn list(&self, prefix: &str, after: Option<&str>, listing: Listing) -> PortResult<ObjectPage> {
        let (region, prefix, after) = (self.0.region, prefix.to_owned(), after.map(str::to_owned));
        let list = self.0.call(CloudService::Lake, "ListObjectsV2", DEADLINE, move |state, _, _| {
            page(state, region, &prefix, after.as_deref(), listing)
        });
        list.await
    }

    async fn read(&self, key: &str, part: Option<Range<u64>>) -> PortResult<Option<Vec<u8>>> {
        let (region, key) = (self.0.region, key.to_owned());
        let read = self.0.call(CloudService::Lake, "GetObject", DEADLINE, move |state, _, _| {
            let stored = state.stored.regions[region].get(&key).map(|(content, _)| content.as_slice());
            let content = stored.or_else(|| state.lakes.lines(region).get(&key).map(String::as_bytes))?;
            let place = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(content.len());
            Some(part.as_ref().map_or(content, |part| &content[place(part.start)..place(part.end)]).to_vec())
        });
        read.await
    }

    async fn create(&self, key: &str, content: Vec<u8>) -> PortResult<Create> {
        let (region, key) = (self.0.region, key.to_owned());
        let put = self.0.call(CloudService::Lake, "PutObject", DEADLINE, move |state, _, _| {
            if state.stored.regions[region].contains_key(&key) {
                return Create::AlreadyExists;
            }
            let now = state.now;
            state.stored.put(region, &key, content.clone(), now);
            Create::Created
        });
        put.await
    }

    async fn replace(&self, key: &str, content: Vec<u8>) -> PortResult<()> {
        let (region, key) = (self.0.region, key.to_owned());
        let put = self.0.call(CloudService::Lake, "PutObject", DEADLINE, move |state, _, _| {
            let now = state.now;
            state.stored.put(region, &key, content.clone(), now);
        });
        put.await
    }

    async fn delete(&self, keys: &[String]) -> PortResult<()> {
        let (region, keys) = (self.0.region, keys.to_owned());
        let delete = self.0.call(CloudService::Lake, "DeleteObjects", DEADLINE, move |state, _, _| {
            for key in &keys {
                state.stored.regions[region].remove(key);
            }
        });
        delete.await
    }
}
