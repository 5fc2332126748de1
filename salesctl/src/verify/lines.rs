//! The lines of one hour of a region's journal.

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::Arc,
};

use futures::StreamExt;
#[cfg(test)]
use sales::sale::Fact;
use sales::{journal::Hour, sale::FactId};

use crate::{
    cloud::{RegionCloud, lake::Object, trouble::Trouble},
    journal_line::LineDigest,
};

/// A line, and where it is.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Its digest.
    pub(super) digest: LineDigest,
    /// The hour of its folder.
    pub(super) folder: Hour,
    /// The newest object with this line.
    pub(super) object: Arc<Object>,
    /// How often the folder holds it.
    pub(super) times: u32,
}

/// The lines of an hour.
#[derive(Debug, Default)]
pub(super) struct HourLines {
    by_id: HashMap<FactId, Vec<Line>>,
    foreign: Vec<String>,
    read: HashSet<Arc<Object>>,
}

/// The lines of an object.
#[derive(Debug, Default)]
struct ObjectLines {
    facts: Vec<(FactId, LineDigest)>,
    /// Number of lines.
    lines: u64,
    /// Numbers of lines that no worker has written.
    foreign: Vec<u64>,
}

impl ObjectLines {
    fn note(&mut self, line: &[u8]) {
        self.lines += 1;
        match LineDigest::parse(line) {
            Some(fact) => self.facts.push(fact),
            None => self.foreign.push(self.lines),
        }
    }
}

impl HourLines {
    /// The lines of a fact.
    pub(super) fn of(&self, id: FactId) -> &[Line] {
        self.by_id.get(&id).map_or(&[], Vec::as_slice)
    }

    /// The facts.
    pub(super) fn ids(&self) -> impl Iterator<Item = FactId> {
        self.by_id.keys().copied()
    }

    /// Keys of objects with the numbers of lines that no worker has written.
    pub(super) fn foreign(&self) -> impl Iterator<Item = &str> {
        self.foreign.iter().map(String::as_str)
    }

    /// Reads those of the objects of `hour` that it has not read before; of the facts, it keeps those that are `wanted`.
    /// Reports after each object how many lines it has read.
    pub(super) async fn read(
        &mut self,
        region: &RegionCloud,
        hour: Hour,
        objects: Vec<Arc<Object>>,
        wanted: impl Fn(FactId) -> bool,
        read: impl Fn(u64),
    ) -> Result<(), Trouble> {
        let new: Vec<Arc<Object>> = objects.into_iter().filter(|object| !self.read.contains(object)).collect();
        let mut objects = pin!(region.read_objects(new, ObjectLines::note));
        while let Some(object) = objects.next().await {
            let (object, lines) = object?;
            let lines = lines.unwrap_or_default();
            read(lines.lines);
            self.foreign.extend(lines.foreign.iter().map(|line| format!("{} line {line}", object.key)));
            for (id, digest) in lines.facts.into_iter().filter(|(id, _)| wanted(*id)) {
                self.add(id, Line { digest, folder: hour, object: object.clone(), times: 1 });
            }
            self.read.insert(object);
        }
        Ok(())
    }

    /// These facts, in one object.
    #[cfg(test)]
    pub(super) fn with(facts: &[Fact], object: &Arc<Object>) -> Self {
        let mut lines = Self::default();
        for fact in facts {
            let digest = LineDigest::of(fact);
            lines.add(fact.id(), Line { digest, folder: digest.hour, object: object.clone(), times: 1 });
        }
        lines
    }

    fn add(&mut self, id: FactId, line: Line) {
        let lines = self.by_id.entry(id).or_insert_with(|| Vec::with_capacity(1));
        match lines.iter_mut().find(|known| known.digest == line.digest) {
            Some(known) => {
                known.times += 1;
                if known.object.written_at < line.object.written_at {
                    known.object = line.object;
                }
            }
            None => lines.push(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use sales::clock::Timestamp;

    use super::*;

    const SALE: &str = r#"{"id":"0192f5c0-7c1d-7a3e-8f11-0123456789ab","product":"Livro","amount":14,"sale_processed":false,"timestamp":1764547200}"#;

    #[test]
    fn a_line_in_two_objects_is_counted_twice_and_found_in_the_newer_one() {
        let (id, digest) = LineDigest::parse(SALE.as_bytes()).unwrap();
        let mut lines = HourLines::default();
        for (key, written_at) in [("b", 2), ("a", 1)] {
            let object = Object { key: key.to_owned(), written_at: Timestamp::from_unix_seconds(written_at) };
            lines.add(id, Line { digest, folder: digest.hour, object: object.into(), times: 1 });
        }
        let [line] = lines.of(id) else { panic!("one line") };
        assert_eq!((line.times, line.object.key.as_str()), (2, "b"));
    }

    #[test]
    fn lines_that_no_worker_writes_are_named_by_their_number() {
        let mut lines = ObjectLines::default();
        for line in [SALE, "", SALE, "{}"] {
            lines.note(line.as_bytes());
        }
        assert_eq!((lines.facts.len(), lines.foreign), (2, vec![2, 4]));
    }
}
