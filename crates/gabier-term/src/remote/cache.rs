//! The list of tools of a server, kept between runs under its `ETag`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

/// One server's file.
pub(crate) struct Cache {
    file: Option<PathBuf>,
}

/// What is in it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The server's name for this very list.
    pub(crate) etag: String,
    /// The answer's text.
    pub(crate) text: String,
}

impl Cache {
    pub(crate) fn new(folder: Option<PathBuf>, base: &Url) -> Self {
        let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = base.as_str().chars().map(word).take(120).collect();
        Self { file: folder.map(|folder| folder.join(format!("tools-{name}.json"))) }
    }

    pub(crate) fn read(&self) -> Option<Kept> {
        serde_json::from_slice(&std::fs::read(self.file.as_ref()?).ok()?).ok()
    }

    /// Keeps a list. A cache that cannot be written only costs the next run a download.
    pub(crate) fn write(&self, kept: &Kept) {
        let Some(file) = &self.file else { return };
        let Ok(text) = serde_json::to_vec(kept) else { return };
        if let Some(folder) = file.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        let new = file.with_extension("new");
        let _ = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, file));
    }
}
