//! The journal: objects of many lines.

use super::samples::{self, cancellation, sale};
use super::{Ports, Regions, eventually};
use crate::journal::{Hour, JournalObject};
use crate::ports::Journal;
use crate::sale::Fact;

/// Whatever its content.
pub async fn an_object_holds_its_lines(regions: &Regions<impl Ports>) {
    let mut facts: Vec<Fact> = samples::unusual_sales().into_iter().map(Fact::Sale).collect();
    facts.push(cancellation(samples::id()));
    let object = object(&facts);
    regions.here.journal().put(&object).await.expect("put");
    assert_eq!(regions.here.object(&object.key).await, Some(object.lines));
}

/// As large as the worker makes them.
pub async fn an_object_may_have_thousands_of_lines(regions: &Regions<impl Ports>) {
    let facts: Vec<Fact> = std::iter::repeat_with(|| Fact::Sale(sale())).take(10_000).collect();
    let object = object(&facts);
    regions.here.journal().put(&object).await.expect("put");
    assert_eq!(regions.here.object(&object.key).await.map(|lines| lines.len()), Some(object.lines.len()));
}

/// Its response was lost, and the client library or the worker has put it again.
pub async fn an_object_that_is_put_again_stays_as_it_is(regions: &Regions<impl Ports>) {
    let (journal, object) = (regions.here.journal(), object(&[Fact::Sale(sale())]));
    regions.here.lose_next_answer("PutObject");
    journal.put(&object).await.expect("put");
    journal.put(&object).await.expect("put again");
    assert_eq!(regions.here.object(&object.key).await, Some(object.lines));
}

/// With the same bytes.
pub async fn an_object_is_in_the_other_region_after_a_while(regions: &Regions<impl Ports>) {
    let object = object(&[Fact::Sale(sale()), cancellation(samples::id())]);
    regions.here.journal().put(&object).await.expect("put");
    let replica = eventually("it replicates", async || regions.there.object(&object.key).await).await;
    assert_eq!(replica, object.lines);
}

/// In both regions.
pub async fn the_lake_can_be_asked_whether_it_answers(regions: &Regions<impl Ports>) {
    for region in [&regions.here, &regions.there] {
        region.journal().probe().await.expect("it answers");
    }
}

fn object(facts: &[Fact]) -> JournalObject {
    JournalObject::new(Hour::of_fact(&facts[0]), &samples::region("sa-east-1"), samples::uuid(), facts)
}
