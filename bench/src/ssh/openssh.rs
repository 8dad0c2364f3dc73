//! OpenSSH's programs and rsync, as someone at a terminal would call them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::time::sleep;

use super::book::Who;
use super::content::Way;
use super::program::run;
use super::sshd::Sshd;
use crate::contestant::Start;
use crate::process::Process;

/// How long a master may take to log in.
const PATIENCE: Duration = Duration::from_secs(20);

/// The options that every one of these programs takes; the user's own settings take no part.
fn options(sshd: &Sshd, port: u16) -> Vec<String> {
    let mut words = vec!["-F".to_owned(), "none".to_owned()];
    let key = format!("IdentityFile={}", sshd.key.display());
    let port = format!("Port={port}");
    for option in [
        &key,
        &port,
        "IdentitiesOnly=yes",
        "BatchMode=yes",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "LogLevel=ERROR",
        "Ciphers=aes128-gcm@openssh.com",
    ] {
        words.extend(["-o".to_owned(), option.to_owned()]);
    }
    words
}

fn at(sshd: &Sshd) -> String {
    format!("{}@127.0.0.1", sshd.user)
}

/// `ssh` that connects, runs a command and leaves.
pub(super) fn cold(sshd: &Sshd, command: &str) -> Result<Duration> {
    let mut words = options(sshd, sshd.port);
    words.extend([at(sshd), command.to_owned()]);
    timed("ssh", &words)
}

/// A master that stays, and `ssh -S` through it.
pub(super) struct Master {
    socket: PathBuf,
    user: String,
    _process: Process,
}

impl Master {
    pub(super) async fn start(sshd: &Sshd, home: &Path) -> Result<Self> {
        let socket = home.join("master");
        drop(fs::remove_file(&socket));
        let mut words = options(sshd, sshd.port);
        words.extend(["-M", "-N", "-S", &socket.display().to_string(), &at(sshd)].map(str::to_owned));
        let start = Start { program: PathBuf::from("ssh"), called: None };
        let process = Process::start(&start, &words, home, false)?;
        let begin = Instant::now();
        while !socket.exists() {
            ensure!(begin.elapsed() < PATIENCE, "the master of ssh does not log in");
            sleep(Duration::from_millis(5)).await;
        }
        Ok(Self { socket, user: at(sshd), _process: process })
    }

    pub(super) fn exec(&self, command: &str) -> Result<Duration> {
        let socket = self.socket.display().to_string();
        timed("ssh", &["-F", "none", "-S", &socket, &self.user, command].map(str::to_owned))
    }
}

/// Moves a file or a tree by one of the programs. The target is not there before.
pub(super) fn transfer(
    who: Who,
    sshd: &Sshd,
    port: u16,
    way: Way,
    [source, target]: [&Path; 2],
) -> Result<Duration> {
    let is_tree = source.is_dir();
    let [source, target] = [source, target].map(|path| path.display().to_string());
    let mut words = options(sshd, port);
    let there = |path: &str| format!("{}:{path}", at(sshd));
    let (from, to) = match way {
        Way::Up => (source.clone(), there(&target)),
        Way::Down => (there(&source), target.clone()),
    };
    match who {
        Who::Sftp => {
            let batch = sshd.key.with_file_name("batch");
            let verb = if way == Way::Up { "put" } else { "get" };
            let recursive = if is_tree { "-r " } else { "" };
            fs::write(&batch, format!("{verb} {recursive}{source} {target}\n"))?;
            words.extend(["-b".to_owned(), batch.display().to_string(), at(sshd)]);
            timed("sftp", &words)
        }
        Who::Rsync => {
            // A slash behind the source means its content; rsync would make another folder in the target without it.
            let slash = if is_tree { "/" } else { "" };
            let shell = format!("ssh {}", words.join(" "));
            let from = format!("{from}{slash}");
            timed("rsync", &["-r".to_owned(), "-e".to_owned(), shell, from, to])
        }
        _ => {
            if is_tree {
                words.push("-r".to_owned());
            }
            words.extend([from, to]);
            timed("scp", &words)
        }
    }
}

fn timed(program: &str, words: &[String]) -> Result<Duration> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let begin = Instant::now();
    run(program, &words, &[])?;
    Ok(begin.elapsed())
}
