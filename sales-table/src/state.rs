//! What of the journal is in the table: kept beside the table, and named by its commits.
//!
//! Each commit names one root, which names an object for each day: the hashes of the keys of the journal's objects that
//! have been folded. The root also holds the cancellations that wait: for their sale, or until changing their file is worth
//! it. Objects are named by a hash of their content, which holds the version it was made for, so none is ever replaced and
//! none that was left by a lost commit is ever needed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::row::{Change, RowId, day_name, day_of_name};

/// The folder of these objects, below the table. Readers of the table ignore names that begin like this.
pub const FOLDER: &str = "_fold/";

/// Bits of a [`StateId`] that are of the content's hash.
const HASH_BITS: u32 = 36;

/// Names an object of the state: the version of the table for whose successor it was made, and a hash of its content. It is
/// a number of 64 bits since the log has room for no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateId(pub u64);

impl StateId {
    fn of(version: u64, content: &[u8]) -> Self {
        Self(version << HASH_BITS | hash(content) >> (64 - HASH_BITS))
    }

    /// The version of the table for whose successor the object was made.
    #[must_use]
    pub fn base(self) -> u64 {
        self.0 >> HASH_BITS
    }

    /// The object's key below the table.
    #[must_use]
    pub fn name(self) -> String {
        format!("{FOLDER}{self}")
    }

    /// The object with this key below the table; `None` if no builder writes it.
    #[must_use]
    pub fn parse_name(name: &str) -> Option<Self> {
        let id = Self::parse(name.strip_prefix(FOLDER)?)?;
        (id.name() == name).then_some(id)
    }

    fn parse(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().map(Self)
    }
}

impl fmt::Display for StateId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

fn hash(content: &[u8]) -> u64 {
    let hash: [u8; 16] = Md5::digest(content).into();
    u64::from_be_bytes(std::array::from_fn(|place| hash[place]))
}

/// A cancellation that is not in the table yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What it says.
    pub change: Change,
    /// When it is due, if its sale is known; otherwise it is due when its sale comes.
    pub due: Option<i64>,
}

/// The root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Root {
    /// The object of each day.
    pub days: BTreeMap<i64, StateId>,
    /// Cancellations that wait.
    pub waiting: BTreeMap<RowId, Waiting>,
}

#[derive(Serialize, Deserialize)]
struct RootBody {
    version: u64,
    days: BTreeMap<String, String>,
    waiting: Vec<WaitingBody>,
}

#[derive(Serialize, Deserialize)]
struct WaitingBody {
    id: String,
    cancelled_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sale_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<i64>,
}

impl Root {
    /// Its content for the successor of a version of the table, and its name.
    #[must_use]
    pub fn encode(&self, version: u64) -> (StateId, Vec<u8>) {
        let waiting = self.waiting.iter().filter_map(|(id, Waiting { change, due })| {
            let (id, cancelled_at) = (id.text(), change.cancelled_at?);
            Some(WaitingBody { id, cancelled_at, sale_at: change.sale_at, since: change.waiting_since, due: *due })
        });
        let body = RootBody {
            version,
            days: self.days.iter().map(|(day, id)| (day_name(*day), id.to_string())).collect(),
            waiting: waiting.collect(),
        };
        let content = serde_json::to_vec(&body).expect("texts and numbers are always JSON");
        (StateId::of(version, &content), content)
    }

    /// The root with this content; `None` if no builder writes it.
    #[must_use]
    pub fn decode(content: &[u8]) -> Option<Self> {
        let RootBody { days, waiting, .. } = serde_json::from_slice(content).ok()?;
        let day = |(day, id): (String, String)| Some((day_of_name(&day)?, StateId::parse(&id)?));
        let waiting = waiting.into_iter().map(|WaitingBody { id, cancelled_at, sale_at, since, due }| {
            let change = Change { sale: None, cancelled_at: Some(cancelled_at), sale_at, waiting_since: since };
            Some((RowId(id.parse::<Uuid>().ok()?.as_u128()), Waiting { change, due }))
        });
        Some(Self { days: days.into_iter().map(day).collect::<Option<_>>()?, waiting: waiting.collect::<Option<_>>()? })
    }
}

/// The objects of a day that have been folded, by the hashes of their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Day(BTreeSet<u64>);

impl Day {
    /// Adds an object.
    pub fn insert(&mut self, key: &str) {
        self.0.insert(hash(key.as_bytes()));
    }

    /// Whether an object has been folded.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.0.contains(&hash(key.as_bytes()))
    }

    /// Its content for the successor of a version of the table, and its name.
    #[must_use]
    pub fn encode(&self, day: i64, version: u64) -> (StateId, Vec<u8>) {
        let header = [version, day.cast_unsigned()];
        let content: Vec<u8> = header.iter().chain(&self.0).flat_map(|number| number.to_be_bytes()).collect();
        (StateId::of(version, &content), content)
    }

    /// The day with this content; `None` if no builder writes it.
    #[must_use]
    pub fn decode(content: &[u8]) -> Option<Self> {
        let (numbers, rest) = content.as_chunks::<8>();
        let hashes = numbers.get(2..)?.iter().map(|number| u64::from_be_bytes(*number)).collect();
        rest.is_empty().then_some(Self(hashes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_folded_is_read_as_it_was_written_and_named_by_its_version() {
        let mut day = Day::default();
        day.insert("journal/dt=2025-11-30/hour=23/a");
        assert!(day.contains("journal/dt=2025-11-30/hour=23/a") && !day.contains("journal/dt=2025-11-30/hour=23/b"));
        let (id, content) = day.encode(20_000, 7);
        assert_eq!(id.base(), 7);
        assert_eq!(Day::decode(&content), Some(day.clone()));
        assert_ne!(day.encode(20_000, 8).0, id);
        assert_ne!(day.encode(20_001, 7).0, id);
        assert_eq!(Day::decode(&content[..20]), None);
        assert_eq!(StateId::parse_name(&id.name()), Some(id));
        assert_eq!(StateId::parse_name("_fold/x"), None);

        let change = Change { cancelled_at: Some(5), sale_at: Some(4), waiting_since: Some(6), ..Change::default() };
        let root = Root {
            days: [(20_000, id)].into(),
            waiting: [
                (RowId(9), Waiting { change: change.clone(), due: Some(10) }),
                (RowId(10), Waiting { change, due: None }),
            ]
            .into(),
        };
        let (id, content) = root.encode(7);
        assert_eq!(Root::decode(&content), Some(root.clone()));
        assert_ne!(root.encode(8).0, id);
        assert_eq!(Root::decode(&content[1..]), None);
    }
}
