//! Terraform against an initially empty stand-in for the accelerator.
//!
//! It needs `terraform` on the `PATH`, and in the environment variable `TERRAFORM_PLUGIN_DIR` the absolute path of a
//! directory for `terraform init -plugin-dir` with the AWS provider in it.

use std::fs;

use sales_testbed::{
    accelerator::AcceleratorStandIn,
    testing::{Root, Terraform},
};
use tempfile::TempDir;

use crate::fake::{ask_anew, client, is_reset, start_empty};

const CONFIGURATION: &str = include_str!("terraform.tf");

/// A directory with the configuration and everything that Terraform writes.
struct Configuration {
    directory: TempDir,
    root: Root,
}

impl Configuration {
    async fn initialized(terraform: Terraform, stand_in: &AcceleratorStandIn) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let credentials = [("AWS_ACCESS_KEY_ID", "111122223333"), ("AWS_SECRET_ACCESS_KEY", "test")];
        let root = Root {
            terraform,
            directory: directory.path().to_owned(),
            data: directory.path().join("data"),
            environment: credentials.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        };
        let configuration = Self { directory, root };
        configuration.write("main.tf", CONFIGURATION);
        configuration.write("terraform.tfvars", &format!("endpoint = {:?}\n", stand_in.control_endpoint()));
        configuration.root.init(&[]).await.expect("it is initialized");
        configuration
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.directory.path().join(file), text).expect("it is written");
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

    async fn run_with(&self, [first, second]: [f32; 2], command: &[&str], expected_code: i32) {
        self.write("dials.auto.tfvars", &format!("dials = {{ sa-east-1 = {first}, us-east-1 = {second} }}\n"));
        self.root.run(command, expected_code).await.expect("it ends as expected");
    }
}

/// The result of a plan, by its exit code.
#[derive(Clone, Copy)]
enum Plan {
    NothingToChange = 0,
    SomethingToChange = 2,
}

#[tokio::test]
async fn terraform_creates_an_accelerator_finds_nothing_to_change_turns_its_dials_and_destroys_it() {
    let Some(terraform) = Terraform::or_skip("the accelerator's stand-in with Terraform") else { return };
    let (stand_in, _first, _second) = start_empty().await;
    let client = client(&stand_in);
    let terraform = Configuration::initialized(terraform, &stand_in).await;
    assert!(is_reset(&stand_in).await);

    let dials = [100.0, 0.0];
    terraform.apply(dials).await;
    assert_eq!(ask_anew(&stand_in).await, "sa-east-1");
    terraform.plan(dials, Plan::NothingToChange).await;
    let created = client.list_accelerators().send().await.expect("a list").accelerators;

    let dials = [0.0, 62.5];
    terraform.plan(dials, Plan::SomethingToChange).await;
    terraform.apply(dials).await;
    assert_eq!(ask_anew(&stand_in).await, "us-east-1");
    terraform.plan(dials, Plan::NothingToChange).await;
    assert_eq!(client.list_accelerators().send().await.expect("a list").accelerators, created, "the same one");

    terraform.destroy(dials).await;
    assert!(client.list_accelerators().send().await.expect("a list").accelerators().is_empty());
    assert!(is_reset(&stand_in).await);
}
