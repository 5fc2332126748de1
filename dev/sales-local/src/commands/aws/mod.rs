//! `aws`: an empty AWS account on this machine, for Terraform.
//!
//! MiniStack provides most of it. What MiniStack lacks, or reports incorrectly to Terraform, moto or the accelerator's
//! stand-in provides; Terraform and the SDKs find each service by its own variable.

mod managed_keys;

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::bail;
use futures::future::try_join;
use sales_testbed::{
    accelerator::AcceleratorStandIn,
    emulator::{Emulator, Environment, MINISTACK, MOTO},
    process::log_file,
    resources::{ACCOUNT, REGIONS},
    tcp_ports,
    workspace::Build,
};
use tokio::time::sleep;

use crate::{
    arguments::AwsOptions,
    discovery_file::DiscoveryFile,
    stack::listen,
    terminal::{Steps, line, quoted},
};

/// The services that moto provides, by their names in SDK variables.
const OF_MOTO: [&str; 9] = [
    // MiniStack does not list the flow logs and interface endpoints that it has created.
    "EC2",
    // Load balancers and services refer to EC2's networks, and load balancers to certificates and firewalls.
    "ELASTIC_LOAD_BALANCING_V2",
    "ECS",
    "ACM",
    "WAFV2",
    // MiniStack lacks it.
    "APPLICATION_AUTO_SCALING",
    // MiniStack lacks VPC links and custom domains.
    "API_GATEWAY",
    // MiniStack loses parts of alarms.
    "CLOUDWATCH",
    // MiniStack lacks image replication.
    "ECR",
];

/// Interval of checks that everything still runs.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The fields are in the order of shutdown.
struct Account {
    accelerator: AcceleratorStandIn,
    moto: Emulator,
    ministack: Emulator,
}

/// Runs until it is dropped or fails; sets `serving` once everything serves.
pub(crate) async fn aws(options: &AwsOptions, serving: &AtomicBool) -> anyhow::Result<()> {
    tcp_ports::wait_until_free(&options.roles()).await?;
    let directory = Build::current()?.local_directory();
    let account = Account::start(options, &directory).await?;
    let config = DiscoveryFile::write(directory.join("aws-config"), CONFIG)?;
    let variables = account.variables(config.path());
    let announced = DiscoveryFile::write(directory.join("aws.env"), file(&variables))?;
    serving.store(true, Ordering::Relaxed);
    line(what_to_try(&variables, options, announced.path()));
    account.watch().await
}

impl Account {
    async fn start(options: &AwsOptions, directory: &Path) -> anyhow::Result<Self> {
        let mut steps = Steps::new(3);
        let what = format!("getting the AWS emulators, MiniStack {} and moto {}", MINISTACK.version(), MOTO.version());
        let environments =
            try_join(Environment::prepare(&MINISTACK, directory), Environment::prepare(&MOTO, directory));
        let (ministack, moto) = steps.quiet(&what, environments).await?;

        let log = |name: &str| log_file(&directory.join("logs").join(name));
        let emulators = async {
            let (ministack, moto) = try_join(
                Emulator::start_in(&ministack, Some(options.emulator_port), log("aws-ministack.log")?),
                Emulator::start_in(&moto, Some(options.moto_port), log("aws-moto.log")?),
            )
            .await?;
            managed_keys::create(ministack.endpoint()).await?;
            Ok((ministack, moto))
        };
        let (ministack, moto) = steps.quiet("starting them", emulators).await?;

        let accelerator = async {
            let (front, control) = try_join(listen(options.port), listen(options.accelerator_port)).await?;
            AcceleratorStandIn::start_empty(front, control, options.apis.clone())
        };
        let accelerator = steps.quiet("starting the stand-in for Global Accelerator", accelerator).await?;
        Ok(Self { accelerator, moto, ministack })
    }

    /// Environment variables for Terraform, the AWS CLI and the SDKs.
    fn variables(&self, config: &Path) -> Vec<(String, String)> {
        let endpoint = |service: &str, url: &str| (format!("AWS_ENDPOINT_URL_{service}"), url.to_owned());
        let mut variables = vec![("AWS_ENDPOINT_URL".to_owned(), self.ministack.endpoint().to_owned())];
        variables.extend(OF_MOTO.map(|service| endpoint(service, self.moto.endpoint())));
        variables.push(endpoint("GLOBAL_ACCELERATOR", self.accelerator.control_endpoint()));
        let others = [
            // The emulators use it as the account.
            ("AWS_ACCESS_KEY_ID", ACCOUNT),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_REGION", REGIONS[0]),
            ("AWS_DEFAULT_REGION", REGIONS[0]),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            // The user's own files are for another account.
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ];
        variables.extend(others.map(|(name, value)| (name.to_owned(), value.to_owned())));
        variables.push(("AWS_CONFIG_FILE".to_owned(), config.display().to_string()));
        variables
    }

    /// Ends with an error when a process has exited unexpectedly.
    async fn watch(&self) -> anyhow::Result<()> {
        loop {
            for (emulator, name) in [(&self.ministack, "MiniStack"), (&self.moto, "moto")] {
                if emulator.has_ended() {
                    bail!("{name} exited unexpectedly");
                }
            }
            sleep(CHECK_INTERVAL).await;
        }
    }
}

/// Not every system resolves `BUCKET.localhost`.
const CONFIG: &str = "\
# For the AWS CLI, for as long as `cargo local aws` runs.
[default]
s3 =
    addressing_style = path
";

/// Prologue for a shell: removes variables of any other account, and excludes this machine from the proxy.
const FIRST: &str = r#"# AWS on this machine, for as long as `cargo local aws` runs.
unset AWS_PROFILE $(env | sed -n 's/^\(AWS_[A-Za-z0-9_]*\)=.*/\1/p')
no_proxy=localhost,127.0.0.1,::1,${no_proxy:-${NO_PROXY:-}} NO_PROXY=$no_proxy
export no_proxy NO_PROXY
"#;

/// Lines for a shell.
fn file(variables: &[(String, String)]) -> String {
    let mut text = FIRST.to_owned();
    for (name, value) in variables {
        text.push_str(&format!("export {name}={}\n", quoted(value)));
    }
    text
}

fn what_to_try(variables: &[(String, String)], options: &AwsOptions, file: &Path) -> String {
    let apis = options.apis.iter().map(|(region, place)| {
        let protocol = if place.tls { "https" } else { "http" };
        format!("  {region:<12}{protocol}://{}", place.address)
    });
    format!(
        r#"
AWS is ready, and empty. In another terminal:

  . {file}
  ./pipeline.sh --env dev
  ./pipeline-destroy.sh --env dev

The file contains:

{variables}
The accelerator that Terraform creates listens on http://localhost:{port}, in front of these APIs, once they run:
{apis}

Ctrl-C stops everything and deletes all resources.
"#,
        file = quoted(file.display()),
        variables = self::file(variables),
        port = options.port,
        apis = apis.collect::<Vec<_>>().join("\n"),
    )
}
