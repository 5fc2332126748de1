//! `sale trace`: everything known about one sale, in one command.

mod look;
mod report;
mod verdict;

use anyhow::bail;
use clap::Args;
use sales::{
    clock::{Clock, Timestamp},
    sale::SaleId,
};
use serde::Serialize;

use crate::{
    cloud::{Cloud, state::StateParameter, trouble::Trouble},
    config::ConfigOptions,
    exit::Exit,
    output::{self, Format},
    status::Figure,
};
use verdict::Known;

const EXAMPLE: &str = "\
Example:
  salesctl sale trace 0192f5c0-7c1d-7a3e-8f11-0123456789ab

An unavailable region adds two seconds. Where no mark names the object of the journal, or the object is not there, it
looks through all objects of the sale's hour, and says so. The row is that of the lake's table, which has it about a minute
after the journal.
Exit codes: 0 found; 2 not found, or partly unknown; 1 no region could be read.";

/// Options of `sale trace`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct TraceOptions {
    /// Sale id (UUID), as returned by POST /sales
    id: SaleId,
}

/// The trace of a sale.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Trace {
    /// The sale's id.
    id: String,
    /// Time of the trace, in seconds since 1970.
    at: i64,
    /// One sentence to pass on.
    verdict: String,
    regions: Vec<RegionTrace>,
}

/// What one region knows about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct RegionTrace {
    region: String,
    /// The region's state parameter.
    state: Figure<StateParameter>,
    sale: FactTrace,
    cancellation: FactTrace,
    /// Its row in the lake's table; null if there is none.
    row: Figure<Option<RowView>>,
}

/// What one region knows about a sale, or about its cancellation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct FactTrace {
    /// The item of the sales table; null if there is none.
    item: Figure<Option<ItemView>>,
    /// The mark in the idempotency table; null if there is none.
    mark: Figure<Option<Mark>>,
    /// Its line in the journal of the lake.
    lake: Figure<Option<LakeView>>,
}

/// An item of the sales table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum ItemView {
    /// A sale or a cancellation.
    Fact {
        #[serde(skip_serializing_if = "Option::is_none")]
        product: Option<String>,
        /// The digits as stored.
        #[serde(skip_serializing_if = "Option::is_none")]
        amount: Option<String>,
        /// Seconds since 1970.
        accepted_at: i64,
        accepted_in: Option<String>,
        sale_processed: bool,
        /// Seconds since 1970.
        processed_at: Option<i64>,
        pending: bool,
        /// The folder of the journal in which it belongs.
        lake_prefix: String,
    },
    /// An unreadable item.
    Unreadable { unreadable: bool },
}

/// A mark.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Mark {
    /// Seconds since 1970.
    expires_at: Option<i64>,
    /// The object of the journal that it names; marks of earlier versions name none.
    object: Option<String>,
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct LakeView {
    /// Key of its object.
    key: String,
    found_by: FoundBy,
    /// Length of the line.
    bytes: usize,
    /// Time at which the object was written, in seconds since 1970.
    last_modified: Option<i64>,
    content: Content,
}

/// A row of the lake's table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct RowView {
    /// Its file, below the table.
    file: String,
    /// Seconds since 1970.
    accepted_at: i64,
    /// Seconds since 1970.
    cancelled_at: Option<i64>,
}

/// How a line was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FoundBy {
    /// A mark names its object.
    Mark,
    /// All objects of its hour were looked through.
    Search,
}

/// Result of comparing a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Content {
    /// What the item says.
    Same,
    /// The same order, accepted at another moment in another region (decision 3).
    OtherVersion,
    /// Something else.
    Different,
    /// There is no item to compare with.
    Unknown,
}

impl RegionTrace {
    /// Whether the region returned anything about the sale.
    fn answers(&self) -> bool {
        [&self.sale, &self.cancellation]
            .iter()
            .any(|fact| fact.item.known().is_some() || fact.mark.known().is_some() || fact.lake.known().is_some())
            || self.row.known().is_some()
    }

    /// Why parts are unknown, each reason once.
    fn troubles(&self) -> Vec<&Trouble> {
        let facts = [&self.sale, &self.cancellation].into_iter();
        let facts = facts.flat_map(|FactTrace { item, mark, lake }| [unknown(item), unknown(mark), unknown(lake)]);
        let mut troubles: Vec<&Trouble> = Vec::new();
        for trouble in facts.flatten().chain(unknown(&self.row)) {
            if !troubles.contains(&trouble) {
                troubles.push(trouble);
            }
        }
        troubles
    }
}

fn unknown<T>(figure: &Figure<T>) -> Option<&Trouble> {
    match figure {
        Figure::Known(_) => None,
        Figure::Unknown { error } => Some(error),
    }
}

/// Reads all regions, and derives the verdict.
pub(crate) async fn trace(place: &ConfigOptions, format: Format, options: &TraceOptions) -> anyhow::Result<Exit> {
    let config = place.read()?;
    let cloud = Cloud::open(&config).await?;
    let regions = look::everywhere(&cloud, options.id).await;
    if !regions.iter().any(RegionTrace::answers) {
        let reasons = regions.iter().flat_map(|region| {
            region.troubles().into_iter().map(|trouble| format!("{}: {trouble}", region.region)).collect::<Vec<_>>()
        });
        bail!("no region could be read: {}", reasons.collect::<Vec<_>>().join("; "));
    }
    let now: Timestamp = Clock::system().now();
    let (known, verdict) = verdict::of(&regions, now, cloud.overdue);
    let trace = Trace { id: options.id.to_string(), at: now.unix_seconds(), verdict, regions };
    match format {
        Format::Json => output::json(&trace)?,
        Format::Table => report::show(&trace),
    }
    Ok(match known {
        Known::Everything => Exit::Done,
        Known::APart | Known::Nothing => Exit::Incomplete,
    })
}
