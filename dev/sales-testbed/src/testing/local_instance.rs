//! Both regions as started by `cargo local`, for tests that act as their user and operator.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use tokio::process::Command;

use super::{Sandbox, serves};
use crate::{
    emulator::{MINISTACK, Package},
    local_ports::LocalPorts,
    process::{Process, Program, log_file},
    resources::ACCOUNT,
};

/// Longer than everything inside takes to stop.
const GRACE: Duration = Duration::from_secs(60);

/// A running `cargo local` in its own sandbox; it stops, with all its child processes, when dropped.
///
/// It builds and installs nothing: it uses the binaries of the running test's build, and the emulator's environment in
/// the test's own target directory. Commands run with it find a `cargo` on their `PATH` whose `cargo local` and `cargo
/// salesctl` are these binaries, and the variables for `salesctl` and the AWS CLI.
#[derive(Debug)]
pub struct LocalInstance {
    process: Process,
    ports: LocalPorts,
    settings: Vec<(&'static str, OsString)>,
    sandbox: Sandbox,
}

impl LocalInstance {
    /// Starts it on free ports and waits until both regions serve.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_on(LocalPorts::free()?).await
    }

    /// Starts it on these ports and waits until both regions serve.
    pub async fn start_on(ports: LocalPorts) -> anyhow::Result<Self> {
        Self::start_with(ports, Vec::new()).await
    }

    /// Starts it on free ports with clients that sign in.
    pub async fn start_signed_in() -> anyhow::Result<Self> {
        Self::launch(LocalPorts::free()?, Vec::new(), &["--sign-in"]).await
    }

    /// Starts it for a developer who has these variables, which its commands have as well.
    pub async fn start_with(ports: LocalPorts, settings: Vec<(&'static str, OsString)>) -> anyhow::Result<Self> {
        Self::launch(ports, settings, &[]).await
    }

    async fn launch(
        ports: LocalPorts,
        settings: Vec<(&'static str, OsString)>,
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        let sandbox = Sandbox::new()?;
        for name in ["sales-api", "sales-worker", "sales-lake", "salesctl"] {
            sandbox.link(name)?;
        }
        sandbox.put("cargo", &cargo(&sandbox))?;
        sandbox.share(&MINISTACK).await?;

        let program = Program::new(sandbox.binary("sales-local"))
            .arguments(ports.options())
            .arguments(arguments)
            .inherits_environment()
            .environment(environment(&sandbox))
            .environment(settings.iter().map(|(name, value)| (name, value)))
            .directory(sandbox.directory())
            .grace(GRACE)
            .log(log_file(&log(&sandbox))?);
        let instance = Self { process: program.start()?, ports, settings, sandbox };
        serves(&instance.process, || instance.said()).await?;
        Ok(instance)
    }

    /// Lets its commands use another environment of the test's own target directory.
    pub async fn share(&self, package: &'static Package) -> anyhow::Result<()> {
        self.sandbox.share(package).await
    }

    /// The ports.
    pub fn ports(&self) -> LocalPorts {
        self.ports
    }

    /// The common address of both regions.
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.ports.front)
    }

    /// The configuration file that it writes for `salesctl`.
    pub fn salesctl_config(&self) -> PathBuf {
        salesctl_config(&self.sandbox)
    }

    /// Variables that commands have in addition to the test's.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let mut environment = environment(&self.sandbox);
        environment.extend(self.settings.iter().cloned());
        environment
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its output so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(log(&self.sandbox)).unwrap_or_default()
    }

    /// A command in the environment of its user, in a directory of the sandbox. It is killed when its future is
    /// dropped.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        // Variables for any other account on this machine must not get in.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.envs(self.environment()).current_dir(self.sandbox.directory()).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs a shell script as typed by its user; it ends at the first command that fails.
    pub async fn shell(&self, script: &str) -> anyhow::Result<Output> {
        Ok(self.command("bash").args(["-euo", "pipefail", "-c", script]).output().await?)
    }

    /// Runs `cargo local` with these arguments.
    pub async fn local(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        Ok(self.command(self.sandbox.binary("sales-local")).args(arguments).output().await?)
    }

    /// Stops it like Ctrl-C, waits for its end, and returns its exit code.
    pub async fn stop(&mut self) -> i32 {
        self.process.stop().await
    }
}

/// A `cargo` that has already built everything.
fn cargo(sandbox: &Sandbox) -> String {
    let [local, salesctl] = ["sales-local", "salesctl"].map(|name| sandbox.binary(name).display().to_string());
    format!(
        r#"command=$1
shift
case $command in
build) ;;
local) exec '{local}' "$@" ;;
salesctl) exec '{salesctl}' "$@" ;;
*) echo "there is no cargo $command here" >&2; exit 64 ;;
esac"#
    )
}

fn environment(sandbox: &Sandbox) -> Vec<(&'static str, OsString)> {
    // The `PATH` also has the binaries, as the runbook instructs.
    let binaries = sandbox.binary("salesctl");
    let mut path = sandbox.programs().into_os_string();
    if let Some(directory) = binaries.parent() {
        path.push(":");
        path.push(directory);
    }
    if let Some(inherited) = std::env::var_os("PATH") {
        path.push(":");
        path.push(inherited);
    }
    let nowhere = || Path::new("/dev/null").as_os_str().to_owned();
    vec![
        ("PATH", path),
        ("CARGO", sandbox.programs().join("cargo").into_os_string()),
        ("SALESCTL_CONFIG", salesctl_config(sandbox).into_os_string()),
        ("AWS_ACCESS_KEY_ID", ACCOUNT.into()),
        ("AWS_SECRET_ACCESS_KEY", "local".into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ("AWS_CONFIG_FILE", nowhere()),
        ("AWS_SHARED_CREDENTIALS_FILE", nowhere()),
    ]
}

fn salesctl_config(sandbox: &Sandbox) -> PathBuf {
    sandbox.local_directory().join("salesctl.toml")
}

fn log(sandbox: &Sandbox) -> PathBuf {
    sandbox.directory().join("sales-local.log")
}
