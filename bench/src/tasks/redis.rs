//! A Redis of the run's own that syncs every write before it answers, as the embedded store does.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::contestant::Start;
use crate::process::Process;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running server, ended when this value goes.
pub(super) struct Redis {
    pub(super) port: u16,
    process: Process,
}

impl Redis {
    pub(super) async fn start(home: &Path) -> Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let folder = home.join("redis");
        std::fs::create_dir_all(&folder)?;
        let (port_word, folder) = (port.to_string(), folder.display().to_string());
        let words = [
            ["--port", &port_word],
            ["--bind", "127.0.0.1"],
            ["--dir", &folder],
            ["--save", ""],
            ["--appendonly", "yes"],
            ["--appendfsync", "always"],
            ["--maxmemory-policy", "noeviction"],
        ];
        let words: Vec<String> = words.into_iter().flatten().map(str::to_owned).collect();
        let server = Start { program: PathBuf::from("redis-server"), called: None };
        let redis = Self { port, process: Process::start(&server, &words, home, false)? };
        let begin = Instant::now();
        while redis.say("PING").await.is_err() {
            ensure!(begin.elapsed() < PATIENCE, "redis-server does not answer");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(redis)
    }

    /// Forgets everything.
    pub(super) async fn clear(&self) -> Result<()> {
        self.say("FLUSHALL").await
    }

    /// CPU time used so far.
    pub(super) fn cpu(&self) -> Result<Duration> {
        self.process.cpu()
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    async fn say(&self, command: &str) -> Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        let mut answer = [0; 64];
        let length = stream.read(&mut answer).await?;
        ensure!(
            answer[..length].starts_with(b"+"),
            "redis-server: {}",
            String::from_utf8_lossy(&answer[..length])
        );
        Ok(())
    }
}
