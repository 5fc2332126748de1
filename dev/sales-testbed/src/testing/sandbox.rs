//! The command in a test's own target directory, isolated from other tests and running instances.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use tempfile::TempDir;

use crate::{
    emulator::{Environment, Package},
    workspace::Build,
};

/// A directory with a target directory and a place for programs, removed when dropped.
#[derive(Debug)]
pub struct Sandbox {
    directory: TempDir,
    build: Build,
}

impl Sandbox {
    /// With `sales-local` of the running test's build, and an empty place for programs.
    pub fn new() -> anyhow::Result<Self> {
        let build = Build::current()?;
        let parent = build.target.join("tmp");
        std::fs::create_dir_all(&parent)?;
        let sandbox = Self { directory: tempfile::tempdir_in(parent)?, build };
        for directory in [sandbox.target().join(&sandbox.build.profile), sandbox.programs()] {
            std::fs::create_dir_all(directory)?;
        }
        std::fs::write(sandbox.target().join("CACHEDIR.TAG"), "")?;
        sandbox.link("sales-local")?;
        Ok(sandbox)
    }

    /// Its root.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The target directory.
    pub fn target(&self) -> PathBuf {
        self.directory().join("target")
    }

    /// Path of the binary `name`, existing or not.
    pub fn binary(&self, name: &str) -> PathBuf {
        self.target().join(&self.build.profile).join(name)
    }

    /// The directory for a `PATH`.
    pub fn programs(&self) -> PathBuf {
        self.directory().join("programs")
    }

    /// Puts a binary of the running test's build into the sandbox.
    pub fn link(&self, name: &str) -> anyhow::Result<()> {
        let built = self.build.binary(name);
        // A copy could not be executed while another test spawns a process that has inherited its open file.
        std::fs::hard_link(&built, self.binary(name))
            .with_context(|| format!("{} is missing: run `cargo test --workspace`, which builds it", built.display()))
    }

    /// Lets the sandbox use an emulator's environment in the real target directory, created if it is missing.
    pub async fn share(&self, package: &'static Package) -> anyhow::Result<()> {
        let environment = Environment::prepare(package, &self.build.local_directory()).await?;
        let directory = environment.directory();
        std::fs::create_dir_all(self.local_directory())?;
        let shared = self.local_directory().join(directory.file_name().unwrap_or_default());
        Ok(std::os::unix::fs::symlink(directory, shared)?)
    }

    /// Its `target/sales-local`.
    pub fn local_directory(&self) -> PathBuf {
        self.target().join("sales-local")
    }

    /// Adds a shell script to the programs.
    pub fn put(&self, name: &str, script: &str) -> anyhow::Result<()> {
        let path = self.programs().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n"))?;
        Ok(std::fs::set_permissions(path, PermissionsExt::from_mode(0o755))?)
    }
}
