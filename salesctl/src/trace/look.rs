//! Reads what each region knows about a sale.

use std::{collections::HashMap, pin::pin, time::Duration};

use futures::{StreamExt, future::join_all};
use sales::{
    clock::Timestamp,
    journal::Hour,
    region::Region,
    sale::{Fact, FactId, SaleId},
};
use sales_table::row::{Row, RowId};
use uuid::Uuid;

use super::{Content, FactTrace, FoundBy, ItemView, LakeView, Mark, RegionTrace, RowView};
use crate::{
    cloud::{
        Cloud, Patience, RegionCloud, in_time,
        items::{Item, MarkItem},
        state::StateParameter,
        trouble::{Trouble, TroubleKind},
    },
    journal_line::{Agreement, LineDigest},
    output::{count, note},
};

/// Maximum time between the creation of an id and the timestamp of its sale.
const ACCEPTING: Duration = Duration::from_secs(60);

const HOUR: Duration = Duration::from_secs(3_600);

/// What a region's tables hold.
struct Tables {
    state: Result<StateParameter, Trouble>,
    items: Result<(Vec<Item>, Vec<FactId>), Trouble>,
    marks: Result<HashMap<FactId, MarkItem>, Trouble>,
    /// Whether the lake is worth reading.
    lake: Result<(), Trouble>,
}

impl Tables {
    fn item(&self, id: FactId) -> Option<&Item> {
        self.items.as_ref().ok()?.0.iter().find(|item| item.fact.id() == id)
    }

    /// The object that its mark names.
    fn object(&self, id: FactId) -> Option<&str> {
        self.marks.as_ref().ok()?.get(&id)?.object.as_deref()
    }
}

/// Reads all regions at once: first the tables, then, depending on them, the lakes.
pub(super) async fn everywhere(cloud: &Cloud, id: SaleId) -> Vec<RegionTrace> {
    let regions: Vec<&RegionCloud> = cloud.regions.values().collect();
    let ids = [FactId::Sale(id), FactId::Cancellation(id)];
    let tables = join_all(regions.iter().map(|region| tables(region, &ids))).await;
    let asked = regions.iter().zip(&tables).map(async |(region, own)| {
        let [sale, cancellation] = ids.map(|id| of_fact(region, id, own, &tables));
        let (sale, cancellation, row) = tokio::join!(sale, cancellation, row(region, id, own, &tables));
        RegionTrace {
            region: region.name.clone(),
            state: own.state.clone().into(),
            sale,
            cancellation,
            row: row.into(),
        }
    });
    join_all(asked).await
}

async fn tables(region: &RegionCloud, ids: &[FactId]) -> Tables {
    let (state, items, marks, lake) = tokio::join!(
        region.state(),
        in_time("BatchGetItem", region.items(ids)),
        in_time("BatchGetItem", region.marks_of(ids)),
        region.lake_answers(),
    );
    // Credentials without access to the bucket may still be allowed to read an object.
    let lake = lake.or_else(|trouble| if trouble.kind() == TroubleKind::Denied { Ok(()) } else { Err(trouble) });
    Tables { state, items, marks, lake }
}

async fn of_fact(region: &RegionCloud, id: FactId, own: &Tables, all: &[Tables]) -> FactTrace {
    let item = own.items.as_ref().map_err(Clone::clone).map(|(items, unreadable)| {
        let item = items.iter().find(|item| item.fact.id() == id).map(view);
        item.or_else(|| unreadable.contains(&id).then_some(ItemView::Unreadable { unreadable: true }))
    });
    let mark = own.marks.as_ref().map_err(Clone::clone).map(|marks| {
        let mark = marks.get(&id);
        mark.map(|MarkItem { expires_at, object }| Mark {
            expires_at: expires_at.map(Timestamp::unix_seconds),
            object: object.clone(),
        })
    });
    let first_own = || [own].into_iter().chain(all);
    let known = Known {
        id,
        items: first_own().filter_map(|tables| tables.item(id)).collect(),
        objects: distinct(first_own().filter_map(|tables| tables.object(id))),
    };
    let lake = match &own.lake {
        Err(trouble) => Err(trouble.clone()),
        Ok(()) => in_lake(region, &known).await,
    };
    FactTrace { item: item.into(), mark: mark.into(), lake: lake.into() }
}

fn view(item: &Item) -> ItemView {
    let Item { fact, progress } = item;
    let sale = match fact {
        Fact::Sale(sale) => Some(sale),
        Fact::Cancellation(_) => None,
    };
    ItemView::Fact {
        product: sale.map(|sale| sale.product.as_str().to_owned()),
        amount: sale.map(|sale| sale.amount.to_string()),
        accepted_at: fact.timestamp().unix_seconds(),
        accepted_in: fact.region().map(Region::to_string),
        sale_processed: progress.processed,
        processed_at: progress.processed_at.map(Timestamp::unix_seconds),
        pending: progress.pending,
        lake_prefix: Hour::of_fact(fact).prefix(),
    }
}

/// What the tables know of a fact, those of the region that is asked first.
struct Known<'a> {
    id: FactId,
    items: Vec<&'a Item>,
    /// The objects that marks name.
    objects: Vec<&'a str>,
}

/// The line of a fact.
#[derive(Default)]
struct Found(Option<(LineDigest, usize)>);

impl Found {
    fn note(&mut self, id: FactId, line: &[u8]) {
        match LineDigest::parse(line) {
            Some((of, digest)) if of == id => self.0 = Some((digest, line.len())),
            _ => {}
        }
    }
}

impl Known<'_> {
    /// The hours in which it may lie, likeliest first; empty if neither an item, nor a mark, nor the id tells.
    fn hours(&self) -> Vec<Hour> {
        let mut said: Vec<Hour> = self.items.iter().map(|item| Hour::of_fact(&item.fact)).collect();
        said.extend(self.objects.iter().filter_map(|key| Hour::of_key(key)));
        if said.is_empty()
            && let Some(made_at) = made_at(self.id.sale())
        {
            said.extend([Hour::of(made_at), Hour::of(made_at.minus(ACCEPTING)), Hour::of(made_at.plus(ACCEPTING))]);
        }
        distinct(said)
    }

    fn view(
        &self,
        key: &str,
        found_by: FoundBy,
        (digest, bytes): (LineDigest, usize),
        written_at: Option<Timestamp>,
    ) -> LakeView {
        let content = match self.items.first() {
            None => Content::Unknown,
            Some(item) => match digest.compare(LineDigest::of(&item.fact), self.id) {
                Agreement::Same => Content::Same,
                Agreement::OtherVersion => Content::OtherVersion,
                Agreement::Contradiction => Content::Different,
            },
        };
        let last_modified = written_at.map(Timestamp::unix_seconds);
        LakeView { key: key.to_owned(), found_by, bytes, last_modified, content }
    }
}

/// The row of a sale, in the files of the times at which it may have been accepted.
async fn row(region: &RegionCloud, id: SaleId, own: &Tables, all: &[Tables]) -> Result<Option<RowView>, Trouble> {
    own.lake.clone()?;
    let Some(table) = region.lake_table().await? else { return Ok(None) };
    let first_own = || [own].into_iter().chain(all);
    let facts = [FactId::Sale(id), FactId::Cancellation(id)];
    let known = |id| first_own().filter_map(move |tables| tables.item(id)).map(|item| item.fact.sale_timestamp());
    let moments = facts.into_iter().flat_map(known).map(|moment| (moment, moment));
    let made = made_at(id).map(|made| (made.minus(ACCEPTING), made.plus(ACCEPTING)));
    let hours = facts.into_iter().flat_map(|id| first_own().filter_map(move |tables| Hour::of_key(tables.object(id)?)));
    let hours = hours.map(|hour| (hour.start(), hour.start().plus(HOUR)));
    let mut looked_through = Vec::new();
    for (earliest, latest) in moments.chain(made).chain(hours) {
        for file in table.files(earliest.unix_seconds(), latest.unix_seconds()) {
            if looked_through.contains(&file) {
                continue;
            }
            looked_through.push(file);
            let rows = table.rows_of(file).await?;
            if let Some(row) = rows.iter().find(|row| row.id == RowId::of(id)) {
                let Row { accepted_at, cancelled_at, .. } = *row;
                return Ok(Some(RowView { file: file.to_string(), accepted_at, cancelled_at }));
            }
        }
    }
    Ok(None)
}

/// The first line found: in an object that a mark names, or else in any object of the hours in which it may lie.
async fn in_lake(region: &RegionCloud, known: &Known<'_>) -> Result<Option<LakeView>, Trouble> {
    let id = known.id;
    let find = move |found: &mut Found, line: &[u8]| found.note(id, line);
    for key in &known.objects {
        if let Some((Found(Some(line)), written_at)) = region.read_object(key, Patience::Glance, find).await? {
            return Ok(Some(known.view(key, FoundBy::Mark, line, written_at)));
        }
    }
    for hour in known.hours() {
        let objects = region.objects_of_hour(hour).await?;
        if objects.is_empty() {
            continue;
        }
        let looked_through = count(objects.len() as u64, "object", "objects");
        note(format_args!("{}: looking for {id} in {looked_through} of {}", region.name, hour.prefix()));
        let mut objects = pin!(region.read_objects(objects, find));
        while let Some(object) = objects.next().await {
            if let (object, Some(Found(Some(line)))) = object? {
                return Ok(Some(known.view(&object.key, FoundBy::Search, line, object.written_at)));
            }
        }
    }
    Ok(None)
}

/// Each value once, in order of its first occurrence.
fn distinct<T: PartialEq>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for value in values {
        if !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    distinct
}

/// Creation time of an id, if it has one: a generated sale id begins with the time.
fn made_at(id: SaleId) -> Option<Timestamp> {
    let (seconds, _) = id.to_string().parse::<Uuid>().ok()?.get_timestamp()?.to_unix();
    Timestamp::from_unix_seconds(i64::try_from(seconds).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(id: &str, objects: &[&str]) -> Vec<String> {
        let known = Known { id: id.parse().unwrap(), items: Vec::new(), objects: objects.to_vec() };
        known.hours().into_iter().map(Hour::prefix).collect()
    }

    #[test]
    fn without_an_item_the_mark_says_the_hour_or_the_id_if_it_holds_the_time() {
        let (made, keyed) = ("0192f5c0-7c1d-7a3e-8f11-0123456789ab", "141ede07-9e2f-5eb5-bb20-caedf6d2db6e");
        assert_eq!(hours(made, &[]), ["journal/dt=2024-11-04/hour=05/"]);
        // One that begins with the last millisecond of an hour.
        let last = "0192f58b-4c7f-7a3e-8f11-0123456789ab";
        assert_eq!(hours(last, &[]).len(), 2, "{:?}", hours(last, &[]));
        assert!(hours(keyed, &[]).is_empty());
        let object = format!("journal/dt=2025-11-30/hour=23/sa-east-1-{made}.ndjson");
        assert_eq!(hours(keyed, &[&object, &object]), ["journal/dt=2025-11-30/hour=23/"]);
    }
}
