//! Child processes that never outlive this one, not even if it dies by SIGKILL.
//!
//! Each runs under a small shell script, the keeper (`keeper.sh`), which holds a pipe from here and stops the program
//! when that pipe closes. The kernel closes it however this process ends, so nothing has to be cleaned up by hand.

use std::{
    ffi::{OsStr, OsString},
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Read, Seek},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;

use crate::sealed;

const KEEPER: &str = include_str!("keeper.sh");

/// The default grace period between SIGTERM and SIGKILL.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// A program to run.
///
/// The program gets the [sealed environment](sealed::environment), the additional variables, and an empty standard
/// input.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    inherits_environment: bool,
    directory: Option<PathBuf>,
    log: Option<File>,
    grace: Duration,
}

impl Program {
    /// The program at `path`, or with that name on the `PATH`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            inherits_environment: false,
            directory: None,
            log: None,
            grace: DEFAULT_GRACE,
        }
    }

    /// Adds arguments.
    pub fn arguments(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Adds environment variables, which override those of the sealed environment.
    pub fn environment(mut self, variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>) -> Self {
        let owned = variables.into_iter().map(|(name, value)| (name.as_ref().to_owned(), value.as_ref().to_owned()));
        self.environment.extend(owned);
        self
    }

    /// Inherits this process's own environment instead of the sealed one: for the developer's own tools.
    pub fn inherits_environment(mut self) -> Self {
        self.inherits_environment = true;
        self
    }

    /// Sets the working directory.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Sets the file for all output; without one, output goes to this process's standard error.
    pub fn log(mut self, file: File) -> Self {
        self.log = Some(file);
        self
    }

    /// Sets the time to end after SIGTERM, in whole seconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Starts the program.
    pub fn start(self) -> anyhow::Result<Process> {
        let name = self.path.display().to_string();
        if self.path.components().count() > 1 && !self.path.exists() {
            bail!("{name} does not exist");
        }
        let log = self.log.map_or_else(Stdio::inherit, Stdio::from);

        let mut keeper = Command::new("/bin/sh");
        keeper
            // In a variable, which the script removes at once: as an argument, it would fill every list of processes.
            .args(["-c", "eval \"$SALES_LOCAL_KEEPER\"", "sales-local-keeper"])
            .arg(self.grace.as_secs().to_string())
            .arg(&self.path)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0);
        if !self.inherits_environment {
            keeper.env_clear().envs(sealed::environment());
        }
        keeper.envs(self.environment).env("SALES_LOCAL_KEEPER", KEEPER);
        if let Some(directory) = self.directory {
            keeper.current_dir(directory);
        }
        let keeper = keeper.spawn().with_context(|| format!("/bin/sh, which keeps {name}, did not start"))?;
        Process::kept_by(keeper, name)
    }
}

/// A running program. Dropping it stops the program and waits until it has ended.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: Pid,
    /// Open while the program should run.
    leash: Option<ChildStdin>,
    exit_code: watch::Receiver<Option<i32>>,
    /// A thread instead of a task: a process may outlive the runtime that started it.
    reaper: Option<JoinHandle<()>>,
}

impl Process {
    fn kept_by(mut keeper: Child, name: String) -> anyhow::Result<Self> {
        let leash = keeper.stdin.take();
        let mut says = BufReader::new(keeper.stdout.take().context("the keeper has no standard output")?).lines();
        let pid = says.next().and_then(Result::ok).and_then(|line| Pid::from_raw(line.trim().parse().ok()?));
        let Some(pid) = pid else {
            drop(leash);
            let status = keeper.wait()?;
            bail!("{name} did not start: its keeper ended with {status}");
        };

        let (ended, exit_code) = watch::channel(None);
        let reaper = std::thread::spawn(move || {
            let status = says.next().and_then(Result::ok).and_then(|line| line.trim().parse().ok());
            // The keeper ends itself by SIGKILL, so its status is meaningless; it only has to be reaped.
            drop(keeper.wait());
            ended.send_replace(Some(status.unwrap_or(KILLED)));
        });
        Ok(Self { name, pid, leash, exit_code, reaper: Some(reaper) })
    }

    /// The process id of the program, not of its keeper.
    pub fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Whether the program has ended.
    pub fn has_ended(&self) -> bool {
        self.exit_code().is_some()
    }

    /// The exit code once the program has ended; 128 + signal number if a signal ended it.
    pub fn exit_code(&self) -> Option<i32> {
        *self.exit_code.borrow()
    }

    /// Waits until the program ends, and returns its exit code.
    pub async fn wait(&mut self) -> i32 {
        let ended = self.exit_code.wait_for(Option::is_some).await;
        ended.ok().and_then(|code| *code).unwrap_or(KILLED)
    }

    /// Stops the program like its supervisor, with SIGTERM and after the grace period SIGKILL, and waits for its end.
    pub async fn stop(&mut self) -> i32 {
        self.release();
        self.wait().await
    }

    /// Releases the program without waiting for its end: it gets SIGTERM now, and SIGKILL after the grace period.
    pub fn release(&mut self) {
        self.leash = None;
    }

    /// Sends SIGTERM to the program and returns at once.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Sends SIGKILL to the program and waits for its end.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::KILL)?;
        self.wait().await;
        Ok(())
    }

    /// The keeper reaps the program only a moment before it reports the end here: the id is still the program's.
    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        if self.has_ended() {
            bail!("{} has already ended", self.name);
        }
        kill_process(self.pid, signal).with_context(|| format!("cannot signal {}", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.release();
        if let Some(reaper) = self.reaper.take() {
            // It fails only if that thread panicked, and then there is nothing left to wait for.
            drop(reaper.join());
        }
    }
}

/// The exit code that a shell reports after SIGKILL.
const KILLED: i32 = 128 + 9;

/// An empty file for a program's output; creates its directory if it is missing.
pub fn log_file(path: &Path) -> anyhow::Result<File> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    drop(std::fs::remove_file(path));
    let options = OpenOptions::new().read(true).append(true).create_new(true).open(path);
    options.with_context(|| format!("cannot create {}", path.display()))
}

/// The last non-empty line of a log; only for a program that has ended, since reading moves the shared position.
pub fn last_line(log: &mut File) -> String {
    let mut text = Vec::new();
    if log.rewind().and_then(|()| log.read_to_end(&mut text)).is_err() {
        return "its log is unreadable".to_owned();
    }
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    last.unwrap_or("it said nothing").to_owned()
}
