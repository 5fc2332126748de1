//! Every drill of `docs/runbook.md`, run as written, each on two regions of its own.
//!
//! Drills mostly wait, so more of them run concurrently than a small machine has processors.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use std::{fs::File, process::ExitCode, time::Duration};

use libtest_mimic::{Arguments, Trial};
use sales_testbed::testing::{
    LocalInstance,
    runbook::{Drill, drills},
};

const RUNBOOK: &str = include_str!("../../../../docs/runbook.md");

/// Concurrent drills: each has seven processes, mostly idle.
const AT_A_TIME: usize = 3;

/// Longer than any drill takes, on a machine that may be busy.
const DEADLINE: Duration = Duration::from_secs(400);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_A_TIME);
    let trials = drills(RUNBOOK).into_iter().map(|drill| {
        let name = drill.title.to_lowercase().replace(|character: char| !character.is_ascii_alphanumeric(), "_");
        Trial::test(name, move || done(&drill).map_err(Into::into))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Runs a drill, with the document's commands.
fn done(drill: &Drill) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut instance = LocalInstance::start().await.map_err(|error| format!("{error:#}"))?;
        let output = tempfile::NamedTempFile::new().unwrap();
        let mut shell = instance.command("bash");
        shell.args(["-c", &drill.script()]).stdout(File::create(output.path()).unwrap());
        let ended = tokio::time::timeout(DEADLINE, shell.status()).await;
        let text = std::fs::read_to_string(output.path()).unwrap();
        let difference = match ended {
            Ok(_) => drill.difference(&text),
            Err(_) => Some(format!("it took longer than {} s", DEADLINE.as_secs())),
        };
        instance.stop().await;
        difference.map_or(Ok(()), |difference| Err(format!("{difference}\n\n{text}\n\n{}", instance.said())))
    })
}
