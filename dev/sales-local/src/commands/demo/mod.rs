//! `demo`: posts sales, switches regions half-way, and checks that both lakes hold exactly the accepted sales.

mod audit;
mod load;
mod open_files;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::bail;
use futures::{
    future::{try_join, try_join_all},
    join,
};
use sales_testbed::{
    local_ports::LocalPorts,
    process::Program,
    resources::{ACCOUNT, Deployment, Object},
    workspace::Build,
};
use tabled::{Table, builder::Builder};
use tokio::{sync::watch, time::sleep};

use crate::{
    arguments::DemoOptions,
    salesctl_config,
    stack::Stack,
    summary::columns,
    terminal::{Live, Steps, line},
};
use audit::{Audit, Promised, differing};
use load::Load;

/// Time without progress after which the demo gives up.
const PATIENCE: Duration = Duration::from_secs(120);
const CANCELLATIONS: usize = 2;
const LOOK_AGAIN: Duration = Duration::from_millis(500);
const STEPS: usize = Stack::STEPS + 3;

/// Exit codes of `salesctl` when nothing, or not every step, was done, and the number of attempts.
const NOT_DONE: [i32; 2] = [1, 2];
const SWITCHES: usize = 5;

/// Maximum ids or keys shown.
const EXAMPLES: usize = 5;

pub(crate) async fn demo(options: &DemoOptions) -> anyhow::Result<()> {
    open_files::allow(options.concurrency)?;
    let kept = Build::current()?.local_directory();
    std::fs::create_dir_all(&kept)?;
    let mut logs = tempfile::Builder::new().prefix("demo-").tempdir_in(kept)?;
    let result = run(options, logs.path()).await;
    if result.is_err() {
        logs.disable_cleanup(true);
        line(format_args!("the logs are kept in {}", logs.path().display()));
    }
    result
}

async fn run(options: &DemoOptions, logs: &Path) -> anyhow::Result<()> {
    let mut steps = Steps::new(STEPS);
    let stack = Stack::start(LocalPorts::free()?, options.release, logs, &mut steps).await?;
    let started = Instant::now();

    let what = format!("posting {} sales, switching regions half-way", options.sales);
    let promised = steps.talking(&what, post_and_switch(&stack, options, logs)).await?;
    let lakes = steps.talking("waiting until all sales are in the lakes", settle(&stack, &promised)).await?;
    let report = steps.quiet("checking the lakes", report(&stack, &promised, &lakes)).await?;

    line(format_args!("\n{}\n", report.table));
    if !report.faults.is_empty() {
        bail!(report.faults.join("\n"));
    }
    line(format_args!(
        "Every sale that was accepted is in the lake of both regions, once: {} sales, {CANCELLATIONS} cancellations, \
         one switch, {:.1} s.",
        promised.sales.len(),
        started.elapsed().as_secs_f32()
    ));
    Ok(())
}

/// Posts all sales, and switches to the second region once half of them are answered.
async fn post_and_switch(stack: &Stack, options: &DemoOptions, logs: &Path) -> anyhow::Result<Promised> {
    let load = Load::new(&stack.address())?;
    let (count, concurrency) = (usize::try_from(options.sales)?, usize::try_from(options.concurrency)?);
    let (answered, mut seen) = watch::channel(0);
    let switching = async {
        let half_way = seen.wait_for(|answered| *answered >= count / 2).await.map(|answered| *answered)?;
        line(format_args!("      after {half_way} sales:"));
        switch(stack, &stack.deployment().regions[1].name, logs).await
    };
    let (sales, ()) = try_join(load.post(count, concurrency, &answered), switching).await?;

    let cancelled: Vec<_> = sales.iter().take(CANCELLATIONS).cloned().collect();
    try_join_all(cancelled.iter().map(|id| load.cancel(id))).await?;
    Ok(Promised { sales, cancelled: cancelled.into_iter().collect() })
}

/// Switches with `salesctl`, like an operator, and shows its output.
async fn switch(stack: &Stack, region: &str, directory: &Path) -> anyhow::Result<()> {
    let configuration = salesctl_config::write(stack, directory)?;
    let mut code = 0;
    for _ in 0..SWITCHES {
        let mut salesctl = Program::new(stack.salesctl())
            .arguments(["switch", "--to", region, "--yes"])
            .environment([("SALESCTL_CONFIG", configuration.path())])
            .environment([("AWS_ACCESS_KEY_ID", ACCOUNT), ("AWS_SECRET_ACCESS_KEY", "local")])
            .start()?;
        code = salesctl.wait().await;
        // On a busy machine, a step may fail; the same command then completes it.
        if !NOT_DONE.contains(&code) {
            break;
        }
    }
    if code != 0 {
        bail!("salesctl ended with {code}");
    }
    Ok(())
}

/// All versions of all objects in both lakes.
type Lakes = [Vec<Object>; 2];

async fn lakes(deployment: &Deployment) -> anyhow::Result<Lakes> {
    let [first, second] = &deployment.regions;
    let (first, second) = try_join(first.lake_versions(), second.lake_versions()).await?;
    Ok([first, second])
}

/// Work that is still outstanding: zero everywhere once nothing more can arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outstanding {
    missing: usize,
    pending: usize,
    queued: usize,
}

impl Outstanding {
    const NOTHING: Self = Self { missing: 0, pending: 0, queued: 0 };

    async fn of(deployment: &Deployment, promised: &Promised, lakes: &Lakes) -> anyhow::Result<Self> {
        let mut sum =
            Self { missing: lakes.iter().map(|lake| Audit::of(promised, lake).missing.len()).sum(), ..Self::NOTHING };
        for region in &deployment.regions {
            let (pending, queued) = join!(region.pending_count(), region.queued_count());
            sum.pending += pending?;
            sum.queued += queued?;
        }
        Ok(sum)
    }
}

/// Waits until nothing is outstanding, or nothing has changed for too long, and returns the lakes as they are then.
async fn settle(stack: &Stack, promised: &Promised) -> anyhow::Result<Lakes> {
    let mut live = Live::new();
    let mut last = None;
    let mut changed = Instant::now();
    loop {
        stack.check()?;
        let lakes = lakes(stack.deployment()).await?;
        let outstanding = Outstanding::of(stack.deployment(), promised, &lakes).await?;
        if last != Some(outstanding) {
            let Outstanding { missing, pending, queued } = outstanding;
            live.show(&format!("      {missing} missing in a lake, {pending} pending in a table, {queued} in a queue"));
            changed = Instant::now();
            last = Some(outstanding);
        }
        if outstanding == Outstanding::NOTHING || changed.elapsed() > PATIENCE {
            return Ok(lakes);
        }
        sleep(LOOK_AGAIN).await;
    }
}

struct Report {
    table: Table,
    faults: Vec<String>,
}

async fn report(stack: &Stack, promised: &Promised, lakes: &Lakes) -> anyhow::Result<Report> {
    let regions = &stack.deployment().regions;
    let accepted = regions[0].accepted_by_region().await?;
    let mut table = Builder::new();
    table.push_record(["region", "accepted", "in the lake", "missing", "twice", "cancellations"]);
    let mut faults = Vec::new();
    for (region, lake) in regions.iter().zip(lakes) {
        let audit = Audit::of(promised, lake);
        table.push_record([
            region.name.clone(),
            accepted.get(&region.name).copied().unwrap_or_default().to_string(),
            audit.sales.to_string(),
            audit.missing.len().to_string(),
            audit.twice.len().to_string(),
            audit.cancellations.to_string(),
        ]);
        if !audit.is_clean() {
            faults.extend(fault("missing in the lake of", &region.name, &audit.missing));
            faults.extend(fault("twice in the lake of", &region.name, &audit.twice));
            faults.extend(fault("not accepted, but in the lake of", &region.name, &audit.unknown));
        }
        let dead_letters = region.dead_letter_count().await?;
        if dead_letters > 0 {
            faults.push(format!("{dead_letters} messages in the dead-letter queue of {}", region.name));
        }
    }
    let known: usize = accepted.values().sum();
    if known != promised.sales.len() {
        faults.push(format!("{} sales were accepted, but {known} are in the table", promised.sales.len()));
    }
    faults.extend(fault("not the same bytes in", "both lakes", &differing(lakes.each_ref().map(Vec::as_slice))));
    Ok(Report { table: columns(table), faults })
}

/// One line for a fault of some ids or keys; `None` if there are none.
fn fault(what: &str, place: &str, which: &[String]) -> Option<String> {
    let dots = if which.len() > EXAMPLES { ", ..." } else { "" };
    let named = which.iter().take(EXAMPLES).cloned().collect::<Vec<_>>().join(", ");
    (!which.is_empty()).then(|| format!("{} {what} {place}: {named}{dots}", which.len()))
}
