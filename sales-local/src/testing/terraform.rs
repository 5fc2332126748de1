//! Terraform, where a machine has it.

use std::{
    ffi::{OsStr, OsString},
    io::Write,
    path::PathBuf,
};

use anyhow::ensure;

use crate::process::{Program, log_file};

/// Names the directory for `terraform init -plugin-dir` with the AWS provider in it.
const PLUGIN_DIR: &str = "TERRAFORM_PLUGIN_DIR";

/// Terraform on the `PATH`, with the AWS provider in a directory.
#[derive(Debug, Clone)]
pub struct Terraform {
    plugins: OsString,
}

impl Terraform {
    /// What this machine has. If it lacks something, that is said for all to see, with what is not tested then.
    pub fn or_skip(what: &str) -> Option<Self> {
        match Self::find() {
            Ok(terraform) => Some(terraform),
            Err(reason) => {
                // Not by a macro, whose output the test harness keeps to itself.
                drop(writeln!(std::io::stderr(), "\nSKIPPED: {what} is not tested: {reason}\n"));
                None
            }
        }
    }

    fn find() -> Result<Self, String> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if !std::env::split_paths(&path).any(|directory| directory.join("terraform").is_file()) {
            return Err("there is no terraform on the PATH".to_owned());
        }
        let plugins = std::env::var_os(PLUGIN_DIR);
        let plugins = plugins.ok_or_else(|| format!("{PLUGIN_DIR} does not name a directory with the provider"))?;
        Ok(Self { plugins })
    }

    /// Where the provider is, as the variable by which scripts are told.
    pub fn variable(&self) -> (&'static str, &OsStr) {
        (PLUGIN_DIR, &self.plugins)
    }
}

/// A directory with a configuration, and another for what Terraform keeps of it.
#[derive(Debug, Clone)]
pub struct Root {
    /// Whose Terraform it is.
    pub terraform: Terraform,
    /// The configuration.
    pub directory: PathBuf,
    /// What `TF_DATA_DIR` names.
    pub data: PathBuf,
    /// Variables of its environment, which has nothing else.
    pub environment: Vec<(String, String)>,
}

impl Root {
    /// Runs `terraform init`.
    pub async fn init(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let mut plugins = OsString::from("-plugin-dir=");
        plugins.push(&self.terraform.plugins);
        let mut words = vec![OsStr::new("init"), &plugins];
        words.extend(arguments.iter().map(OsStr::new));
        self.run_words(&words, 0).await?;
        Ok(())
    }

    /// Runs Terraform, which has to end with the code `expected`, and returns what it said.
    pub async fn run(&self, arguments: &[&str], expected: i32) -> anyhow::Result<String> {
        let words: Vec<_> = arguments.iter().map(OsStr::new).collect();
        self.run_words(&words, expected).await
    }

    async fn run_words(&self, arguments: &[&OsStr], expected: i32) -> anyhow::Result<String> {
        let log = self.data.join("terraform.log");
        let program = Program::new("terraform")
            .arguments(arguments)
            .arguments(["-input=false", "-no-color"])
            .environment([("TF_DATA_DIR", self.data.as_os_str()), ("TF_CLI_CONFIG_FILE", OsStr::new("/dev/null"))])
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
