//! infra/ applied to emulators: alone, compared with what this crate creates, and with the services on it.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

mod aws;
mod proof;
mod resources;
