//! Hosts that exist in memory alone, for tests of tools.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use gabier_tool::{Error, ErrorKind, Result};

use crate::command::{Command, Stdin, Stream};
use crate::execution::{End, Execution};
use crate::files::Files;
use crate::host::{ByteStream, Contact, Fleet, Host, PoolState, Shell};
use crate::output::Output;
use crate::prompt::Prompts;

/// Answers a command: exit code, stdout, stderr; or why it cannot be run.
type Answer = Box<dyn Fn(&Command) -> Result<Execution> + Send + Sync>;

/// A host that answers as it was told and remembers what it was asked.
#[derive(Clone)]
pub struct FakeHost(Arc<Inner>);

struct Inner {
    alias: String,
    answers: Mutex<Vec<(String, Answer)>>,
    asked: Mutex<Vec<String>>,
    files: Mutex<Option<Arc<dyn Files>>>,
}

impl FakeHost {
    /// A host that knows no command.
    pub fn named(alias: impl Into<String>) -> Self {
        let alias = alias.into();
        Self(Arc::new(Inner {
            alias,
            answers: Mutex::default(),
            asked: Mutex::default(),
            files: Mutex::default(),
        }))
    }

    /// Lines that begin with `begin` write this and end with exit code 0.
    #[must_use]
    pub fn answering(self, begin: &str, stdout: &str) -> Self {
        self.ending(begin, 0, stdout, "")
    }

    /// Lines that begin with `begin` end so.
    #[must_use]
    pub fn ending(self, begin: &str, code: u32, stdout: &str, stderr: &str) -> Self {
        let (stdout, stderr) = (Output::whole(stdout), Output::whole(stderr));
        self.with(begin, move |_| Ok(execution(End::Exited(code), stdout.clone(), stderr.clone())))
    }

    /// Lines that begin with `begin` fail to be run.
    #[must_use]
    pub fn failing(self, begin: &str, kind: ErrorKind) -> Self {
        let alias = self.0.alias.clone();
        self.with(begin, move |_| Err(Error::new(kind, format!("connecting to {alias}"))))
    }

    /// Lines that begin with `begin` are answered by a function; the longest beginning wins, then the latest.
    #[must_use]
    pub fn with(
        self,
        begin: &str,
        answer: impl Fn(&Command) -> Result<Execution> + Send + Sync + 'static,
    ) -> Self {
        lock(&self.0.answers).push((begin.to_owned(), Box::new(answer)));
        self
    }

    /// Has these files.
    #[must_use]
    pub fn with_files(self, files: Arc<dyn Files>) -> Self {
        *lock(&self.0.files) = Some(files);
        self
    }

    /// The lines it was asked to run, in order.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.0.asked).clone()
    }

    fn run(&self, command: &Command) -> Result<Execution> {
        command.check()?;
        let line = command.line();
        lock(&self.0.asked).push(line.clone());
        let answers = lock(&self.0.answers);
        let known = answers.iter().filter(|(begin, _)| line.starts_with(begin.as_str()));
        let execution = match known.max_by_key(|(begin, _)| begin.len()) {
            Some((_, answer)) => answer(command)?,
            None => {
                execution(End::Exited(127), Output::default(), Output::whole(format!("{line}: not found\n")))
            }
        };
        if let Some(sink) = &command.sink {
            sink.write(Stream::Stdout, &execution.stdout.head.clone().into());
            sink.write(Stream::Stderr, &execution.stderr.head.clone().into());
        }
        Ok(execution)
    }
}

fn execution(end: End, stdout: Output, stderr: Output) -> Execution {
    Execution { end, stdout, stderr, duration: Duration::ZERO, notes: Vec::new(), prompt: None }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Host for FakeHost {
    fn alias(&self) -> &str {
        &self.0.alias
    }

    fn exec(&self, command: Command) -> BoxFuture<'_, Result<Execution>> {
        ready(self.run(&command)).boxed()
    }

    fn interact(&self, command: Command, _: Prompts) -> BoxFuture<'_, Result<Execution>> {
        ready(self.run(&command)).boxed()
    }

    fn shell(&self) -> BoxFuture<'_, Result<Box<dyn Shell>>> {
        let shell: Box<dyn Shell> = Box::new(FakeShell { host: self.clone(), is_alive: true });
        ready(Ok(shell)).boxed()
    }

    fn files(&self) -> BoxFuture<'_, Result<Arc<dyn Files>>> {
        let missing = || Error::new(ErrorKind::NotAvailable, format!("{} has no files", self.0.alias));
        ready(lock(&self.0.files).clone().ok_or_else(missing)).boxed()
    }

    fn forward<'a>(&'a self, address: &'a str, port: u16) -> BoxFuture<'a, Result<Box<dyn ByteStream>>> {
        let refused = Error::new(ErrorKind::ConnectionFailed, format!("connecting to {address}:{port}"));
        ready(Err(refused)).boxed()
    }
}

struct FakeShell {
    host: FakeHost,
    is_alive: bool,
}

impl Shell for FakeShell {
    fn step(&mut self, command: Command) -> BoxFuture<'_, Result<Execution>> {
        self.is_alive = !command.script.starts_with("exit");
        ready(self.host.run(&Command { stdin: Stdin::Closed, ..command })).boxed()
    }

    fn is_alive(&self) -> bool {
        self.is_alive
    }
}

/// The hosts of a test.
#[derive(Clone, Default)]
pub struct FakeFleet(BTreeMap<String, FakeHost>);

impl FromIterator<FakeHost> for FakeFleet {
    fn from_iter<I: IntoIterator<Item = FakeHost>>(hosts: I) -> Self {
        Self(hosts.into_iter().map(|host| (host.0.alias.clone(), host)).collect())
    }
}

impl FakeFleet {
    fn find(&self, alias: &str) -> Result<FakeHost> {
        self.0.get(alias).cloned().ok_or_else(|| Error::not_found(format!("finding the host '{alias}'")))
    }

    fn known(&self, alias: &str) -> Result<Contact> {
        let contact = Contact {
            algorithm: "ssh-ed25519".into(),
            fingerprint: format!("SHA256:{alias}"),
            key: "AAAA".into(),
            is_new: false,
            software: "Fake_1".into(),
        };
        self.find(alias).map(|_| contact)
    }
}

impl Fleet for FakeFleet {
    fn host<'a>(&'a self, alias: &'a str) -> BoxFuture<'a, Result<Arc<dyn Host>>> {
        ready(self.find(alias).map(|host| Arc::new(host) as Arc<dyn Host>)).boxed()
    }

    fn contact<'a>(&'a self, alias: &'a str) -> BoxFuture<'a, Result<Contact>> {
        ready(self.known(alias)).boxed()
    }

    fn offered<'a>(&'a self, alias: &'a str) -> BoxFuture<'a, Result<Contact>> {
        ready(self.known(alias)).boxed()
    }

    fn close<'a>(&'a self, _: &'a str) -> BoxFuture<'a, ()> {
        ready(()).boxed()
    }

    fn state(&self) -> Vec<PoolState> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fake_host_answers_as_told_and_remembers() {
        let host = FakeHost::named("web1").answering("up", "3 days").ending("uptime -p", 1, "", "no");
        assert_eq!(host.exec(Command::new("uptime")).await.unwrap().stdout.text(), "3 days");
        assert_eq!(host.exec(Command::new("uptime -p")).await.unwrap().exit_code(), Some(1));
        assert_eq!(host.exec(Command::new("other")).await.unwrap().exit_code(), Some(127));
        assert_eq!(host.asked(), ["uptime", "uptime -p", "other"]);
        let fleet: FakeFleet = [host].into_iter().collect();
        assert!(fleet.host("web1").await.is_ok() && fleet.host("web2").await.is_err());
    }
}
