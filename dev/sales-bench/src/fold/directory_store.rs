//! A lake in a directory: contents are in files, so that the memory of a process is that of what it does.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sales::clock::Clock;
use sales::ports::{Create, FailureKind, LakeStore, Listing, ObjectPage, PortError, PortResult, StoredObject};

/// Keys of a page, as of S3.
const PAGE: usize = 1_000;

/// [`LakeStore`] in a directory, of one process.
#[derive(Clone)]
pub(super) struct DirectoryStore {
    directory: PathBuf,
    clock: Clock,
    objects: Arc<Mutex<Objects>>,
}

#[derive(Default)]
struct Objects {
    known: BTreeMap<String, (u64, StoredObject)>,
    files: u64,
    calls: BTreeMap<&'static str, u64>,
}

impl DirectoryStore {
    /// An empty lake in an empty directory.
    pub(super) fn new(directory: PathBuf, clock: Clock) -> Self {
        Self { directory, clock, objects: Arc::default() }
    }

    /// Puts an object without counting a call.
    pub(super) fn put(&self, key: &str, content: &[u8]) -> io::Result<()> {
        let file = {
            let mut objects = self.lock();
            objects.files += 1;
            objects.files
        };
        std::fs::write(self.path(file), content)?;
        let object = StoredObject { key: key.to_owned(), size: content.len() as u64, modified: self.clock.now() };
        self.lock().known.insert(key.to_owned(), (file, object));
        Ok(())
    }

    /// The calls so far, by operation.
    pub(super) fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.lock().calls.clone()
    }

    fn call(&self, operation: &'static str) -> MutexGuard<'_, Objects> {
        let mut objects = self.lock();
        *objects.calls.entry(operation).or_default() += 1;
        objects
    }

    fn lock(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, file: u64) -> PathBuf {
        self.directory.join(file.to_string())
    }

    fn read_file(&self, file: u64, part: &Range<u64>) -> io::Result<Vec<u8>> {
        let mut content = vec![0; usize::try_from(part.end - part.start).unwrap_or(0)];
        File::open(self.path(file))?.read_exact_at(&mut content, part.start)?;
        Ok(content)
    }
}

fn failed(operation: &'static str) -> impl Fn(io::Error) -> PortError {
    move |error| PortError { operation, kind: FailureKind::Unavailable, detail: error.to_string() }
}

impl LakeStore for DirectoryStore {
    async fn list(&self, prefix: &str, after: Option<&str>, listing: Listing) -> PortResult<ObjectPage> {
        let objects = self.call("ListObjectsV2");
        let mut page = ObjectPage::default();
        let from = after.unwrap_or(prefix).to_owned();
        let found = objects.known.range(from..).map(|(_, (_, object))| object);
        let found = found.filter(|object| after.is_none_or(|after| object.key.as_str() > after));
        for object in found.take_while(|object| object.key.starts_with(prefix)) {
            let folder = object.key[prefix.len()..].find('/').filter(|_| listing == Listing::Folders);
            let folder = folder.map(|slash| &object.key[..=prefix.len() + slash]);
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
                None => page.objects.push(object.clone()),
            }
        }
        Ok(page)
    }

    async fn read(&self, key: &str, part: Option<Range<u64>>) -> PortResult<Option<Vec<u8>>> {
        let Some((file, size)) = self.call("GetObject").known.get(key).map(|(file, object)| (*file, object.size))
        else {
            return Ok(None);
        };
        let part = part.map_or(0..size, |part| part.start.min(size)..part.end.min(size));
        self.read_file(file, &part).map(Some).map_err(failed("GetObject"))
    }

    async fn create(&self, key: &str, content: Vec<u8>) -> PortResult<Create> {
        if self.call("PutObject").known.contains_key(key) {
            return Ok(Create::AlreadyExists);
        }
        self.put(key, &content).map(|()| Create::Created).map_err(failed("PutObject"))
    }

    async fn replace(&self, key: &str, content: Vec<u8>) -> PortResult<()> {
        drop(self.call("PutObject"));
        self.put(key, &content).map_err(failed("PutObject"))
    }

    async fn delete(&self, keys: &[String]) -> PortResult<()> {
        let mut objects = self.call("DeleteObjects");
        keys.iter().for_each(|key| drop(objects.known.remove(key)));
        Ok(())
    }
}
