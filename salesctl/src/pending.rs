//! `pending list`: what is not in the lake yet, and why.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use anyhow::bail;
use clap::Args;
use futures::{StreamExt, TryStreamExt, future::join_all, stream};
use sales::{
    aws::item,
    clock::{Clock, Timestamp},
    ports::Marks,
    region::Region,
    sale::{Amount, Fact, FactId, Product},
    shard::Shard,
    site_state::SiteState,
};
use serde::Serialize;

use crate::{
    cloud::{Cloud, RegionCloud, table::Entry, trouble::Trouble},
    config::ConfigOptions,
    exit::Exit,
    output::{self, Format, Meter, Table, age, count, line},
    overdue::Standing,
};

/// Index entries per read; as many as one read of the table takes.
const PAGE: i32 = 100;

/// Shards read concurrently.
const SHARDS_AT_A_TIME: usize = 8;

/// Options of `pending list`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  salesctl pending list --region us-east-1 --limit 0 --output json")]
pub(crate) struct PendingOptions {
    /// Only this region's table
    #[arg(long)]
    region: Option<String>,
    /// Maximum number per region, oldest first; 0 for all
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

/// The pending items of one region's table.
#[derive(Debug, Serialize)]
struct Listed {
    region: String,
    /// Number of items.
    total: u64,
    /// Number of them known to be unreadable.
    unreadable: u64,
    items: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Trouble>,
}

/// A pending item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Item {
    /// Time of acceptance, in seconds since 1970; `None` if the item has none.
    accepted_at: Option<i64>,
    id: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_in: Option<String>,
    reason: String,
}

/// Lists what is pending.
pub(crate) async fn list(place: &ConfigOptions, format: Format, options: &PendingOptions) -> anyhow::Result<Exit> {
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
        Ok(listed) => listed,
        Err(error) => {
            Listed { region: region.name.clone(), total: 0, unreadable: 0, items: Vec::new(), error: Some(error) }
        }
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
    let Listed { region, total, unreadable, items, error } = listed;
    if let Some(error) = error {
        return line(format_args!("{region}: {error}"));
    }
    let cannot = match unreadable {
        0 => String::new(),
        unreadable => format!(", {} unreadable", unreadable),
    };
    line(format_args!("{region}: {} pending{cannot}", count(*total, "item", "items")));
    if items.is_empty() {
        return;
    }
    let now = Clock::system().now();
    let mut table = Table::new(&["ID", "KIND", "ACCEPTED IN", "AGE", "REASON"]);
    for item in items {
        let accepted = item.accepted_at.and_then(Timestamp::from_unix_seconds);
        table.row([
            // Text from another writer must not control a terminal.
            item.id.escape_debug().into(),
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
) -> Result<Listed, Trouble> {
    let marks = region.marks()?;
    let backlog = region.backlog().await?;
    let (meter, read) = (RefCell::new(Meter::start()), Cell::new(0));
    let shards: Vec<Vec<Owed>> = stream::iter(region.shards.iter())
        .map(async |shard| {
            let owed = of_shard(region, shard, limit).await?;
            read.set(read.get() + owed.len());
            let total = backlog.items;
            meter.borrow_mut().at(format_args!("{}: {} of {total} read so far", region.name, read.get()));
            Ok(owed)
        })
        .buffer_unordered(SHARDS_AT_A_TIME)
        .try_collect()
        .await?;
    let mut owed: Vec<Owed> = shards.into_iter().flatten().collect();
    let unreadable = owed.iter().filter(|owed| owed.content.is_err()).count() as u64;
    // Items without a time first.
    owed.sort_by(|one, other| (one.accepted, &one.id).cmp(&(other.accepted, &other.id)));
    owed.truncate(limit);
    let ids: Vec<FactId> = owed.iter().filter_map(|owed| Some(owed.content.as_ref().ok()?.id())).collect();
    let marked = marks.present(&ids).await;
    let marked = marked.map_err(|error| Trouble::of_call(&region.key("idempotency_table"), &error))?;
    let now = Clock::system().now();
    let items = owed.into_iter().map(|owed| {
        let accepted_at = owed.accepted.map(Timestamp::unix_seconds);
        match owed.content {
            Ok(fact) => Item {
                accepted_at,
                id: owed.id,
                kind: match fact {
                    Fact::Sale(_) => "sale",
                    Fact::Cancellation(_) => "cancellation",
                },
                accepted_in: fact.region().map(Region::to_string),
                reason: reason(
                    region.overdue.standing(now.since(fact.timestamp())),
                    marked.contains(&fact.id()),
                    states,
                ),
            },
            Err(why) => Item {
                accepted_at,
                id: owed.id,
                kind: "unreadable",
                accepted_in: None,
                reason: format!("unreadable ({why}): no worker can process it; correct or delete the item"),
            },
        }
    });
    Ok(Listed {
        region: region.name.clone(),
        total: backlog.items,
        // The two counts may have read different items.
        unreadable: unreadable.max(backlog.unreadable),
        items: items.collect(),
        error: None,
    })
}

/// An index entry with its item: a fact, or why it is unreadable.
struct Owed {
    id: String,
    accepted: Option<Timestamp>,
    content: Result<Fact, String>,
}

/// The oldest of a shard.
async fn of_shard(region: &RegionCloud, shard: Shard, limit: usize) -> Result<Vec<Owed>, Trouble> {
    let (mut owed, mut from) = (Vec::new(), None);
    loop {
        let page = region.pending(shard, from, Some(PAGE)).await?;
        let ids: Vec<FactId> = page.entries.iter().filter_map(|entry| entry.fact).collect();
        let items = region.raw_items(&ids).await?;
        owed.extend(page.entries.into_iter().filter_map(|Entry { id, accepted, fact }| {
            let content = match fact {
                None => Err("its id is neither that of a sale nor of a cancellation".to_owned()),
                // A missing or settled item was processed after the index was read.
                Some(fact) => {
                    let item = items.get(&fact).filter(|item| item::is_pending(item))?;
                    item::fact(item).ok_or_else(|| why(item))
                }
            };
            Some(Owed { id, accepted, content })
        }));
        from = page.next;
        if from.is_none() || owed.len() >= limit {
            return Ok(owed);
        }
    }
}

/// Why an item with a valid id holds no fact.
fn why(item: &item::Item) -> String {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let number = |name: &str| item.get(name).and_then(|value| value.as_n().ok());
    let moment = number("timestamp").and_then(|text| text.parse().ok()).and_then(Timestamp::from_unix_seconds);
    let wrong = [
        ("timestamp", moment.is_some()),
        ("product", text("product").is_some_and(|product| Product::new(product.clone()).is_ok())),
        ("amount", number("amount").is_some_and(|amount| Amount::from_json_number(amount).is_ok())),
    ];
    let wrong: Vec<String> = wrong
        .into_iter()
        .filter(|(_, is_well)| !is_well)
        .map(|(name, _)| match item.get(name) {
            None => format!("no {name}"),
            Some(_) => format!("invalid {name}"),
        })
        .collect();
    if wrong.is_empty() { "neither a sale nor a cancellation".to_owned() } else { wrong.join(", ") }
}

/// Why an item is pending, as far as can be told from outside.
fn reason(standing: Standing, marked: bool, states: &BTreeMap<String, Option<SiteState>>) -> String {
    let active: Vec<&str> = states
        .iter()
        .filter(|(_, state)| **state == Some(SiteState::Active))
        .map(|(region, _)| region.as_str())
        .collect();
    match (active.as_slice(), standing) {
        _ if marked => "in the lake; the next sweep settles it".to_owned(),
        ([], _) if states.values().any(Option::is_none) => "no region is known to be ACTIVE".to_owned(),
        ([], _) => "no region is ACTIVE: salesctl switch --to REGION".to_owned(),
        (_, Standing::Fresh) => "fresh".to_owned(),
        (active, Standing::Due) => format!("due: the next sweep of {} processes it", active.join(", ")),
        (active, Standing::Overdue) => {
            format!("overdue: check /readiness and the log of the worker of {}", active.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;

    use super::*;

    #[test]
    fn the_reason_is_what_an_operator_can_act_on() {
        let states = |states: &[Option<SiteState>]| -> BTreeMap<_, _> {
            states.iter().enumerate().map(|(number, state)| (number.to_string(), *state)).collect()
        };
        let (active, passive) = (Some(SiteState::Active), Some(SiteState::Passive));
        let (young, old) = (Standing::Fresh, Standing::Overdue);
        assert!(reason(old, true, &states(&[passive])).starts_with("in the lake"));
        assert!(reason(young, false, &states(&[passive, passive])).starts_with("no region is ACTIVE"));
        assert_eq!(reason(young, false, &states(&[passive, None])), "no region is known to be ACTIVE");
        assert_eq!(reason(young, false, &states(&[active, passive])), "fresh");
        let due = reason(Standing::Due, false, &states(&[active, passive]));
        assert_eq!(due, "due: the next sweep of 0 processes it");
        assert_eq!(
            reason(old, false, &states(&[active, passive])),
            "overdue: check /readiness and the log of the worker of 0"
        );
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let number = |number: &str| AttributeValue::N(number.to_owned());
        let mut item = item::Item::from([("id".to_owned(), text("0192f5c0-7c1d-7a3e-8f11-0123456789ab"))]);
        assert_eq!(why(&item), "no timestamp, no product, no amount");
        item.insert("timestamp".to_owned(), number("1764547200000"));
        item.insert("product".to_owned(), text("Livro"));
        item.insert("amount".to_owned(), text("14"));
        assert_eq!(why(&item), "invalid timestamp, invalid amount");
    }
}
