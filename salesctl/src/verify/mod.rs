//! `lake verify`: compares tables, marks, and the journals and tables of the lakes over a range of days.
//!
//! It reads everything once, the journals hour by hour, and rechecks apparent differences for some seconds, since there
//! is traffic and replication takes a moment. It reports the remaining differences.

mod again;
mod compare;
mod judge;
mod lines;
mod read;
mod repair;
mod report;
mod rows;

use std::collections::BTreeMap;

use anyhow::bail;
use clap::Args;
use futures::future::join_all;

use crate::{
    cloud::{Cloud, RegionCloud},
    config::{ConfigOptions, InvalidConfig},
    day::Day,
    exit::Exit,
    output::Format,
    prompt,
};
use compare::{Compared, compare};
use judge::{Held, Kind, Measure, Verdict, judge};
use lines::{HourLines, Line};
use read::Progress;
use repair::Plan;
use report::{RegionReport, Report};

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
    /// Copy objects that a journal lacks from another region's, and make facts that no journal holds pending again, so
    /// that the sweep of an ACTIVE region processes them
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
Not differences: pending facts; a fact that the journal holds several times; the version with another timestamp,
where two regions have accepted one Idempotency-Key or one cancellation; and an object that S3 has yet to replicate,
for up to 15 minutes; and a row that is not folded yet: 20 minutes are allowed, and more for facts that come
when their hour is long over (docs/lake.md). A cancellation belongs to the day and hour of its sale.

It reads the whole sales table of each region, whatever the days (half a read unit per 4 KB), a mark for each item of
these days (a read unit), every object of the journal of these days, and every file of the lake's table of these days. Memory grows with the days by about 250 bytes
per sale and region, and with the sales of one hour by as much again.";

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
    let regions: Vec<&RegionCloud> = chosen.iter().filter_map(|name| cloud.regions.get(*name)).collect();
    let progress = regions.iter().map(|region| (region.name.as_str(), Progress::default())).collect();
    let compared = tokio::select! {
        compared = read_and_compare(&cloud, &regions, &progress, [options.from, options.to]) => compared?,
        () = read::tell(&progress) => unreachable!("it reports forever"),
    };
    let regions = compared.regions.into_values().collect();
    let mut report = Report::new([options.from, options.to], regions, compared.differences);
    if options.repair {
        let plan = Plan::of(report.differences());
        if !plan.is_empty() && (options.yes || prompt::confirm(&plan.question()).await?) {
            let repaired = plan.carry_out(&cloud).await;
            report.repaired(repaired);
        }
    }
    report.show(format, options.limit)?;
    Ok(if report.is_clean() { Exit::Done } else { Exit::Incomplete })
}

/// Reads the tables of these regions, and compares all with their journals.
async fn read_and_compare(
    cloud: &Cloud,
    regions: &[&RegionCloud],
    progress: &BTreeMap<&str, Progress>,
    days: [Day; 2],
) -> anyhow::Result<Compared> {
    let tables = join_all(regions.iter().map(|region| read::tables(region, days, &progress[region.name.as_str()])));
    let (mut snapshots, mut unread) = (BTreeMap::new(), BTreeMap::new());
    for (region, snapshot) in regions.iter().zip(tables.await) {
        match snapshot {
            Ok(snapshot) => drop(snapshots.insert(region.name.as_str(), snapshot)),
            Err(error) => drop(unread.insert(region.name.clone(), RegionReport::unread(&region.name, error))),
        }
    }
    if snapshots.is_empty() {
        let reasons: Vec<String> = unread.values().filter_map(RegionReport::reason).collect();
        bail!("no region could be read: {}", reasons.join("; "));
    }
    let mut compared = compare(cloud, &snapshots, progress, days).await;
    compared.regions.extend(unread);
    Ok(compared)
}
