//! The Python environment of an emulator: created once, by the first process that needs it, and kept while the emulator
//! can be started from it.

use std::{
    fs::{File, TryLockError},
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::time::sleep;

use super::{
    install::{self, Route},
    python::{Python, isolated},
};
use crate::process::Program;

/// A package in the package index, such as an emulator's.
#[derive(Debug)]
pub struct Package {
    pub(super) emulator: Option<Kind>,
    /// Name in the package index.
    name: &'static str,
    /// The module that starts it, or has to be there.
    module: &'static str,
    /// Prefix of its environments' directories.
    directory: &'static str,
    /// The package and its dependencies, each file pinned by its hash.
    requirements: &'static str,
}

/// The emulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    MiniStack,
    Moto,
}

/// The emulator of nearly all of AWS.
pub static MINISTACK: Package = Package {
    emulator: Some(Kind::MiniStack),
    name: "ministack",
    module: "ministack.app",
    directory: "emulator",
    requirements: include_str!("../../emulator-requirements.txt"),
};

/// The emulator of services that MiniStack lacks, or for which Terraform reports changes that do not exist.
pub static MOTO: Package = Package {
    emulator: Some(Kind::Moto),
    name: "moto",
    module: "moto.server",
    directory: "moto",
    requirements: include_str!("../../moto-requirements.txt"),
};

/// Readers of the lake's table: delta-rs, and DuckDB with its extensions for Delta Lake and S3.
pub static READERS: Package = Package {
    emulator: None,
    name: "deltalake",
    module: "deltalake",
    directory: "readers",
    requirements: include_str!("../../readers-requirements.txt"),
};

impl Package {
    /// The pinned version.
    pub fn version(&self) -> &'static str {
        let pinned = self.requirements.lines().find_map(|line| line.strip_prefix(self.name)?.strip_prefix("=="));
        pinned.and_then(|rest| rest.split_whitespace().next()).unwrap_or("unpinned")
    }
}

/// Increased when environments are created in another way.
const RECIPE: u32 = 2;

const IS_SOUND: &str = include_str!("sound.py");

/// A complete environment.
#[derive(Debug, Clone)]
pub struct Environment {
    package: &'static Package,
    directory: PathBuf,
}

impl Environment {
    /// The package's environment under `directory`; created if it is missing, incomplete, or broken.
    ///
    /// Several processes may need it at once: one creates it, the others wait. The lock is the kernel's and ends with
    /// its holder; a complete environment has a marker, written last, and can start the emulator.
    pub async fn prepare(package: &'static Package, directory: &Path) -> anyhow::Result<Self> {
        let python = Python::find().await?;
        let name = format!("{}-{}", package.directory, fingerprint(package, &python));
        let environment = Self { package, directory: directory.join(name) };
        if environment.is_complete().await {
            return Ok(environment);
        }
        std::fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
        let _lock = lock(&environment.directory.with_extension("lock")).await?;
        if !environment.is_complete().await {
            environment.make(&python).await?;
        }
        Ok(environment)
    }

    /// Its package.
    pub(super) fn package(&self) -> &'static Package {
        self.package
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The interpreter with the emulator.
    pub fn python(&self) -> PathBuf {
        self.directory.join("bin/python")
    }

    /// Its interpreter, which only uses what is installed with it.
    pub fn command(&self) -> tokio::process::Command {
        isolated(self.python())
    }

    /// Directory of the emulator's temporary files.
    pub(super) fn temporary(&self) -> PathBuf {
        self.directory.join("tmp")
    }

    fn marker(&self) -> PathBuf {
        self.directory.join("complete")
    }

    async fn is_complete(&self) -> bool {
        self.marker().exists() && self.temporary().is_dir() && self.defect().await.is_none()
    }

    /// Why the emulator cannot be started from it, by the last line of output.
    async fn defect(&self) -> Option<String> {
        let tried = isolated(self.python()).args(["-c", IS_SOUND, self.package.module]).output().await;
        match tried {
            Ok(tried) if tried.status.success() => None,
            Ok(tried) => Some(last_words(&String::from_utf8_lossy(&tried.stderr)).to_owned()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Creates it, trying each way to reach a package index until one works; returns the first error.
    async fn make(&self, python: &Python) -> anyhow::Result<()> {
        let mut failed = None;
        for (number, route) in Route::all(python).await.iter().enumerate() {
            let log = match number {
                0 => self.directory.with_extension("log"),
                number => self.directory.with_extension(format!("{}.log", number + 1)),
            };
            match self.make_by(python, route, &log).await? {
                Ok(()) => return Ok(()),
                Err(reason) => failed = failed.or(Some(reason)),
            }
        }
        bail!(failed.unwrap_or_default())
    }

    async fn make_by(&self, python: &Python, route: &Route, log: &Path) -> anyhow::Result<Result<(), String>> {
        // Removes the marker first: after an interruption here, the environment counts as incomplete.
        drop(std::fs::remove_file(self.marker()));
        if self.directory.exists() {
            std::fs::remove_dir_all(&self.directory)
                .with_context(|| format!("cannot remove the incomplete {}", self.directory.display()))?;
        }
        let venv = Program::new(&python.executable).arguments(["-I", "-m", "venv"]).arguments([&self.directory]);
        if let Err(output) = install::run(venv, log).await? {
            bail!("{} -m venv failed: {} (all of it: {})", python.name, last_words(&output), log.display());
        }
        std::fs::create_dir_all(self.temporary())?;
        let requirements = self.directory.join("requirements.txt");
        std::fs::write(&requirements, self.package.requirements)?;
        if let Err(reason) = install::install(&self.python(), &requirements, route, &self.temporary(), log).await? {
            return Ok(Err(reason));
        }
        if let Some(defect) = self.defect().await {
            bail!("the emulator installed in {} does not work: {defect}", self.directory.display());
        }
        File::create(self.marker())?;
        Ok(Ok(()))
    }
}

fn last_words(output: &str) -> &str {
    output.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason given")
}

/// Depends on every pinned file, on this crate's recipe, and on the Python that the environment uses.
fn fingerprint(package: &Package, python: &Python) -> String {
    let mut hasher = DefaultHasher::new();
    (package.requirements, RECIPE, &python.executable, python.version).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Acquires the lock in steps, so that an interrupted start ends at once.
async fn lock(path: &Path) -> anyhow::Result<File> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => sleep(Duration::from_millis(100)).await,
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
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
}
