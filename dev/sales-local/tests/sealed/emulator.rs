//! The emulator's Python environment.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use sales_testbed::{local_ports::LocalPorts, testing::Sandbox};

use crate::settings::hostile;

/// The command with a cargo that builds nothing, and binaries that cannot be started: it stops after the emulator.
fn up_to_the_emulator(sandbox: &Sandbox) -> Command {
    for name in ["sales-api", "sales-worker", "sales-lake", "salesctl"] {
        std::fs::write(sandbox.binary(name), "").unwrap();
    }
    sandbox.put("cargo", "exit 0").unwrap();
    let mut command = Command::new(sandbox.binary("sales-local"));
    command.args(LocalPorts::free().unwrap().options()).env("CARGO", sandbox.programs().join("cargo"));
    command.stdin(Stdio::null()).current_dir(sandbox.directory());
    command
}

/// The directory of the only environment.
fn environment(sandbox: &Sandbox) -> PathBuf {
    let all = std::fs::read_dir(sandbox.local_directory()).unwrap().map(|entry| entry.unwrap().path());
    let mut all =
        all.filter(|path| path.is_dir() && path.file_name().unwrap().to_string_lossy().starts_with("emulator-"));
    let environment = all.next().expect("there is one");
    assert_eq!(all.next(), None, "there is only one");
    environment
}

#[test]
fn the_environment_is_made_whatever_the_developer_has_set_and_made_anew_once_it_is_broken() {
    let (sandbox, home) = (Sandbox::new().unwrap(), tempfile::tempdir().unwrap());
    for module in ["ministack", "venv", "ensurepip", "pip", "typing"] {
        let file = sandbox.directory().join(format!("{module}.py"));
        std::fs::write(file, "raise SystemExit('not the one in the working directory')").unwrap();
    }
    let start = || {
        let output = up_to_the_emulator(&sandbox).envs(hostile(home.path())).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            error.starts_with("sales-local: sales-"),
            "the emulator serves, and the services do not start: {error}"
        );
    };
    start();
    let environment = environment(&sandbox);
    assert!(environment.join("complete").exists());
    assert!(!home.path().join(".local").exists(), "nothing is installed for the user");

    let find = |name: &str| {
        let found = Command::new("find").arg(&environment).args(["-path", &format!("*/site-packages/{name}")]).output();
        PathBuf::from(String::from_utf8(found.unwrap().stdout).unwrap().trim())
    };
    let module = find("ministack/app.py");
    let whole = std::fs::read(&module).unwrap();
    std::fs::write(&module, "").unwrap();
    start();
    assert_eq!(std::fs::read(&module).unwrap(), whole);
}

/// A Python that only answers version checks, and whose environments contain a pip that records its arguments.
const NOTING: &str = r#"
    case "$*" in
    *version_info*) echo 3 12 "$0" ;;
    "-I -m venv "*) PATH=/usr/bin:/bin
        mkdir -p "$4/bin"
        printf '#!/bin/sh\n{ printf "%%s\\n" "$@"; echo ---; /usr/bin/env; echo ===; } >>"@NOTES@"\nexit 1\n' >"$4/bin/python"
        chmod +x "$4/bin/python" ;;
    "-I -c # What pip"*) exec "@PYTHON@" "$@" ;;
    esac"#;

#[test]
fn pip_is_told_how_to_reach_the_developers_index_and_nothing_else_of_his_settings() {
    let (sandbox, home) = (Sandbox::new().unwrap(), tempfile::tempdir().unwrap());
    let python = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    let python = String::from_utf8(python.stdout).unwrap();
    let notes = sandbox.directory().join("notes");
    let script = NOTING.replace("@NOTES@", notes.to_str().unwrap()).replace("@PYTHON@", python.trim());
    sandbox.put("python3", &script).unwrap();
    sandbox.put("sleep", "exec /bin/sleep \"$@\"").unwrap();
    let settings = hostile(home.path());
    std::fs::write(
        home.path().join(".config/pip/pip.conf"),
        "[global]\nuser = true\nindex-url = https://mirror.example/simple\ntrusted-host = mirror.example\n[install]\nno-deps = 1\n",
    )
    .unwrap();
    std::fs::write(home.path().join(".netrc"), "machine mirror.example login x password y\n").unwrap();
    let output = up_to_the_emulator(&sandbox)
        .envs(settings)
        .env("PATH", sandbox.programs())
        .env("PIP_EXTRA_INDEX_URL", "https://one.example/simple https://two.example/simple")
        .env("HTTPS_PROXY", "http://proxy.example:3128")
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("sales-local: pip could not install the emulator"), "{error}");

    let notes = std::fs::read_to_string(notes).unwrap();
    let tries: Vec<&str> = notes.split("===\n").filter(|text| !text.is_empty()).collect();
    let (first, last) = (tries[0], *tries.last().unwrap());
    for told in [
        "--isolated",
        "--require-hashes",
        "--index-url=https://mirror.example/simple",
        "--trusted-host=mirror.example",
        "--extra-index-url=https://one.example/simple",
        "--extra-index-url=https://two.example/simple",
        "HTTPS_PROXY=http://proxy.example:3128",
        "PIP_CONFIG_FILE=/dev/null",
        "HOME=/dev/null",
    ] {
        assert!(first.lines().any(|line| line == told), "{told}:\n{first}");
    }
    assert!(first.contains("/.netrc"), "{first}");
    for kept_out in
        ["--user", "--no-deps", "--target", "PIP_USER", "PIP_TARGET", "PYTHON", "AWS_PROFILE", "VIRTUAL_ENV", "XDG_"]
    {
        assert!(!first.contains(kept_out), "{kept_out}:\n{first}");
    }
    // If the developer's settings fail, it goes without them.
    for kept_out in ["mirror.example", "one.example", "proxy.example"] {
        assert!(!last.contains(kept_out), "{kept_out}:\n{last}");
    }
}
