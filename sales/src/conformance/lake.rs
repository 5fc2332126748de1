//! The lake: one object per fact.

use super::samples::{self, cancellation, sale};
use super::{Ports, Regions, eventually};
use crate::event;
use crate::ports::{Lake, LakePut};
use crate::sale::Fact;

/// Under the key that follows from the fact, whatever its content.
pub async fn a_fact_is_stored_once_in_its_canonical_bytes(regions: &Regions<impl Ports>) {
    let lake = regions.here.lake();
    for sale in samples::unusual_sales() {
        let fact = Fact::Sale(sale);
        assert_eq!(lake.put(&fact).await.expect("put"), LakePut::Stored);
        assert_eq!(lake.put(&fact).await.expect("put"), LakePut::AlreadyThere);
        assert_eq!(regions.here.object(&event::lake_key(&fact)).await, Some(event::body(&fact)));
    }
}

/// Two facts, two objects.
pub async fn a_cancellation_lies_beside_its_sale(regions: &Regions<impl Ports>) {
    let lake = regions.here.lake();
    let sale = sale();
    let facts = [cancellation(sale.id), Fact::Sale(sale)];
    for fact in &facts {
        assert_eq!(lake.put(fact).await.expect("put"), LakePut::Stored);
    }
    for fact in &facts {
        assert_eq!(regions.here.object(&event::lake_key(fact)).await, Some(event::body(fact)));
    }
}

/// Its response was lost, and the client library has put it again.
pub async fn an_own_object_that_is_put_again_is_no_other_s(regions: &Regions<impl Ports>) {
    let (lake, fact) = (regions.here.lake(), Fact::Sale(sale()));
    regions.here.lose_next_answer("PutObject");
    assert_eq!(lake.put(&fact).await.expect("put"), LakePut::Stored);
    assert_eq!(lake.put(&fact).await.expect("put"), LakePut::AlreadyThere);
}

/// With the same bytes, and a put there finds it.
pub async fn an_object_is_in_the_other_region_after_a_while(regions: &Regions<impl Ports>) {
    let sale = sale();
    for fact in [cancellation(sale.id), Fact::Sale(sale)] {
        regions.here.lake().put(&fact).await.expect("put");
        let key = event::lake_key(&fact);
        let replica = eventually("it replicates", async || regions.there.object(&key).await).await;
        assert_eq!(replica, event::body(&fact));
        assert_eq!(regions.there.lake().put(&fact).await.expect("put"), LakePut::AlreadyThere);
    }
}

/// In both regions.
pub async fn the_lake_can_be_asked_whether_it_answers(regions: &Regions<impl Ports>) {
    for region in [&regions.here, &regions.there] {
        region.lake().probe().await.expect("it answers");
    }
}
