//! The lake's tables, as a reader sees them. What a row must say is computed here from the lines of the journal,
//! independently of the code under test.

use std::collections::BTreeMap;

use bytes::Bytes;
use sales_table::data_file;
use sales_table::delta::{LOG, LogFile, Table, checkpoint_name, commit_name};
use sales_table::log_store::TABLE;
use sales_table::row::Texts;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::regions::{NAMES, REGIONS};
use crate::world::World;

/// Digits after the point of an amount.
const SCALE: usize = 18;

/// A row, as far as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    product: String,
    amount: Option<i128>,
    accepted_at: i64,
    region: Option<String>,
    cancelled_at: Option<i64>,
}

/// A line of the journal.
#[derive(Deserialize)]
struct Line {
    id: String,
    sale_id: Option<String>,
    product: Option<String>,
    amount: Option<Box<RawValue>>,
    timestamp: i64,
    region: Option<String>,
}

/// Whether each table has exactly the rows that its journal asks for, and still every version of this run.
#[must_use]
pub fn check_tables(world: &World) -> Vec<String> {
    let built = (0..REGIONS).filter(|region| world.schedule.lakes[*region] > 0);
    let live = built.filter(|region| world.schedule.lost_for_good != Some(*region));
    live.flat_map(|region| check_table(world, region)).collect()
}

fn check_table(world: &World, region: usize) -> Vec<String> {
    let name = NAMES[region];
    let stored = world.cloud.stored(region);
    let expected = expected(&world.cloud.objects(region));
    let found = match read(&stored) {
        Ok(found) => found,
        Err(error) => return vec![format!("the table of {name} cannot be read: {error}")],
    };
    let mut wrong: Vec<String> =
        lost_versions(&stored).map(|lost| format!("the table of {name} lacks {lost}")).collect();
    for id in found.keys().filter(|id| !expected.contains_key(*id)) {
        wrong.push(format!("{id} is a row of the table of {name}, and in no journal"));
    }
    for (id, row) in expected {
        match found.get(&id).map(Vec::as_slice) {
            None => wrong.push(format!("{id} is not a row of the table of {name}")),
            Some([one]) if *one == row => {}
            Some(rows) => wrong.push(format!("{id} is {rows:?} in the table of {name}, and not {row:?}")),
        }
    }
    wrong
}

/// What the lines of a journal say: of a sale's versions the earlier one, then the one with the smaller line; of its
/// cancellations the earlier one.
fn expected(objects: &BTreeMap<String, String>) -> BTreeMap<String, Row> {
    let mut sales: BTreeMap<String, (i64, &str, Line)> = BTreeMap::new();
    let mut cancelled: BTreeMap<String, i64> = BTreeMap::new();
    for text in objects.values().flat_map(|lines| lines.lines()) {
        let Ok(line) = serde_json::from_str::<Line>(text) else { continue };
        if let Some(sale) = line.sale_id {
            let at = cancelled.entry(sale).or_insert(line.timestamp);
            *at = line.timestamp.min(*at);
        } else if sales.get(&line.id).is_none_or(|(at, known, _)| (line.timestamp, text) < (*at, *known)) {
            sales.insert(line.id.clone(), (line.timestamp, text, line));
        }
    }
    let row = |(id, (accepted_at, _, line)): (String, (i64, &str, Line))| {
        let (product, region) = (line.product.unwrap_or_default(), line.region);
        let amount = line.amount.and_then(|amount| units(amount.get()));
        let cancelled_at = cancelled.get(&id).copied();
        (id, Row { product, amount, accepted_at, region, cancelled_at })
    };
    sales.into_iter().map(row).collect()
}

/// A decimal in units of its last digit.
fn units(amount: &str) -> Option<i128> {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    format!("{whole}{fraction:0<SCALE$}").parse().ok().filter(|_| fraction.len() <= SCALE)
}

/// The rows of the newest version, by id.
fn read(stored: &BTreeMap<String, Vec<u8>>) -> Result<BTreeMap<String, Vec<Row>>, String> {
    let folder = format!("{TABLE}{LOG}");
    let files = stored.iter().filter_map(|(key, content)| {
        let file = LogFile::parse(key.strip_prefix(&folder)?)?;
        Some((file, content.clone().into()))
    });
    let files: Vec<(LogFile, Bytes)> = files.collect();
    if files.is_empty() {
        return Ok(BTreeMap::new());
    }
    let checkpoint = files.iter().filter_map(|(file, _)| match file {
        LogFile::Checkpoint(version) => Some(*version),
        LogFile::Commit(_) => None,
    });
    let checkpoint = checkpoint.max();
    let names = files.iter().filter_map(|(file, content)| match *file {
        LogFile::Commit(version) => {
            checkpoint.is_none_or(|checkpoint| version > checkpoint).then(|| (commit_name(version), content))
        }
        LogFile::Checkpoint(version) => (Some(version) == checkpoint).then(|| (checkpoint_name(version), content)),
    });
    let names: Vec<_> = names.collect();
    let table = Table::open(names.iter().map(|(name, content)| (name.as_str(), (*content).clone())));
    let mut rows: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for file in table.map_err(|error| error.to_string())?.files().keys() {
        let content = stored.get(&format!("{TABLE}{file}")).ok_or_else(|| format!("{file} is missing"))?;
        let read = data_file::decode(content.clone(), &mut Texts::default()).map_err(|error| error.to_string())?;
        for row in read {
            let (product, region) = (row.product.to_string(), row.region.map(|region| region.to_string()));
            let (amount, accepted_at, cancelled_at) = (row.amount, row.accepted_at, row.cancelled_at);
            let row_found = Row { product, amount, accepted_at, region, cancelled_at };
            rows.entry(row.id.text()).or_default().push(row_found);
        }
    }
    Ok(rows)
}

/// What is missing of the versions of this run, which is shorter than they are kept: commits, and files that they name.
fn lost_versions(stored: &BTreeMap<String, Vec<u8>>) -> impl Iterator<Item = String> {
    let key = |version: u64| format!("{TABLE}{LOG}{}", commit_name(version));
    let folder = format!("{TABLE}{LOG}");
    let versions = stored.keys().filter_map(|key| match LogFile::parse(key.strip_prefix(&folder)?)? {
        LogFile::Commit(version) => Some(version),
        LogFile::Checkpoint(_) => None,
    });
    let versions: Vec<u64> = (0..versions.max().map_or(0, |newest| newest + 1)).collect();
    let (there, lost): (Vec<u64>, Vec<u64>) =
        versions.into_iter().partition(|version| stored.contains_key(&key(*version)));
    let actions = there.into_iter().flat_map(move |version| {
        let commit = String::from_utf8_lossy(&stored[&key(version)]);
        commit.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect::<Vec<_>>()
    });
    let added = actions.filter_map(|action| Some(action["add"]["path"].as_str()?.to_owned()));
    let missing = added.filter(|path| !stored.contains_key(&format!("{TABLE}{path}")));
    lost.into_iter().map(commit_name).chain(missing)
}
