//! Whether every promise was kept, and kept once: what is in the tables, the lakes and the queues.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use futures::{StreamExt, future::join_all, stream};
use sales_testbed::resources::RegionResources;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use crate::{
    clients::Promised,
    pipeline::{Pipeline, ProxiedService},
};

/// A message that was in dead hands comes back after 30 s; what has failed for minutes is looked at again after 192 at
/// most.
const DEADLINE: Duration = Duration::from_secs(300);

/// A sale or a cancellation as the sales table holds it: it is registered.
struct Item {
    processed: bool,
    pending: bool,
    /// Where in the lake it has to be.
    key: String,
    /// What has to be there.
    body: String,
}

/// What is not as promised, by kind.
#[derive(Default)]
struct Findings(BTreeMap<String, BTreeSet<String>>);

impl Findings {
    fn add(&mut self, kind: impl Into<String>, what: impl Into<String>) {
        self.0.entry(kind.into()).or_default().insert(what.into());
    }

    fn check(&mut self, holds: bool, kind: &str, what: &str) {
        if !holds {
            self.add(kind, what);
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, all) in &self.0 {
            let some: Vec<&str> = all.iter().take(5).map(String::as_str).collect();
            let more = if all.len() > some.len() { ", ..." } else { "" };
            writeln!(formatter, "  {kind}: {} ({}{more})", all.len(), some.join(", "))?;
        }
        Ok(())
    }
}

impl Pipeline {
    /// Waits until every promise is kept, then ends.
    ///
    /// # Panics
    /// When one is still not kept at the deadline, with what is missing, twice, different...
    pub(crate) async fn audit(self) {
        let started = Instant::now();
        loop {
            let in_time = started.elapsed() < DEADLINE;
            // Everything is asked for only when it may be over: all scenarios share one emulator.
            let findings = if in_time && !self.is_quiet().await { None } else { Some(self.findings().await) };
            match findings {
                Some(findings) if findings.0.is_empty() => break,
                Some(findings) if !in_time => panic!("not as promised:\n{findings}{}", self.warnings().await),
                Some(_) | None => sleep(Duration::from_millis(500)).await,
            }
        }
        join_all(self.services().map(ProxiedService::kill)).await;
    }

    /// How many sales and cancellations are registered.
    pub(crate) async fn registered(&self) -> usize {
        self.items(&self.first().region).await.len()
    }

    /// How many of them are marked as being in the lake.
    pub(crate) async fn marked(&self) -> usize {
        let marks = self.marks().await;
        self.items(&self.first().region).await.keys().filter(|id| marks.contains(*id)).count()
    }

    /// What has to be in the lake for a registered sale.
    pub(crate) async fn body(&self, id: &str) -> String {
        self.items(&self.first().region).await.remove(id).unwrap().body
    }

    /// Whether nothing is left to do in either region, as far as can be told by counting.
    async fn is_quiet(&self) -> bool {
        for site in &self.sites {
            let region = &site.region;
            if region.queued_count().await.unwrap() + region.pending_count().await.unwrap() > 0 {
                return false;
            }
        }
        true
    }

    async fn findings(&self) -> Findings {
        let mut findings = Findings::default();
        let marks = self.marks().await;
        let promised = self.promised().clone();
        for site in &self.sites {
            let (region, name) = (&site.region, &site.region.name);
            let items = self.items(region).await;
            compare_with_promises(&mut findings, &promised, &items);
            for (id, item) in &items {
                findings.check(marks.contains(id), "unmarked", id);
                findings.check(item.processed, &format!("not processed in {name}"), id);
                findings.check(!item.pending, &format!("pending in {name}"), id);
            }
            compare_with_lake(&mut findings, region, &items).await;
            for (queue, messages) in [
                ("queue", region.queued_count().await.unwrap()),
                ("dead-letter queue", region.dead_letter_count().await.unwrap()),
                ("pending index", region.pending_count().await.unwrap()),
            ] {
                findings.check(messages == 0, &format!("left in the {queue} of {name}"), &messages.to_string());
            }
        }
        findings
    }

    async fn items(&self, region: &RegionResources) -> BTreeMap<String, Item> {
        let tables = aws_sdk_dynamodb::Client::new(&self.stage.sdk(region));
        let request = tables.scan().table_name(&region.sales_table).consistent_read(true);
        let items = request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await.unwrap();
        items.iter().map(|item| (text(item, "id").to_owned(), Item::of(item))).collect()
    }

    async fn marks(&self) -> BTreeSet<String> {
        let region = &self.first().region;
        let tables = aws_sdk_dynamodb::Client::new(&self.stage.sdk(region));
        let request = tables.scan().table_name(&region.idempotency_table).consistent_read(true);
        let marks = request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await.unwrap();
        marks.iter().map(|mark| text(mark, "id").to_owned()).collect()
    }

    async fn warnings(&self) -> String {
        let mut said = String::new();
        for site in &self.sites {
            for (service, name) in [(&site.api, "API"), (&site.worker, "worker")] {
                for line in service.warnings().await.iter().rev().take(3).rev() {
                    said.push_str(&format!("  {name} of {}: {line}\n", site.region.name));
                }
            }
        }
        said
    }
}

fn compare_with_promises(findings: &mut Findings, promised: &Promised, items: &BTreeMap<String, Item>) {
    for id in &promised.sales {
        findings.check(items.contains_key(id), "answered 201, not in the table", id);
    }
    for id in &promised.cancelled {
        findings.check(items.contains_key(&format!("{id}#cancelled")), "answered 204, not in the table", id);
    }
}

async fn compare_with_lake(findings: &mut Findings, region: &RegionResources, items: &BTreeMap<String, Item>) {
    let name = &region.name;
    let mut versions: BTreeMap<String, usize> = BTreeMap::new();
    for object in region.lake_versions().await.unwrap() {
        *versions.entry(object.key).or_default() += 1;
    }
    for (id, item) in items {
        match versions.remove(&item.key) {
            None => findings.add(format!("missing in {name}"), id),
            Some(1) => {}
            Some(_) => findings.add(format!("twice in {name}"), id),
        }
    }
    for key in versions.keys() {
        findings.add(format!("never registered, in {name}"), key);
    }
    if findings.0.is_empty() {
        let bodies =
            stream::iter(items).map(async |(id, item)| (id, item, region.lake_object(&item.key).await.unwrap()));
        for (id, item, body) in bodies.buffer_unordered(8).collect::<Vec<_>>().await {
            // With the table and not with the other lake: the bytes are the same then, and the right ones.
            findings.check(body == item.body.as_bytes(), &format!("differs in {name}"), id);
        }
    }
}

impl Item {
    fn of(item: &HashMap<String, AttributeValue>) -> Self {
        let (id, timestamp) = (text(item, "id"), number(item, "timestamp"));
        let day = OffsetDateTime::from_unix_timestamp(timestamp.parse().unwrap()).unwrap().date();
        let (folder, body) = match item.get("sale_id") {
            Some(AttributeValue::S(sale)) => {
                ("cancellations", format!(r#"{{"id":"{id}","sale_id":"{sale}","timestamp":{timestamp}}}"#))
            }
            _ => {
                let (product, amount) = (text(item, "product"), number(item, "amount"));
                let content = format!(r#""product":"{product}","amount":{amount},"sale_processed":false"#);
                ("sales", format!(r#"{{"id":"{id}",{content},"timestamp":{timestamp}}}"#))
            }
        };
        Self {
            processed: item.get("sale_processed") == Some(&AttributeValue::Bool(true)),
            pending: item.contains_key("pending"),
            key: format!("{folder}/dt={day}/{id}.json"),
            body,
        }
    }
}

fn text<'a>(item: &'a HashMap<String, AttributeValue>, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

fn number<'a>(item: &'a HashMap<String, AttributeValue>, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_n().ok()).map_or("", String::as_str)
}
