//! What infra/ says, applied to emulators: by itself, beside what this crate creates, and with the services on it.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

mod aws;
mod proof;
mod resources;
