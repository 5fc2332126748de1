//! Terraform against an edge that starts empty.
//!
//! It needs `terraform` on the `PATH`, and in the environment variable `TERRAFORM_PLUGIN_DIR` the absolute path of a
//! directory for `terraform init -plugin-dir` with the AWS provider in it.

use std::{ffi::OsString, fs, io::Write, path::Path};

use sales_local::{
    edge::Edge,
    process::{Program, log_file},
};
use tempfile::TempDir;

use crate::fake::{ask_anew, client, is_reset, start_empty};

const CONFIGURATION: &str = include_str!("terraform.tf");

/// A directory with the configuration, which has all that Terraform writes, too.
struct Terraform {
    directory: TempDir,
    plugins: OsString,
}

impl Terraform {
    async fn initialized(plugins: OsString, edge: &Edge) -> Self {
        let terraform = Self { directory: tempfile::tempdir().expect("a directory"), plugins };
        let endpoint = format!("endpoint = {:?}\n", edge.control_endpoint());
        terraform.write("main.tf", CONFIGURATION);
        terraform.write("terraform.tfvars", &endpoint);
        terraform.write("terraform.rc", "disable_checkpoint = true\n");
        let mut plugin_dir = OsString::from("-plugin-dir=");
        plugin_dir.push(&terraform.plugins);
        terraform.run(&["init".into(), "-input=false".into(), plugin_dir], 0).await;
        terraform
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.path().join(file), text).expect("it is written");
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    async fn apply(&self, dials: [f32; 2]) {
        self.run_with(dials, &["apply", "-auto-approve"], 0).await;
    }

    async fn plan(&self, dials: [f32; 2], expected: Plan) {
        self.run_with(dials, &["plan", "-detailed-exitcode"], expected as i32).await;
    }

    async fn destroy(&self, dials: [f32; 2]) {
        self.run_with(dials, &["destroy", "-auto-approve"], 0).await;
    }

    async fn run_with(&self, dials: [f32; 2], command: &[&str], expected_code: i32) {
        let [first, second] = dials;
        self.write("dials.auto.tfvars", &format!("dials = {{ sa-east-1 = {first}, us-east-1 = {second} }}\n"));
        let arguments: Vec<_> = command.iter().chain(&["-input=false", "-no-color"]).map(OsString::from).collect();
        self.run(&arguments, expected_code).await;
    }

    async fn run(&self, arguments: &[OsString], expected_code: i32) {
        let log = self.path().join("terraform.log");
        let program = Program::new("terraform")
            .arguments(arguments)
            .environment([
                ("TF_DATA_DIR", self.path().join("data").as_os_str()),
                ("TF_CLI_CONFIG_FILE", self.path().join("terraform.rc").as_os_str()),
                ("AWS_ACCESS_KEY_ID", "111122223333".as_ref()),
                ("AWS_SECRET_ACCESS_KEY", "test".as_ref()),
                ("AWS_EC2_METADATA_DISABLED", "true".as_ref()),
            ])
            .directory(self.path())
            .log(log_file(&log).expect("a log"));
        let code = program.start().expect("terraform").wait().await;
        assert_eq!(code, expected_code, "{arguments:?}: {}", fs::read_to_string(&log).unwrap_or_default());
    }
}

/// What a plan says by its exit code.
#[derive(Clone, Copy)]
enum Plan {
    NothingToChange = 0,
    SomethingToChange = 2,
}

/// Where the provider is, if this machine can run the test.
fn plugins() -> Result<OsString, &'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|directory| directory.join("terraform").is_file()) {
        return Err("there is no terraform on the PATH");
    }
    std::env::var_os("TERRAFORM_PLUGIN_DIR").ok_or("TERRAFORM_PLUGIN_DIR does not name a directory with the provider")
}

#[tokio::test]
async fn terraform_creates_an_accelerator_finds_nothing_to_change_turns_its_dials_and_destroys_it() {
    let plugins = match plugins() {
        Ok(plugins) => plugins,
        Err(reason) => {
            // Not by a macro, whose output the test harness keeps to itself.
            drop(writeln!(std::io::stderr(), "\nSKIPPED: the edge is not tested with Terraform: {reason}\n"));
            return;
        }
    };
    let (edge, _first, _second) = start_empty().await;
    let client = client(&edge);
    let terraform = Terraform::initialized(plugins, &edge).await;
    assert!(is_reset(&edge).await);

    let dials = [100.0, 0.0];
    terraform.apply(dials).await;
    assert_eq!(ask_anew(&edge).await, "sa-east-1");
    terraform.plan(dials, Plan::NothingToChange).await;
    let created = client.list_accelerators().send().await.expect("a list").accelerators;

    let dials = [0.0, 62.5];
    terraform.plan(dials, Plan::SomethingToChange).await;
    terraform.apply(dials).await;
    assert_eq!(ask_anew(&edge).await, "us-east-1");
    terraform.plan(dials, Plan::NothingToChange).await;
    assert_eq!(client.list_accelerators().send().await.expect("a list").accelerators, created, "the same one");

    terraform.destroy(dials).await;
    assert!(client.list_accelerators().send().await.expect("a list").accelerators().is_empty());
    assert!(is_reset(&edge).await);
}
