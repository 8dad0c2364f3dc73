//! The folders whose files may be used, and the only way to open a file in one.
//!
//! The kernel confines the lookup (`openat2`), so no name can be exchanged between a check and the opening.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use gabier_host::{Confinement, LocalPlace};
use gabier_tool::{Caller, CallerKind, Error, ErrorKind, Resource, ResourceKind, Result};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often a lookup that was disturbed by a rename is tried.
const ATTEMPTS: usize = 32;

/// Which local files the tools may read.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Folders whose files may be read, as absolute paths. While there is none, the calls of the operating
    /// system's user are not confined and all other callers reach nothing.
    pub roots: Vec<PathBuf>,
    /// Follows symbolic links that stay below a root; refuses them all when false.
    pub follow_symlinks: bool,
    /// Refuses files with several names that belong to another user.
    pub deny_hardlinks: bool,
}

/// The folders whose files may be read.
pub struct Roots {
    settings: Settings,
    data_dir: Option<PathBuf>,
}

/// A regular file, open for reading.
#[derive(Debug)]
pub struct Opened {
    /// The file.
    pub file: File,
    /// Its size when it was opened, in bytes.
    pub size: u64,
}

/// What a caller may reach.
enum Reach {
    /// Every file the process may read.
    Everything,
    /// What lies below these folders.
    Below(Vec<Root>),
}

/// A folder, reached through a configured one.
struct Root {
    configured: PathBuf,
    path: PathBuf,
}

impl Roots {
    /// Reads the settings; touches no file. The data directory is never readable.
    pub fn open(settings: &Settings, data_dir: Option<&Path>) -> Result<Self> {
        if let Some(root) = settings.roots.iter().find(|root| !root.is_absolute()) {
            let message = format!("must be absolute paths, {} is not", root.display());
            return Err(Error::invalid("files.roots", message));
        }
        Ok(Self { settings: settings.clone(), data_dir: data_dir.map(Path::to_owned) })
    }

    /// Opens a regular file that the caller may read, without ever waiting for its content. Blocks while the
    /// kernel looks the name up. `parameter` is the one that named the file.
    pub fn open_file(&self, caller: &Caller, parameter: &str, path: &Path) -> Result<Opened> {
        let fd = match self.reach(caller) {
            Reach::Everything => open_anywhere(path).map_err(|errno| refusal(errno, parameter, path, &[]))?,
            Reach::Below(roots) => self.open_below(&roots, parameter, path)?,
        };
        self.admit(fd, parameter, path)
    }

    /// Where a path leads that a transfer reads from or writes to, for a caller who may use it. The transfer itself
    /// looks names up below the open root. Blocks while the kernel opens the root.
    pub fn place(&self, caller: &Caller, parameter: &str, path: &Path) -> Result<LocalPlace> {
        let roots = match self.reach(caller) {
            Reach::Everything => {
                return Ok(LocalPlace { excluded: self.data_dir.clone(), ..path.to_owned().into() });
            }
            Reach::Below(roots) => roots,
        };
        let mut places = roots.iter().filter_map(|root| {
            let inner = root.inner(path)?;
            let folder = self.open_root(root).ok()?;
            Some((folder, inner))
        });
        let first = places.next().ok_or_else(|| refusal(Errno::XDEV, parameter, path, &roots))?;
        // Of several roots that a relative path fits, the one where it begins.
        let begins = |(folder, inner): &(OwnedFd, PathBuf)| {
            let begin = inner.components().next().map(|part| Path::new(part.as_os_str()).to_owned());
            begin.is_some_and(|begin| {
                self.open_beneath(folder, &begin, OFlags::PATH | OFlags::CLOEXEC).is_ok()
            })
        };
        let (folder, path) = if begins(&first) { first } else { places.find(begins).unwrap_or(first) };
        let within = Confinement {
            folder: Arc::new(folder),
            follows_links: self.settings.follow_symlinks,
            denies_hardlinks: self.settings.deny_hardlinks,
        };
        Ok(LocalPlace { path, within: Some(within), excluded: self.data_dir.clone() })
    }

    fn reach(&self, caller: &Caller) -> Reach {
        let has_all = caller.resources.contains(&Resource::All);
        if self.settings.roots.is_empty() && caller.kind == CallerKind::OsUser && has_all {
            return Reach::Everything;
        }
        let mut roots = Vec::new();
        for configured in &self.settings.roots {
            if has_all {
                roots.push(Root { configured: configured.clone(), path: configured.clone() });
                continue;
            }
            for own in own_roots(caller) {
                let path = if own.starts_with(configured) {
                    own
                } else if configured.starts_with(&own) {
                    configured.clone()
                } else {
                    continue;
                };
                roots.push(Root { configured: configured.clone(), path });
            }
        }
        Reach::Below(roots)
    }

    fn open_below(&self, roots: &[Root], parameter: &str, path: &Path) -> Result<OwnedFd> {
        let mut worst = Errno::XDEV;
        for root in roots {
            let Some(inner) = root.inner(path) else { continue };
            match self.open_in(root, &inner) {
                Ok(fd) => return Ok(fd),
                Err(errno) if worst == Errno::XDEV => worst = errno,
                Err(_) => {}
            }
        }
        Err(refusal(worst, parameter, path, roots))
    }

    fn open_in(&self, root: &Root, inner: &Path) -> Result<OwnedFd, Errno> {
        self.open_beneath(&self.open_root(root)?, inner, reading())
    }

    fn open_root(&self, root: &Root) -> Result<OwnedFd, Errno> {
        let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let base = rustix::fs::open(&root.configured, folder, Mode::empty())?;
        match root.path.strip_prefix(&root.configured) {
            Ok(rest) if rest.components().next().is_some() => self.open_beneath(&base, rest, folder),
            _ => Ok(base),
        }
    }

    fn open_beneath(&self, base: &impl AsFd, inner: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        if !self.settings.follow_symlinks {
            resolve |= ResolveFlags::NO_SYMLINKS;
        }
        for _ in 1..ATTEMPTS {
            match rustix::fs::openat2(base, inner, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN) => {}
                settled => return settled,
            }
        }
        rustix::fs::openat2(base, inner, flags, Mode::empty(), resolve)
    }

    /// Lets regular files pass that are not ours.
    fn admit(&self, fd: OwnedFd, parameter: &str, path: &Path) -> Result<Opened> {
        let shown = path.display();
        let file = File::from(fd);
        let metadata = file
            .metadata()
            .map_err(|error| Error::internal(format!("looking at {shown}")).with_source(error))?;
        if !metadata.is_file() {
            return Err(Error::invalid(parameter, format!("{shown} is not a regular file")));
        }
        if self.is_in_data_dir(&file) {
            let message = format!("reading {shown} is refused: it belongs to the server itself");
            return Err(Error::new(ErrorKind::Forbidden, message).with("rule", "data_dir"));
        }
        let is_foreign = metadata.uid() != rustix::process::geteuid().as_raw();
        if self.settings.deny_hardlinks && metadata.nlink() > 1 && is_foreign {
            let message = format!("reading {shown} is refused: it has several names and another owner");
            return Err(Error::new(ErrorKind::Forbidden, message).with("rule", "files.deny_hardlinks"));
        }
        Ok(Opened { size: metadata.len(), file })
    }

    /// Asks the kernel where the open file is; a file whose place cannot be told counts as ours.
    fn is_in_data_dir(&self, file: &File) -> bool {
        let Some(data_dir) = &self.data_dir else { return false };
        let Ok(data_dir) = data_dir.canonicalize() else { return false };
        let place = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
        place.map_or(true, |place| place.starts_with(data_dir))
    }
}

impl Root {
    /// The rest of a path below this root, as it was spelt; relative paths start at the root.
    fn inner(&self, path: &Path) -> Option<PathBuf> {
        let rest = if path.is_absolute() {
            let by_name = path.strip_prefix(&self.path).ok().map(Path::to_owned);
            by_name.or_else(|| path.strip_prefix(self.path.canonicalize().ok()?).ok().map(Path::to_owned))?
        } else {
            path.to_owned()
        };
        Some(if rest.as_os_str().is_empty() { PathBuf::from(".") } else { rest })
    }
}

/// The folders that a caller's resources name. One with `..` in it names nothing.
fn own_roots(caller: &Caller) -> impl Iterator<Item = PathBuf> {
    caller.resources.iter().filter_map(|resource| match resource {
        Resource::One(ResourceKind::Root, path) => {
            let path = PathBuf::from(path);
            let is_plain = path.components().all(|part| part != Component::ParentDir);
            (path.is_absolute() && is_plain).then_some(path)
        }
        _ => None,
    })
}

/// Never waits for a writer, never becomes the terminal, never survives into another program.
fn reading() -> OFlags {
    OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC
}

fn open_anywhere(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, path, reading(), Mode::empty())
}

fn refusal(errno: Errno, parameter: &str, path: &Path, roots: &[Root]) -> Error {
    let shown = path.display();
    match errno {
        Errno::NOENT | Errno::NOTDIR => Error::not_found(format!("there is no file {shown}")),
        Errno::NAMETOOLONG | Errno::INVAL => Error::invalid(parameter, "is not a path"),
        Errno::NXIO | Errno::NODEV => Error::invalid(parameter, format!("{shown} is not a regular file")),
        Errno::ACCESS | Errno::PERM => {
            Error::new(ErrorKind::Forbidden, format!("reading {shown} is refused by the operating system"))
                .with("rule", "file mode")
        }
        Errno::LOOP => outside(format!("reading {shown} is refused: it goes through a symbolic link"), roots),
        Errno::XDEV => outside(format!("reading {shown} is refused: it is outside the allowed roots"), roots),
        Errno::NOSYS => Error::new(
            ErrorKind::NotAvailable,
            "confining files to roots needs openat2, which this kernel lacks",
        ),
        Errno::AGAIN => Error::new(
            ErrorKind::Unavailable,
            format!("opening {shown} while its folders were being renamed"),
        ),
        other => Error::new(ErrorKind::Unavailable, format!("opening {shown}")).with_source(other),
    }
}

fn outside(message: String, roots: &[Root]) -> Error {
    let listed: Vec<String> = roots.iter().map(|root| root.path.display().to_string()).collect();
    let error =
        Error::new(ErrorKind::Forbidden, message).with("rule", "files.roots").with("roots", listed.clone());
    match listed.first() {
        Some(_) => error.with_next(format!("name a file below {}", listed.join(", "))),
        None => error.with_next("have an administrator set files.roots (MCP_ALLOWED_ROOTS)"),
    }
}
