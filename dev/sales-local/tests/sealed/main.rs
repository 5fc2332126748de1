//! The command for a developer whose own settings are for something else: nothing of them changes what it does.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

mod emulator;
mod instance;
mod settings;
