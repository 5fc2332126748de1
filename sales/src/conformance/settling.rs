//! The sales table: settling a fact that is in the lake.

use std::collections::HashSet;

use super::samples::{self, cancellation, moment, sale};
use super::{Ports, Regions, eventually};
use crate::clock::Timestamp;
use crate::ports::{Insert, InsertSale, SaleTable, StoredSale};
use crate::sale::{Cancellation, Fact, FactId, Sale, SaleId};

/// In its region at once, in the other one and in both indexes after a while.
pub async fn a_settled_fact_is_processed_and_no_longer_pending(regions: &Regions<impl Ports>) {
    let (here, there) = (regions.here.sale_table(), regions.there.sale_table());
    let sale = sale();
    for fact in [Fact::Sale(sale.clone()), cancellation(sale.id)] {
        here.insert(&fact).await.expect("inserted");
        eventually("it is in the index of the other region", async || {
            (backlog(&there, &fact, regions).await == 1).then_some(())
        })
        .await;
        settle(&here, std::slice::from_ref(&fact), moment(5)).await;
        assert_eq!(here.load_pending(&[fact.id()]).await.expect("loaded").facts, []);
        eventually("it is out of both indexes", async || {
            let left = backlog(&here, &fact, regions).await + backlog(&there, &fact, regions).await;
            (left == 0).then_some(())
        })
        .await;
    }
    assert!(is_processed(&here, sale.id).await);
    eventually("the other region knows", async || is_processed(&there, sale.id).await.then_some(())).await;
}

/// As a message that is delivered twice does, in either region.
pub async fn settling_again_changes_nothing(regions: &Regions<impl Ports>) {
    let (here, there) = (regions.here.sale_table(), regions.there.sale_table());
    let sale = sale();
    let fact = Fact::Sale(sale.clone());
    here.insert(&fact).await.expect("inserted");
    for table in [&here, &here] {
        settle(table, std::slice::from_ref(&fact), moment(5)).await;
    }
    settle(&there, std::slice::from_ref(&fact), moment(6)).await;
    for (stored, pending) in [
        (here.find(sale.id).await, here.load_pending(&[fact.id()]).await),
        (there.find(sale.id).await, there.load_pending(&[fact.id()]).await),
    ] {
        let stored = stored.expect("asked").expect("found").stored;
        assert_eq!(stored, StoredSale { sale: sale.clone(), processed: true });
        assert_eq!(pending.expect("loaded").facts, []);
    }
}

/// The accepted values stay, whatever a message contains.
pub async fn settling_does_not_change_what_the_item_says(regions: &Regions<impl Ports>) {
    let table = regions.here.sale_table();
    let sale = sale();
    table.insert_sale(&sale).await.expect("inserted");
    let other = Sale {
        product: samples::product("Caneta"),
        amount: samples::amount("2"),
        timestamp: moment(3_600),
        region: Some(samples::region("us-east-1")),
        ..sale.clone()
    };
    settle(&table, &[Fact::Sale(other)], moment(5)).await;
    let found = table.find(sale.id).await.expect("asked").expect("found");
    assert_eq!(found.stored, StoredSale { sale, processed: true });
}

/// Where it has not replicated yet: the item then exists, and is not pending.
pub async fn settling_creates_the_item_where_there_is_none(regions: &Regions<impl Ports>) {
    let table = regions.here.sale_table();
    let sale = sale();
    let homeless = Sale { region: None, ..samples::sale() };
    for sale in [&sale, &homeless] {
        settle(&table, &[Fact::Sale(sale.clone())], moment(5)).await;
        let stored = StoredSale { sale: sale.clone(), processed: true };
        assert_eq!(table.find(sale.id).await.expect("asked").expect("found").stored, stored);
        assert_eq!(table.insert_sale(sale).await.expect("answered"), InsertSale::AlreadyExists(stored));
    }
    let cancelled = cancellation(sale.id);
    let silent = Fact::Cancellation(Cancellation {
        sale: homeless.id,
        timestamp: moment(1),
        sale_timestamp: None,
        region: None,
    });
    for fact in [&cancelled, &silent] {
        settle(&table, &[(*fact).clone()], moment(5)).await;
        assert!(table.find(fact.id().sale()).await.expect("asked").expect("found").cancelled);
        assert_eq!(table.insert(fact).await.expect("answered"), Insert::AlreadyExists);
    }
    for id in [sale.id, homeless.id] {
        let ids = [Fact::Sale(samples::sale_of(id)).id(), cancellation(id).id()];
        assert_eq!(table.held(&ids).await.expect("asked").len(), 2);
        assert_eq!(table.load_pending(&ids).await.expect("loaded").facts, []);
        assert_eq!(table.backlog(id.shard(regions.shards)).await.expect("asked").facts, 0);
    }
}

/// Some of them twice, of items that are there and of items that are not.
pub async fn a_group_is_settled_as_each_of_its_facts_would_be(regions: &Regions<impl Ports>) {
    let table = regions.here.sale_table();
    let there: Vec<Sale> = std::iter::repeat_with(sale).take(14).collect();
    let missing: Vec<Sale> = std::iter::repeat_with(sale).take(3).collect();
    for sale in &there {
        table.insert_sale(sale).await.expect("inserted");
    }
    let cancelled = cancellation(there[0].id);
    table.insert(&cancelled).await.expect("inserted");
    let sales = there.iter().map(|sale| Sale { product: samples::product("Caneta"), ..sale.clone() });
    let mut facts: Vec<Fact> = sales.chain(missing.iter().cloned()).map(Fact::Sale).collect();
    facts.extend(facts.clone().into_iter().take(7));
    facts.push(cancelled.clone());
    assert_eq!(facts.len(), 25, "as many as one call takes");
    regions.here.lose_next_answer("BatchExecuteStatement");
    settle(&table, &facts, moment(5)).await;
    for sale in there.iter().chain(&missing) {
        let found = table.find(sale.id).await.expect("asked").expect("found");
        assert_eq!(found.stored, StoredSale { sale: sale.clone(), processed: true });
    }
    let ids: Vec<FactId> = facts.iter().map(Fact::id).collect();
    assert_eq!(table.load_pending(&ids).await.expect("loaded").facts, []);
    let there = regions.there.sale_table();
    eventually("the other region knows", async || {
        let held = there.held(&ids).await.expect("asked").len() == ids.iter().collect::<HashSet<_>>().len();
        (held && there.load_pending(&ids).await.expect("loaded").facts.is_empty()).then_some(())
    })
    .await;
}

/// Settles facts, of which all must succeed.
pub(super) async fn settle(table: &impl SaleTable, facts: &[Fact], at: Timestamp) {
    let settled = table.settle(facts, at).await;
    assert_eq!(settled.len(), facts.len());
    for result in settled {
        result.expect("settled");
    }
}

async fn is_processed(table: &impl SaleTable, id: SaleId) -> bool {
    table.find(id).await.expect("asked").is_some_and(|found| found.stored.processed)
}

/// Number of facts in the shard of this one, which no other check uses.
async fn backlog(table: &impl SaleTable, fact: &Fact, regions: &Regions<impl Ports>) -> u64 {
    table.backlog(fact.id().sale().shard(regions.shards)).await.expect("asked").facts
}
