//! A row of the table, and how the facts of a sale become one.
//!
//! Everything here is independent of the order in which facts arrive: of two versions of a sale the one that was accepted
//! earlier is kept, then the one with the smaller line; of two cancellations the earlier one counts.

use std::collections::HashMap;
use std::sync::Arc;

use sales::clock::Timestamp;
use sales::sale::{Amount, Cancellation, Product, Sale, SaleId};
use uuid::Uuid;

/// Digits after the point of the column `amount`.
pub const SCALE: u32 = 18;

/// Digits of the column `amount`.
pub const PRECISION: u32 = 38;

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// Allowed distance between the time in an id and that of its sale, in seconds.
const CLOCK_TOLERANCE: i64 = 60;

/// The identity of a sale, in the order of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId(pub u128);

impl RowId {
    /// The id of a sale.
    #[must_use]
    pub fn of(id: SaleId) -> Self {
        Self(id.as_uuid().as_u128())
    }

    /// Its text.
    #[must_use]
    pub fn text(self) -> String {
        Uuid::from_u128(self.0).as_hyphenated().to_string()
    }

    /// A number that differs between two ids but for one pair in 2^64.
    #[must_use]
    pub fn mixed(self) -> u64 {
        let folded = (self.0 >> 64) as u64 ^ (self.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let folded = (folded ^ (folded >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        folded ^ (folded >> 29)
    }

    /// The times of the only sales that this id can have, in unix seconds, if the id itself tells: those of sales without an
    /// idempotency key are made when the sale is accepted.
    #[must_use]
    pub fn possible_times(self, known: Option<i64>) -> Option<(i64, i64)> {
        let id = Uuid::from_u128(self.0);
        if id.get_version_num() != 7 {
            return None;
        }
        let made = i64::try_from(self.0 >> 80).ok()? / 1_000;
        let times = (made - CLOCK_TOLERANCE, made + CLOCK_TOLERANCE);
        known.is_none_or(|known| times.0 <= known && known <= times.1).then_some(times)
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `id`
    pub id: RowId,
    /// `product`
    pub product: Arc<str>,
    /// `amount` times ten to the power of [`SCALE`]; `None` if it does not fit exactly.
    pub amount: Option<i128>,
    /// `accepted_at`, in unix seconds
    pub accepted_at: i64,
    /// `region`
    pub region: Option<Arc<str>>,
    /// `cancelled_at`, in unix seconds
    pub cancelled_at: Option<i64>,
}

impl Row {
    /// The row of a sale that is not cancelled.
    #[must_use]
    pub fn of(sale: &Sale, texts: &mut Texts) -> Self {
        Self {
            id: RowId::of(sale.id),
            product: texts.share(sale.product.as_str()),
            amount: exact_amount(sale.amount),
            accepted_at: sale.timestamp.unix_seconds(),
            region: sale.region.as_ref().map(|region| texts.share(region.as_str())),
            cancelled_at: None,
        }
    }

    /// Its sale; `None` if its amount is unknown.
    #[must_use]
    pub fn sale(&self) -> Option<Sale> {
        Some(Sale {
            id: SaleId::new(Uuid::from_u128(self.id.0)),
            product: Product::new(self.product.to_string()).ok()?,
            amount: Amount::from_json_number(&digits(self.amount?)).ok()?,
            timestamp: Timestamp::from_unix_seconds(self.accepted_at)?,
            region: self.region.as_ref().and_then(|region| region.parse().ok()),
            // It is no column.
            client: None,
        })
    }

    /// The day of its partition, counted from the epoch.
    #[must_use]
    pub fn day(&self) -> i64 {
        self.accepted_at.div_euclid(DAY)
    }

    /// The second of its day.
    #[must_use]
    pub fn second(&self) -> u32 {
        second(self.accepted_at)
    }

    /// The order of rows in a file.
    #[must_use]
    pub fn place(&self) -> (i64, RowId) {
        (self.accepted_at, self.id)
    }

    /// Merges what is known of one sale from two sources.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let cancelled_at = earlier(self.cancelled_at, other.cancelled_at);
        let order = other.accepted_at.cmp(&self.accepted_at).then_with(|| other.line().cmp(&self.line()));
        Self { cancelled_at, ..if order.is_lt() { other } else { self } }
    }

    /// What its columns say of the canonical line of its sale, which decides between versions of one second.
    fn line(&self) -> String {
        let product = serde_json::to_string(&self.product).unwrap_or_default();
        let amount = self.amount.map_or_else(|| "null".to_owned(), digits);
        let region = self.region.as_ref().map_or_else(String::new, |region| format!(r#""region":"{region}""#));
        format!(r#""product":{product},"amount":{amount},{region}}}"#)
    }
}

/// The second of the day of a moment.
#[must_use]
pub fn second(moment: i64) -> u32 {
    u32::try_from(moment.rem_euclid(DAY)).unwrap_or(0)
}

/// The earlier of two moments that may be unknown.
#[must_use]
pub fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}

/// The day with this number as `YYYY-MM-DD`.
#[must_use]
pub fn day_name(day: i64) -> String {
    Timestamp::from_unix_seconds(day.saturating_mul(DAY)).map_or_else(|| "1970-01-01".into(), Timestamp::day)
}

/// The number of a day.
#[must_use]
pub fn day_of_name(name: &str) -> Option<i64> {
    let midnight = Timestamp::parse_rfc3339(&format!("{name}T00:00:00Z"))?;
    Some(midnight.unix_seconds().div_euclid(DAY))
}

/// The amount in units of the column's last digit, if it fits exactly.
fn exact_amount(amount: Amount) -> Option<i128> {
    let units = amount.units(SCALE)?;
    (units.checked_ilog10().map_or(0, |power| power + 1) <= PRECISION).then_some(units)
}

/// An amount as in a line: without an exponent and trailing zeros.
fn digits(amount: i128) -> String {
    let units = 10_i128.pow(SCALE);
    let fraction = format!("{:018}", amount % units);
    let fraction = fraction.trim_end_matches('0');
    let whole = amount / units;
    if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") }
}

/// Equal texts kept once: products and regions repeat.
#[derive(Debug, Default)]
pub struct Texts(HashMap<Arc<str>, ()>);

impl Texts {
    /// More are not kept.
    const MOST: usize = 65_536;

    /// The shared form of a text.
    pub fn share(&mut self, text: &str) -> Arc<str> {
        if let Some((known, ())) = self.0.get_key_value(text) {
            return known.clone();
        }
        let new: Arc<str> = text.into();
        if self.0.len() < Self::MOST {
            self.0.insert(new.clone(), ());
        }
        new
    }
}

/// What one or more facts say of a sale.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The sale, if one of them is its registration.
    pub sale: Option<Row>,
    /// When it was cancelled.
    pub cancelled_at: Option<i64>,
    /// When the sale was accepted, according to its cancellation.
    pub sale_at: Option<i64>,
    /// When the journal's reader first met a cancellation whose sale was not to be changed yet.
    pub waiting_since: Option<i64>,
}

impl Change {
    /// Adds a registration.
    pub fn register(&mut self, row: Row) {
        self.sale = Some(match self.sale.take() {
            Some(known) => known.merge(row),
            None => row,
        });
    }

    /// Adds a cancellation.
    pub fn cancel(&mut self, cancellation: &Cancellation) {
        self.cancelled_at = earlier(self.cancelled_at, Some(cancellation.timestamp.unix_seconds()));
        self.sale_at = earlier(self.sale_at, cancellation.sale_timestamp.map(Timestamp::unix_seconds));
    }

    /// The row after this change, given the row before it; `None` if the sale is not known yet.
    #[must_use]
    pub fn apply(&self, row: Option<Row>) -> Option<Row> {
        let mut row = match (row, self.sale.clone()) {
            (Some(row), Some(sale)) => row.merge(sale),
            (Some(row), None) | (None, Some(row)) => row,
            (None, None) => return None,
        };
        row.cancelled_at = earlier(row.cancelled_at, self.cancelled_at);
        Some(row)
    }

    /// The moments at which the sale may have been accepted, as far as the facts tell.
    pub fn times(&self) -> impl Iterator<Item = i64> + use<> {
        self.sale.as_ref().map(|sale| sale.accepted_at).into_iter().chain(self.sale_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sale(timestamp: i64, amount: &str, region: &str) -> Row {
        let sale = Sale {
            id: "0192f5c0-7c1d-5a3e-8f11-0123456789ab".parse().unwrap(),
            product: Product::new("Livro".into()).unwrap(),
            amount: Amount::from_json_number(amount).unwrap(),
            timestamp: Timestamp::from_unix_seconds(timestamp).unwrap(),
            region: region.parse().ok(),
            client: None,
        };
        Row::of(&sale, &mut Texts::default())
    }

    fn cancelled(row: &Row, at: i64) -> Row {
        Row { cancelled_at: Some(at), ..row.clone() }
    }

    #[test]
    fn of_two_versions_the_earlier_is_kept_and_then_the_one_with_the_smaller_line_whichever_comes_first() {
        let versions = [
            sale(99, "9", "us-east-1"),
            sale(100, "10", "us-east-1"),
            sale(100, "14.5", "sa-east-1"),
            sale(100, "14.5", "us-east-1"),
            sale(100, "9", "us-east-1"),
            sale(100, "9", ""),
            sale(101, "1", "sa-east-1"),
        ];
        for (place, one) in versions.iter().enumerate() {
            for other in &versions[place..] {
                assert_eq!(one.clone().merge(other.clone()), *one);
                assert_eq!(other.clone().merge(one.clone()), *one);
            }
        }
    }

    #[test]
    fn the_earlier_cancellation_stays_whichever_version_it_came_with() {
        let (one, other) = (sale(100, "9", "us-east-1"), sale(101, "9", "sa-east-1"));
        let merged = cancelled(&one, 300).merge(cancelled(&other, 200));
        assert_eq!(merged, cancelled(&one, 200));
        assert_eq!(other.clone().merge(cancelled(&one, 300)), cancelled(&one, 300));
        let change = Change { cancelled_at: Some(150), ..Change::default() };
        assert_eq!(change.apply(None), None);
        assert_eq!(change.apply(Some(cancelled(&one, 300))), Some(cancelled(&one, 150)));
    }

    #[test]
    fn an_amount_that_does_not_fit_is_unknown_and_never_wrong() {
        for (text, expected) in [
            ("14.5", Some(14_500_000_000_000_000_000)),
            ("0.000000000000000001", Some(1)),
            ("99999999999999999999", Some(99_999_999_999_999_999_999_000_000_000_000_000_000)),
            ("0.0000000000000000001", None),
            ("100000000000000000000", None),
            ("79228162514264337593543950335", None),
        ] {
            assert_eq!(sale(1, text, "sa-east-1").amount, expected, "{text}");
        }
        let kept = sale(1, "14.5", "sa-east-1").sale().unwrap();
        assert_eq!((kept.amount.to_string().as_str(), kept.timestamp.unix_seconds()), ("14.5", 1));
        assert_eq!(sale(1, "0.0000000000000000001", "sa-east-1").sale(), None);
        assert_eq!(digits(14_500_000_000_000_000_000), "14.5");
        assert_eq!(digits(3_000_000_000_000_000_000), "3");
        assert_eq!(digits(1), "0.000000000000000001");
    }

    #[test]
    fn an_id_made_at_the_time_of_its_sale_tells_when_that_was() {
        let id = |text: &str| RowId(text.parse::<Uuid>().unwrap().as_u128());
        let made = id("0192f5c0-7c1d-7a3e-8f11-0123456789ab");
        let (earliest, latest) = made.possible_times(None).unwrap();
        assert_eq!(latest - earliest, 120);
        assert_eq!(made.possible_times(Some(earliest)), Some((earliest, latest)));
        assert_eq!(made.possible_times(Some(latest + 1)), None);
        assert_eq!(id("0192f5c0-7c1d-5a3e-8f11-0123456789ab").possible_times(None), None);
    }

    #[test]
    fn days_have_names_and_numbers() {
        let row = sale(1_764_547_199, "1", "sa-east-1");
        assert_eq!((day_name(row.day()).as_str(), row.second()), ("2025-11-30", 86_399));
        assert_eq!(day_of_name("2025-11-30"), Some(row.day()));
        assert_eq!(day_of_name("2025-11-31"), None);
    }
}
