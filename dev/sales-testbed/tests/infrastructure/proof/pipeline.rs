//! The scripts and infra/ in a copy, so that an environment's data can be changed.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use sales_testbed::{
    testing::{LocalAws, Terraform},
    workspace,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

pub(crate) const ENVIRONMENT: &str = "dev";

/// Attributes that an emulator reports incorrectly, with the reason. Any other planned change is an error.
const DRIFT: [(&str, &str, &str); 7] = [
    ("aws_ecs_service", "availability_zone_rebalancing", "moto does not keep it"),
    ("aws_ecs_service", "enable_ecs_managed_tags", "moto does not keep it"),
    ("aws_ecs_service", "health_check_grace_period_seconds", "moto does not keep it"),
    ("aws_route53_health_check", "child_healthchecks", "MiniStack keeps how many there are, and not which"),
    ("aws_route53_health_check", "regions", "MiniStack keeps how many there are, and not which"),
    ("aws_vpc_security_group_egress_rule", "description", "moto loses it where a rule names another group"),
    ("aws_vpc_security_group_ingress_rule", "description", "moto loses it where a rule names another group"),
];

pub(crate) struct Pipeline {
    directory: TempDir,
    environment: Vec<(OsString, OsString)>,
}

/// Exit code and output of a script.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

impl Pipeline {
    pub(crate) async fn copied(terraform: &Terraform, aws: &LocalAws) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let copying = "tar -C \"$0\" --exclude .terraform -cf - pipeline.sh pipeline-destroy.sh infra modules | tar -xf - -C \"$1\"";
        let copied = Command::new("sh").args(["-c", copying]).arg(workspace::root()).arg(directory.path()).status();
        assert!(copied.await.unwrap().success());
        let (name, place) = terraform.variable();
        let mut environment = vec![(name.into(), place.to_owned())];
        environment.extend(aws.variables().iter().map(|(name, value)| (name.into(), value.into())));
        Self { directory, environment }
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.directory.path().join("target/pipeline").join(ENVIRONMENT)
    }

    /// A program in the scripts' directory, with the emulators' AWS variables and none of another account.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).env("CHECKPOINT_DISABLE", "1");
        command.current_dir(self.directory.path()).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    pub(crate) async fn run(&self, script: &str, arguments: &[&str]) -> Ended {
        let mut command = self.command(self.directory.path().join(script));
        let Output { status, stdout, stderr } =
            command.args(["--env", ENVIRONMENT]).args(arguments).output().await.unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        Ended { code: status.code(), said }
    }

    pub(crate) async fn apply(&self, arguments: &[&str]) {
        let ended = self.run("pipeline.sh", arguments).await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.said);
    }

    /// Plans everything, and checks the plans: they contain only the emulators' deviations.
    pub(crate) async fn has_nothing_to_change(&self) {
        let ended = self.run("pipeline.sh", &["--plan", "--parallel"]).await;
        assert!([Some(0), Some(2)].contains(&ended.code), "{}", ended.said);
        let plans = fs::read_dir(self.work()).unwrap().map(|entry| entry.unwrap().path());
        let plans: Vec<_> = plans.filter(|path| path.extension().is_some_and(|kind| kind == "tfplan")).collect();
        assert!(plans.len() >= 7, "every stage is planned: {plans:?}");
        for plan in plans {
            let target = plan.file_stem().unwrap().to_string_lossy().into_owned();
            for change in self.show(&target, &plan).await["resource_changes"].as_array().into_iter().flatten() {
                let changed = changed_attributes(&change["change"]);
                let kind = change["type"].as_str().unwrap();
                let is_drift =
                    |name: &String| DRIFT.iter().any(|(own, attribute, _)| (*own, *attribute) == (kind, name));
                assert!(changed.iter().all(is_drift), "{target}: {} changes {changed:?}", change["address"]);
            }
        }
    }

    async fn show(&self, target: &str, plan: &Path) -> Value {
        serde_json::from_slice(&self.terraform(target, &[&"show".into(), &"-json".into(), &plan.into()]).await).unwrap()
    }

    async fn terraform(&self, target: &str, arguments: &[&OsString]) -> Vec<u8> {
        let root = ["pre-deployment", "registry", "deployment", "wiring", "post-deployment", "peering"];
        let root = root.into_iter().find(|root| target.starts_with(root)).unwrap();
        let mut command = self.command("terraform");
        command
            .arg(format!("-chdir=infra/{root}"))
            .args(arguments)
            .env("TF_DATA_DIR", self.work().join("data").join(target));
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "{target} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// The variables of a region's service, from its deployment's outputs.
    pub(crate) async fn environment_of(&self, region: &str, service: &str) -> BTreeMap<String, String> {
        let target = format!("deployment-{region}");
        let output = self.terraform(&target, &[&"output".into(), &"-json".into(), &"region".into()]).await;
        let output: Value = serde_json::from_slice(&output).unwrap();
        serde_json::from_value(output["services"][service].clone()).unwrap()
    }

    /// Replaces the block `name = { ... }` in the environment's data.
    pub(crate) fn change(&self, name: &str, lines: &[&str]) {
        let path = self.directory.path().join("infra/environment").join(ENVIRONMENT).join("pipeline.tfvars");
        let text = fs::read_to_string(&path).unwrap();
        let (before, rest) = text.split_once(&format!("{name} = {{\n")).unwrap();
        let (_, after) = rest.split_once("\n}").unwrap();
        fs::write(path, format!("{before}{name} = {{\n{}\n}}{after}", lines.join("\n"))).unwrap();
    }
}

fn changed_attributes(change: &Value) -> Vec<String> {
    let actions: Vec<_> = change["actions"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    match actions[..] {
        ["no-op" | "read"] => Vec::new(),
        ["update"] => {
            let (before, after) = (&change["before"], &change["after"]);
            let unknown = change["after_unknown"].as_object().into_iter().flatten();
            let unknown =
                unknown.filter(|(_, is_unknown)| is_unknown.as_bool() == Some(true)).map(|(name, _)| name.clone());
            let changed =
                after.as_object().into_iter().flatten().filter(|(name, value)| before[name.as_str()] != **value);
            changed.map(|(name, _)| name.clone()).chain(unknown).collect()
        }
        _ => actions.into_iter().map(str::to_owned).collect(),
    }
}
