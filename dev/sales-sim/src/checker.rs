//! The invariants, checked against the final state.
//!
//! The expected facts are those that a sales table ever held, and those that other tools published. Each of these must
//! be in the journal of every region: at least one line, with bytes that follow from the fact alone, in an object of its
//! sale's hour; marked, with an object that holds it; processed; not pending. Nothing else may be there: above all no sale
//! that was announced, but never stored.
//!
//! A region that is lost for good takes with it what had not left it, by replication or as a message; and the objects
//! that it had put, unless they had replicated (decision 4 in `docs/decisions`).
//!
//! No item may have lost an attribute that the services do not know, unless a worker created it from its event.
//!
//! Where clients sign in, each sale is kept as the one of the shop that ordered it.
//!
//! One fact may have two versions: an idempotency key, or a cancellation, that both regions accepted independently.
//! Decision 3 in `docs/decisions` then allows lines of each of the versions.

mod table;

use std::collections::{BTreeMap, BTreeSet};

use sales::sale::{Cancellation, Fact, FactId, Sale};
use time::OffsetDateTime;

use crate::regions::NAMES;
use crate::regions::REGIONS;
use crate::schedule::Kind;
use crate::shops;
use crate::world::World;

pub use table::check_tables;

/// Body of a malformed message.
pub const POISON: &str = "{\"poison\":";

/// The violations, in words; empty if there are none.
#[must_use]
pub fn check(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let live: Vec<usize> = (0..REGIONS).filter(|region| world.schedule.lost_for_good != Some(*region)).collect();
    let known = known(world);
    let owed = owed_of(world, &known);
    let created = world.cloud.created();
    for region in &live {
        let items = world.cloud.items(*region);
        let marked = world.cloud.marked(*region);
        let objects = world.cloud.objects(*region);
        for id in &owed {
            match items.get(id) {
                None => wrong.push(format!("{id} is not in the table of {}", NAMES[*region])),
                Some(item) if item.pending => wrong.push(format!("{id} is pending in {}", NAMES[*region])),
                Some(item) if !item.processed => wrong.push(format!("{id} is not processed in {}", NAMES[*region])),
                Some(item) if !item.later && !created.contains(id) => {
                    wrong.push(format!("{id} has lost an attribute in {}", NAMES[*region]));
                }
                Some(_) => {}
            }
            match marked.get(id).map(|object| objects.get(&**object)) {
                None => wrong.push(format!("{id} is not marked in {}", NAMES[*region])),
                Some(Some(lines)) if lines.lines().all(|line| fact_of(line) != Some(*id)) => {
                    wrong.push(format!("{id} is not in the object that its mark names in {}", NAMES[*region]));
                }
                // A lost region's objects may be lost with it.
                Some(None) if world.schedule.lost_for_good.is_none() => {
                    wrong.push(format!("{id} is marked with an object that is not in {}", NAMES[*region]));
                }
                Some(_) => {}
            }
        }
        check_lake(*region, &objects, &known, &owed, &mut wrong);
    }
    check_clients(world, &known, &mut wrong);
    let foreign: BTreeSet<FactId> = world.record.borrow().foreign.iter().map(Fact::id).collect();
    for id in world.cloud.never_stored().difference(&foreign) {
        wrong.push(format!("{id} was announced, but never stored"));
    }
    if let [one, other] = live[..]
        && world.cloud.objects(one) != world.cloud.objects(other)
    {
        wrong.push("the lakes of both regions differ".into());
    }
    wrong
}

fn check_clients(world: &World, known: &BTreeMap<FactId, Vec<Fact>>, wrong: &mut Vec<String>) {
    for (id, shop) in &world.record.borrow().accepted {
        let client = world.schedule.sign_in.then(|| shops::client(*shop)).flatten();
        let of_the_sale = [FactId::Sale(*id), FactId::Cancellation(*id)].into_iter().filter_map(|id| known.get(&id));
        for fact in of_the_sale.flatten().filter(|fact| fact.client() != client.as_ref()) {
            wrong.push(format!("{} was ordered by {client:?}, and is kept as one of {:?}", fact.id(), fact.client()));
        }
    }
}

/// Leftovers once all else is correct: messages, and unexpected dead letters.
#[must_use]
pub fn check_queues(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let worked = |region: &usize| world.schedule.lost_for_good != Some(*region) && world.schedule.workers[*region] > 0;
    for region in (0..REGIONS).filter(worked) {
        let left = world.cloud.queued(region);
        if left > 0 {
            wrong.push(format!("{left} messages are left in the queue of {}", NAMES[region]));
        }
        let dead = world.cloud.dead_letters(region);
        let poison = world.record.borrow().poison[region];
        let explained =
            dead.iter().filter(|(body, reason)| body == POISON && reason.contains_key("dead-letter-reason"));
        let explained = explained.count();
        if explained != dead.len() {
            wrong.push(format!("{} dead letters of {} are none of ours", dead.len() - explained, NAMES[region]));
        }
        if explained < poison as usize {
            wrong.push(format!("{explained} of {poison} broken messages are dead letters of {}", NAMES[region]));
        }
    }
    wrong
}

/// Checks for runs without failures: no work was done twice, and a PASSIVE region did none.
#[must_use]
pub fn check_economy(world: &World) -> Vec<String> {
    if world.schedule.kind != Kind::Calm {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    let puts = world.weather.puts();
    let mut lines: BTreeMap<String, u32> = BTreeMap::new();
    for line in world.cloud.objects(0).values().flat_map(|lines| lines.lines()) {
        *lines.entry(line.to_owned()).or_default() += 1;
    }
    for (line, count) in lines.into_iter().filter(|(_, count)| *count > 1) {
        wrong.push(format!("{count} times in the journal, though nothing failed: {line}"));
    }
    for region in 0..REGIONS {
        if world.schedule.first[region] == sales::site_state::SiteState::Passive && puts[region] > 0 {
            wrong.push(format!("{} is passive, and put {} objects", NAMES[region], puts[region]));
        }
    }
    wrong
}

/// Check until the faults end: a region that is PASSIVE, or whose state is unknown, stands by.
#[must_use]
pub fn check_stand_by(world: &World) -> Vec<String> {
    let standing_by: &[usize] = match world.schedule.kind {
        Kind::SwitchUnknown => &[1],
        Kind::BothPassive => &[0, 1],
        Kind::Storm | Kind::Calm | Kind::SwitchesUnreachable | Kind::Failover | Kind::Takeover | Kind::Resisting => &[],
    };
    let put = world.weather.puts();
    let wrong = standing_by.iter().filter(|region| put[**region] > 0);
    wrong.map(|region| format!("{} was to stand by, and put {} objects", NAMES[*region], put[*region])).collect()
}

/// All accepted or published facts, with their versions.
fn known(world: &World) -> BTreeMap<FactId, Vec<Fact>> {
    let mut known = world.cloud.registered();
    for fact in &world.record.borrow().foreign {
        let versions = known.entry(fact.id()).or_default();
        if !versions.contains(fact) {
            versions.push(fact.clone());
        }
    }
    known
}

/// The facts that must be in the lake of the remaining regions.
#[must_use]
pub fn owed(world: &World) -> BTreeSet<FactId> {
    owed_of(world, &known(world))
}

fn owed_of(world: &World, known: &BTreeMap<FactId, Vec<Fact>>) -> BTreeSet<FactId> {
    let Some(lost) = world.schedule.lost_for_good else { return known.keys().copied().collect() };
    let live = (0..REGIONS).filter(|region| *region != lost);
    let carried_out: BTreeSet<FactId> =
        live.flat_map(|region| world.cloud.items(region).into_keys().chain(world.cloud.delivered(region))).collect();
    let objects = world.cloud.objects(lost);
    let put_there: BTreeSet<FactId> = objects.values().flat_map(|lines| lines.lines()).filter_map(fact_of).collect();
    known.keys().copied().filter(|id| carried_out.contains(id) && !put_there.contains(id)).collect()
}

/// The id in a line.
fn fact_of(line: &str) -> Option<FactId> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    line["id"].as_str()?.parse().ok()
}

/// Whether regions may have accepted a fact independently.
fn may_have_versions(id: FactId) -> bool {
    match id {
        FactId::Cancellation(_) => true,
        // Ids derived from idempotency keys are UUIDs of version 5.
        FactId::Sale(id) => id.to_string().as_bytes().get(14) == Some(&b'5'),
    }
}

fn check_lake(
    region: usize,
    objects: &BTreeMap<String, String>,
    known: &BTreeMap<FactId, Vec<Fact>>,
    owed: &BTreeSet<FactId>,
    wrong: &mut Vec<String>,
) {
    let name = NAMES[region];
    let mut found: BTreeSet<FactId> = BTreeSet::new();
    for (key, lines) in objects {
        if lines.is_empty() || !lines.ends_with('\n') {
            wrong.push(format!("{key} in {name} does not end with a line: {lines}"));
        }
        for text in lines.lines() {
            let Some((id, versions)) = fact_of(text).and_then(|id| Some((id, known.get(&id)?))) else {
                wrong.push(format!("{key} in {name} holds what was never registered: {text}"));
                continue;
            };
            found.insert(id);
            let is_right = |fact: &Fact| key.starts_with(&folder(fact)) && line(fact) == text;
            if !versions.iter().any(is_right) {
                wrong.push(format!("{key} in {name} holds what was not registered so: {text}"));
            }
        }
    }
    for (id, versions) in known {
        let lines: BTreeSet<String> = versions.iter().map(line).collect();
        if lines.len() > 1 && !may_have_versions(*id) {
            wrong.push(format!("{id} was registered as {lines:?}"));
        }
        if owed.contains(id) && !found.contains(id) {
            wrong.push(format!("{id} is not in the lake of {name}"));
        }
    }
}

/// The expected folder of a fact in the journal: computed independently of the code under test.
fn folder(fact: &Fact) -> String {
    let accepted = match fact {
        Fact::Sale(sale) => sale.timestamp,
        Fact::Cancellation(cancellation) => cancellation.sale_timestamp.unwrap_or(cancellation.timestamp),
    };
    let moment = OffsetDateTime::from_unix_timestamp(accepted.unix_seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (day, hour) = (moment.date(), moment.hour());
    format!("journal/dt={:04}-{:02}-{:02}/hour={hour:02}/", day.year(), u8::from(day.month()), day.day())
}

/// The expected line, computed likewise.
fn line(fact: &Fact) -> String {
    let timestamp = fact.timestamp().unix_seconds();
    let region = fact.region().map(|region| format!(r#","region":"{region}""#)).unwrap_or_default();
    let client = fact.client().map(|client| format!(r#","client":"{}""#, client.as_str())).unwrap_or_default();
    match fact {
        Fact::Sale(Sale { id, product, amount, .. }) => {
            let product = serde_json::Value::from(product.as_str());
            format!(
                r#"{{"id":"{id}","product":{product},"amount":{amount},"sale_processed":false,"timestamp":{timestamp}{region}{client}}}"#
            )
        }
        Fact::Cancellation(Cancellation { sale, sale_timestamp, .. }) => {
            let accepted = sale_timestamp.map(|moment| format!(r#","sale_timestamp":{}"#, moment.unix_seconds()));
            let accepted = accepted.unwrap_or_default();
            format!(
                r##"{{"id":"{sale}#cancelled","sale_id":"{sale}","timestamp":{timestamp}{accepted}{region}{client}}}"##
            )
        }
    }
}
