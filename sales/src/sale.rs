//! What a sale is. Every type here is valid once constructed.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rust_decimal::Decimal;
use thiserror::Error;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::region::Region;
use crate::shard::{Shard, Shards};

/// Maximum length of a product name, in characters (Unicode scalar values).
pub const LONGEST_PRODUCT: usize = 1024;

/// Maximum length of an idempotency key, in characters.
pub const LONGEST_IDEMPOTENCY_KEY: usize = 255;

/// Maximum length of a client's id, in characters.
pub const LONGEST_CLIENT: usize = 512;

/// Maximum digits of an ordered amount. Every such amount fits `DECIMAL(38,18)`.
pub const DIGITS: u32 = 28;

/// Maximum digits before the point.
pub const WHOLE_DIGITS: u32 = 20;

/// Maximum digits after the point.
pub const DECIMALS: u32 = 18;

/// Namespace of the ids derived from idempotency keys. Changing it would make every retry a new sale.
const IDEMPOTENCY_NAMESPACE: Uuid = Uuid::from_u128(0x6d1d_54a4_8d0c_4f0e_9d43_5f6b_0a7c_2e91);

/// Namespace of the clients' own namespaces, in which their keys are names. Changing it would make every retry a new sale.
const CLIENT_NAMESPACE: Uuid = Uuid::from_u128(0x2f7e_0c5b_93a6_4d18_8b61_d4c9_7e30_5a4f);

/// Identifies a sale: a UUID, written in lower case with hyphens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SaleId(Uuid);

impl SaleId {
    /// The sale with this UUID.
    #[must_use]
    pub fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// The sale of an idempotency key: the same key of the same client gives the same id, in every region.
    ///
    /// A client has a namespace of its own, so no two pairs of a client and a key are the same name.
    #[must_use]
    pub fn from_key(client: Option<&ClientId>, key: &IdempotencyKey) -> Self {
        let namespace = client.map(|client| Uuid::new_v5(&CLIENT_NAMESPACE, client.as_str().as_bytes()));
        Self(Uuid::new_v5(&namespace.unwrap_or(IDEMPOTENCY_NAMESPACE), key.0.as_bytes()))
    }

    /// Whether it is derived from an idempotency key. Only such a sale can be accepted in two regions.
    #[must_use]
    pub fn is_from_key(self) -> bool {
        self.0.get_version_num() == 5
    }

    /// The UUID.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }

    /// The shard of the pending index for this sale.
    ///
    /// The low bits of UUIDv5 and UUIDv7 are a hash or random, so they spread evenly as they are.
    #[must_use]
    pub fn shard(self, shards: Shards) -> Shard {
        shards.of(self.0.as_u128())
    }
}

impl FromStr for SaleId {
    type Err = InvalidId;

    /// Parses the 36 characters of a hyphenated UUID, ignoring case.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.len() != uuid::fmt::Hyphenated::LENGTH {
            return Err(InvalidId);
        }
        text.parse().map(Self).map_err(|_| InvalidId)
    }
}

impl fmt::Display for SaleId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(formatter)
    }
}

/// Identifies a fact: a sale, or the cancellation of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FactId {
    /// A registered sale, written `{uuid}`.
    Sale(SaleId),
    /// Its cancellation, written `{uuid}#cancelled`.
    Cancellation(SaleId),
}

const CANCELLED: &str = "#cancelled";

impl FactId {
    /// The sale, or the cancelled sale.
    #[must_use]
    pub fn sale(self) -> SaleId {
        match self {
            Self::Sale(id) | Self::Cancellation(id) => id,
        }
    }
}

impl FromStr for FactId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text.strip_suffix(CANCELLED) {
            Some(sale) => sale.parse().map(Self::Cancellation),
            None => text.parse().map(Self::Sale),
        }
    }
}

impl fmt::Display for FactId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sale(id) => id.fmt(formatter),
            Self::Cancellation(id) => write!(formatter, "{id}{CANCELLED}"),
        }
    }
}

/// Text that is not an id of a sale or a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("id is not a UUID")]
pub struct InvalidId;

/// What was sold: 1 to [`LONGEST_PRODUCT`] characters, not only white space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product(Arc<str>);

impl Product {
    /// Validates `name`.
    ///
    /// # Errors
    /// If the name is empty, too long, or contains U+FFFE or U+FFFF, which no SQS message can carry.
    pub fn new(name: String) -> Result<Self, InvalidSale> {
        if name.trim().is_empty() {
            Err(InvalidSale::ProductEmpty)
        } else if name.chars().count() > LONGEST_PRODUCT {
            Err(InvalidSale::ProductTooLong)
        } else if name.contains(['\u{fffe}', '\u{ffff}']) {
            Err(InvalidSale::ProductNotText)
        } else {
            Ok(Self(name.into()))
        }
    }

    /// The name as it was sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A positive amount of money, kept exactly, without a currency.
///
/// Trailing zeros are dropped (`14.00` is `14`), as DynamoDB does: the same amount must have the same digits wherever
/// it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(Decimal);

impl Amount {
    /// Parses an ordered amount: a JSON number of at most [`DIGITS`] digits, of which at most [`WHOLE_DIGITS`] before
    /// and [`DECIMALS`] after the point.
    ///
    /// # Errors
    /// If `text` is not a number, not positive, or has more digits.
    pub fn ordered(text: &str) -> Result<Self, InvalidSale> {
        let amount = Self::from_json_number(text)?;
        let decimals = amount.0.scale();
        let whole = amount.0.trunc().mantissa().checked_ilog10().map_or(0, |power| power + 1);
        if whole > WHOLE_DIGITS || decimals > DECIMALS || whole + decimals > DIGITS {
            return Err(InvalidSale::AmountTooManyDigits);
        }
        Ok(amount)
    }

    /// Parses the text of a JSON number (RFC 8259, section 6) from a table or a message, exactly or not at all.
    ///
    /// This is wider than [`Amount::ordered`]: sales accepted when clients could order any amount of 28 decimals or
    /// below 2^96 may still be pending.
    ///
    /// # Errors
    /// If `text` is not a number, not positive, or has more digits than can be stored.
    pub fn from_json_number(text: &str) -> Result<Self, InvalidSale> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if !text.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(InvalidSale::AmountNotANumber);
        }
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_end_matches('0');
        if !digits.bytes().chain(exponent.bytes().skip_while(|sign| b"+-".contains(sign))).all(|b| b.is_ascii_digit()) {
            return Err(InvalidSale::AmountNotANumber);
        }
        if negative || significant.is_empty() {
            return Err(InvalidSale::AmountNotPositive);
        }

        let dropped_zeros = (digits.len() - significant.len()) as i64;
        let exponent: i64 = exponent.parse().map_err(|_| InvalidSale::AmountTooManyDigits)?;
        let exponent = exponent.saturating_add(dropped_zeros).saturating_sub(fraction.len() as i64);
        let scale = u32::try_from(exponent.min(0).unsigned_abs()).map_err(|_| InvalidSale::AmountTooManyDigits)?;
        let zeros = u32::try_from(exponent.max(0)).map_err(|_| InvalidSale::AmountTooManyDigits)?;
        let integer: i128 = significant.parse().map_err(|_| InvalidSale::AmountTooManyDigits)?;
        10_i128
            .checked_pow(zeros)
            .and_then(|power| integer.checked_mul(power))
            .and_then(|integer| Decimal::try_from_i128_with_scale(integer, scale).ok())
            .map(Self)
            .ok_or(InvalidSale::AmountTooManyDigits)
    }
}

impl Amount {
    /// The amount in units of its last digit if it had this many decimals; `None` if that is no whole number.
    #[must_use]
    pub fn units(self, decimals: u32) -> Option<i128> {
        let units = 10_i128.checked_pow(decimals.checked_sub(self.0.scale())?)?;
        self.0.mantissa().checked_mul(units)
    }
}

impl fmt::Display for Amount {
    /// The digits, without an exponent: a JSON number.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Why something is not a sale. The text is fit for the client that sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidSale {
    /// Empty, or only white space.
    #[error("product must not be empty")]
    ProductEmpty,
    /// More than [`LONGEST_PRODUCT`] characters.
    #[error("product must have at most {LONGEST_PRODUCT} characters")]
    ProductTooLong,
    /// U+FFFE or U+FFFF.
    #[error("product must not contain the noncharacters U+FFFE and U+FFFF")]
    ProductNotText,
    /// Anything but a number.
    #[error("amount must be a number")]
    AmountNotANumber,
    /// Zero or less.
    #[error("amount must be greater than zero")]
    AmountNotPositive,
    /// More than [`DIGITS`], [`WHOLE_DIGITS`] or [`DECIMALS`].
    #[error(
        "amount has too many digits: at most {DIGITS} are allowed, of which at most {WHOLE_DIGITS} before and {DECIMALS} \
         after the point"
    )]
    AmountTooManyDigits,
}

/// A client's name for one order: 1 to [`LONGEST_IDEMPOTENCY_KEY`] visible characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Validates `text`; `None` if it is empty, too long, or contains white space or control characters.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let length = text.chars().count();
        let visible = text.chars().all(|character| !character.is_control() && !character.is_whitespace());
        (visible && (1..=LONGEST_IDEMPOTENCY_KEY).contains(&length)).then(|| Self(text.to_owned()))
    }
}

/// Who signed in: 1 to [`LONGEST_CLIENT`] characters, none of them white space or a control character.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(Arc<str>);

impl ClientId {
    /// Validates `text`; `None` if it is empty, too long, or contains characters that no id has.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let refused = |character: char| {
            character.is_control() || character.is_whitespace() || matches!(character, '\u{fffe}' | '\u{ffff}')
        };
        let length = text.chars().count();
        ((1..=LONGEST_CLIENT).contains(&length) && !text.contains(refused)).then(|| Self(text.into()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A registered sale, as it was accepted. It never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// Its identity.
    pub id: SaleId,
    /// What was sold.
    pub product: Product,
    /// The price.
    pub amount: Amount,
    /// When it was accepted.
    pub timestamp: Timestamp,
    /// Where it was accepted; unknown if another tool announced it.
    pub region: Option<Region>,
    /// Who posted it; unknown if sign-in was off, or another tool announced it.
    pub client: Option<ClientId>,
}

impl Sale {
    /// Whether `other` is the same order of the same client, whenever and wherever it was accepted.
    #[must_use]
    pub fn same_order(&self, other: &Self) -> bool {
        self.id == other.id
            && self.product == other.product
            && self.amount == other.amount
            && self.client == other.client
    }
}

/// The cancellation of a sale: a fact of its own, so that it never conflicts with the sale's own item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancellation {
    /// The cancelled sale.
    pub sale: SaleId,
    /// When the cancellation was accepted.
    pub timestamp: Timestamp,
    /// When the sale was accepted; unknown if an earlier version accepted the cancellation, or another tool announced it.
    pub sale_timestamp: Option<Timestamp>,
    /// Where it was accepted; unknown if another tool announced it.
    pub region: Option<Region>,
    /// Who cancelled; unknown if sign-in was off, or another tool announced it.
    pub client: Option<ClientId>,
}

/// Something that the lake must contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A sale was registered.
    Sale(Sale),
    /// A sale was cancelled.
    Cancellation(Cancellation),
}

impl Fact {
    /// Its id, in the tables and in the lake.
    #[must_use]
    pub fn id(&self) -> FactId {
        match self {
            Self::Sale(sale) => FactId::Sale(sale.id),
            Self::Cancellation(cancellation) => FactId::Cancellation(cancellation.sale),
        }
    }

    /// When it was accepted.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        match self {
            Self::Sale(sale) => sale.timestamp,
            Self::Cancellation(cancellation) => cancellation.timestamp,
        }
    }

    /// When its sale was accepted, as far as it is known: a cancellation lies with its sale.
    #[must_use]
    pub fn sale_timestamp(&self) -> Timestamp {
        match self {
            Self::Sale(sale) => sale.timestamp,
            Self::Cancellation(cancellation) => cancellation.sale_timestamp.unwrap_or(cancellation.timestamp),
        }
    }

    /// Where it was accepted.
    #[must_use]
    pub fn region(&self) -> Option<&Region> {
        match self {
            Self::Sale(sale) => sale.region.as_ref(),
            Self::Cancellation(cancellation) => cancellation.region.as_ref(),
        }
    }

    /// Who posted or cancelled.
    #[must_use]
    pub fn client(&self) -> Option<&ClientId> {
        match self {
            Self::Sale(sale) => sale.client.as_ref(),
            Self::Cancellation(cancellation) => cancellation.client.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_counted_in_units_of_a_decimal_that_is_no_coarser_than_its_own() {
        let amount = Amount::from_json_number("14.50").unwrap();
        assert_eq!([0, 1, 3].map(|decimals| amount.units(decimals)), [None, Some(145), Some(14_500)]);
        assert_eq!(Amount::from_json_number("79228162514264337593543950335").unwrap().units(18), None);
    }

    #[test]
    fn an_amount_keeps_its_digits_and_drops_trailing_zeros() {
        for (sent, kept) in [
            ("14.00", "14"),
            ("14", "14"),
            ("0.1", "0.1"),
            ("1400", "1400"),
            ("12345678901234.5678", "12345678901234.5678"),
            ("1e2", "100"),
            ("1.50E+3", "1500"),
            ("25e-1", "2.5"),
            ("0.0000000000000000000000000001", "0.0000000000000000000000000001"),
            ("9999999999999999999999999999", "9999999999999999999999999999"),
            ("1.00000000000000000000000000000000000000000000", "1"),
            ("0.0000000000000000000000000000000000001e37", "1"),
        ] {
            assert_eq!(Amount::from_json_number(sent).map(|amount| amount.to_string()), Ok(kept.into()), "{sent}");
        }
    }

    #[test]
    fn an_amount_that_is_not_a_positive_number_is_refused() {
        for (sent, why) in [
            ("0", InvalidSale::AmountNotPositive),
            ("0.000", InvalidSale::AmountNotPositive),
            ("0e99999999999999999999", InvalidSale::AmountNotPositive),
            ("-1", InvalidSale::AmountNotPositive),
            ("-0", InvalidSale::AmountNotPositive),
            ("\"14\"", InvalidSale::AmountNotANumber),
            ("null", InvalidSale::AmountNotANumber),
            ("{}", InvalidSale::AmountNotANumber),
            ("", InvalidSale::AmountNotANumber),
            ("1_0", InvalidSale::AmountNotANumber),
        ] {
            assert_eq!(Amount::from_json_number(sent), Err(why), "{sent}");
        }
    }

    #[test]
    fn an_amount_is_kept_exactly_or_not_at_all() {
        for sent in [
            "1e29",
            "1e400",
            "1e99999999999999999999",
            "1e-29",
            "1e-99999999999999999999",
            "0.00000000000000000000000000001",
            "99999999999999999999999999999",
            "123456789012345678901234567890.1",
            "12345678901234567890.1234567890123",
        ] {
            assert_eq!(Amount::from_json_number(sent), Err(InvalidSale::AmountTooManyDigits), "{sent}");
        }
    }

    #[test]
    fn an_ordered_amount_has_at_most_28_digits_of_which_20_are_before_and_18_after_the_point() {
        for (sent, kept) in [
            ("14.00", "14"),
            ("1e19", "10000000000000000000"),
            ("99999999999999999999", "99999999999999999999"),
            ("99999999999999999999.99999999", "99999999999999999999.99999999"),
            ("1234567890.123456789012345678", "1234567890.123456789012345678"),
            ("0.999999999999999999", "0.999999999999999999"),
            ("1e-18", "0.000000000000000001"),
            ("0.1e-17", "0.000000000000000001"),
            ("0.01e21", "10000000000000000000"),
            ("1.000000000000000000000000000000", "1"),
            ("0.1000000000000000000000000000000", "0.1"),
            ("100000000000000000000000000000000e-30", "100"),
        ] {
            assert_eq!(Amount::ordered(sent).map(|amount| amount.to_string()), Ok(kept.into()), "{sent}");
        }
        for sent in [
            "1e20",
            "1e28",
            "100000000000000000000",
            "100000000000000000000.5",
            "1e-19",
            "0.1e-18",
            "0.0000000000000000001",
            "1.0000000000000000001",
            "99999999999999999999.999999999",
            "12345678901.123456789012345678",
            "9999999999999999999999999999",
            "1e999999999",
            "1e-999999999",
            "1e2147483648",
            "1e-2147483648",
            "1e9223372036854775807",
            "1e-9223372036854775808",
        ] {
            assert_eq!(Amount::ordered(sent), Err(InvalidSale::AmountTooManyDigits), "{sent}");
        }
        assert_eq!(Amount::ordered("0e999999999"), Err(InvalidSale::AmountNotPositive));
        assert_eq!(
            InvalidSale::AmountTooManyDigits.to_string(),
            "amount has too many digits: at most 28 are allowed, of which at most 20 before and 18 after the point"
        );
    }

    #[test]
    fn an_amount_that_was_accepted_under_the_wider_rule_is_still_read() {
        for digits in [
            "1234567890123456789012345",
            "10000000000000000000000000000",
            "0.0000000000000000000000000001",
            "79228162514264337593543950335",
        ] {
            assert_eq!(Amount::from_json_number(digits).map(|amount| amount.to_string()), Ok(digits.into()));
            assert_eq!(Amount::ordered(digits), Err(InvalidSale::AmountTooManyDigits), "{digits}");
        }
    }

    #[test]
    fn a_product_has_1_to_1024_characters() {
        assert_eq!(Product::new(String::new()), Err(InvalidSale::ProductEmpty));
        assert_eq!(Product::new(" \n".into()), Err(InvalidSale::ProductEmpty));
        assert!(Product::new("é".repeat(1024)).is_ok());
        assert_eq!(Product::new("é".repeat(1025)), Err(InvalidSale::ProductTooLong));
        assert_eq!(Product::new("a\u{ffff}".into()), Err(InvalidSale::ProductNotText));
    }

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id = "0192f5c0-7c1d-7a3e-8f11-0123456789ab";
        assert_eq!(id.parse::<FactId>().unwrap().to_string(), id);
        let cancelled = format!("{id}#cancelled");
        assert_eq!(cancelled.parse::<FactId>().unwrap().to_string(), cancelled);
        assert_eq!(id.to_uppercase().parse::<SaleId>().unwrap().to_string(), id);
    }

    #[test]
    fn other_spellings_are_no_ids() {
        for text in ["", "42", "0192f5c07c1d7a3e8f110123456789ab", "{0192f5c0-7c1d-7a3e-8f11-0123456789ab}", "../etc"] {
            assert_eq!(text.parse::<SaleId>(), Err(InvalidId), "{text}");
        }
        assert_eq!("0192f5c0-7c1d-7a3e-8f11-0123456789ab#cancelled".parse::<SaleId>(), Err(InvalidId));
    }

    #[test]
    fn the_same_key_gives_the_same_id_for_ever() {
        let key = IdempotencyKey::new("order-42").unwrap();
        assert_eq!(SaleId::from_key(None, &key).to_string(), "141ede07-9e2f-5eb5-bb20-caedf6d2db6e");
        assert_ne!(SaleId::from_key(None, &key), SaleId::from_key(None, &IdempotencyKey::new("order-43").unwrap()));
        let shop = ClientId::new("shop-a");
        assert_eq!(SaleId::from_key(shop.as_ref(), &key).to_string(), "e0f786ec-5568-5f75-b7e2-81fd41a5efdd");
        assert!(SaleId::from_key(shop.as_ref(), &key).is_from_key());
    }

    #[test]
    fn no_two_clients_share_an_id_whatever_their_keys() {
        let id = |client: Option<&str>, key: &str| {
            SaleId::from_key(client.and_then(ClientId::new).as_ref(), &IdempotencyKey::new(key).unwrap())
        };
        let pairs =
            [(None, "bc"), (Some("a"), "bc"), (Some("ab"), "c"), (Some("b"), "ac"), (None, "abc"), (None, "a#bc")];
        let ids: std::collections::HashSet<SaleId> = pairs.iter().map(|(client, key)| id(*client, key)).collect();
        assert_eq!(ids.len(), pairs.len());
    }

    #[test]
    fn a_client_has_1_to_512_characters_that_can_be_seen() {
        for text in ["shop-a", "7q2k3", "https://issuer.example/pool#shop-a", "auth0|5f7c", &"c".repeat(512)] {
            assert_eq!(ClientId::new(text).as_ref().map(ClientId::as_str), Some(text));
        }
        for text in ["", " ", "shop a", "shop\na", "shop\u{7f}", "shop\u{ffff}", &"c".repeat(513)] {
            assert_eq!(ClientId::new(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_key_has_1_to_255_visible_characters() {
        assert!(IdempotencyKey::new(&"k".repeat(255)).is_some());
        assert!(IdempotencyKey::new("pedido-ç").is_some());
        for text in ["", " ", "a b", "a\tb", "a\u{7f}", &"k".repeat(256)] {
            assert!(IdempotencyKey::new(text).is_none(), "{text:?}");
        }
    }
}
