//! Reads what each region knows about a sale.

use std::collections::HashMap;

use futures::future::join_all;
use sales::{
    clock::Timestamp,
    region::Region,
    sale::{Fact, FactId, SaleId},
};
use uuid::Uuid;

use super::{Content, FactTrace, ItemView, LakeView, Mark, RegionTrace};
use crate::{
    cloud::{
        Cloud, Patience, RegionCloud, in_time,
        items::Item,
        state::StateParameter,
        trouble::{Trouble, TroubleKind},
    },
    day::Day,
    lake_object::{Bytes, ObjectLocation},
};

/// What a region's tables hold.
struct Tables {
    state: Result<StateParameter, Trouble>,
    items: Result<(Vec<Item>, Vec<FactId>), Trouble>,
    marks: Result<HashMap<FactId, Option<Timestamp>>, Trouble>,
    /// Whether the lake is worth reading.
    lake: Result<(), Trouble>,
}

impl Tables {
    fn item(&self, id: FactId) -> Option<&Item> {
        self.items.as_ref().ok()?.0.iter().find(|item| item.fact.id() == id)
    }
}

/// Reads all regions at once: first the tables, then, depending on them, the lakes.
pub(super) async fn everywhere(cloud: &Cloud, id: SaleId) -> Vec<RegionTrace> {
    let regions: Vec<&RegionCloud> = cloud.regions.values().collect();
    let ids = [FactId::Sale(id), FactId::Cancellation(id)];
    let tables = join_all(regions.iter().map(|region| tables(region, &ids))).await;
    let asked = regions.iter().zip(&tables).map(async |(region, own)| {
        let [sale, cancellation] = ids.map(|id| of_fact(region, id, own, &tables));
        let (sale, cancellation) = tokio::join!(sale, cancellation);
        RegionTrace { region: region.name.clone(), state: own.state.clone().into(), sale, cancellation }
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
    let mark = own.marks.as_ref().map_err(Clone::clone);
    let mark = mark.map(|marks| marks.get(&id).map(|at| Mark { expires_at: at.map(Timestamp::unix_seconds) }));
    let items: Vec<&Item> = own.item(id).into_iter().chain(all.iter().filter_map(|tables| tables.item(id))).collect();
    let lake = match &own.lake {
        Err(trouble) => Err(trouble.clone()),
        Ok(()) => in_lake(region, id, own.item(id), &items).await,
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
        lake_key: ObjectLocation::of(fact).key(),
    }
}

/// The first object found under the possible keys: the one of this region's item, those of the other regions' items,
/// and those of the days before and after.
async fn in_lake(
    region: &RegionCloud,
    id: FactId,
    own: Option<&Item>,
    items: &[&Item],
) -> Result<Option<LakeView>, Trouble> {
    let days = days(id, items);
    for day in days {
        let place = ObjectLocation { day, id };
        let Some(object) = region.object(place, Patience::Glance).await? else { continue };
        let content = match items.first() {
            None => Content::Unknown,
            Some(item) => match Bytes::compare(&object.bytes, &item.fact) {
                Bytes::Same => Content::Same,
                Bytes::OtherVersion(_) => Content::OtherVersion,
                Bytes::Different => Content::Different,
            },
        };
        return Ok(Some(LakeView {
            key: place.key(),
            expected_key: own.map(|item| ObjectLocation::of(&item.fact) == place),
            bytes: object.bytes.len(),
            last_modified: object.written_at.map(Timestamp::unix_seconds),
            content,
        }));
    }
    Ok(None)
}

/// The days on which it may have been accepted, likeliest first; empty if neither an item nor the id tells.
fn days(id: FactId, items: &[&Item]) -> Vec<Day> {
    let mut said: Vec<Day> = items.iter().map(|item| Day::of(item.fact.timestamp())).collect();
    if said.is_empty() {
        said.extend(made_at(id.sale()).map(Day::of));
    }
    let mut days: Vec<Day> = Vec::new();
    for day in said.iter().copied().chain(said.iter().flat_map(|day| day.with_neighbours())) {
        if !days.contains(&day) {
            days.push(day);
        }
    }
    days
}

/// Creation time of an id, if it has one: a generated sale id begins with the time.
fn made_at(id: SaleId) -> Option<Timestamp> {
    let (seconds, _) = id.to_string().parse::<Uuid>().ok()?.get_timestamp()?.to_unix();
    Timestamp::from_unix_seconds(i64::try_from(seconds).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_item_the_id_says_the_day_if_it_holds_the_time() {
        let days =
            |id: &str| -> Vec<String> { days(id.parse().unwrap(), &[]).iter().map(ToString::to_string).collect() };
        assert_eq!(days("0192f5c0-7c1d-7a3e-8f11-0123456789ab"), ["2024-11-04", "2024-11-03", "2024-11-05"]);
        assert!(days("141ede07-9e2f-5eb5-bb20-caedf6d2db6e").is_empty());
    }
}
