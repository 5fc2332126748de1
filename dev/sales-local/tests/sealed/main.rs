//! The command for a developer with unrelated settings: none of them affects it.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

mod emulator;
mod instance;
mod settings;
