//! `up`: runs everything until interrupted.

use std::{
    net::Ipv4Addr,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures::future::join_all;
use sales_testbed::{
    resources::{ACCOUNT, Deployment},
    tcp_ports,
    user_pools::{CLIENTS, OPERATOR},
    workspace::Build,
};
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};

use crate::{
    arguments::UpOptions,
    commands::drill::control,
    instance::Instance,
    salesctl_config,
    stack::{Stack, StackOptions},
    summary::{Lakes, Summary},
    terminal::{Live, Steps, line, quoted},
};

/// Interval of the summary, unless taking it is slow.
const SUMMARY_INTERVAL: Duration = Duration::from_secs(1);

/// Interval at which changed numbers are printed where nothing can be redrawn.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Maximum share of the time for summaries: one in ten.
const SUMMARY_SHARE: u32 = 10;

/// Interval of measuring the queues' ages; AWS measures once a minute.
const MEASURE_INTERVAL: Duration = Duration::from_secs(5);

const HOW_LONG_ONE_MAY_TAKE: Duration = Duration::from_secs(5);

/// Runs until it is dropped or fails; sets `serving` once everything serves.
pub(crate) async fn up(options: UpOptions, serving: &AtomicBool) -> anyhow::Result<()> {
    tcp_ports::wait_until_free(&options.ports.roles()).await?;
    let logs = Build::current()?.local_directory().join("logs");
    let UpOptions { ports, release, sign_in } = options;
    let stack = StackOptions { ports, release, sign_in };
    let stack = Stack::start(stack, &logs, &mut Steps::new(Stack::STEPS)).await?;
    let changes = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let instance =
        Instance { place: stack.place(), accelerator: stack.accelerator_endpoint(), control: changes.local_addr()? };
    let _announced = instance.announce()?;
    let config = salesctl_config::write(&stack, &Build::current()?.local_directory())?;
    serving.store(true, Ordering::Relaxed);
    line(what_to_try(&stack, config.path(), &logs));
    let client = sales_testbed::http_client::builder().timeout(HOW_LONG_ONE_MAY_TAKE).build()?;
    tokio::select! {
        failed = watch(&client, &stack) => failed,
        () = control::serve(changes, &stack) => Ok(()),
        () = measure_queues(&client, stack.deployment()) => Ok(()),
    }
}

fn what_to_try(stack: &Stack, config: &Path, logs: &Path) -> String {
    let address = stack.address();
    let [first, second] = stack.regions();
    let own_addresses = [&first, &second].map(|(region, [api, ..])| format!("  {:<12}{api}", region.name)).join("\n");
    let (region, _) = first;
    let token = if stack.token_commands(OPERATOR).is_some() { r#" -H "Authorization: Bearer $token""# } else { "" };
    format!(
        r#"
Both regions serve. In another terminal:

{past_the_proxy}{sign_in}  curl -X POST {address}/sales{token} -d '{{"product":"O Pequeno Principe", "amount": 14.00}}' -i

  id=$(curl -s {address}/sales{token} -d '{{"product":"Dom Casmurro", "amount": 29.90}}' \
    | grep -o '[0-9a-f-]\{{36\}}')
  curl -X GET {address}/sales/$id{token} -i
  curl -X DELETE {address}/sales/$id{token} -i

As the operator:

  export SALESCTL_CONFIG={config} \
    AWS_ACCESS_KEY_ID={ACCOUNT} AWS_SECRET_ACCESS_KEY=local
  cargo salesctl status
  cargo salesctl switch --to {other}

  cargo local sql                  sales by hour and region, from the lake's table
  cargo local sql "select * from sales limit 10"
  cargo local lake                 list the journal in the lake
  cargo local lose {name}       lose {name}: its services, and AWS in it
  cargo local restore {name}    restore it

API documentation          {address}/docs
For clients that use DNS, like api.DOMAIN on AWS
  {dns}
Each region's own API
{own_addresses}
The lake, for the AWS CLI
  AWS_ACCESS_KEY_ID={ACCOUNT} AWS_SECRET_ACCESS_KEY=local AWS_REGION={name} AWS_CONFIG_FILE=/dev/null \
    aws --endpoint-url {aws} s3 ls --recursive s3://{bucket}
Logs                       {logs}

Ctrl-C stops everything.
"#,
        dns = stack.dns_address(),
        past_the_proxy = past_the_proxy(),
        sign_in = sign_in(stack),
        config = quoted(config.display()),
        other = second.0.name,
        name = region.name,
        aws = stack.aws_endpoint(0),
        bucket = region.bucket,
        logs = logs.display(),
    )
}

/// How a shop gets its token, from its pool in the first region.
fn sign_in(stack: &Stack) -> String {
    let commands = CLIENTS.iter().filter_map(|client| {
        let [command, _] = stack.token_commands(client)?;
        Some(format!("  token=$({command} | grep -o 'eyJ[^\"]*')   # {client}\n"))
    });
    let commands: String = commands.collect();
    if commands.is_empty() { commands } else { format!("{commands}\n") }
}

/// curl and the AWS CLI would use a proxy for this machine, too, unless told otherwise.
fn past_the_proxy() -> &'static str {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|proxy| !proxy.is_empty());
    if ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].into_iter().any(is_set) {
        "  export no_proxy=localhost,127.0.0.1,${no_proxy:-$NO_PROXY}\n\n"
    } else {
        ""
    }
}

/// Does what AWS does and the emulator does not, as long as everything runs.
async fn measure_queues(client: &reqwest::Client, deployment: &Deployment) {
    loop {
        // A failed measurement is repeated soon.
        let measured = deployment.regions.iter().map(|region| region.publish_queue_ages(client));
        drop(join_all(measured).await);
        sleep(MEASURE_INTERVAL).await;
    }
}

/// Shows the summary, as long as everything runs.
async fn watch(client: &reqwest::Client, stack: &Stack) -> anyhow::Result<()> {
    let mut live = Live::new();
    let mut lakes = Lakes::default();
    let mut shown: Option<(Instant, Summary)> = None;
    loop {
        stack.check()?;
        let started = Instant::now();
        let summary = Summary::of(client, stack, &mut lakes).await;
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
        // A large lake takes a while to list, and is then listed less often.
        sleep(SUMMARY_INTERVAL.max(started.elapsed() * SUMMARY_SHARE)).await;
    }
}
