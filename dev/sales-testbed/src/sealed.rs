//! The environment of every program started here: built for it, with nothing of the developer's except the `PATH`.
//!
//! It is an allow list. A deny list would never be complete: the AWS SDKs, Python, pip, proxies and locales have dozens
//! of variables, and as many files in the home directory.

use std::{ffi::OsString, path::Path};

use tokio::process::Command;

/// An empty file, and a directory that is always empty and never writable.
const NOTHING: &str = "/dev/null";

/// The environment of every program.
pub fn environment() -> Vec<(&'static str, OsString)> {
    let fixed = [
        // Without it, programs read the user database, and find the developer's home directory.
        ("HOME", NOTHING),
        ("AWS_CONFIG_FILE", NOTHING),
        ("AWS_SHARED_CREDENTIALS_FILE", NOTHING),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        // Besides variables, some programs read the operating system's proxy settings.
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

/// A short-lived program in that environment, killed when its future is dropped.
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.env_clear().envs(environment()).stdin(std::process::Stdio::null()).kill_on_drop(true);
    command
}
