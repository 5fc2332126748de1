//! The sales to post: generated, or from a file.

use std::{fs::File, path::Path};

use sales::sale::{Amount, Product};

use crate::config::InvalidConfig;

/// The columns of a file, in this order.
const COLUMNS: [&str; 2] = ["product", "amount"];

/// Maximum invalid lines reported.
const TOLD: usize = 10;

/// The sales to post, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Orders {
    /// Generated sales.
    MadeUp(u64),
    /// Sales of a file, as request bodies.
    Listed(Vec<String>),
}

impl Orders {
    /// Number of sales.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::MadeUp(count) => *count,
            Self::Listed(bodies) => bodies.len() as u64,
        }
    }

    /// The body of a request, counted from zero.
    pub(super) fn body(&self, number: u64) -> Option<String> {
        match self {
            Self::MadeUp(count) => (number < *count).then(|| made_up(number + 1)),
            Self::Listed(bodies) => bodies.get(usize::try_from(number).ok()?).cloned(),
        }
    }

    /// Reads the whole file before the first sale is posted.
    ///
    /// # Errors
    /// If it cannot be read, or a line is not a sale: each such line is named.
    pub(super) fn of_file(path: &Path) -> Result<Self, InvalidConfig> {
        let name = path.display();
        let file = File::open(path).map_err(|error| InvalidConfig::new(format_args!("cannot read {name}: {error}")))?;
        read(file).map_err(|wrong| InvalidConfig::new(format_args!("{name}: nothing was posted: {}", told(&wrong))))
    }
}

/// Amounts from 1.01 to 997.00, so that sums differ from counts.
fn made_up(number: u64) -> String {
    format!(r#"{{"product":"salesctl load {number}","amount":{}.{:02}}}"#, 1 + number % 997, number % 100)
}

fn read(file: impl std::io::Read) -> Result<Orders, Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().from_reader(file);
    let header = reader.headers().map_err(|error| vec![error.to_string()])?;
    if header.iter().ne(COLUMNS) {
        return Err(vec![format!("line 1 must be the header {}", COLUMNS.join(","))]);
    }
    let (mut bodies, mut wrong) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let body = record.map_err(|error| of_csv(&error)).and_then(|record| {
            let line = record.position().map_or(0, csv::Position::line);
            body(&record[0], &record[1]).map_err(|error| format!("line {line}: {error}"))
        });
        match body {
            Ok(body) => bodies.push(body),
            Err(error) => wrong.push(error),
        }
    }
    match (wrong.is_empty(), bodies.is_empty()) {
        (false, _) => Err(wrong),
        (true, true) => Err(vec!["no sale in the file".to_owned()]),
        (true, false) => Ok(Orders::Listed(bodies)),
    }
}

fn body(product: &str, amount: &str) -> Result<String, String> {
    let amount = Amount::ordered(amount).map_err(|error| error.to_string())?;
    let product = Product::new(product.to_owned()).map_err(|error| error.to_string())?;
    let product = serde_json::to_string(product.as_str()).map_err(|error| error.to_string())?;
    Ok(format!(r#"{{"product":{product},"amount":{amount}}}"#))
}

fn of_csv(error: &csv::Error) -> String {
    let line = error.position().map_or(0, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("line {line}: {len} columns instead of {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => format!("line {line}: not UTF-8"),
        _ => error.to_string(),
    }
}

fn told(wrong: &[String]) -> String {
    let mut told = wrong.iter().take(TOLD).cloned().collect::<Vec<_>>().join("; ");
    if wrong.len() > TOLD {
        told.push_str(&format!("; and {} more", wrong.len() - TOLD));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Orders, String> {
        read(text.as_bytes()).map_err(|wrong| told(&wrong))
    }

    #[test]
    fn a_file_becomes_bodies_with_the_digits_that_it_has() {
        let orders =
            parse("product,amount\n\"O \"\"Pequeno\"\", Principe\",14.50\r\nLivro,12345678901234567890.12\n").unwrap();
        assert_eq!(orders.count(), 2);
        assert_eq!(orders.body(0).unwrap(), r#"{"product":"O \"Pequeno\", Principe","amount":14.5}"#);
        assert_eq!(orders.body(1).unwrap(), r#"{"product":"Livro","amount":12345678901234567890.12}"#);
        assert_eq!(orders.body(2), None);
        assert!(parse("\u{feff}product,amount\nLivro,1\n").is_ok(), "as spreadsheets write it");
    }

    #[test]
    fn each_wrong_line_is_named() {
        let error = parse("product,amount\nLivro,14\nLivro,free\n,1\nLivro,1,2\n\"a\nb\",0\nLivro,-1\n").unwrap_err();
        assert_eq!(
            error,
            "line 3: amount must be a number; line 4: product must not be empty; line 5: 3 columns instead of 2; line 6: \
             amount must be greater than zero; line 8: amount must be greater than zero"
        );
        for (text, expected) in [
            ("", "line 1 must be the header product,amount"),
            ("Livro,14\n", "line 1 must be the header product,amount"),
            ("amount,product\n14,Livro\n", "line 1 must be the header product,amount"),
            ("product,amount\n", "no sale in the file"),
        ] {
            assert_eq!(parse(text).unwrap_err(), expected, "{text}");
        }
        let many = format!("product,amount\n{}", "Livro,free\n".repeat(12));
        assert!(parse(&many).unwrap_err().ends_with("line 11: amount must be a number; and 2 more"));
    }

    #[test]
    fn what_is_made_up_is_a_sale_and_varies() {
        let orders = Orders::MadeUp(1_000);
        assert_eq!(orders.body(0).unwrap(), r#"{"product":"salesctl load 1","amount":2.01}"#);
        assert_eq!(orders.body(1_000), None);
        let amount = |number| {
            let body: serde_json::Value = serde_json::from_str(&orders.body(number).unwrap()).unwrap();
            Amount::from_json_number(&body["amount"].to_string()).unwrap()
        };
        assert!((1..1_000).all(|number| amount(number) != amount(number - 1)));
    }
}
