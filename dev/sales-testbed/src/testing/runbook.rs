//! Drills in a document: commands, and their expected output.
//!
//! A section of a Markdown document is a drill if it has `console` blocks. In these, a line that begins with `$ ` is a
//! command, continued by lines that begin with `> `; the lines after it are expected in its output, in this order, with
//! other lines perhaps between them. In such a line, `…` stands for anything. A command with an exit code other than 0
//! has it in a comment: `# ends with 2`.

use std::fmt::Write;

/// A section with commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drill {
    /// Its heading.
    pub title: String,
    /// The commands, in order.
    pub steps: Vec<Step>,
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its text.
    pub command: String,
    /// Its exit code.
    pub ends_with: i32,
    /// Expected lines of its output.
    pub shows: Vec<String>,
}

/// The comment with an exit code.
const ENDS_WITH: &str = "# ends with ";
const BEGIN: &str = "@@ begin ";
const END: &str = "@@ end ";

/// The drills of a document.
pub fn drills(document: &str) -> Vec<Drill> {
    let mut drills: Vec<Drill> = Vec::new();
    let mut title = "";
    let mut in_console = false;
    let mut in_block = false;
    for line in document.lines() {
        if let Some(kind) = line.strip_prefix("```") {
            in_block = !in_block;
            in_console = in_block && kind == "console";
            if in_console && drills.last().is_none_or(|drill| drill.title != title) {
                drills.push(Drill { title: title.to_owned(), steps: Vec::new() });
            }
        } else if let Some(heading) = line.strip_prefix("## ").filter(|_| !in_block) {
            title = heading;
        } else if in_console && let Some(drill) = drills.last_mut() {
            add(&mut drill.steps, line);
        }
    }
    drills
}

fn add(steps: &mut Vec<Step>, line: &str) {
    match (line.strip_prefix("$ "), line.strip_prefix("> "), steps.last_mut()) {
        (Some(command), _, _) => {
            let (command, ends_with) = match command.rsplit_once(ENDS_WITH) {
                Some((command, code)) => (command, code.split(&[':', ' ']).next().and_then(|code| code.parse().ok())),
                None => (command, None),
            };
            let command = command.trim_end().to_owned();
            steps.push(Step { command, ends_with: ends_with.unwrap_or_default(), shows: Vec::new() });
        }
        (None, Some(more), Some(step)) => {
            step.command.push('\n');
            step.command.push_str(more);
        }
        (None, _, Some(step)) if !line.trim().is_empty() => step.shows.push(line.trim().to_owned()),
        _ => {}
    }
}

impl Drill {
    /// A shell script with all commands, with marks between their outputs.
    pub fn script(&self) -> String {
        let mut script = String::new();
        for (number, step) in self.steps.iter().enumerate() {
            let command = &step.command;
            // Writing to a string cannot fail.
            let _ = write!(script, "echo '{BEGIN}{number}'\n{{\n{command}\n}} 2>&1\necho \"{END}{number} $?\"\n");
        }
        script
    }

    /// The first difference between the script's output and the document; `None` if there is none.
    pub fn difference(&self, output: &str) -> Option<String> {
        for (number, step) in self.steps.iter().enumerate() {
            let command = &step.command;
            let Some((_, rest)) = output.split_once(&format!("{BEGIN}{number}\n")) else {
                return Some(format!("`{command}` was not reached"));
            };
            let Some((shown, end)) = rest.split_once(&format!("{END}{number} ")) else {
                return Some(format!("`{command}` did not end"));
            };
            let code = end.lines().next().unwrap_or_default();
            if code != step.ends_with.to_string() {
                return Some(format!("`{command}` ended with {code} and not with {}", step.ends_with));
            }
            if let Some(missing) = first_missing(shown, &step.shows) {
                return Some(format!("`{command}` does not show, or not in this order: {missing}"));
            }
        }
        None
    }
}

/// The first expected line that does not follow those before it.
fn first_missing<'a>(shown: &str, lines: &'a [String]) -> Option<&'a str> {
    let mut shown = shown.lines();
    lines.iter().find(|line| !shown.any(|candidate| matches(line, candidate))).map(String::as_str)
}

/// Whether a line matches; any white space counts as one blank.
fn matches(pattern: &str, line: &str) -> bool {
    let [pattern, line] = [pattern, line].map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let parts: Vec<&str> = pattern.split('…').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return pattern == line };
    let Some(mut rest) = line.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else { return false };
    middle.iter().all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "# Runbook\n\n```console\n$ true\n```\n\n## One\n\n```bash\n$ not this\n```\n\n\
        ```console\n$ false   # ends with 1: it is owed\nfirst …\n\nlast\n$ echo \\\n> x\n```\n\n## Two\n\n```console\n$ date\n```\n";

    #[test]
    fn commands_what_they_show_and_how_they_end_are_read_by_section() {
        let step = |command: &str, ends_with, shows: &[&str]| Step {
            command: command.to_owned(),
            ends_with,
            shows: shows.iter().map(|&line| line.to_owned()).collect(),
        };
        assert_eq!(
            drills(DOCUMENT),
            [
                Drill { title: String::new(), steps: vec![step("true", 0, &[])] },
                Drill {
                    title: "One".to_owned(),
                    steps: vec![step("false", 1, &["first …", "last"]), step("echo \\\nx", 0, &[])]
                },
                Drill { title: "Two".to_owned(), steps: vec![step("date", 0, &[])] },
            ]
        );
    }

    #[test]
    fn an_ellipsis_stands_for_anything() {
        for (pattern, line) in [
            ("a  b", "a b"),
            ("a … c", "a x b c"),
            ("…", "anything"),
            ("a…", "a b"),
            ("… c", "a c b c"),
            ("[1/4] …: done in … s", "[1/4] x: y: done in 0.1 s"),
        ] {
            assert!(matches(pattern, line), "{pattern} {line}");
        }
        for (pattern, line) in [("a", "a b"), ("a … c", "a x"), ("… c", "a c b"), ("b", "a b"), ("a … c", "a c d")]
        {
            assert!(!matches(pattern, line), "{pattern} {line}");
        }
    }

    #[test]
    fn a_difference_names_the_command() {
        let drill = &drills(DOCUMENT)[1];
        let output =
            |first: &str, code: i32| format!("@@ begin 0\n{first}\n@@ end 0 {code}\n@@ begin 1\nx\n@@ end 1 0\n");
        assert_eq!(drill.difference(&output("first one\nother\nlast", 1)), None);
        let wrong_order = drill.difference(&output("last\nfirst one", 1)).unwrap();
        assert!(wrong_order.contains("`false`") && wrong_order.ends_with(": last"), "{wrong_order}");
        assert!(drill.difference(&output("first one\nlast", 0)).unwrap().contains("ended with 0"));
        assert!(drill.difference("@@ begin 0\n").unwrap().contains("did not end"));
    }

    #[test]
    fn a_script_marks_each_output() {
        let script = drills("## A\n```console\n$ (exit 3)\n$ echo out; echo err >&2\n```\n")[0].script();
        let output = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text, "@@ begin 0\n@@ end 0 3\n@@ begin 1\nout\nerr\n@@ end 1 0\n");
    }
}
