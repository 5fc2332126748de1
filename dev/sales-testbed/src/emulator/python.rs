//! Finds a Python that is new enough and can create environments.

use anyhow::{anyhow, bail};
use tokio::process::Command;

use crate::sealed;

const OLDEST: (u32, u32) = (3, 10);

/// The names to look for, in order: a machine with an old `python3` often has a newer one as well.
const NAMES: [&str; 7] = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python"];

/// Where version managers keep the program behind `python3`.
const VERSION_MANAGERS: [&str; 5] = ["HOME", "PYENV_ROOT", "ASDF_DIR", "ASDF_DATA_DIR", "MISE_DATA_DIR"];

/// In a virtual environment, which may be deleted, the Python that it was created with.
const QUESTION: &str = "\
import os, sys
base = getattr(sys, '_base_executable', None)
print(*sys.version_info[:2], base if base and os.path.exists(base) else sys.executable)";

/// A Python that is new enough and can create environments.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Python {
    /// The name it was found under.
    pub(super) name: String,
    /// Path.
    pub(super) executable: String,
    /// Version.
    pub(super) version: (u32, u32),
}

impl Python {
    /// The first on the `PATH`.
    pub(super) async fn find() -> anyhow::Result<Self> {
        let mut found = Vec::new();
        for name in NAMES {
            let Some(python) = Self::ask(name).await else { continue };
            if python.version >= OLDEST {
                return python.with_venv().await;
            }
            found.push(python);
        }
        Err(anyhow!(too_old(&found)))
    }

    /// `None` if there is no such program, or it does not work.
    async fn ask(name: &str) -> Option<Self> {
        let mut command = isolated(name);
        command.envs(sealed::inherited(VERSION_MANAGERS));
        let answer = command.args(["-c", QUESTION]).output().await.ok()?;
        Self::parse(name, std::str::from_utf8(&answer.stdout).ok()?)
    }

    fn parse(name: &str, answer: &str) -> Option<Self> {
        let mut words = answer.trim().splitn(3, ' ');
        let version = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { name: name.to_owned(), executable: words.next()?.to_owned(), version })
    }

    async fn with_venv(self) -> anyhow::Result<Self> {
        let check = isolated(&self.executable).args(["-c", "import venv, ensurepip"]).output().await?;
        if !check.status.success() {
            bail!(
                "{} has no venv module, which the emulator needs (on Debian and Ubuntu: apt install python3-venv)",
                self.name
            );
        }
        Ok(self)
    }
}

/// A Python that only uses what is installed with it: no variables, no user packages, and none in the working
/// directory.
pub(super) fn isolated(python: impl AsRef<std::path::Path>) -> Command {
    let mut command = sealed::command(python);
    command.arg("-I");
    command
}

fn too_old(found: &[Python]) -> String {
    let (major, minor) = OLDEST;
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
}
