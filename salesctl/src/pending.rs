//! `pending list`: what is owed to the lake, and why.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Duration,
};

use anyhow::bail;
use clap::Args;
use futures::{StreamExt, TryStreamExt, future::join_all, stream};
use sales::{
    clock::{Clock, Timestamp},
    ports::{Marks, SaleTable},
    sale::{Fact, FactId, Region, Shard},
    site::SiteState,
};
use serde::Serialize;

use crate::{
    cloud::{Cloud, RegionCloud, trouble::Trouble},
    config::Place,
    exit::Exit,
    output::{self, Format, Meter, Table, age, count, line},
};

/// From this age on a pending item is the sweep's, which looks every few seconds.
const GRACE: Duration = Duration::from_secs(30);

/// How many shards are read at a time.
const SHARDS_AT_A_TIME: usize = 8;

/// What to list.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  salesctl pending list --region us-east-1 --limit 0 --output json")]
pub(crate) struct PendingOptions {
    /// Only what this region's table knows of
    #[arg(long)]
    region: Option<String>,
    /// At most so many of each region, the oldest first; 0 for all
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

/// What one region's table knows to be owed.
#[derive(Debug, Serialize)]
struct Listed {
    region: String,
    /// How many there are in all.
    total: u64,
    items: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Trouble>,
}

/// Something that is owed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Item {
    /// When it was accepted, in seconds since 1970.
    accepted_at: i64,
    id: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_in: Option<String>,
    reason: String,
}

/// Lists what is pending.
pub(crate) async fn list(place: &Place, format: Format, options: &PendingOptions) -> anyhow::Result<Exit> {
    let config = place.read()?;
    let shown = config.selected(options.region.as_deref())?;
    let cloud = Cloud::open(&config).await?;
    let limit = if options.limit == 0 { usize::MAX } else { options.limit };
    let states = join_all(cloud.regions.values().map(async |region| {
        let state = region.state().await.ok().and_then(|state| state.site_state());
        (region.name.clone(), state)
    }));
    let states: BTreeMap<_, _> = states.await.into_iter().collect();
    let regions = shown.iter().filter_map(|name| cloud.regions.get(*name));
    let listed = join_all(regions.map(async |region| match of_region(region, &states, limit).await {
        Ok((total, items)) => Listed { region: region.name.clone(), total, items, error: None },
        Err(error) => Listed { region: region.name.clone(), total: 0, items: Vec::new(), error: Some(error) },
    }))
    .await;
    match format {
        Format::Json => output::json(&listed)?,
        Format::Table => listed.iter().for_each(show),
    }
    match listed.iter().filter(|listed| listed.error.is_some()).count() {
        0 => Ok(Exit::Done),
        failed if failed == listed.len() => bail!("no region's table could be read"),
        _ => Ok(Exit::Incomplete),
    }
}

fn show(listed: &Listed) {
    let Listed { region, total, items, error } = listed;
    if let Some(error) = error {
        return line(format_args!("{region}: {error}"));
    }
    line(format_args!("{region}: {} pending", count(*total, "item", "items")));
    if items.is_empty() {
        return;
    }
    let now = Clock::system().now();
    let mut table = Table::new(&["ID", "KIND", "ACCEPTED IN", "AGE", "REASON"]);
    for item in items {
        let accepted = Timestamp::from_unix_seconds(item.accepted_at);
        table.row([
            (&item.id).into(),
            item.kind.into(),
            item.accepted_in.as_deref().unwrap_or("-").into(),
            accepted.map_or_else(|| "?".to_owned(), |accepted| age(accepted, now)).into(),
            (&item.reason).into(),
        ]);
    }
    line(table);
    if *total > items.len() as u64 {
        line(format_args!("... the oldest {}; --limit 0 lists all", items.len()));
    }
}

async fn of_region(
    region: &RegionCloud,
    states: &BTreeMap<String, Option<SiteState>>,
    limit: usize,
) -> Result<(u64, Vec<Item>), Trouble> {
    let (table, marks) = (region.sale_table()?, region.marks()?);
    let (sales_key, marks_key) = (region.key("sales_table"), region.key("idempotency_table"));
    let total = region.backlog().await?.items;
    let (meter, read) = (RefCell::new(Meter::start()), Cell::new(0));
    let facts: Vec<Vec<Fact>> = stream::iter(region.shards.iter())
        .map(async |shard| {
            let facts = facts(&table, shard, limit).await?;
            read.set(read.get() + facts.len());
            meter.borrow_mut().at(format_args!("{}: {} of {total} read so far", region.name, read.get()));
            Ok(facts)
        })
        .buffer_unordered(SHARDS_AT_A_TIME)
        .try_collect()
        .await
        .map_err(|error| Trouble::of_call(&sales_key, &error))?;
    let mut facts: Vec<Fact> = facts.into_iter().flatten().collect();
    facts.sort_by_key(|fact| (fact.timestamp(), fact.id().to_string()));
    facts.truncate(limit);
    let ids: Vec<FactId> = facts.iter().map(Fact::id).collect();
    let marked = marks.present(&ids).await.map_err(|error| Trouble::of_call(&marks_key, &error))?;
    let now = Clock::system().now();
    let items = facts.iter().map(|fact| Item {
        accepted_at: fact.timestamp().unix_seconds(),
        id: fact.id().to_string(),
        kind: match fact {
            Fact::Sale(_) => "sale",
            Fact::Cancellation(_) => "cancellation",
        },
        accepted_in: fact.region().map(Region::to_string),
        reason: reason(now.since(fact.timestamp()), marked.contains(&fact.id()), states),
    });
    Ok((total, items.collect()))
}

/// The oldest facts of a shard.
async fn facts<T: SaleTable>(table: &T, shard: Shard, limit: usize) -> sales::ports::PortResult<Vec<Fact>> {
    let end_of_time = Timestamp::from_unix_seconds(253_402_300_799).unwrap_or_else(|| Clock::system().now());
    let (mut facts, mut page) = (Vec::new(), None);
    loop {
        let read = table.pending(shard, end_of_time, page).await?;
        facts.extend(table.load_pending(&read.ids).await?.facts);
        page = read.next;
        if page.is_none() || facts.len() >= limit {
            return Ok(facts);
        }
    }
}

/// Why something is pending, as far as it can be told from outside.
fn reason(age: Duration, marked: bool, states: &BTreeMap<String, Option<SiteState>>) -> String {
    let active: Vec<&str> = states
        .iter()
        .filter(|(_, state)| **state == Some(SiteState::Active))
        .map(|(region, _)| region.as_str())
        .collect();
    match active.as_slice() {
        _ if marked => "in the lake; the next sweep notes it".to_owned(),
        [] if states.values().any(Option::is_none) => "no region is known to be ACTIVE".to_owned(),
        [] => "no region is ACTIVE: salesctl switch --to REGION".to_owned(),
        _ if age < GRACE => "fresh".to_owned(),
        active => format!("overdue: see the readiness and the log of the worker of {}", active.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_what_an_operator_can_act_on() {
        let states = |states: &[Option<SiteState>]| -> BTreeMap<_, _> {
            states.iter().enumerate().map(|(number, state)| (number.to_string(), *state)).collect()
        };
        let (active, passive) = (Some(SiteState::Active), Some(SiteState::Passive));
        let (young, old) = (Duration::from_secs(1), Duration::from_secs(60));
        assert!(reason(old, true, &states(&[passive])).starts_with("in the lake"));
        assert!(reason(young, false, &states(&[passive, passive])).starts_with("no region is ACTIVE"));
        assert_eq!(reason(young, false, &states(&[passive, None])), "no region is known to be ACTIVE");
        assert_eq!(reason(young, false, &states(&[active, passive])), "fresh");
        assert_eq!(
            reason(old, false, &states(&[active, passive])),
            "overdue: see the readiness and the log of the worker of 0"
        );
    }
}
