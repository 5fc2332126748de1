//! The environment of every program that is started here: made for it, with nothing of the developer's in it but the `PATH`.
//!
//! It is a list of what is let in. A list of what is kept out would never be complete: the AWS SDKs, Python, pip, proxies and
//! locales have dozens of variables, and as many files in the home directory.

use std::{ffi::OsString, path::Path};

use tokio::process::Command;

/// An empty file, and a directory that nothing is in and nothing can be put into, whoever asks.
const NOTHING: &str = "/dev/null";

/// What every program has in its environment.
pub fn environment() -> Vec<(&'static str, OsString)> {
    let fixed = [
        // Without it programs ask the user database, and find the developer's.
        ("HOME", NOTHING),
        ("AWS_CONFIG_FILE", NOTHING),
        ("AWS_SHARED_CREDENTIALS_FILE", NOTHING),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        // Beside variables, some programs ask the operating system for proxies.
        ("NO_PROXY", "*"),
        ("no_proxy", "*"),
        ("LANG", "C.UTF-8"),
        ("TZ", "UTC"),
    ];
    inherited(["PATH"]).into_iter().chain(fixed.map(|(name, value)| (name, value.into()))).collect()
}

/// Those of these variables that this process has.
pub(crate) fn inherited<const COUNT: usize>(names: [&'static str; COUNT]) -> Vec<(&'static str, OsString)> {
    names.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))).collect()
}

/// A short-lived program in that environment, ended with what waits for it.
pub(crate) fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.env_clear().envs(environment()).stdin(std::process::Stdio::null()).kill_on_drop(true);
    command
}
