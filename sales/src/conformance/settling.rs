//! The sales table: settling a fact that is in the lake.

use super::samples::{self, cancellation, moment, sale};
use super::{Ports, Regions, eventually};
use crate::ports::{Insert, InsertSale, SaleTable, StoredSale};
use crate::sale::{Cancellation, Fact, Sale, SaleId};

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
        here.settle(&fact, moment(5)).await.expect("settled");
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
        table.settle(&fact, moment(5)).await.expect("settled");
    }
    there.settle(&fact, moment(6)).await.expect("settled");
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
    let sale = Sale { client: samples::client("shop-a"), ..sale() };
    table.insert_sale(&sale).await.expect("inserted");
    let other = Sale {
        product: samples::product("Caneta"),
        amount: samples::amount("2"),
        timestamp: moment(3_600),
        region: Some(samples::region("us-east-1")),
        client: samples::client("shop-b"),
        ..sale.clone()
    };
    table.settle(&Fact::Sale(other), moment(5)).await.expect("settled");
    let found = table.find(sale.id).await.expect("asked").expect("found");
    assert_eq!(found.stored, StoredSale { sale, processed: true });
}

/// An event of another tool has no region; the item of such a sale has none either.
pub async fn settling_says_what_the_item_did_not_say(regions: &Regions<impl Ports>) {
    let table = regions.here.sale_table();
    let sale = sale();
    let sale = Sale { client: samples::client("shop-a"), ..sale };
    table.insert_sale(&Sale { region: None, client: None, ..sale.clone() }).await.expect("inserted");
    table.settle(&Fact::Sale(sale.clone()), moment(5)).await.expect("settled");
    let found = table.find(sale.id).await.expect("asked").expect("found");
    assert_eq!(found.stored.sale, sale);
}

/// Where it has not replicated yet: the item then exists, and is not pending.
pub async fn settling_creates_the_item_where_there_is_none(regions: &Regions<impl Ports>) {
    let table = regions.here.sale_table();
    let sale = sale();
    let homeless = Sale { region: None, ..samples::sale() };
    for sale in [&sale, &homeless] {
        table.settle(&Fact::Sale(sale.clone()), moment(5)).await.expect("settled");
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
        client: None,
    });
    for fact in [&cancelled, &silent] {
        table.settle(fact, moment(5)).await.expect("settled");
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

async fn is_processed(table: &impl SaleTable, id: SaleId) -> bool {
    table.find(id).await.expect("asked").is_some_and(|found| found.stored.processed)
}

/// Number of facts in the shard of this one, which no other check uses.
async fn backlog(table: &impl SaleTable, fact: &Fact, regions: &Regions<impl Ports>) -> u64 {
    table.backlog(fact.id().sale().shard(regions.shards)).await.expect("asked").facts
}
