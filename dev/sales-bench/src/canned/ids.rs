//! Ids computed from a number.

use uuid::Uuid;

/// A UUID of version 7, with zeros for the [`Kind`], the generation, and the number.
const BASE: u128 = 0x0192_f5c0_7c1d_7000_8000_0000_0000_0000;

/// Position of the generation: the twelve bits after the version.
const GENERATION: u32 = 64;

/// Position of the kind, after the number.
const KIND: u32 = 32;

/// Kinds of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A sale in the pending index.
    PendingFact,
    /// A sale in a message.
    Message,
    /// A published message.
    Published,
}

/// Length of an id's text.
pub(super) const LENGTH: usize = uuid::fmt::Hyphenated::LENGTH;

/// The ids of one kind in one load, distinguished by a number in their low 32 bits: a later number sorts later.
#[derive(Clone, Copy, Debug)]
pub(super) struct Series(u128);

impl Series {
    /// The series of this kind; those of 4096 consecutive generations differ, so that late requests for one load do not
    /// affect the next.
    pub(super) fn new(kind: Kind, generation: u16) -> Self {
        let kind: u128 = match kind {
            Kind::PendingFact => 1,
            Kind::Message => 2,
            Kind::Published => 3,
        };
        Self(BASE | u128::from(generation & 0xfff) << GENERATION | kind << KIND)
    }

    /// The id with this number.
    pub(super) fn id(self, number: u32) -> Uuid {
        Uuid::from_u128(self.0 | u128::from(number))
    }

    /// Its text, in `buffer`.
    pub(super) fn text(self, number: u32, buffer: &mut [u8; LENGTH]) -> &str {
        self.id(number).as_hyphenated().encode_lower(buffer)
    }

    /// The number of the id with this text, if it belongs to this series.
    pub(super) fn number(self, text: &str) -> Option<u32> {
        let id = Uuid::try_parse(text).ok()?;
        u32::try_from(id.as_u128() ^ self.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_7_that_tells_its_number() {
        let series = Series::new(Kind::Message, 4095);
        for number in [0, 1, 1_000_000, u32::MAX] {
            let id = series.id(number);
            assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
            assert_eq!(series.number(&id.to_string()), Some(number));
            assert_eq!(series.text(number, &mut [0; LENGTH]), id.to_string());
        }
        assert!(series.id(1) < series.id(2));
    }

    #[test]
    fn ids_of_other_kinds_and_generations_are_none_of_this_series() {
        let series = Series::new(Kind::PendingFact, 7);
        for other in [Series::new(Kind::Message, 7), Series::new(Kind::PendingFact, 8)] {
            assert_eq!(series.number(&other.id(3).to_string()), None);
        }
        assert_eq!(series.number(&format!("{}#cancelled", series.id(3))), None);
        assert_eq!(series.number("probe"), None);
    }
}
