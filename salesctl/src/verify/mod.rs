//! `lake verify`: compares tables, marks and lakes over a range of days.
//!
//! It reads everything once, and rechecks apparent differences for some seconds, fact by fact, since there is traffic
//! and replication takes a moment. It reports the remaining differences.

mod again;
mod judge;
mod read;
mod repair;
mod report;

use std::collections::{BTreeMap, HashSet};

use anyhow::bail;
use clap::Args;
use sales::{clock::Clock, sale::FactId};

use crate::{
    cloud::Cloud,
    config::{ConfigOptions, InvalidConfig},
    day::Day,
    exit::Exit,
    output::{Format, count},
    prompt,
};
use judge::{Held, Kind, Measure, Seen, Verdict, judge};
use read::Snapshot;
use report::{Difference, RegionReport, Report};

/// Options of `lake verify`.
#[derive(Debug, Args)]
#[command(after_help = examples())]
pub(crate) struct VerifyOptions {
    /// First UTC day: YYYY-MM-DD, today or yesterday
    #[arg(long, value_name = "DAY")]
    from: Day,
    /// Last UTC day, inclusive
    #[arg(long, value_name = "DAY")]
    to: Day,
    /// Only this region; tables are not compared with each other
    #[arg(long)]
    region: Option<String>,
    /// Maximum number of differences to show; 0 for all. Counts and JSON are complete
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Make facts that are missing from the lake pending again, so that the sweep of an ACTIVE region processes them
    #[arg(long)]
    repair: bool,
    /// Do not ask before repairing
    #[arg(short, long, requires = "repair")]
    yes: bool,
}

const EXAMPLES: &str = "\
Examples:
  salesctl lake verify --from yesterday --to today
  salesctl lake verify --from 2026-01-01 --to 2026-01-31 --output json
  salesctl lake verify --from yesterday --to today --region us-east-1 --repair";

const LIMITS: &str = "\
Not differences: pending facts; the version with another timestamp, where two regions have accepted
one Idempotency-Key or one cancellation; and an object that S3 has yet to replicate, for up to 15 minutes.

It reads the whole sales table of each region, whatever the days (half a read unit per 4 KB), and a mark for
each item of these days (a read unit), and lists the days' folders. It reads objects whose ETag is not the MD5 of
their bytes, as in a bucket encrypted with KMS. Memory grows with the days: about 1 KB per sale and region.";

fn examples() -> String {
    format!("{EXAMPLES}\n\n{}\n\n{LIMITS}", judge::KINDS)
}

/// Compares, and reports.
pub(crate) async fn verify(place: &ConfigOptions, format: Format, options: &VerifyOptions) -> anyhow::Result<Exit> {
    if options.from > options.to {
        return Err(InvalidConfig::new(format_args!("--from {} is after --to {}", options.from, options.to)).into());
    }
    let config = place.read()?;
    let chosen = config.selected(options.region.as_deref())?;
    let cloud = Cloud::open(&config).await?;
    let regions = chosen.iter().filter_map(|name| cloud.regions.get(*name)).collect();
    let read = read::all(regions, options.from, options.to).await;

    let (mut snapshots, mut reports) = (BTreeMap::new(), BTreeMap::new());
    for (region, snapshot) in read {
        match snapshot {
            Ok(snapshot) => drop(snapshots.insert(region, snapshot)),
            Err(error) => drop(reports.insert(region.to_owned(), RegionReport::unread(region, error))),
        }
    }
    if snapshots.is_empty() {
        let reasons: Vec<String> = reports.values().filter_map(RegionReport::reason).collect();
        bail!("no region could be read: {}", reasons.join("; "));
    }
    let compared = compare(&cloud, &snapshots).await;
    reports.extend(compared.regions);
    let mut report = Report::new([options.from, options.to], reports.into_values().collect(), compared.differences);
    if options.repair {
        let facts = repair::repairable(report.differences());
        let question = format!("Make {} pending again?", count(facts.len() as u64, "fact", "facts"));
        if !facts.is_empty() && (options.yes || prompt::confirm(&question).await?) {
            report.owed_again(repair::repair(&cloud, &facts).await);
        }
    }
    report.show(format, options.limit)?;
    Ok(if report.is_clean() { Exit::Done } else { Exit::Incomplete })
}

/// The result of a comparison.
#[derive(Default)]
struct Compared {
    regions: BTreeMap<String, RegionReport>,
    differences: Vec<Difference>,
}

async fn compare(cloud: &Cloud, snapshots: &BTreeMap<&str, Snapshot>) -> Compared {
    let now = Clock::system().now();
    let mut counted: BTreeMap<&str, RegionReport> =
        snapshots.keys().map(|region| (*region, RegionReport::new(region))).collect();
    let mut suspects = Vec::new();
    let ids: HashSet<FactId> = snapshots.values().flat_map(Snapshot::ids).collect();
    for id in ids {
        let verdicts = verdicts(id, snapshots, Measure { now, overdue: cloud.overdue });
        if verdicts.iter().any(|(_, verdict)| verdict.replicating || !verdict.differences.is_empty()) {
            suspects.push(id);
        } else {
            note(&mut counted, &verdicts);
        }
    }
    let looked = again::look(cloud, snapshots, suspects).await;
    let mut differences = looked.differences;
    for verdicts in looked.verdicts {
        note(&mut counted, &verdicts);
    }
    for (region, snapshot) in snapshots {
        differences.extend(snapshot.foreign().map(|(kind, id)| Difference::new(region, kind, id, String::new())));
    }
    for (region, error) in looked.troubles {
        counted.insert(region, RegionReport::unread(region, error));
        differences.retain(|difference| difference.region != region);
    }
    differences.sort_unstable();
    for difference in &differences {
        if let Some(report) = counted.get_mut(difference.region.as_str()) {
            report.count(difference.kind);
        }
    }
    Compared { regions: counted.into_iter().map(|(region, report)| (region.to_owned(), report)).collect(), differences }
}

fn note<'a>(counted: &mut BTreeMap<&'a str, RegionReport>, verdicts: &[(&'a str, Verdict)]) {
    for (region, verdict) in verdicts {
        if let Some(report) = counted.get_mut(region) {
            report.add(verdict);
        }
    }
}

/// The verdict of each region on a fact as read.
fn verdicts<'a>(id: FactId, snapshots: &BTreeMap<&'a str, Snapshot>, measure: Measure) -> Vec<(&'a str, Verdict)> {
    let held = snapshots.iter().map(|(region, snapshot)| (*region, snapshot.held(id))).collect();
    snapshots.keys().map(|region| (*region, judge(id, region, &held, measure))).collect()
}
