//! Who asks, and what they may do.

use sales::sale::{ClientId, Sale};

/// What a request needs permission for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Posting sales.
    Write,
    /// Reading the own sales.
    Read,
    /// Cancelling the own sales.
    Cancel,
    /// Beside the others: for the sales of every client.
    All,
}

impl Scope {
    /// All of them.
    pub const EVERY: [Self; 4] = [Self::Write, Self::Read, Self::Cancel, Self::All];

    /// Its name, after the prefix.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::Cancel => "cancel",
            Self::All => "all",
        }
    }
}

/// The scopes of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// These scopes and one more.
    #[must_use]
    pub fn with(self, scope: Scope) -> Self {
        Self(self.0 | 1 << scope as u8)
    }

    /// Whether `scope` is one of them.
    #[must_use]
    pub fn contain(self, scope: Scope) -> bool {
        self.0 & 1 << scope as u8 != 0
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Sign-in is off.
    Anyone,
    /// A client that signed in.
    Client {
        /// Its id.
        id: ClientId,
        /// Whether it may also see and cancel the sales of others.
        all: bool,
    },
}

impl Caller {
    /// The client, if sign-in is on.
    #[must_use]
    pub fn client(&self) -> Option<&ClientId> {
        match self {
            Self::Anyone => None,
            Self::Client { id, .. } => Some(id),
        }
    }

    /// Whether the caller may know of `sale`. A sale without a client belongs to no one who signs in.
    #[must_use]
    pub fn may_see(&self, sale: &Sale) -> bool {
        match self {
            Self::Anyone => true,
            Self::Client { id, all } => *all || sale.client.as_ref() == Some(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_contain_what_was_added_and_nothing_else() {
        for added in Scope::EVERY {
            let scopes = Scopes::default().with(added);
            assert_eq!(Scope::EVERY.map(|scope| scopes.contain(scope)), Scope::EVERY.map(|scope| scope == added));
        }
    }
}
