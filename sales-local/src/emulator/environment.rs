//! The Python environment with an emulator in it: made once, by whichever process comes first, and kept.

use std::{
    fs::{File, TryLockError},
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use tokio::{process::Command, time::sleep};

use crate::process::{Program, log_file};

/// An emulator as the package index has it.
#[derive(Debug)]
pub struct Package {
    pub(super) emulator: Kind,
    /// Its name in the package index.
    name: &'static str,
    /// What the directories of its environments begin with.
    directory: &'static str,
    /// It and all that it needs, each file pinned by its hash.
    requirements: &'static str,
}

/// Which emulator it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    MiniStack,
    Moto,
}

/// The emulator of nearly all of AWS.
pub static MINISTACK: Package = Package {
    emulator: Kind::MiniStack,
    name: "ministack",
    directory: "emulator",
    requirements: include_str!("../../emulator-requirements.txt"),
};

/// The emulator of the services that MiniStack lacks, or that Terraform finds changed there although they are not.
pub static MOTO: Package = Package {
    emulator: Kind::Moto,
    name: "moto",
    directory: "moto",
    requirements: include_str!("../../moto-requirements.txt"),
};

impl Package {
    /// The version that is pinned.
    pub fn version(&self) -> &'static str {
        let pinned = self.requirements.lines().find_map(|line| line.strip_prefix(self.name)?.strip_prefix("=="));
        pinned.and_then(|rest| rest.split_whitespace().next()).unwrap_or("unpinned")
    }
}

/// Counted up when environments are made in another way.
const RECIPE: u32 = 1;

const OLDEST_PYTHON: (u32, u32) = (3, 10);

/// The names to look for, the usual one first: a machine whose `python3` is old often has a newer one beside it.
const PYTHONS: [&str; 7] = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python"];

/// A complete environment.
#[derive(Debug, Clone)]
pub struct Environment {
    package: &'static Package,
    directory: PathBuf,
}

impl Environment {
    /// The package's environment under `directory`, made first when it is missing or was left half made.
    ///
    /// Several processes may ask at once: one makes it, the others wait. The lock is the kernel's and ends with its
    /// holder; what counts as complete is a marker that is written last.
    pub async fn prepare(package: &'static Package, directory: &Path) -> anyhow::Result<Self> {
        let python = Python::find().await?;
        let name = format!("{}-{}", package.directory, fingerprint(package, &python));
        let environment = Self { package, directory: directory.join(name) };
        if environment.is_complete() {
            return Ok(environment);
        }
        std::fs::create_dir_all(directory).with_context(|| format!("{} cannot be created", directory.display()))?;
        let _lock = lock(&environment.directory.with_extension("lock")).await?;
        if !environment.is_complete() {
            environment.make(&python).await?;
        }
        Ok(environment)
    }

    /// What is in it.
    pub(super) fn package(&self) -> &'static Package {
        self.package
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The interpreter that sees the emulator.
    pub fn python(&self) -> PathBuf {
        self.directory.join("bin/python")
    }

    /// Where the emulator keeps its temporary files.
    pub(super) fn temporary(&self) -> PathBuf {
        self.directory.join("tmp")
    }

    fn marker(&self) -> PathBuf {
        self.directory.join("complete")
    }

    fn is_complete(&self) -> bool {
        self.marker().exists()
    }

    async fn make(&self, python: &Python) -> anyhow::Result<()> {
        if self.directory.exists() {
            std::fs::remove_dir_all(&self.directory)
                .with_context(|| format!("{}, left half made, cannot be removed", self.directory.display()))?;
        }
        let log = self.directory.with_extension("log");
        let venv = Program::new(&python.name).arguments(["-m", "venv"]).arguments([&self.directory]);
        if let Err(output) = run(venv, &log).await? {
            bail!("{} -m venv failed: {} (all of it: {})", python.name, last_words(&output), log.display());
        }

        let requirements = self.directory.join("requirements.txt");
        std::fs::write(&requirements, self.package.requirements)?;
        let install = ["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--retries", "2"];
        let pip = Program::new(self.python())
            .arguments(install)
            .arguments(["--require-hashes", "--prefer-binary", "--requirement"])
            .arguments([&requirements]);
        if let Err(output) = run(pip, &log).await? {
            return Err(anyhow!(pip_failure(&output, &log)));
        }
        std::fs::create_dir_all(self.temporary())?;
        File::create(self.marker())?;
        Ok(())
    }
}

/// Runs `program` to its end; what it said is the error when it failed.
///
/// It gets this process's environment, since pip is configured by it: proxies, certificates, indices.
async fn run(program: Program, log: &Path) -> anyhow::Result<Result<(), String>> {
    let file = log_file(log)?;
    let status = program.inherits_environment().log(file).start()?.wait().await;
    if status == 0 { Ok(Ok(())) } else { Ok(Err(std::fs::read_to_string(log)?)) }
}

fn last_words(output: &str) -> &str {
    output.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason given")
}

/// One line that tells the missing network from everything else.
fn pip_failure(output: &str, log: &Path) -> String {
    let unreachable =
        ["connection broken by", "Connection refused", "Network is unreachable", "timed out", "ProxyError"];
    if unreachable.iter().any(|sign| output.contains(sign)) {
        return format!(
            "pip could not reach the package index to get the emulator: the first start needs the network (all pip said: {})",
            log.display()
        );
    }
    let error = output.lines().rev().find_map(|line| line.strip_prefix("ERROR: "));
    format!(
        "pip could not install the emulator: {} (all pip said: {})",
        error.unwrap_or("no reason given"),
        log.display()
    )
}

/// Changes with every pinned file, with this crate's recipe, and with the Python that the environment refers to.
fn fingerprint(package: &Package, python: &Python) -> String {
    let mut hasher = DefaultHasher::new();
    (package.requirements, RECIPE, &python.executable, python.version).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Takes the lock in steps, so that a start that is interrupted while it waits ends at once.
async fn lock(path: &Path) -> anyhow::Result<File> {
    let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => sleep(Duration::from_millis(100)).await,
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("{} cannot be locked", path.display()));
            }
        }
    }
}

/// A Python that is new enough and can make environments.
#[derive(Debug, PartialEq, Eq)]
struct Python {
    name: String,
    executable: String,
    version: (u32, u32),
}

impl Python {
    async fn find() -> anyhow::Result<Self> {
        let mut found = Vec::new();
        for name in PYTHONS {
            let Some(python) = Self::ask(name).await else { continue };
            if python.version >= OLDEST_PYTHON {
                return python.with_venv().await;
            }
            found.push(python);
        }
        Err(anyhow!(too_old(&found)))
    }

    /// None when there is no such program, or one that does not work.
    async fn ask(name: &str) -> Option<Self> {
        let question = "import sys; print(*sys.version_info[:2], sys.executable)";
        let answer = Command::new(name).args(["-c", question]).kill_on_drop(true).output().await.ok()?;
        Self::parse(name, std::str::from_utf8(&answer.stdout).ok()?)
    }

    fn parse(name: &str, answer: &str) -> Option<Self> {
        let mut words = answer.trim().splitn(3, ' ');
        let version = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { name: name.to_owned(), executable: words.next()?.to_owned(), version })
    }

    async fn with_venv(self) -> anyhow::Result<Self> {
        let check = Command::new(&self.name).args(["-c", "import venv, ensurepip"]).kill_on_drop(true).output().await?;
        if !check.status.success() {
            bail!(
                "{} has no venv module, which the emulator needs (on Debian and Ubuntu: apt install python3-venv)",
                self.name
            );
        }
        Ok(self)
    }
}

fn too_old(found: &[Python]) -> String {
    let (major, minor) = OLDEST_PYTHON;
    match found.first() {
        None => format!("no python3 found: the emulator needs Python {major}.{minor} or newer on the PATH"),
        Some(Python { name, version: (own_major, own_minor), .. }) => format!(
            "{name} is Python {own_major}.{own_minor}, which is too old: the emulator needs Python {major}.{minor} or newer"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_emulators_are_pinned() {
        assert_eq!(MINISTACK.version(), "1.5.33");
        assert_eq!(MOTO.version(), "5.2.1");
    }

    #[test]
    fn python_tells_its_version_and_where_it_is() {
        let python = Python::parse("python3", "3 11 /opt/my python/bin/python3\n").expect("an answer");
        assert_eq!((python.version, python.executable.as_str()), ((3, 11), "/opt/my python/bin/python3"));
        assert_eq!(Python::parse("python3", "command not found"), None);
    }

    #[test]
    fn a_missing_and_an_old_python_are_told_apart() {
        assert_eq!(too_old(&[]), "no python3 found: the emulator needs Python 3.10 or newer on the PATH");
        let old = Python { name: "python3".to_owned(), executable: String::new(), version: (3, 8) };
        assert_eq!(too_old(&[old]), "python3 is Python 3.8, which is too old: the emulator needs Python 3.10 or newer");
    }

    #[test]
    fn a_missing_network_is_told_from_other_failures() {
        let log = Path::new("emulator.log");
        let offline = "WARNING: Retrying (Retry(total=1)) after connection broken by 'NewConnectionError'\n\
                       ERROR: Could not find a version that satisfies the requirement botocore";
        assert!(pip_failure(offline, log).starts_with("pip could not reach the package index"));
        let tampered = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.";
        assert_eq!(
            pip_failure(tampered, log),
            "pip could not install the emulator: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. \
             (all pip said: emulator.log)"
        );
    }
}
