//! Installs an emulator's packages with pip.
//!
//! pip is isolated: the pinned files alone determine what is installed, and where. From the developer's own settings,
//! it only gets those to reach a package index on their network; if these do not work, it runs without.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    path::{Path, PathBuf},
};

use crate::{
    process::{Program, log_file},
    sealed,
};

use super::python::{Python, isolated};

const READ_SETTINGS: &str = include_str!("pip_settings.py");

/// pip's options to reach an index, and whether they may have several values.
const OPTIONS: [(&str, Values); 11] = [
    ("index-url", Values::One),
    ("extra-index-url", Values::Many),
    ("find-links", Values::Many),
    ("no-index", Values::Flag),
    ("trusted-host", Values::Many),
    ("proxy", Values::One),
    ("timeout", Values::One),
    ("default-timeout", Values::One),
    ("cert", Values::File),
    ("client-cert", Values::File),
    ("use-feature", Values::Truststore),
];

/// Those that set trust, not the index.
const TRUST: [&str; 3] = ["cert", "client-cert", "use-feature"];

/// Environment variables for pip's configuration.
const CONFIGURED_BY: [&str; 5] = ["HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "PIP_CONFIG_FILE", "PATH"];

/// Certificates of the developer's network, by their names in Python's HTTP libraries.
const CERTIFICATES: [&str; 3] = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"];

const PROXIES: [&str; 8] =
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];

#[derive(Debug, Clone, Copy)]
enum Values {
    One,
    Many,
    Flag,
    /// A file that must exist.
    File,
    /// Of pip's features, the one that trusts the operating system's certificates.
    Truststore,
}

/// A way to reach a package index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Route {
    options: Vec<(&'static str, String)>,
    variables: Vec<(&'static str, OsString)>,
}

impl Route {
    /// The ways to try, in order: with the developer's settings; with only their trust settings; directly.
    pub(super) async fn all(python: &Python) -> Vec<Self> {
        let configured = Self::configured(python).await;
        let mut direct = configured.clone();
        direct.options.retain(|(option, _)| TRUST.contains(option));
        direct.variables.clear();
        let mut routes = vec![configured, direct, Self::default()];
        routes.dedup();
        routes
    }

    async fn configured(python: &Python) -> Self {
        let mut options = options(&settings(python).await);
        if !options.iter().any(|(option, _)| *option == "cert") {
            let bundles = CERTIFICATES.into_iter().filter_map(std::env::var_os).map(PathBuf::from);
            let bundle =
                bundles.filter(|path| path.is_file()).find_map(|path| path.into_os_string().into_string().ok());
            options.extend(bundle.map(|bundle| ("cert", bundle)));
        }
        let mut variables = sealed::inherited(PROXIES);
        variables.extend(netrc().map(|file| ("NETRC", file.into_os_string())));
        Self { options, variables }
    }

    /// The rest of the command line.
    fn arguments(&self) -> impl Iterator<Item = String> {
        self.options.iter().map(|(option, value)| match value.as_str() {
            "" => format!("--{option}"),
            value => format!("--{option}={value}"),
        })
    }
}

/// These options in pip's files and variables; none if they cannot be read.
async fn settings(python: &Python) -> BTreeMap<String, String> {
    let mut command = isolated(&python.executable);
    command.envs(sealed::inherited(CONFIGURED_BY));
    let names = OPTIONS.map(|(option, _)| option);
    command.envs(names.into_iter().filter_map(|option| {
        let variable = format!("PIP_{}", option.to_uppercase().replace('-', "_"));
        let value = std::env::var_os(&variable)?;
        Some((variable, value))
    }));
    let answer = command.args(["-c", READ_SETTINGS]).args(names).output().await;
    answer.ok().and_then(|answer| serde_json::from_slice(&answer.stdout).ok()).unwrap_or_default()
}

fn options(settings: &BTreeMap<String, String>) -> Vec<(&'static str, String)> {
    let mut options = Vec::new();
    for (option, values) in OPTIONS {
        let Some(text) = settings.get(option).map(|text| text.trim()) else { continue };
        let many = || text.split_whitespace();
        match values {
            Values::One => options.push((option, text.to_owned())),
            Values::Many => options.extend(many().map(|value| (option, value.to_owned()))),
            Values::Flag if is_yes(text) => options.push((option, String::new())),
            Values::File if Path::new(text).exists() => options.push((option, text.to_owned())),
            Values::Truststore if many().any(|feature| feature == "truststore") => {
                options.push((option, "truststore".to_owned()));
            }
            Values::Flag | Values::File | Values::Truststore => {}
        }
    }
    options
}

/// In pip's form.
fn is_yes(text: &str) -> bool {
    ["y", "yes", "t", "true", "on", "1"].contains(&text.to_lowercase().as_str())
}

/// The file with credentials of the indices.
fn netrc() -> Option<PathBuf> {
    let named = std::env::var_os("NETRC").map(PathBuf::from);
    let file = named.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".netrc")))?;
    file.is_file().then_some(file)
}

/// Installs the pinned files of `requirements`; the error is one line.
pub(super) async fn install(
    python: &Path,
    requirements: &Path,
    route: &Route,
    temporary: &Path,
    log: &Path,
) -> anyhow::Result<Result<(), String>> {
    let pip = Program::new(python)
        .arguments(["-I", "-m", "pip", "--isolated", "--no-input", "--disable-pip-version-check", "--no-cache-dir"])
        .arguments(["install", "--retries", "2", "--require-hashes", "--prefer-binary", "--requirement"])
        .arguments([requirements])
        .arguments(route.arguments())
        // Its files, too, including the machine-wide ones, which it reads although it is isolated.
        .environment([("PIP_CONFIG_FILE", "/dev/null")])
        .environment([("TMPDIR", temporary)])
        .environment(proxies(route));
    Ok(run(pip, log).await?.map_err(|output| failure(&output, log)))
}

/// Without a proxy, none is used; with one, the developer's exceptions apply.
fn proxies(route: &Route) -> Vec<(&'static str, OsString)> {
    let own = |name: &str| route.variables.iter().any(|(own, _)| *own == name);
    let mut variables = route.variables.clone();
    if PROXIES.iter().any(|name| own(name)) {
        variables
            .extend(["NO_PROXY", "no_proxy"].into_iter().filter(|name| !own(name)).map(|name| (name, OsString::new())));
    }
    variables
}

/// Runs `program` to its end; if it fails, its output is the error.
pub(super) async fn run(program: Program, log: &Path) -> anyhow::Result<Result<(), String>> {
    let file: File = log_file(log)?;
    let status = program.log(file).start()?.wait().await;
    if status == 0 { Ok(Ok(())) } else { Ok(Err(std::fs::read_to_string(log)?)) }
}

/// One line that distinguishes a missing network from all other causes.
fn failure(output: &str, log: &Path) -> String {
    let unreachable =
        ["connection broken by", "Connection refused", "Network is unreachable", "timed out", "ProxyError"];
    if unreachable.iter().any(|sign| output.contains(sign)) {
        return format!(
            "pip could not reach the package index to get the emulator: the first start needs the network (all pip said: {})",
            log.display()
        );
    }
    let error = output.lines().rev().find_map(|line| line.strip_prefix("ERROR: "));
    format!(
        "pip could not install the emulator: {} (all pip said: {})",
        error.unwrap_or("no reason given"),
        log.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(settings: &[(&str, &str)]) -> Vec<String> {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Route { options: options(&settings), variables: Vec::new() }.arguments().collect()
    }

    #[test]
    fn pip_is_told_how_to_reach_an_index_and_whom_to_trust() {
        assert_eq!(
            told(&[
                ("index-url", "https://user:pass@mirror.example/simple"),
                ("trusted-host", "\nmirror.example\nother.example"),
                ("no-index", "true"),
                ("use-feature", "fast-deps truststore"),
            ]),
            [
                "--index-url=https://user:pass@mirror.example/simple",
                "--no-index",
                "--trusted-host=mirror.example",
                "--trusted-host=other.example",
                "--use-feature=truststore",
            ]
        );
    }

    #[test]
    fn what_leads_nowhere_or_says_no_is_left_out() {
        assert_eq!(told(&[("cert", "/nowhere/ca.pem"), ("no-index", "0"), ("use-feature", "fast-deps")]), [""; 0]);
    }

    #[test]
    fn a_missing_network_is_told_from_other_failures() {
        let log = Path::new("emulator.log");
        let offline = "WARNING: Retrying (Retry(total=1)) after connection broken by 'NewConnectionError'\n\
                       ERROR: Could not find a version that satisfies the requirement botocore";
        assert!(failure(offline, log).starts_with("pip could not reach the package index"));
        let tampered = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.";
        assert_eq!(
            failure(tampered, log),
            "pip could not install the emulator: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. \
             (all pip said: emulator.log)"
        );
    }
}
