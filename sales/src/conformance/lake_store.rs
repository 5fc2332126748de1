//! The objects of the lake, as the builder of the table needs them.

use std::time::Duration;

use futures::future::join_all;

use super::samples::{self, sale};
use super::{Ports, Regions, TOLERANCE, eventually};
use crate::journal::{FOLDER, Hour, JournalObject};
use crate::ports::{Create, Journal, LakeStore, Listing};
use crate::sale::Fact;

/// A prefix of its own, outside of the journal.
fn folder() -> String {
    format!("table/{}/", samples::uuid())
}

/// A part may reach beyond the end.
pub async fn an_object_is_read_as_it_was_put_in_whole_and_in_part(regions: &Regions<impl Ports>) {
    let (store, key) = (regions.here.lake_store(), folder() + "object");
    let content: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    assert_eq!(store.create(&key, content.clone()).await.expect("put"), Create::Created);
    assert_eq!(store.read(&key, None).await.expect("read"), Some(content.clone()));
    assert_eq!(store.read(&key, Some(10..20)).await.expect("read"), Some(content[10..20].to_vec()));
    assert_eq!(store.read(&key, Some(99_990..200_000)).await.expect("read"), Some(content[99_990..].to_vec()));
}

/// A builder finds out by reading that there is no table yet.
pub async fn an_object_that_does_not_exist_is_none(regions: &Regions<impl Ports>) {
    let (store, folder) = (regions.here.lake_store(), folder());
    assert_eq!(store.read(&(folder.clone() + "object"), None).await.expect("read"), None);
    assert_eq!(store.read(&(folder.clone() + "object"), Some(0..10)).await.expect("read"), None);
    let page = store.list(&folder, None, Listing::Deep).await.expect("listed");
    assert_eq!((page.objects, page.next), (Vec::new(), None));
}

/// This is what a commit rests on.
pub async fn an_object_is_created_once_and_replaced_as_often_as_asked(regions: &Regions<impl Ports>) {
    let (store, key) = (regions.here.lake_store(), folder() + "object");
    assert_eq!(store.create(&key, b"first".to_vec()).await.expect("put"), Create::Created);
    assert_eq!(store.create(&key, b"second".to_vec()).await.expect("refused"), Create::AlreadyExists);
    assert_eq!(store.read(&key, None).await.expect("read"), Some(b"first".to_vec()));
    for content in [b"third".to_vec(), Vec::new()] {
        store.replace(&key, content.clone()).await.expect("put");
        assert_eq!(store.read(&key, None).await.expect("read"), Some(content));
    }
}

/// The client library has put it again, and the caller has to look what is there.
pub async fn a_creation_whose_answer_was_lost_finds_its_own_object(regions: &Regions<impl Ports>) {
    let (store, key) = (regions.here.lake_store(), folder() + "object");
    regions.here.lose_next_answer("PutObject");
    store.create(&key, b"content".to_vec()).await.expect("put");
    assert_eq!(store.create(&key, b"other".to_vec()).await.expect("refused"), Create::AlreadyExists);
    assert_eq!(store.read(&key, None).await.expect("read"), Some(b"content".to_vec()));
}

/// Whoever they are.
pub async fn of_many_creators_at_once_one_succeeds(regions: &Regions<impl Ports>) {
    let (store, key) = (regions.here.lake_store(), folder() + "object");
    let creations = join_all((0..8_u8).map(|creator| store.create(&key, vec![creator]))).await;
    let winners: Vec<u8> =
        (0..8).zip(creations).filter(|(_, one)| matches!(one, Ok(Create::Created))).map(|(n, _)| n).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(store.read(&key, None).await.expect("read"), Some(winners));
}

/// Bytes sort them.
pub async fn keys_are_listed_in_order_page_by_page(regions: &Regions<impl Ports>) {
    let (store, folder) = (regions.here.lake_store(), folder());
    let keys: Vec<String> = (0..1_005).map(|number| format!("{folder}{number:04}")).collect();
    for group in keys.chunks(32) {
        for put in join_all(group.iter().map(|key| store.create(key, b"content".to_vec()))).await {
            assert_eq!(put.expect("put"), Create::Created);
        }
    }
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store.list(&folder, after.as_deref(), Listing::Deep).await.expect("listed");
        found.extend(page.objects);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), keys);
    let now = regions.clock.now();
    for object in found {
        assert_eq!(object.size, 7);
        assert!(object.modified <= now.plus(TOLERANCE) && now.since(object.modified) < Duration::from_secs(600));
    }
    let page = store.list(&folder, Some(&keys[1_002]), Listing::Deep).await.expect("listed");
    assert_eq!(page.objects.iter().map(|object| &object.key).collect::<Vec<_>>(), [&keys[1_003], &keys[1_004]]);
    assert_eq!(page.next, None);
}

/// So that the days of a journal are found without its objects.
pub async fn folders_are_listed_without_what_they_hold(regions: &Regions<impl Ports>) {
    let (store, folder) = (regions.here.lake_store(), folder());
    for name in ["a/1", "a/2", "b", "c/d/3"] {
        store.create(&(folder.clone() + name), Vec::new()).await.expect("put");
    }
    let page = store.list(&folder, None, Listing::Folders).await.expect("listed");
    assert_eq!(page.objects.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), [folder.clone() + "b"]);
    assert_eq!(page.folders, [folder.clone() + "a/", folder.clone() + "c/"]);
    let page = store.list(&folder, Some(&(folder.clone() + "a/2")), Listing::Deep).await.expect("listed");
    let keys: Vec<&str> = page.objects.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(keys, [folder.clone() + "b", folder.clone() + "c/d/3"]);
}

/// As often as asked.
pub async fn deleted_objects_are_gone_and_others_stay(regions: &Regions<impl Ports>) {
    let (store, folder) = (regions.here.lake_store(), folder());
    let [one, two, three] = ["1", "2", "3"].map(|name| folder.clone() + name);
    for key in [&one, &two, &three] {
        store.create(key, Vec::new()).await.expect("put");
    }
    for _ in 0..2 {
        store.delete(&[one.clone(), three.clone(), folder.clone() + "never"]).await.expect("deleted");
    }
    let page = store.list(&folder, None, Listing::Deep).await.expect("listed");
    assert_eq!(page.objects.iter().map(|object| &object.key).collect::<Vec<_>>(), [&two]);
}

/// What a worker has put, here or in the other region.
pub async fn the_journal_is_listed_and_read_like_anything_else(regions: &Regions<impl Ports>) {
    let fact = Fact::Sale(sale());
    let object = JournalObject::new(Hour::of_fact(&fact), &samples::region("sa-east-1"), samples::uuid(), [&fact]);
    regions.here.journal().put(&object).await.expect("put");
    for region in [&regions.here, &regions.there] {
        let store = region.lake_store();
        let lines = eventually("it is there", async || store.read(&object.key, None).await.expect("read")).await;
        assert_eq!(lines, object.lines.as_bytes());
        let page = store.list(&Hour::of_fact(&fact).prefix(), None, Listing::Deep).await.expect("listed");
        let found = page.objects.iter().find(|found| found.key == object.key).expect("listed");
        assert_eq!(found.size, object.lines.len() as u64);
        let page = store.list(FOLDER, None, Listing::Folders).await.expect("listed");
        assert!(page.folders.iter().any(|day| object.key.starts_with(day)));
    }
}

/// Each region has a table of its own.
pub async fn what_is_not_of_the_journal_stays_in_its_region(regions: &Regions<impl Ports>) {
    let (here, there, key) = (regions.here.lake_store(), regions.there.lake_store(), folder() + "object");
    here.create(&key, b"here".to_vec()).await.expect("put");
    assert_eq!(there.create(&key, b"there".to_vec()).await.expect("put"), Create::Created);
    assert_eq!(here.read(&key, None).await.expect("read"), Some(b"here".to_vec()));
}
