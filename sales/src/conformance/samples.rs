//! Facts for the checks, each with its own id.

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::region::Region;
use crate::sale::{Amount, Cancellation, ClientId, Fact, Product, Sale, SaleId};
use crate::shard::{Shard, Shards};

/// A moment before midnight of a day in 2025.
const EVENING: i64 = 1_764_547_199;

/// The moment this many seconds after the samples' evening.
pub(super) fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(EVENING + seconds).expect("a moment of 2025")
}

/// A unique id, like those of most sales.
pub(super) fn id() -> SaleId {
    let clock = crate::clock::Clock::system();
    SaleId::new(Entropy::system().uuid_v7(&clock))
}

/// An id in a shard.
pub(super) fn id_in(shard: Shard, shards: Shards) -> SaleId {
    let mut ids = std::iter::repeat_with(id);
    ids.find(|id| id.shard(shards) == shard).expect("ids spread over all shards")
}

/// A unique UUID.
pub(super) fn uuid() -> Uuid {
    uuid::Builder::from_random_bytes(Entropy::system().bytes()).into_uuid()
}

pub(super) fn product(name: &str) -> Product {
    Product::new(name.to_owned()).expect("a product")
}

pub(super) fn amount(digits: &str) -> Amount {
    Amount::from_json_number(digits).expect("an amount")
}

/// A plain sale.
pub(super) fn sale() -> Sale {
    sale_of(id())
}

/// A plain sale with this id.
pub(super) fn sale_of(id: SaleId) -> Sale {
    let region = Some(region("sa-east-1"));
    Sale { id, product: product("Livro"), amount: amount("14.5"), timestamp: moment(0), region, client: None }
}

/// The cancellation of a sale, the next day.
pub(super) fn cancellation(sale: SaleId) -> Fact {
    Fact::Cancellation(Cancellation {
        sale,
        timestamp: moment(1),
        sale_timestamp: Some(moment(0)),
        region: Some(region("us-east-1")),
        client: client("shop-b"),
    })
}

/// Unusual values that are stored unchanged.
pub(super) fn unusual_sales() -> Vec<Sale> {
    let names =
        ["O \"Pequeno\" Príncipe\\\n\t", "\u{0}\u{1}\u{1f}\u{7f}\u{85}\u{2028}", "本 📚 \u{10fffd}", "<a>&amp;'"];
    let named = names.map(|name| Sale { product: product(name), ..sale() });
    let digits = [
        "0.0000000000000000000000000001",
        "9999999999999999999999999999",
        "12345678901234.5678",
        "1400",
        "0.1",
        "79228162514264337593543950335",
    ];
    let priced = digits.map(|digits| Sale { amount: amount(digits), ..sale() });
    let moments = [0, 253_402_300_799].map(|seconds| Timestamp::from_unix_seconds(seconds).expect("a moment"));
    let dated = moments.map(|timestamp| Sale { timestamp, ..sale() });
    let homeless = Sale { region: None, ..sale() };
    let signed_in = Sale { client: client("https://issuer.example/#shop-\"á\""), ..sale() };
    named.into_iter().chain(priced).chain(dated).chain([homeless, signed_in]).collect()
}

/// The client with this id.
pub(super) fn client(id: &str) -> Option<ClientId> {
    Some(ClientId::new(id).expect("the id of a client"))
}

/// The region of this name.
pub(super) fn region(name: &str) -> Region {
    name.parse().expect("the name of a region")
}
