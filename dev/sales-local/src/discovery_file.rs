//! Files by which other programs find the running instance.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// A file that is removed when dropped, unless another process has replaced it.
#[derive(Debug)]
pub(crate) struct DiscoveryFile {
    path: PathBuf,
    text: Vec<u8>,
}

impl DiscoveryFile {
    /// Writes `text` to the file at `path` atomically, so that no process reads half of it.
    pub(crate) fn write(path: PathBuf, text: impl Into<Vec<u8>>) -> anyhow::Result<Self> {
        let written = Self { path, text: text.into() };
        replace(&written.path, &written.text).with_context(|| format!("cannot write {}", written.path.display()))?;
        Ok(written)
    }

    /// Path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DiscoveryFile {
    fn drop(&mut self) {
        if std::fs::read(&self.path).is_ok_and(|written| written == self.text) {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

fn replace(path: &Path, text: &[u8]) -> anyhow::Result<()> {
    let directory = path.parent().context("it has no directory")?;
    std::fs::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    std::io::Write::write_all(&mut file, text)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_ends_with_what_it_announces_unless_it_announces_something_else_by_then() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("made/instance.json");
        let first = DiscoveryFile::write(path.clone(), "first").expect("a file");
        let second = DiscoveryFile::write(path.clone(), "second").expect("a file");
        drop(first);
        assert_eq!(std::fs::read(&path).expect("a file"), b"second");
        drop(second);
        assert!(!path.exists());
    }
}
