//! Files of settings, read with what they include.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gabier_tool::{Error, ErrorKind, Result};

use super::Local;
use super::glob;
use super::words;

/// How deep files may include one another, as OpenSSH has it.
const DEEPEST: usize = 16;
/// How many files one configuration may have.
const MOST: usize = 1024;
/// The largest file that is read, in bytes.
const LARGEST: u64 = 4 << 20;

/// The lines of one file.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) lines: Vec<Line>,
}

/// A line that says something.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) file: Arc<PathBuf>,
    pub(super) number: usize,
    /// In lower case.
    pub(super) keyword: String,
    /// What follows the keyword, as it stands.
    pub(super) rest: String,
    pub(super) arguments: Vec<String>,
    /// The files of an `Include`.
    pub(super) included: Vec<Source>,
}

impl Line {
    /// A refusal of what the line says.
    pub(super) fn refuse(&self, reason: impl AsRef<str>) -> Error {
        refusal(&self.file, self.number, reason.as_ref())
    }

    /// The only argument.
    pub(super) fn only(&self) -> Result<&str> {
        match self.arguments.as_slice() {
            [only] if !only.is_empty() => Ok(only),
            [] => Err(self.refuse(format!("{} has no argument", self.keyword))),
            [first, ..] if first.is_empty() => Err(self.refuse(format!("{} is empty", self.keyword))),
            _ => Err(self.refuse(format!("{} has more than one argument", self.keyword))),
        }
    }
}

/// Whose file it is, which decides where what it includes lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    User,
    System,
}

/// Reads files.
pub(super) struct Reader<'a> {
    local: &'a Local,
    owner: Owner,
    files: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(local: &'a Local, owner: Owner) -> Self {
        Self { local, owner, files: 0 }
    }

    /// Reads a file that may be missing; one that others can write to is refused where it is asked for.
    pub(super) fn read(&mut self, file: &Path, is_guarded: bool) -> Result<Source> {
        self.read_at(file, is_guarded, 0)
    }

    /// Reads the text of a file.
    pub(super) fn parse(&mut self, file: &Path, text: &str) -> Result<Source> {
        self.parse_at(file, text, 0)
    }

    fn read_at(&mut self, file: &Path, is_guarded: bool, depth: usize) -> Result<Source> {
        let text = match text_of(file, is_guarded) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Source::default()),
            Err(error) => {
                let message = format!("read {}: {error}", file.display());
                return Err(Error::new(ErrorKind::NotAvailable, message).with_source(error));
            }
        };
        self.parse_at(file, &text, depth)
    }

    fn parse_at(&mut self, file: &Path, text: &str, depth: usize) -> Result<Source> {
        self.files += 1;
        let shared = Arc::new(file.to_path_buf());
        if depth > DEEPEST || self.files > MOST {
            return Err(refusal(&shared, 0, "too many files are included"));
        }
        let mut source = Source::default();
        for (number, line) in (1..).zip(text.split('\n')) {
            if let Some(line) = self.line(&shared, number, line, depth)? {
                source.lines.push(line);
            }
        }
        Ok(source)
    }

    fn line(&mut self, file: &Arc<PathBuf>, number: usize, line: &str, depth: usize) -> Result<Option<Line>> {
        let line = line.trim_end_matches([' ', '\t', '\r', '\x0c']);
        let mut rest = Some(line);
        let mut keyword = words::next(&mut rest, true).unwrap_or_default();
        if keyword.is_empty() {
            keyword = words::next(&mut rest, true).unwrap_or_default();
        }
        if keyword.is_empty() || keyword.starts_with('#') {
            return Ok(None);
        }
        let keyword = keyword.to_ascii_lowercase();
        let rest = rest.unwrap_or_default().trim_start_matches([' ', '\t', '\r', '\n']);
        if rest.is_empty() {
            return Err(refusal(file, number, &format!("{keyword} has no argument")));
        }
        let Some(arguments) = words::arguments(rest) else {
            return Err(refusal(file, number, "a quote stays open"));
        };
        let rest = rest.to_owned();
        let mut line =
            Line { file: Arc::clone(file), number, keyword, rest, arguments, included: Vec::new() };
        if line.keyword == "include" {
            line.included = self.include(&line, depth)?;
        }
        Ok(Some(line))
    }

    fn include(&mut self, line: &Line, depth: usize) -> Result<Vec<Source>> {
        let mut included = Vec::new();
        for argument in &line.arguments {
            if argument.is_empty() {
                return Err(line.refuse("include is empty"));
            }
            for file in glob::expand(&self.anchored(line, argument)?) {
                included.push(self.read_at(&file, true, depth + 1)?);
            }
        }
        Ok(included)
    }

    /// The pattern with the folder that it is meant from.
    fn anchored(&self, line: &Line, pattern: &str) -> Result<PathBuf> {
        if pattern.starts_with('/') {
            return Ok(PathBuf::from(pattern));
        }
        match (self.owner, pattern.strip_prefix('~')) {
            (Owner::User, Some(rest)) if rest.is_empty() || rest.starts_with('/') => {
                Ok(self.local.home.join(rest.trim_start_matches('/')))
            }
            (_, Some(_)) => Err(line.refuse(format!("include {pattern} is of nobody we know"))),
            (Owner::User, None) => Ok(self.local.home.join(".ssh").join(pattern)),
            (Owner::System, None) => Ok(Path::new("/etc/ssh").join(pattern)),
        }
    }
}

fn text_of(file: &Path, is_guarded: bool) -> io::Result<String> {
    let metadata = fs::metadata(file)?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    let user = rustix::process::geteuid().as_raw();
    let is_exposed = metadata.mode() & 0o022 != 0 || ![0, user].contains(&metadata.uid());
    if is_guarded && is_exposed {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others can write to it"));
    }
    let mut bytes = Vec::new();
    File::open(file)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large"));
    }
    // Comments may be in any encoding; a setting that is no UTF-8 names nothing that we reach.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn refusal(file: &Arc<PathBuf>, number: usize, reason: &str) -> Error {
    let file = file.display().to_string();
    Error::new(ErrorKind::NotAvailable, format!("read {file} line {number}: {reason}"))
        .with("file", file)
        .with("line", number)
}
