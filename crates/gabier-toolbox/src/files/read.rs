//! The text of a file.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use encoding_rs::Encoding;
use gabier_tool::{Context, Effect, Error, LocalPath, Outcome, Profile, Result, Text, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Services;
use crate::files::Opened;

/// The largest file that is read: 10 MiB.
const MOST: u64 = 10 * 1024 * 1024;

/// Read a text file of the server's machine, 10 MiB at most.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ReadFile {
    /// Path.
    file_path: LocalPath,
    /// Such as `latin1` or `utf-16le`.
    #[serde(default = "utf_8")]
    #[schemars(length(min = 1, max = 64))]
    encoding: String,
    /// Lines to skip.
    offset: Option<u32>,
    /// Most lines.
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

/// A file's text.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct FileText {
    /// The path, as it was given.
    path: String,
    /// The text, or the asked lines of it; empty for a binary file.
    content: Text,
    /// Size of the whole file, in bytes.
    size: u64,
    /// The encoding it was read in, or `binary`.
    encoding: String,
}

impl Tool<Services> for ReadFile {
    const NAME: &'static str = "read_file";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Lean;
    const KEYWORDS: &'static str = "open cat view content file fichier lire contenu ouvrir texte";
    type Output = FileText;

    async fn run(self, ctx: &Context<Services>) -> Result<FileText> {
        let encoding = Encoding::for_label(self.encoding.as_bytes()).ok_or_else(|| {
            Error::invalid("encoding", format!("{:?} is no known encoding; try utf-8", self.encoding))
        })?;
        let (services, caller) = (Arc::clone(&ctx.services), ctx.caller().clone());
        let path = self.file_path.0;
        let (path, bytes) = crate::blocking(move || {
            let opened = services.files.open_file(&caller, "file_path", Path::new(&path))?;
            let bytes = read(opened, &path)?;
            Ok((path, bytes))
        })
        .await?;
        let size = bytes.len() as u64;
        Ok(match text_of(&bytes, encoding) {
            Some(text) => FileText {
                path,
                content: Text(lines_of(&text, self.offset, self.limit).to_owned()),
                size,
                encoding: encoding.name().to_ascii_lowercase(),
            },
            None => FileText { path, content: Text::default(), size, encoding: "binary".to_owned() },
        })
    }

    fn outcome(output: &FileText) -> Outcome {
        if output.encoding == "binary" {
            return Outcome::warning(format!("{} is not text in that encoding", output.path));
        }
        Outcome::default()
    }
}

fn utf_8() -> String {
    "utf-8".to_owned()
}

/// Reads no more than the limit, whatever the size said: files grow, and those of `/proc` say 0.
fn read(opened: Opened, path: &str) -> Result<Vec<u8>> {
    let too_large = || {
        Error::invalid("file_path", format!("{path} is larger than 10 MiB ({MOST} bytes)"))
            .with("limit", MOST)
    };
    if opened.size > MOST {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(opened.size).unwrap_or_default() + 1);
    opened.file.take(MOST + 1).read_to_end(&mut bytes).map_err(|error| {
        Error::new(gabier_tool::ErrorKind::Unavailable, format!("reading {path}")).with_source(error)
    })?;
    if bytes.len() as u64 > MOST {
        return Err(too_large());
    }
    Ok(bytes)
}

/// The text, unless a byte is foreign to the encoding or the text has a NUL.
fn text_of(bytes: &[u8], encoding: &'static Encoding) -> Option<String> {
    let (text, had_errors) = encoding.decode_with_bom_removal(bytes);
    (!had_errors && !text.contains('\0')).then(|| text.into_owned())
}

fn lines_of(text: &str, offset: Option<u32>, limit: Option<u32>) -> &str {
    let start = position_of_line(text, offset.unwrap_or(0));
    let rest = &text[start..];
    limit.map_or(rest, |limit| &rest[..position_of_line(rest, limit)])
}

/// Where a line begins, counted from 0; the end for lines that are not there.
fn position_of_line(text: &str, line: u32) -> usize {
    text.split_inclusive('\n').take(line as usize).map(str::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_skipped_and_bounded() {
        let text = "one\ntwo\nthree";
        assert_eq!(lines_of(text, None, None), text);
        assert_eq!(lines_of(text, Some(1), Some(1)), "two\n");
        assert_eq!(lines_of(text, Some(2), Some(9)), "three");
        assert_eq!(lines_of(text, Some(9), None), "");
    }

    #[test]
    fn foreign_bytes_and_nul_are_binary() {
        assert_eq!(text_of(b"caf\xc3\xa9", encoding_rs::UTF_8).as_deref(), Some("café"));
        assert_eq!(text_of(b"caf\xe9", encoding_rs::UTF_8), None);
        assert_eq!(text_of(b"a\0b", encoding_rs::UTF_8), None);
        assert_eq!(text_of(b"caf\xe9", encoding_rs::WINDOWS_1252).as_deref(), Some("café"));
        assert_eq!(text_of(b"h\0i\0", encoding_rs::UTF_16LE).as_deref(), Some("hi"));
    }

    #[test]
    fn a_byte_order_mark_is_no_text() {
        assert_eq!(text_of(b"\xef\xbb\xbfhi", encoding_rs::UTF_8).as_deref(), Some("hi"));
    }
}
