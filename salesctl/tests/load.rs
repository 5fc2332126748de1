//! `salesctl load` as its callers see it: what it rejects before it posts, and what it reports about an unavailable
//! API.

use std::{
    io::{Read, Write},
    net::TcpListener,
    process::{Command, Output},
    thread,
};

/// Runs the command in an empty directory, without a configuration and without credentials.
fn salesctl(directory: &tempfile::TempDir, arguments: &[&str]) -> (Option<i32>, String, String) {
    let command = Command::new(env!("CARGO_BIN_EXE_salesctl"))
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output();
    let Output { status, stdout, stderr } = command.expect("it starts");
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).expect("UTF-8"));
    (status.code(), stdout, stderr)
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

/// An address without a listener.
const NOWHERE: &str = "http://127.0.0.1:1";

/// An API that gives the same response to each of `requests` requests, and its address.
fn api(requests: usize, answer: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let answer = answer.to_owned();
    thread::spawn(move || {
        for _ in 0..requests {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut request = Vec::new();
            // Read to the end of the body, which no header contains.
            while !request.ends_with(b"}") {
                let mut bytes = [0; 1_024];
                let count = stream.read(&mut bytes).expect("a request");
                request.extend_from_slice(&bytes[..count]);
            }
            stream.write_all(answer.as_bytes()).expect("it is read");
        }
    });
    format!("http://{address}")
}

#[test]
fn a_file_with_a_line_that_is_no_sale_posts_nothing() {
    let directory = directory();
    std::fs::write(directory.path().join("sales.csv"), "product,amount\nLivro,14\nLivro,free\n,2\n").expect("written");
    let (code, stdout, stderr) = salesctl(&directory, &["load", "--file", "sales.csv", "--url", NOWHERE]);
    assert_eq!((code, stdout.as_str()), (Some(64), ""));
    assert!(
        stderr.contains("sales.csv: nothing was posted: line 3: amount must be a number; line 4: product"),
        "{stderr}"
    );
}

#[test]
fn without_an_address_it_asks_for_one() {
    let (code, stdout, stderr) = salesctl(&directory(), &["load", "--count", "1"]);
    assert_eq!((code, stdout.as_str()), (Some(64), ""));
    assert!(stderr.contains("--url"), "{stderr}");
    let (code, _, stderr) = salesctl(&directory(), &["load", "--count", "1", "--set", "pending_shards=16"]);
    assert_eq!(code, Some(64));
    assert!(stderr.contains("no url configured"), "{stderr}");
}

#[test]
fn how_much_is_said_exactly_once() {
    for arguments in [&["load", "--url", NOWHERE][..], &["load", "--count", "1", "--seconds", "1", "--url", NOWHERE]] {
        assert_eq!(salesctl(&directory(), arguments).0, Some(64), "{arguments:?}");
    }
}

#[test]
fn refused_connections_are_failures_with_their_reason() {
    let (code, stdout, stderr) =
        salesctl(&directory(), &["load", "--count", "3", "--rate", "100", "--output", "json", "--url", NOWHERE]);
    assert_eq!(code, Some(1), "{stderr}");
    let summary: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!((&summary["sent"], &summary["failed"]), (&3.into(), &3.into()));
    assert_eq!(summary["by_status"]["no connection"], 3);
    assert!(summary["first_failures"][0]["reason"].as_str().is_some_and(|reason| reason.contains("refused")));
    assert!(stderr.contains("no sale was accepted"), "{stderr}");
}

#[test]
fn without_a_configuration_it_posts_and_leaves_the_lakes_alone() {
    let body = r#"{"id":"0192f5c0-7c1d-7a3e-8f11-0123456789ab","timestamp":1764547199,"region":"sa-east-1"}"#;
    let answer = format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let directory = directory();
    let url = api(1, &answer);
    let (code, stdout, stderr) = salesctl(&directory, &["load", "--count", "1", "--ids", "ids.txt", "--url", &url]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("the lakes were not checked"), "{stdout}");
    let ids = std::fs::read_to_string(directory.path().join("ids.txt")).expect("ids");
    assert_eq!(ids, "0192f5c0-7c1d-7a3e-8f11-0123456789ab\n");
}

#[test]
fn any_other_answer_than_201_is_a_failure_and_not_tried_again() {
    let body = r#"{"detail":"the table does not answer"}"#;
    let answer = format!("HTTP/1.1 503 Service Unavailable\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let url = api(2, &answer);
    let (code, stdout, _) =
        salesctl(&directory(), &["load", "--count", "2", "--rate", "100", "--no-lake", "--url", &url]);
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("503: the table does not answer"), "{stdout}");
    assert!(stdout.contains("503     2"), "{stdout}");
}

#[test]
fn an_api_that_asks_for_a_token_is_told_where_to_find_one() {
    let refused = "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer\r\ncontent-length: 0\r\n\r\n";
    let load = |url: &str, more: &[&str]| {
        let arguments = ["load", "--count", "1", "--no-lake", "--url", url];
        salesctl(&directory(), &[&arguments, more].concat())
    };
    let (code, stdout, _) = load(&api(1, refused), &[]);
    assert_eq!(code, Some(1));
    assert!(stdout.contains("401: the API asks for a token: set token_command"), "{stdout}");
    let (code, stdout, stderr) = load(NOWHERE, &["--set", "token_command=echo no client >&2; exit 3"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "nothing is posted");
    assert!(stderr.contains("token_command") && stderr.contains("no client"), "{stderr}");
}

#[test]
fn the_token_is_that_of_the_command() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let asked = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = String::new();
        while !request.ends_with('}') {
            let mut bytes = [0; 1_024];
            let count = stream.read(&mut bytes).expect("a request");
            request.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").expect("it is read");
        request
    });
    let arguments = ["load", "--count", "1", "--no-lake", "--url", &url, "--set", "token_command=echo a.b.c"];
    let (_, stdout, stderr) = salesctl(&directory(), &arguments);
    assert!(asked.join().expect("asked").contains("authorization: Bearer a.b.c"), "{stdout}{stderr}");
    assert!(!format!("{stdout}{stderr}").contains("a.b.c"), "{stdout}{stderr}");
}

#[test]
fn more_requests_than_files_may_be_open_are_refused_in_one_line_if_they_are_asked_for() {
    let directory = directory();
    let with = |concurrency: &str| {
        let script = format!("ulimit -n 256 && exec \"$0\" load --count 1 --url {NOWHERE} {concurrency}");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_salesctl")]).current_dir(&directory).env_clear();
        let output = command.output().expect("it starts");
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    };
    let expected = "error: --concurrency 256 needs 320 open files, and only 256 are allowed: `ulimit -n 320` raises the limit, \
                    or --concurrency 192\n";
    assert_eq!(with("--concurrency 256"), (Some(64), expected.to_owned()));
    let (code, error) = with("");
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("no sale was accepted"), "{error}");
}
