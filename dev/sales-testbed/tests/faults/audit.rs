//! Checks that every accepted fact is there: in the tables, and in each region's journal as the table has it; and that
//! nothing else is, nor anything left to do.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::join_all;
use sales_testbed::resources::{JournalLine, RegionResources};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use crate::{
    clients::Promised,
    pipeline::{Pipeline, ProxiedService},
};

/// A message of a dead worker is redelivered after 30 s; one that has failed for minutes, after at most 192 s.
const DEADLINE: Duration = Duration::from_secs(300);

/// A sale or a cancellation as stored in the sales table.
struct Item {
    processed: bool,
    pending: bool,
    /// The folder of the journal in which it belongs.
    folder: String,
    /// The body of its event.
    body: String,
    /// The region that accepted it.
    region: String,
}

/// Violations, by kind.
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
    /// Waits until there are no violations, then ends.
    ///
    /// # Panics
    /// If there are some at the deadline: missing, contradicting, unmarked...
    pub(crate) async fn audit(self) {
        let started = Instant::now();
        loop {
            let in_time = started.elapsed() < DEADLINE;
            // Everything is read only when it may be complete: all scenarios share one emulator.
            let findings = if in_time && !self.is_quiet().await { None } else { Some(self.findings().await) };
            match findings {
                Some(findings) if findings.0.is_empty() => break,
                Some(findings) if !in_time => panic!("not as promised:\n{findings}{}", self.warnings().await),
                Some(_) | None => sleep(Duration::from_millis(500)).await,
            }
        }
        join_all(self.services().map(ProxiedService::kill)).await;
    }

    /// Number of registered sales and cancellations.
    pub(crate) async fn registered(&self) -> usize {
        self.items(&self.first().region).await.len()
    }

    /// Number of them with a mark.
    pub(crate) async fn marked(&self) -> usize {
        let marks = self.marks().await;
        self.items(&self.first().region).await.keys().filter(|id| marks.contains(*id)).count()
    }

    /// The body of the event of a registered sale.
    pub(crate) async fn body(&self, id: &str) -> String {
        self.items(&self.first().region).await.remove(id).unwrap().body
    }

    /// Whether no work is left in either region, judged by counts.
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
    let journal = region.journal().await.unwrap();
    for JournalLine { id, line, object } in &journal {
        let Some(item) = items.get(id) else {
            findings.add(format!("never registered, in {name}"), format!("{line} in {object}"));
            continue;
        };
        // Compared with the table, not the other lake: so equal lines are also the right ones.
        findings.check(item.is_stated_by(line), &format!("contradicted in {name}"), line);
        findings.check(object.starts_with(&item.folder), &format!("in a wrong hour in {name}"), object);
    }
    let there: BTreeSet<&String> = journal.iter().map(|line| &line.id).collect();
    for id in items.keys() {
        findings.check(there.contains(id), &format!("missing in {name}"), id);
    }
    // Objects never change.
    let versions = region.lake_versions().await.unwrap();
    for twice in versions.windows(2).filter(|pair| pair[0].key == pair[1].key) {
        findings.add(format!("written again in {name}"), &twice[0].key);
    }
}

impl Item {
    fn of(item: &HashMap<String, AttributeValue>) -> Self {
        let (id, timestamp) = (text(item, "id"), number(item, "timestamp"));
        let (accepted, body) = match item.get("sale_id") {
            Some(AttributeValue::S(sale)) => {
                let accepted = number(item, "sale_timestamp");
                let times = format!(r#""timestamp":{timestamp},"sale_timestamp":{accepted}"#);
                (accepted, format!(r#"{{"id":"{id}","sale_id":"{sale}",{times}}}"#))
            }
            _ => {
                let (product, amount) = (text(item, "product"), number(item, "amount"));
                let content = format!(r#""product":"{product}","amount":{amount},"sale_processed":false"#);
                (timestamp, format!(r#"{{"id":"{id}",{content},"timestamp":{timestamp}}}"#))
            }
        };
        let accepted = OffsetDateTime::from_unix_timestamp(accepted.parse().unwrap()).unwrap();
        Self {
            processed: item.get("sale_processed") == Some(&AttributeValue::Bool(true)),
            pending: item.contains_key("pending"),
            folder: format!("journal/dt={}/hour={:02}/", accepted.date(), accepted.hour()),
            body,
            region: text(item, "region").to_owned(),
        }
    }

    /// Whether a line of the journal says the same. One that came with a message of another tool names no region.
    fn is_stated_by(&self, line: &str) -> bool {
        let body = self.body.trim_end_matches('}');
        line == self.body || line == format!(r#"{body},"region":"{}"}}"#, self.region)
    }
}

fn text<'a>(item: &'a HashMap<String, AttributeValue>, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

fn number<'a>(item: &'a HashMap<String, AttributeValue>, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_n().ok()).map_or("", String::as_str)
}
