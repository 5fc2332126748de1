//! `lake`: lists the objects of the journal, and their lines.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use sales_testbed::resources::{JournalLine, RegionResources};

use crate::{arguments::LakeOptions, instance::Instance, terminal::line};

pub(crate) async fn lake(options: &LakeOptions) -> anyhow::Result<()> {
    let deployment = Instance::running().await?.deployment();
    let wanted = |region: &&RegionResources| options.region.as_ref().is_none_or(|name| *name == region.name);
    for region in deployment.regions.iter().filter(wanted) {
        let journal = region.journal().await.with_context(|| format!("the lake of {}", region.name))?;
        list(region, &journal);
    }
    Ok(())
}

fn list(region: &RegionResources, journal: &[JournalLine]) {
    let facts = journal.iter().map(|line| &line.id).collect::<BTreeSet<_>>().len();
    let mut objects: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for JournalLine { line, object, .. } in journal {
        objects.entry(object).or_default().push(line);
    }
    let (lines, bucket) = (journal.len(), &region.bucket);
    line(format_args!("{}: {facts} facts, {lines} lines in {} objects, in s3://{bucket}", region.name, objects.len()));
    for (object, lines) in objects {
        line(format_args!("  {object}"));
        for fact in lines {
            line(format_args!("    {fact}"));
        }
    }
}
