//! Paths of the workspace, its target directory and its binaries.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// The directory that holds the workspace's `Cargo.toml`.
pub fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap_or(own)
}

/// Files that cargo writes into its target directory: the first only if it creates the directory, the second always.
const MARKS: [&str; 2] = ["CACHEDIR.TAG", ".rustc_info.json"];

/// Target directory and profile of the running program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Cargo's target directory.
    pub target: PathBuf,
    /// The target platform, if cargo was told one.
    pub triple: Option<String>,
    /// The name of the profile's directory, such as `debug`, `local` or `release`.
    pub profile: String,
}

impl Build {
    /// The build of the running program.
    pub fn current() -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program cannot find itself")?;
        Self::of(&program).with_context(|| {
            format!("{} is in no target directory of cargo: start it with `cargo local`", program.display())
        })
    }

    /// The same with the optimisation of releases.
    #[must_use]
    pub fn released(self) -> Self {
        Self { profile: "release".to_owned(), ..self }
    }

    /// The build that contains `program`.
    fn of(program: &Path) -> Option<Self> {
        let is_target = |directory: &&Path| MARKS.iter().any(|mark| directory.join(mark).exists());
        let target = program.ancestors().find(is_target)?;
        // target/release/x, target/debug/deps/x, and with --target also target/TRIPLE/release/x
        let mut directories = program.parent()?.strip_prefix(target).ok()?.iter().rev();
        let profile = directories.find(|name| *name != "deps" && *name != "examples")?;
        let triple = directories.next().map(|triple| triple.to_str().map(str::to_owned));
        Some(Self {
            target: target.to_owned(),
            triple: triple.unwrap_or_default(),
            profile: profile.to_str()?.to_owned(),
        })
    }

    /// The directory for everything that this crate keeps between runs.
    pub fn local_directory(&self) -> PathBuf {
        self.target.join("sales-local")
    }

    /// The profile's name for `cargo build --profile`.
    pub fn cargo_profile(&self) -> &str {
        if self.profile == "debug" { "dev" } else { &self.profile }
    }

    /// Path of the binary `name`.
    pub fn binary(&self, name: &str) -> PathBuf {
        self.target.join(self.triple.as_deref().unwrap_or_default()).join(&self.profile).join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_found_from_binaries_and_from_tests_whoever_made_the_target_directory() {
        for mark in MARKS {
            let target = tempfile::tempdir().expect("a directory");
            std::fs::write(target.path().join(mark), "").expect("a file");
            for (program, triple, profile, other) in [
                ("local/sales-local", None, "local", "local/sales-api"),
                ("debug/sales-local", None, "debug", "debug/sales-api"),
                ("debug/deps/resources-0123", None, "debug", "debug/sales-api"),
                (
                    "x86_64-unknown-linux-gnu/release/sales-local",
                    Some("x86_64-unknown-linux-gnu"),
                    "release",
                    "x86_64-unknown-linux-gnu/release/sales-api",
                ),
            ] {
                let build = Build::of(&target.path().join(program)).expect("a build");
                let (triple, profile) = (triple.map(str::to_owned), profile.to_owned());
                assert_eq!(build, Build { target: target.path().to_owned(), triple, profile });
                assert_eq!(build.binary("sales-api"), target.path().join(other), "it lies beside the program");
            }
        }
    }

    #[test]
    fn the_debug_directory_belongs_to_the_dev_profile() {
        let build = |profile: &str| Build { target: "target".into(), triple: None, profile: profile.to_owned() };
        assert_eq!(build("debug").cargo_profile(), "dev");
        assert_eq!(build("local").cargo_profile(), "local");
        assert_eq!(build("local").released().cargo_profile(), "release");
    }
}
