//! The stand-in for the DNS name: routing by health checks only.

use std::sync::atomic::Ordering;

use sales_testbed::{dns::Name, testing::eventually};
use tokio::net::TcpStream;

use crate::fake::{FakeApi, REGIONS, ask, listener, try_ask};

/// A name in front of two regions, of which the first is ACTIVE.
async fn start() -> (Name, FakeApi, FakeApi) {
    let (first, second) = (FakeApi::start(REGIONS[0]).await, FakeApi::start(REGIONS[1]).await);
    second.active.store(false, Ordering::SeqCst);
    let regions = REGIONS.map(str::to_owned).into_iter().zip([first.address, second.address]);
    let name = Name::start(listener().await, regions).expect("a name");
    name.all_checked().await;
    (name, first, second)
}

async fn connect(name: &Name) -> TcpStream {
    TcpStream::connect(name.address()).await.expect("the name listens")
}

/// Waits until the name leads to exactly these regions.
async fn leads_to(name: &Name, regions: &[&str]) {
    let as_expected = || REGIONS.iter().all(|region| name.leads_to(region) == regions.contains(region));
    eventually(&format!("the name leads to {regions:?}"), async || as_expected().then_some(())).await;
}

/// The regions that twenty connections reach, sorted.
async fn reached(name: &Name) -> Vec<String> {
    let mut reached = Vec::new();
    for _ in 0..20 {
        reached.push(ask(&mut connect(name).await).await);
    }
    reached.sort();
    reached.dedup();
    reached
}

#[tokio::test]
async fn clients_follow_the_region_that_says_that_it_is_active_without_any_change_of_the_name() {
    let (name, first, second) = start().await;
    assert_eq!(reached(&name).await, ["sa-east-1"]);
    let mut open = connect(&name).await;
    assert_eq!(ask(&mut open).await, "sa-east-1");

    second.active.store(true, Ordering::SeqCst);
    leads_to(&name, &REGIONS).await;
    assert_eq!(reached(&name).await, REGIONS);
    first.active.store(false, Ordering::SeqCst);
    leads_to(&name, &["us-east-1"]).await;
    assert_eq!(reached(&name).await, ["us-east-1"]);
    assert_eq!(ask(&mut open).await, "sa-east-1", "what is open stays where it is");
}

#[tokio::test]
async fn an_active_region_that_is_not_ready_is_left_for_one_that_is() {
    let (name, first, _second) = start().await;
    first.ready.store(false, Ordering::SeqCst);
    leads_to(&name, &["us-east-1"]).await;
    assert_eq!(reached(&name).await, ["us-east-1"]);
}

#[tokio::test]
async fn without_an_active_region_clients_get_to_those_that_are_ready_and_without_any_of_these_to_any() {
    let (name, first, second) = start().await;
    first.active.store(false, Ordering::SeqCst);
    leads_to(&name, &REGIONS).await;
    first.ready.store(false, Ordering::SeqCst);
    leads_to(&name, &["us-east-1"]).await;
    assert_eq!(reached(&name).await, ["us-east-1"]);
    second.ready.store(false, Ordering::SeqCst);
    leads_to(&name, &REGIONS).await;
    assert_eq!(reached(&name).await, REGIONS);
}

#[tokio::test]
async fn a_region_that_is_lost_is_left_once_the_health_checks_notice() {
    let (name, first, _second) = start().await;
    drop(first);
    leads_to(&name, &["us-east-1"]).await;
    assert_eq!(try_ask(&mut connect(&name).await).await.expect("an answer"), "us-east-1");
}
