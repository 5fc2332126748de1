//! `up`: everything runs until it is told to stop.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sales_local::{ports, resources::ACCOUNT, workspace::Build};
use tokio::time::{Instant, sleep};

use crate::{
    cli::UpOptions,
    instance::Instance,
    stack::Stack,
    summary::Summary,
    terminal::{Live, Steps, line},
};

/// How often the summary is taken, unless taking it takes a while itself.
const SUMMARY_INTERVAL: Duration = Duration::from_secs(1);

/// How often numbers that have changed are said again where nothing can be redrawn.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// The largest part of the time that taking summaries may take: one in ten.
const SUMMARY_SHARE: u32 = 10;

const HOW_LONG_ONE_MAY_TAKE: Duration = Duration::from_secs(5);

/// Runs until it is dropped or fails; `serving` is set once everything serves.
pub(crate) async fn up(options: UpOptions, serving: &AtomicBool) -> anyhow::Result<()> {
    ports::wait_until_free(&options.roles()).await?;
    let logs = Build::current()?.local_directory().join("logs");
    let stack = Stack::start(options, &logs, &mut Steps::new(Stack::STEPS)).await?;
    let _announced =
        Instance { place: stack.place(), accelerator: stack.edge().control_endpoint().to_owned() }.announce()?;
    serving.store(true, Ordering::Relaxed);
    line(what_to_try(&stack, &logs));
    watch(&stack).await
}

fn what_to_try(stack: &Stack, logs: &Path) -> String {
    let address = stack.address();
    let [first, second] = stack.regions();
    let own_addresses = [&first, &second].map(|(region, api, _)| format!("  {:<12}{api}", region.name)).join("\n");
    let (region, _, _) = first;
    let emulator = stack.place().endpoint;
    format!(
        r#"
Both regions serve. Try it, in another terminal:

  curl -X POST {address}/sales -d '{{"product":"O Pequeno Principe", "amount": 14.00}}' -i

  id=$(curl -s {address}/sales -d '{{"product":"Dom Casmurro", "amount": 29.90}}' \
    | grep -o '[0-9a-f-]\{{36\}}')
  curl -X GET {address}/sales/$id -i
  curl -X DELETE {address}/sales/$id -i

  cargo local lake                what has arrived in the lake
  cargo local switch {other}    only {other} processes sales and takes traffic
  cargo local switch --both       both regions do

Documentation of the API   {address}/docs
Each region's own API
{own_addresses}
The lake, for the AWS CLI
  AWS_ACCESS_KEY_ID={ACCOUNT} AWS_SECRET_ACCESS_KEY=local AWS_REGION={name} \
    aws --endpoint-url {emulator} s3 ls --recursive s3://{bucket}
Logs                       {logs}

Ctrl-C stops everything.
"#,
        other = second.0.name,
        name = region.name,
        bucket = region.bucket,
        logs = logs.display(),
    )
}

/// Shows what happens, for as long as everything runs.
async fn watch(stack: &Stack) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().no_proxy().timeout(HOW_LONG_ONE_MAY_TAKE).build()?;
    let mut live = Live::new();
    let mut shown: Option<(Instant, Summary)> = None;
    loop {
        stack.check()?;
        let started = Instant::now();
        let summary = Summary::of(&client, stack).await;
        let is_due = match &shown {
            None => true,
            Some(_) if live.is_redrawn() => true,
            Some((since, last)) => {
                summary.differs_in_kind_from(last) || (summary != *last && since.elapsed() >= LINE_INTERVAL)
            }
        };
        if is_due {
            live.show(&summary.to_string());
            shown = Some((started, summary));
        }
        // A lake that has grown large takes a while to list, and is then listed less often.
        sleep(SUMMARY_INTERVAL.max(started.elapsed() * SUMMARY_SHARE)).await;
    }
}
