//! An `sshd` of the run's own: on loopback, on a free port, with its own keys, ended with the run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::program::run;
use crate::contestant::Start;
use crate::measure::free_port;
use crate::process::Process;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server and the key that it lets in.
pub(super) struct Sshd {
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) key: PathBuf,
    process: Process,
}

impl Sshd {
    pub(super) async fn start(home: &Path) -> Result<Self> {
        let folder = home.join("sshd");
        fs::create_dir_all(&folder)?;
        // sshd wants no folder above a key that others may write to.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
        let (key, host_key) = (folder.join("id_ed25519"), folder.join("host_ed25519"));
        for file in [&key, &host_key] {
            run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f"], &[file])?;
        }
        let port = free_port()?;
        let text = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nPidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
             HostKey {}\nAuthorizedKeysFile {}\nSubsystem sftp internal-sftp\nLogLevel ERROR\nPrintMotd no\n\
             UseDNS no\nMaxStartups 500\nSetEnv HOME={}\n",
            host_key.display(),
            key.with_extension("pub").display(),
            // bash reads ~/.bashrc for every command over SSH; what the user keeps there takes no part.
            folder.display()
        );
        let config = folder.join("sshd_config");
        fs::write(&config, text)?;
        // Root's sshd separates its privileges in this folder, which a service manager would have made.
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd")?;
        }
        let words = ["-D".to_owned(), "-e".to_owned(), "-f".to_owned(), config.display().to_string()];
        let process = Process::start(&Start { program: program()?, called: None }, &words, home, false)?;
        let user = run("id", &["-un"], &[])?.trim().to_owned();
        let sshd = Self { port, user, key, process };
        let begin = Instant::now();
        while sshd.greeting().await.is_err() {
            ensure!(begin.elapsed() < PATIENCE, "sshd does not answer");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(sshd)
    }

    async fn greeting(&self) -> Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let mut banner = [0; 4];
        stream.read_exact(&mut banner).await?;
        ensure!(&banner == b"SSH-", "no SSH server");
        Ok(())
    }

    /// How many connections it serves.
    pub(super) fn connections(&self) -> Result<usize> {
        Ok(self.sessions()?.len())
    }

    /// Ends all connections, as a server that goes away would.
    pub(super) async fn end_connections(&self) -> Result<()> {
        for pid in self.sessions()? {
            if let Some(pid) = Pid::from_raw(pid) {
                // It may have ended by itself since it was found.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        while self.connections()? > 0 {
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// The server's child for each connection.
    fn sessions(&self) -> Result<Vec<i32>> {
        let parent = self.process.id();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
            let Some((_, fields)) = stat.rsplit_once(')') else { continue };
            let mut fields = fields.split_whitespace();
            let is_zombie = fields.next() == Some("Z");
            if !is_zombie && fields.next().and_then(|field| field.parse().ok()) == Some(parent) {
                found.push(pid);
            }
        }
        Ok(found)
    }
}

/// sshd wants to be called by its whole path, which not everyone's search path has.
fn program() -> Result<PathBuf> {
    let places = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];
    let found = places.into_iter().map(PathBuf::from).find(|place| place.exists());
    found.context("sshd is not installed: bench/peers/setup installs it")
}
