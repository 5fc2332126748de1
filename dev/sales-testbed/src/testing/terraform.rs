//! Terraform, if the machine has it.

use std::{
    ffi::{OsStr, OsString},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::ensure;

use crate::{
    process::{Program, log_file},
    workspace::Build,
};

/// The variable with the directory for `terraform init -plugin-dir`, which has the AWS provider.
const PLUGIN_DIR: &str = "TERRAFORM_PLUGIN_DIR";

/// The variable with Terraform's own configuration, which may name a mirror of providers.
const CONFIGURATION: &str = "TF_CLI_CONFIG_FILE";

/// Directories below which, besides the home directory, installed programs put mirrors.
const PLACES: [&str; 4] = ["/usr/local/share", "/usr/share/terraform", "/opt", "/srv"];

/// Terraform on the `PATH`, with the AWS provider in a directory.
#[derive(Debug, Clone)]
pub struct Terraform {
    /// Variables that tell Terraform, and the scripts, where the provider is.
    provider: (&'static str, OsString),
}

impl Terraform {
    /// Terraform on this machine. If something is missing, it prints that, and which tests are skipped.
    pub fn or_skip(what: &str) -> Option<Self> {
        match Self::find() {
            Ok(terraform) => Some(terraform),
            Err(reason) => {
                // Not with a macro, whose output the test harness captures.
                drop(writeln!(std::io::stderr(), "\nSKIPPED: {what} is not tested: {reason}\n"));
                None
            }
        }
    }

    /// Looks where `.ci/infrastructure` does, except in the registry: tests do not download that much.
    fn find() -> Result<Self, String> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if !std::env::split_paths(&path).any(|directory| directory.join("terraform").is_file()) {
            return Err("there is no terraform on the PATH".to_owned());
        }
        if let Some(plugins) = std::env::var_os(PLUGIN_DIR).filter(|plugins| !plugins.is_empty()) {
            return Ok(Self { provider: (PLUGIN_DIR, plugins) });
        }
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let configuration = std::env::var_os(CONFIGURATION).unwrap_or_else(|| home.join(".terraformrc").into());
        if std::fs::read_to_string(&configuration).is_ok_and(|text| text.contains("provider_installation")) {
            return Ok(Self { provider: (CONFIGURATION, configuration) });
        }
        let own = Build::current().map(|build| build.target.join("pipeline/providers")).unwrap_or_default();
        let places = [own, home.join(".terraform.d/plugins"), home.join(".local/share/terraform/plugins")];
        let mirror = places.into_iter().chain(PLACES.map(PathBuf::from)).find_map(|place| mirror(&place, 2));
        match mirror {
            Some(mirror) => Ok(Self { provider: (PLUGIN_DIR, mirror.into()) }),
            None => Err(format!("no provider is found; {PLUGIN_DIR} can name a directory that holds it")),
        }
    }

    /// The provider's directory, as a variable for Terraform and the scripts.
    pub fn variable(&self) -> (&'static str, &OsStr) {
        (self.provider.0, &self.provider.1)
    }

    fn plugin_dir(&self) -> Option<OsString> {
        let (PLUGIN_DIR, plugins) = self.variable() else { return None };
        let mut option = OsString::from("-plugin-dir=");
        option.push(plugins);
        Some(option)
    }
}

/// The first directory at most `levels` below `place` that has the AWS provider.
fn mirror(place: &Path, levels: u32) -> Option<PathBuf> {
    if place.join("registry.terraform.io/hashicorp/aws").is_dir() {
        return Some(place.to_owned());
    }
    let below = levels.checked_sub(1)?;
    std::fs::read_dir(place).ok()?.flatten().find_map(|entry| mirror(&entry.path(), below))
}

/// A directory with a configuration, and another for Terraform's data.
#[derive(Debug, Clone)]
pub struct Root {
    /// The Terraform program.
    pub terraform: Terraform,
    /// The configuration.
    pub directory: PathBuf,
    /// The value of `TF_DATA_DIR`.
    pub data: PathBuf,
    /// The complete environment.
    pub environment: Vec<(String, String)>,
}

impl Root {
    /// Runs `terraform init`.
    pub async fn init(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let plugins = self.terraform.plugin_dir();
        let mut words: Vec<_> = [OsStr::new("init")].into_iter().chain(plugins.as_deref()).collect();
        words.extend(arguments.iter().map(OsStr::new));
        self.run_words(&words, 0).await?;
        Ok(())
    }

    /// Runs Terraform, which must exit with the code `expected`, and returns its output.
    pub async fn run(&self, arguments: &[&str], expected: i32) -> anyhow::Result<String> {
        let words: Vec<_> = arguments.iter().map(OsStr::new).collect();
        self.run_words(&words, expected).await
    }

    async fn run_words(&self, arguments: &[&OsStr], expected: i32) -> anyhow::Result<String> {
        let log = self.data.join("terraform.log");
        let program = Program::new("terraform")
            .arguments(arguments)
            .arguments(["-input=false", "-no-color"])
            .environment([("TF_DATA_DIR", self.data.as_os_str()), (CONFIGURATION, OsStr::new("/dev/null"))])
            .environment([self.terraform.variable()])
            .environment([("CHECKPOINT_DISABLE", "1"), ("AWS_EC2_METADATA_DISABLED", "true")])
            .environment(self.environment.iter().map(|(name, value)| (name, value)))
            .directory(&self.directory)
            .log(log_file(&log)?);
        let code = program.start()?.wait().await;
        let said = std::fs::read_to_string(&log)?;
        ensure!(code == expected, "terraform {arguments:?} ended with {code}, not {expected}: {said}");
        Ok(said)
    }
}
