//! The reason of a switch, stored in the description of the parameter's version.
//!
//! SSM keeps the previous description when a write has none: a write by other means, such as Terraform, would seem to
//! have the last operator's reason. Therefore each description of ours differs, by its moment, and a description shared
//! by two versions belongs to the older one.

use time::OffsetDateTime;

/// The suffix of every description of ours, before the moment.
const MARK: &str = " (salesctl, ";

/// Maximum characters of a reason; SSM keeps 1,024 of a description.
const LONGEST: usize = 256;

/// The description for a reason, or for none, of a switch at this moment in seconds since 1970.
pub(crate) fn written(reason: Option<&str>, at: i64) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    let moment = OffsetDateTime::from_unix_timestamp(at).ok().and_then(|at| at.format(format).ok());
    format!("{}{MARK}{})", reason.unwrap_or_default(), moment.unwrap_or_else(|| at.to_string()))
}

/// The reason in a description, if the description is ours and has one.
pub(crate) fn read(description: &str) -> Option<String> {
    let (reason, _) = description.rsplit_once(MARK)?;
    (!reason.is_empty()).then(|| reason.to_owned())
}

/// Parses a reason from the command line.
///
/// # Errors
/// When it is empty, too long, or more than one line.
pub(crate) fn parse(text: &str) -> Result<String, String> {
    let text = text.trim();
    let length = text.chars().count();
    if text.is_empty() || length > LONGEST {
        return Err(format!("it has {length} characters: expected 1 to {LONGEST}"));
    }
    if text.chars().any(char::is_control) {
        return Err("it has control characters: expected one line of text".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_read_as_it_was_written() {
        for reason in ["drill", "maintenance (salesctl, twice)", "é ü"] {
            assert_eq!(read(&written(Some(reason), 1_795_912_812)).as_deref(), Some(reason));
        }
        assert_eq!(read(&written(None, 1_795_912_812)), None);
        assert_eq!(read("ACTIVE or PASSIVE: whether this region processes sales."), None);
        assert!(written(Some(&"é".repeat(LONGEST)), i64::MAX).chars().count() <= 1_024);
    }

    #[test]
    fn a_reason_is_one_line_of_bounded_length() {
        assert_eq!(parse("  planned maintenance "), Ok("planned maintenance".to_owned()));
        for wrong in ["", "  ", "two\nlines", "\u{1b}[31mred", &"x".repeat(LONGEST + 1)] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
