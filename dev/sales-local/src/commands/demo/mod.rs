//! `demo`: posts sales, switches regions half-way, and checks that both lakes hold the accepted sales, and nothing else.
//!
//! It posts, switches and checks with `salesctl`, as an operator does.

mod check;
mod open_files;
mod salesctl;

use std::{
    ffi::OsString,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use futures::future::{try_join, try_join_all};
use reqwest::{Client, StatusCode};
use sales_testbed::{
    http_client, local_ports::LocalPorts, openmetrics::counter, resources::REGIONS, sealed, user_pools::OPERATOR,
    workspace::Build,
};
use serde::Deserialize;
use tokio::time::sleep;

use crate::{
    arguments::DemoOptions,
    stack::{Stack, StackOptions},
    terminal::{Live, Steps, line},
};
use check::{Accepted, Verified};
use salesctl::Salesctl;

/// Time without progress after which the demo gives up.
const PATIENCE: Duration = Duration::from_secs(120);
const CANCELLATIONS: u32 = 2;
const LOOK_AGAIN: Duration = Duration::from_millis(500);
const HOW_LONG_ONE_MAY_TAKE: Duration = Duration::from_secs(10);
const STEPS: usize = Stack::STEPS + 3;

/// Interval of counting accepted sales until half of them are.
const COUNT_AGAIN: Duration = Duration::from_millis(100);

/// Exit codes of `salesctl` when nothing, or not every step, was done, and the number of attempts.
const NOT_DONE: [i32; 2] = [1, 2];
const SWITCHES: usize = 5;

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
    let stack = StackOptions { ports: LocalPorts::free()?, release: options.release, sign_in: options.sign_in };
    let stack = Stack::start(stack, logs, &mut steps).await?;
    let salesctl = Salesctl::of(&stack, logs)?;
    let demo = Demo { stack, salesctl, client: http_client::builder().timeout(HOW_LONG_ONE_MAY_TAKE).build()? };
    let started = Instant::now();

    let DemoOptions { sales, rate, .. } = options;
    let ids = logs.join("ids.txt");
    let what = format!("posting {sales} sales, {rate} per second, switching regions half-way");
    steps.talking(&what, demo.post_and_switch(options, &ids)).await?;
    steps.quiet(&format!("cancelling {CANCELLATIONS} of them"), demo.cancel(&ids)).await?;
    let accepted = Accepted { sales: u64::from(*sales), cancellations: u64::from(CANCELLATIONS) };
    let verified = steps.talking("checking the lakes", demo.settle(accepted)).await?;

    line(format_args!("\n{}\n", verified.table(&demo.accepted_by_region().await?)));
    let mut faults = verified.faults(accepted);
    faults.extend(demo.dead_letters().await?);
    if !faults.is_empty() {
        bail!(faults.join("\n"));
    }
    line(format_args!(
        "Every sale that was accepted is in the lake of both regions, and one row of its table: {sales} sales, \
         {CANCELLATIONS} cancellations, one switch, {:.1} s.",
        started.elapsed().as_secs_f32()
    ));
    Ok(())
}

/// What the demo works with.
struct Demo {
    salesctl: Salesctl,
    client: Client,
    stack: Stack,
}

impl Demo {
    /// Posts all sales, writes their ids to the file `ids`, and switches to the second region once half of them are
    /// accepted.
    async fn post_and_switch(&self, options: &DemoOptions, ids: &Path) -> anyhow::Result<()> {
        let DemoOptions { sales, rate, concurrency, .. } = options;
        let numbers = [("--count", sales), ("--rate", rate), ("--concurrency", concurrency)];
        let numbers = numbers.map(|(option, number)| OsString::from(format!("{option}={number}")));
        let load = [OsString::from("load"), "--no-lake".into(), "--ids".into(), ids.into()].into_iter().chain(numbers);
        let mut load = self.salesctl.start(load)?;
        let posting = async {
            match load.wait().await {
                0 => Ok(()),
                code => bail!("salesctl load ended with {code}"),
            }
        };
        let switching = async {
            let half_way = self.half_way(u64::from(sales / 2)).await?;
            line(format_args!("      after {half_way} sales:"));
            self.switch(REGIONS[1]).await
        };
        try_join(posting, switching).await?;
        Ok(())
    }

    /// Waits until `half` of the sales are accepted, and returns the number of those that are.
    async fn half_way(&self, half: u64) -> anyhow::Result<u64> {
        loop {
            let accepted = self.accepted_by_region().await?.into_iter().sum();
            if accepted >= half {
                return Ok(accepted);
            }
            sleep(COUNT_AGAIN).await;
        }
    }

    /// Number of sales that each region's API has accepted.
    async fn accepted_by_region(&self) -> anyhow::Result<Vec<u64>> {
        try_join_all(self.stack.regions().map(async |(region, [api, ..])| {
            let accepted = counter(&self.client, &api, "sales_accepted_total").await;
            Ok(accepted.with_context(|| format!("the metrics of the API of {}", region.name))?.unwrap_or_default())
        }))
        .await
    }

    async fn switch(&self, region: &str) -> anyhow::Result<()> {
        let mut code = 0;
        for _ in 0..SWITCHES {
            code = self.salesctl.start(["switch", "--to", region, "--yes"])?.wait().await;
            // On a busy machine, a step may fail; the same command then completes it.
            if !NOT_DONE.contains(&code) {
                break;
            }
        }
        if code != 0 {
            bail!("salesctl switch ended with {code}");
        }
        Ok(())
    }

    /// Cancels the first of these sales, as a client of the API.
    async fn cancel(&self, ids: &Path) -> anyhow::Result<()> {
        let ids = std::fs::read_to_string(ids)?;
        let token = self.token().await?;
        try_join_all(ids.lines().take(CANCELLATIONS as usize).map(async |id| {
            let request = self.client.delete(format!("{}/sales/{id}", self.stack.address()));
            let request = token.iter().fold(request, |request, token| request.bearer_auth(token));
            let answer = request.send().await?;
            match answer.status() {
                StatusCode::NO_CONTENT => Ok(()),
                status => bail!("cancelling {id} was answered with {status}: {}", answer.text().await?),
            }
        }))
        .await?;
        Ok(())
    }

    /// A token of the operator, if clients sign in.
    async fn token(&self) -> anyhow::Result<Option<String>> {
        #[derive(Deserialize)]
        struct Issued {
            access_token: String,
        }
        let Some([command, _]) = self.stack.token_commands(OPERATOR) else { return Ok(None) };
        let output = sealed::command("sh").args(["-c", &command]).output().await?;
        let issued: Issued = serde_json::from_slice(&output.stdout).context("the operator got no token")?;
        Ok(Some(issued.access_token))
    }

    /// Checks the lakes until nothing is outstanding, or nothing has changed for too long, and returns the last result.
    async fn settle(&self, accepted: Accepted) -> anyhow::Result<Verified> {
        let mut live = Live::new();
        let mut last = None;
        let mut changed = Instant::now();
        loop {
            self.stack.check()?;
            let queued = self.queued().await?;
            let verify = ["lake", "verify", "--from", "yesterday", "--to", "today"];
            let verified: Verified = self.salesctl.read(&verify).await?;
            let (missing, pending, without_row) = verified.outstanding(accepted);
            let outstanding = (missing, pending, without_row, queued);
            if last != Some(outstanding) {
                live.show(&format!(
                    "      {missing} missing in a lake, {pending} pending in a table, {without_row} not in a lake's table, {queued} in a \
                     queue"
                ));
                changed = Instant::now();
                last = Some(outstanding);
            }
            if outstanding == (0, 0, 0, 0) || changed.elapsed() > PATIENCE {
                return Ok(verified);
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Number of messages in the queues.
    async fn queued(&self) -> anyhow::Result<usize> {
        let regions = &self.stack.deployment().regions;
        Ok(try_join_all(regions.iter().map(|region| region.queued_count())).await?.into_iter().sum())
    }

    /// The dead-letter queues that are not empty.
    async fn dead_letters(&self) -> anyhow::Result<Vec<String>> {
        let mut faults = Vec::new();
        for region in &self.stack.deployment().regions {
            let dead_letters = region.dead_letter_count().await?;
            if dead_letters > 0 {
                faults.push(format!("{dead_letters} messages in the dead-letter queue of {}", region.name));
            }
        }
        Ok(faults)
    }
}
