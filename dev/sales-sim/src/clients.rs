//! Clients that order, time out, retry and cancel, and check the API's responses.

use std::rc::Rc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::test::TestRequest;
use sales::memory::Cloud;
use sales::sale::{FactId, SaleId};
use sales::site_state::SiteState;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::regions::NAMES;
use crate::regions::REGIONS;
use crate::schedule::{PlannedOrder, ProcessKind, Target};
use crate::shops;
use crate::slot::{Answer, Incoming};
use crate::world::World;

/// Maximum time of a response.
const PATIENCE: Duration = Duration::from_millis(5_000);

/// Pause between attempts.
const BETWEEN_TRIES: Duration = Duration::from_millis(700);

/// The life of one client.
pub async fn order(world: Rc<World>, order: PlannedOrder) {
    world.until(order.at).await;
    let hedge = async {
        if let Some(after) = order.hedged_after {
            tokio::time::sleep(Duration::from_millis(after)).await;
            let region = choose(&world, order.target).map_or(0, |region| (region + 1) % REGIONS);
            post(&world, region, &order).await;
        }
    };
    let ordinary = async {
        for attempt in 0..order.tries {
            if attempt > 0 {
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
            let Some(region) = choose(&world, order.target) else { continue };
            let Some(id) = post(&world, region, &order).await else { continue };
            for (delay, target) in &order.cancelled {
                tokio::time::sleep(Duration::from_millis(*delay)).await;
                if let Some(region) = choose(&world, *target) {
                    cancel(&world, region, order.shop, id).await;
                }
            }
            if order.pried
                && let Some(region) = choose(&world, order.target)
            {
                pry(&world, region, 1 - order.shop, id).await;
            }
            return;
        }
    };
    tokio::join!(hedge, ordinary);
}

/// Where a request goes; `None` if no API runs there.
fn choose(world: &World, target: Target) -> Option<usize> {
    let answers = |region: usize| {
        world.slots.iter().any(|slot| slot.role == ProcessKind::Api && slot.region == region && slot.intake().is_some())
    };
    match target {
        Target::Region(region) => answers(region).then_some(region),
        Target::Accelerator => {
            let active =
                (0..REGIONS).find(|region| world.cloud.state(*region) == Some(SiteState::Active) && answers(*region));
            active.or_else(|| (0..REGIONS).find(|region| answers(*region)))
        }
    }
}

/// Sends a request; `None` if the connection breaks.
async fn send(world: &World, region: usize, what: &str, request: TestRequest) -> Option<Answer> {
    let slot = world
        .slots
        .iter()
        .filter(|slot| slot.role == ProcessKind::Api && slot.region == region)
        .find_map(|slot| slot.intake())?;
    let started = world.now();
    world.history.note(|| format!("{what} to {}", NAMES[region]));
    let (reply, answer) = oneshot::channel();
    slot.send(Incoming { request, reply }).await.ok()?;
    let answer = answer.await.ok();
    let waited = world.now() - started;
    world.history.note(|| match &answer {
        Some(answer) => format!("{what} is answered: {} {}", answer.status.as_u16(), answer.body),
        None => format!("{what} is not answered: the connection breaks"),
    });
    if Duration::from_millis(waited) > PATIENCE {
        world.violated(format!("{what} took {waited} ms"));
    }
    answer
}

/// The request of a shop, which signs in if clients do.
fn of(world: &World, shop: usize, request: TestRequest) -> TestRequest {
    if !world.schedule.sign_in {
        return request;
    }
    request.insert_header((AUTHORIZATION, shops::authorization(shop)))
}

/// Orders once; returns the sale's id if it was accepted.
async fn post(world: &Rc<World>, region: usize, order: &PlannedOrder) -> Option<SaleId> {
    let request = of(world, order.shop, TestRequest::post().uri("/sales").set_payload(order.body.clone()));
    let request = match &order.key {
        Some(key) => request.insert_header(("Idempotency-Key", key.as_str())),
        None => request,
    };
    let what = format!("POST {}{}", order.body, order.key.as_ref().map(|key| format!(" ({key})")).unwrap_or_default());
    let answer = send(world, region, &what, request).await?;
    match (answer.status, &order.key) {
        (StatusCode::CREATED, _) | (StatusCode::OK, Some(_)) => {}
        (StatusCode::SERVICE_UNAVAILABLE, _) => return None,
        (status, _) => {
            world.violated(format!("{what} was answered with {status}"));
            return None;
        }
    }
    let sale: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let Some(id) = sale["id"].as_str().and_then(|id| id.parse::<SaleId>().ok()) else {
        world.violated(format!("{what} was answered without an id: {}", answer.body));
        return None;
    };
    if !world.cloud.holds(region, FactId::Sale(id)) {
        world.violated(format!("{what} was answered with {}, but the table does not hold {id}", answer.status));
    }
    let mut record = world.record.borrow_mut();
    if *record.accepted.entry(id).or_insert(order.shop) != order.shop {
        drop(record);
        world.violated(format!("{what} was answered with a sale of the other shop"));
        return Some(id);
    }
    if let Some(key) = &order.key
        && *record.keys.entry((order.shop, key.clone())).or_insert(id) != id
    {
        drop(record);
        world.violated(format!("{what} was answered with another sale than before"));
        return Some(id);
    }
    drop(record);
    if let Some(promptness) = world.schedule.promptness {
        tokio::task::spawn_local(demand(Rc::clone(world), FactId::Sale(id), promptness));
    }
    Some(id)
}

async fn cancel(world: &Rc<World>, region: usize, shop: usize, id: SaleId) {
    let known = world.cloud.holds(region, FactId::Sale(id));
    let what = format!("DELETE {id}");
    let request = of(world, shop, TestRequest::delete().uri(&format!("/sales/{id}")));
    let Some(answer) = send(world, region, &what, request).await else { return };
    match answer.status {
        StatusCode::NO_CONTENT => {
            if !world.cloud.holds(region, FactId::Cancellation(id)) {
                world.violated(format!("{what} was answered with 204, but the table does not hold the cancellation"));
            }
            if let Some(promptness) = world.schedule.promptness {
                tokio::task::spawn_local(demand(Rc::clone(world), FactId::Cancellation(id), promptness));
            }
        }
        // It may not have replicated yet.
        StatusCode::NOT_FOUND if !known => {}
        StatusCode::SERVICE_UNAVAILABLE => {}
        status => world.violated(format!("{what} was answered with {status}")),
    }
}

/// Tries to read and to cancel a sale of the other shop: it must seem unknown.
async fn pry(world: &Rc<World>, region: usize, shop: usize, id: SaleId) {
    for (method, request) in [("GET", TestRequest::get()), ("DELETE", TestRequest::delete())] {
        let what = format!("{method} {id} of the other shop");
        let request = of(world, shop, request.uri(&format!("/sales/{id}")));
        match send(world, region, &what, request).await.map(|answer| answer.status) {
            None | Some(StatusCode::NOT_FOUND | StatusCode::SERVICE_UNAVAILABLE) => {}
            Some(status) => world.violated(format!("{what} was answered with {status}")),
        }
    }
}

/// Finds a sale at the end: it must be processed, or gone if it was cancelled.
pub async fn look(world: &Rc<World>, region: usize, shop: usize, id: SaleId) {
    let cancelled = world.cloud.holds(region, FactId::Cancellation(id));
    let what = format!("GET {id}");
    let request = of(world, shop, TestRequest::get().uri(&format!("/sales/{id}")));
    match send(world, region, &what, request).await {
        Some(answer) if cancelled && answer.status == StatusCode::NOT_FOUND => {}
        Some(answer) if !cancelled && answer.status == StatusCode::OK => {
            let sale: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            if sale["processed"] != true || sale["id"] != id.to_string() {
                world.violated(format!("{what} in {} shows {}", NAMES[region], answer.body));
            }
        }
        Some(answer) => world.violated(format!("{what} in {} was answered with {}", NAMES[region], answer.status)),
        None => world.violated(format!("{what} in {} was not answered", NAMES[region])),
    }
}

/// Requires that a fact is in the lake after this many milliseconds.
async fn demand(world: Rc<World>, id: FactId, promptness: u64) {
    tokio::time::sleep(Duration::from_millis(promptness)).await;
    if world.cloud.resisting() != Some(id) && !in_lake(&world.cloud, id) {
        world.violated(format!("{id} is not in the lake {promptness} ms after it was accepted"));
    }
}

fn in_lake(cloud: &Cloud, id: FactId) -> bool {
    let named = format!(r#"{{"id":"{id}","#);
    let holds = |lines: &String| lines.lines().any(|line| line.starts_with(&named));
    (0..REGIONS).any(|region| cloud.objects(region).values().any(holds))
}
