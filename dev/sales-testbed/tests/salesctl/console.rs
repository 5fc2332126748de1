//! Two regions with a proxy each, a stand-in for the accelerator with a proxy for its API, and `salesctl` configured
//! for them.

use std::{
    net::SocketAddr,
    process::{Output, Stdio},
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use rustix::process::{Pid, Signal, kill_process};
use sales_testbed::{
    accelerator::{AcceleratorStandIn, Backend, Dial},
    resources::RegionState,
    testing::{FaultProxy, Stage, eventually},
    workspace::Build,
};
use serde_json::Value;
use tokio::{net::TcpListener, process::Command};

/// Longer than any test takes.
pub(crate) const NEVER: Duration = Duration::from_secs(1_000);

/// The operator's environment.
pub(crate) struct Console {
    pub(crate) stage: Stage,
    /// In front of AWS in each region, only for `salesctl`.
    pub(crate) aws: [FaultProxy; 2],
    /// In front of Global Accelerator's API.
    pub(crate) accelerator: FaultProxy,
    stand_in: AcceleratorStandIn,
    directory: tempfile::TempDir,
}

/// Exit code and output of a command.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Its standard output, as one JSON document.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Console {
    /// The first region is ACTIVE and has the traffic.
    pub(crate) async fn open(prefix: &str) -> Self {
        let stage = Stage::set(&format!("salesctl-{prefix}")).await.unwrap();
        let listener = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        // In front of no API, since only its dials matter here.
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let backends = stage.deployment.regions.iter().zip([Dial::FULL, Dial::OFF]);
        let backends = backends.map(|(region, dial)| Backend { region: region.name.clone(), address: nowhere, dial });
        let stand_in = AcceleratorStandIn::start(listener().await, listener().await, backends.collect()).unwrap();
        let console = Self {
            aws: [stage.own_proxy().await.unwrap(), stage.own_proxy().await.unwrap()],
            accelerator: FaultProxy::start(stand_in.control_endpoint()).await.unwrap(),
            stage,
            stand_in,
            directory: tempfile::tempdir().unwrap(),
        };
        std::fs::write(console.directory.path().join("salesctl.toml"), console.configuration()).unwrap();
        console
    }

    fn configuration(&self) -> String {
        let mut text = format!(
            "accelerator_arn = {:?}\naccelerator_endpoint_url = {:?}\n",
            self.stand_in.accelerator_arn().unwrap(),
            self.accelerator.endpoint()
        );
        for (region, aws) in self.stage.deployment.regions.iter().zip(&self.aws) {
            text.push_str(&format!("[regions.{}]\n", region.name));
            for (key, value) in [
                ("endpoint_url", aws.endpoint()),
                ("state_parameter", &region.state_parameter),
                ("sales_table", &region.sales_table),
                ("idempotency_table", &region.idempotency_table),
                ("queue_url", &region.queue_url),
                ("dead_letter_queue_url", &region.dead_letter_queue_url),
                ("lake_bucket", &region.bucket),
            ] {
                text.push_str(&format!("{key} = {value:?}\n"));
            }
        }
        text
    }

    /// `salesctl` with these arguments, not started yet. Its configuration is in its working directory.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(Build::current().unwrap().binary("salesctl"));
        command.args(words.split_whitespace()).current_dir(self.directory.path());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
            command.env_remove(name);
        }
        for file in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
            command.env(file, "/dev/null");
        }
        command.env("AWS_EC2_METADATA_DISABLED", "true").env_remove("SALESCTL_CONFIG");
        command.env("AWS_ACCESS_KEY_ID", sales_testbed::resources::ACCOUNT).env("AWS_SECRET_ACCESS_KEY", "test");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Runs `salesctl` with these arguments.
    pub(crate) async fn run(&self, words: &str) -> Ended {
        Ended::of(&self.command(words).output().await.unwrap())
    }

    /// Runs `salesctl` with these arguments, and sends it SIGINT once `reached` returns true.
    pub(crate) async fn interrupt(&self, words: &str, reached: impl Fn() -> bool) -> Ended {
        let salesctl = self.command(words).spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(salesctl.id().unwrap()).unwrap()).unwrap();
        eventually(&format!("salesctl {words} is as far as that"), async || reached().then_some(())).await;
        kill_process(pid, Signal::INT).unwrap();
        Ended::of(&salesctl.wait_with_output().await.unwrap())
    }

    /// From now on, nothing fails.
    pub(crate) fn heal(&self) {
        for proxy in self.aws.iter().chain([&self.accelerator]) {
            proxy.heal();
        }
    }

    /// Both regions' states.
    pub(crate) async fn states(&self) -> [RegionState; 2] {
        let [first, second] = &self.stage.deployment.regions;
        [first.state().await.unwrap(), second.state().await.unwrap()]
    }

    /// The accelerator.
    pub(crate) fn accelerator_arn(&self) -> &str {
        self.stand_in.accelerator_arn().unwrap()
    }

    /// Both regions' dials.
    pub(crate) fn dials(&self) -> Vec<f32> {
        self.stand_in.endpoints().iter().map(|endpoint| endpoint.dial.percent()).collect()
    }

    /// Number of changes.
    pub(crate) fn changes(&self) -> usize {
        let states: usize = self.aws.iter().map(|proxy| proxy.calls("PutParameter")).sum();
        states + self.accelerator.calls("UpdateEndpointGroup")
    }
}

/// Puts a pending sale into the tables.
pub(crate) async fn owe(stage: &Stage, id: &str, timestamp: i64) {
    let region = stage.active();
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let number = |value: i64| AttributeValue::N(value.to_string());
    let tables = aws_sdk_dynamodb::Client::new(&stage.sdk(region));
    let put = tables.put_item().table_name(&region.sales_table).item("id", text(id)).item("pending", text("11"));
    let put = put.item("product", text("Livro")).item("amount", number(14)).item("region", text("sa-east-1"));
    let put = put.item("timestamp", number(timestamp)).item("sale_processed", AttributeValue::Bool(false));
    put.send().await.unwrap();
}
