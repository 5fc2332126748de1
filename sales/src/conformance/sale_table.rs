//! The sales table: conditional puts, and finding.

use std::collections::HashSet;

use super::samples::{self, cancellation, sale};
use super::settling::settle;
use super::{Ports, Regions, eventually};
use crate::ports::{FoundSale, Insert, InsertSale, SaleTable, StoredSale};
use crate::sale::{Fact, FactId, Sale};

/// A new sale is there once its put has ended, and replicates.
pub async fn a_sale_is_found_in_its_region_at_once_and_in_the_other_one_after_a_while(regions: &Regions<impl Ports>) {
    let (here, there) = (regions.here.sale_table(), regions.there.sale_table());
    let sale = sale();
    assert_eq!(here.insert_sale(&sale).await.expect("inserted"), InsertSale::Inserted);
    let found = FoundSale { stored: StoredSale { sale: sale.clone(), processed: false }, cancelled: false };
    assert_eq!(here.find(sale.id).await.expect("found"), Some(found.clone()));
    let replicated = eventually("it replicates", async || there.find(sale.id).await.expect("asked")).await;
    assert_eq!(replicated, found);
}

/// An id without a sale.
pub async fn an_unknown_sale_is_not_found(regions: &Regions<impl Ports>) {
    assert_eq!(regions.here.sale_table().find(samples::id()).await.expect("asked"), None);
}

/// The second put returns the first sale, whatever its own content, and changes nothing.
pub async fn of_two_sales_with_one_id_the_first_stays(regions: &Regions<impl Ports>) {
    let table = regions.here.sale_table();
    let first = sale();
    assert_eq!(table.insert_sale(&first).await.expect("inserted"), InsertSale::Inserted);
    let other = Sale { product: samples::product("Caneta"), timestamp: samples::moment(60), ..first.clone() };
    let stored = StoredSale { sale: first.clone(), processed: false };
    for second in [&first, &other] {
        let outcome = table.insert_sale(second).await.expect("answered");
        assert_eq!(outcome, InsertSale::AlreadyExists(stored.clone()));
    }
    let found = table.find(first.id).await.expect("asked").expect("found");
    assert_eq!(found.stored, stored);

    settle(&table, &[Fact::Sale(first.clone())], samples::moment(5)).await;
    let outcome = table.insert_sale(&other).await.expect("answered");
    assert_eq!(outcome, InsertSale::AlreadyExists(StoredSale { processed: true, ..stored }));
}

/// One, some, and as many as one call takes.
pub async fn new_sales_are_inserted_alone_and_in_groups_with_a_result_each(regions: &Regions<impl Ports>) {
    let table = regions.here.sale_table();
    for count in [1, 2, group(&table)] {
        let sales: Vec<Sale> = std::iter::repeat_with(sale).take(count).collect();
        insert_new(&table, &sales).await;
        for sale in &sales {
            let found = table.find(sale.id).await.expect("asked").expect("found");
            assert_eq!(found.stored, StoredSale { sale: sale.clone(), processed: false });
        }
        let ids: Vec<FactId> = sales.iter().map(|sale| FactId::Sale(sale.id)).collect();
        assert_eq!(table.load_pending(&ids).await.expect("loaded").facts.len(), count);
    }
}

/// A retry after a lost response may arrive after a worker has processed the sale.
pub async fn a_lone_new_sale_that_is_put_again_changes_nothing(regions: &Regions<impl Ports>) {
    let table = regions.here.sale_table();
    let sale = sale();
    insert_new(&table, std::slice::from_ref(&sale)).await;
    settle(&table, &[Fact::Sale(sale.clone())], samples::moment(5)).await;
    insert_new(&table, std::slice::from_ref(&sale)).await;
    assert!(table.find(sale.id).await.expect("asked").expect("found").stored.processed);
    assert_eq!(table.load_pending(&[FactId::Sale(sale.id)]).await.expect("loaded").facts, []);
}

/// Here and, after a while, there.
pub async fn a_cancellation_is_inserted_once_and_found_with_its_sale(regions: &Regions<impl Ports>) {
    let (here, there) = (regions.here.sale_table(), regions.there.sale_table());
    let sale = sale();
    here.insert_sale(&sale).await.expect("inserted");
    assert_eq!(here.insert(&cancellation(sale.id)).await.expect("inserted"), Insert::Inserted);
    assert_eq!(here.insert(&cancellation(sale.id)).await.expect("answered"), Insert::AlreadyExists);
    let found = here.find(sale.id).await.expect("asked").expect("found");
    assert_eq!(found, FoundSale { stored: StoredSale { sale: sale.clone(), processed: false }, cancelled: true });
    let replicated = async || there.find(sale.id).await.expect("asked").filter(|found| found.cancelled);
    assert_eq!(eventually("the cancellation replicates", replicated).await, found);
    assert_eq!(there.insert(&cancellation(sale.id)).await.expect("answered"), Insert::AlreadyExists);
}

/// It may arrive before the sale, where that has not replicated yet.
pub async fn a_cancellation_without_its_sale_is_no_sale(regions: &Regions<impl Ports>) {
    let table = regions.here.sale_table();
    let id = samples::id();
    table.insert(&cancellation(id)).await.expect("inserted");
    assert_eq!(table.find(id).await.expect("asked"), None);
    let held = table.held(&[FactId::Sale(id), FactId::Cancellation(id)]).await.expect("asked");
    assert_eq!(held, HashSet::from([FactId::Cancellation(id)]));
}

/// A sale known only from its event is put like one that is accepted here.
pub async fn a_fact_that_never_replicated_is_inserted_once(regions: &Regions<impl Ports>) {
    let table = regions.here.sale_table();
    let sale = sale();
    let fact = Fact::Sale(sale.clone());
    assert_eq!(table.insert(&fact).await.expect("inserted"), Insert::Inserted);
    assert_eq!(table.insert(&fact).await.expect("answered"), Insert::AlreadyExists);
    assert_eq!(table.load_pending(&[fact.id()]).await.expect("loaded").facts, std::slice::from_ref(&fact));
    settle(&table, std::slice::from_ref(&fact), samples::moment(5)).await;
    assert_eq!(table.insert(&fact).await.expect("answered"), Insert::AlreadyExists);
    assert_eq!(table.load_pending(&[fact.id()]).await.expect("loaded").facts, []);
}

/// Its response was lost, and the client library retried. A later write of the same fact is a different attempt.
pub async fn an_own_write_that_is_repeated_is_no_other_s(regions: &Regions<impl Ports>) {
    let table = regions.here.sale_table();
    let sale = sale();
    regions.here.lose_next_answer("PutItem");
    assert_eq!(table.insert_sale(&sale).await.expect("inserted"), InsertSale::Inserted);
    let stored = StoredSale { sale: sale.clone(), processed: false };
    assert_eq!(table.insert_sale(&sale).await.expect("answered"), InsertSale::AlreadyExists(stored));

    let fact = cancellation(sale.id);
    regions.here.lose_next_answer("PutItem");
    assert_eq!(table.insert(&fact).await.expect("inserted"), Insert::Inserted);
    assert_eq!(table.insert(&fact).await.expect("answered"), Insert::AlreadyExists);
}

/// For no, few and more ids than one call of a store takes, including duplicates.
pub async fn the_facts_held_are_exactly_those_that_are_there(regions: &Regions<impl Ports>) {
    let table = regions.here.sale_table();
    let sales: Vec<Sale> = std::iter::repeat_with(sale).take(110).collect();
    for group in sales.chunks(group(&table)) {
        insert_new(&table, group).await;
    }
    table.insert(&cancellation(sales[0].id)).await.expect("inserted");
    let there = sales.iter().map(|sale| FactId::Sale(sale.id)).chain([FactId::Cancellation(sales[0].id)]);
    let there: HashSet<FactId> = there.collect();
    let absent = sales.iter().skip(1).map(|sale| FactId::Cancellation(sale.id));

    let asked: Vec<FactId> = there.iter().copied().chain(absent).chain(there.iter().copied().take(50)).collect();
    assert_eq!(table.held(&asked).await.expect("asked"), there);
    assert_eq!(table.held(&[]).await.expect("asked"), HashSet::new());
    assert_eq!(table.held(&[FactId::Sale(samples::id())]).await.expect("asked"), HashSet::new());
    assert_eq!(table.load_pending(&asked).await.expect("loaded").facts.len(), there.len());
}

/// However it was put, and whatever its content.
pub async fn a_pending_fact_is_loaded_as_it_was_inserted(regions: &Regions<impl Ports>) {
    let table = regions.here.sale_table();
    for sale in samples::unusual_sales() {
        table.insert_sale(&sale).await.expect("inserted");
        is_loaded(&table, &Fact::Sale(sale)).await;
    }
    let grouped = samples::unusual_sales();
    for group in grouped.chunks(group(&table)) {
        insert_new(&table, group).await;
    }
    for sale in grouped {
        is_loaded(&table, &Fact::Sale(sale)).await;
    }
    for sale in samples::unusual_sales() {
        for fact in [cancellation(sale.id), Fact::Sale(sale)] {
            table.insert(&fact).await.expect("inserted");
            is_loaded(&table, &fact).await;
        }
    }
    assert_eq!(table.load_pending(&[]).await.expect("loaded").facts, []);
    assert_eq!(table.load_pending(&[FactId::Sale(samples::id())]).await.expect("loaded").facts, []);
}

/// In both regions.
pub async fn the_table_can_be_asked_whether_it_answers(regions: &Regions<impl Ports>) {
    for region in [&regions.here, &regions.there] {
        region.sale_table().probe().await.expect("it answers");
    }
}

async fn is_loaded(table: &impl SaleTable, fact: &Fact) {
    // Duplicate ids are one fact.
    let loaded = table.load_pending(&[fact.id(), fact.id()]).await.expect("loaded").facts;
    assert_eq!(loaded, std::slice::from_ref(fact));
    if let Fact::Sale(sale) = fact {
        let found = table.find(sale.id).await.expect("asked").expect("found");
        assert_eq!(found.stored.sale, *sale);
    }
}

/// Inserts new sales, none of which fails.
pub(super) async fn insert_new(table: &impl SaleTable, sales: &[Sale]) {
    let results = table.insert_new_sales(sales).await;
    assert_eq!(results.len(), sales.len(), "a result each");
    for result in results {
        result.expect("inserted");
    }
}

/// Maximum sales of one call.
pub(super) fn group<T: SaleTable>(_: &T) -> usize {
    T::GROUP
}
