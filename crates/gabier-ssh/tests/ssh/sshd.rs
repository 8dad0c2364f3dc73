//! Real servers for tests: `sshd` and `dropbear` on loopback, with keys and settings of their own.
//!
//! Any test crate takes this file by `#[path]`. It needs `openssh-server` and `dropbear-bin`, which `e2e/setup.sh`
//! installs; a test that finds no server fails.

#![allow(dead_code, reason = "each test crate uses its part")]
#![expect(clippy::disallowed_methods, reason = "tests start the servers they talk to")]
#![expect(clippy::format_push_string, reason = "configuration files are built line by line")]
#![allow(clippy::print_stderr, reason = "a failed test shows its server's log")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A server on loopback that ends with its value.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) port: u16,
    /// The account that may log in: whoever runs the tests.
    pub(crate) user: String,
    /// The private key that may log in.
    pub(crate) key: PathBuf,
    /// Its folder: keys, configuration.
    pub(crate) dir: TempDir,
    child: Child,
    log: Arc<Mutex<String>>,
}

/// The settings of an `sshd`.
#[derive(Default)]
pub(crate) struct Sshd {
    lines: Vec<String>,
    host_keys: Vec<&'static str>,
    port: u16,
    passwords: Vec<(String, String)>,
    full_disk: Option<String>,
    lacks_sftp: bool,
}

impl Sshd {
    /// One that takes the test's key and offers an Ed25519 host key.
    pub(crate) fn new() -> Self {
        Self { host_keys: vec!["ed25519"], ..Self::default() }
    }

    /// Adds a line of `sshd_config`; it stands before the harness's own, so it wins.
    #[must_use]
    pub(crate) fn with(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Offers host keys of these kinds (`ed25519`, `rsa`, `ecdsa`) instead.
    #[must_use]
    pub(crate) fn with_host_keys(mut self, kinds: &[&'static str]) -> Self {
        self.host_keys = kinds.to_vec();
        self
    }

    /// Has no subsystem for files.
    #[must_use]
    pub(crate) fn without_sftp(mut self) -> Self {
        self.lacks_sftp = true;
        self
    }

    /// Listens on this port instead of a free one.
    #[must_use]
    pub(crate) fn on_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Knows an account with a password, checked by PAM, in a mount namespace of its own (needs root or sudo).
    #[must_use]
    pub(crate) fn with_account(mut self, user: &str, password: &str) -> Self {
        self.passwords.push((user.to_owned(), password.to_owned()));
        self
    }

    /// Sees a full disk of 2 MiB at `/mnt`, whose folder `logs` this script has filled first, in a mount namespace of
    /// its own (needs root or sudo).
    #[must_use]
    pub(crate) fn with_full_disk(mut self, script: &str) -> Self {
        self.full_disk = Some(script.to_owned());
        self
    }

    /// Starts it and waits until it answers.
    pub(crate) fn start(self) -> Server {
        let dir = TempDir::with_prefix("gabier-sshd-").unwrap();
        self.start_in(dir)
    }

    /// Starts it with the keys of an earlier server's folder.
    pub(crate) fn start_in(self, dir: TempDir) -> Server {
        let at = dir.path();
        // sshd refuses key files below folders that others may write to, and private accounts must reach them.
        fs::set_permissions(at, fs::Permissions::from_mode(0o755)).unwrap();
        let mut config = self.lines.join("\n");
        for kind in &self.host_keys {
            let file = at.join(format!("host_{kind}"));
            keygen(&file, kind, "");
            config.push_str(&format!("\nHostKey {}", file.display()));
        }
        let key = at.join("id_ed25519");
        keygen(&key, "ed25519", "");
        let authorized = at.join("authorized_keys");
        if !authorized.exists() {
            fs::copy(at.join("id_ed25519.pub"), &authorized).unwrap();
        }
        let port = if self.port == 0 { free_port() } else { self.port };
        let subsystem = if self.lacks_sftp { "" } else { "Subsystem sftp internal-sftp\n" };
        let use_pam = if self.passwords.is_empty() { "no" } else { "yes" };
        config.push_str(&format!(
            "\nListenAddress 127.0.0.1\nPort {port}\nPidFile none\nStrictModes no\nUsePAM {use_pam}\n\
             PermitRootLogin yes\nAuthorizedKeysFile {}\n{subsystem}LogLevel VERBOSE\n\
             PrintMotd no\nUseDNS no\nAcceptEnv LANG\nMaxStartups 100\nSetEnv HOME={}\n",
            authorized.display(),
            // bash reads ~/.bashrc for every command over SSH; what the tester keeps there is none of ours.
            at.display()
        ));
        let config_file = at.join("sshd_config");
        fs::write(&config_file, config).unwrap();
        if is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let command = match self.passwords.as_slice() {
            [] if self.full_disk.is_some() => {
                with_full_disk(self.full_disk.as_deref().unwrap_or_default(), &config_file)
            }
            [] => {
                let mut command = Command::new(program("sshd"));
                command.args(["-D", "-e", "-f"]).arg(&config_file);
                command
            }
            accounts => with_accounts(at, accounts, &config_file),
        };
        Server::start(command, dir, port, key)
    }
}

/// Starts a Dropbear that takes the test's key; further arguments are its own.
pub(crate) fn dropbear(arguments: &[&str]) -> Server {
    let dir = TempDir::with_prefix("gabier-dropbear-").unwrap();
    let key = dir.path().join("id_ed25519");
    keygen(&key, "ed25519", "");
    // Dropbear reads ~/.ssh/authorized_keys alone: it gets a home of its own.
    let host_key = dir.path().join("host_ed25519");
    run(Command::new(program("dropbearkey")).args(["-t", "ed25519", "-f"]).arg(&host_key));
    let authorized = dir.path().join("authorized");
    fs::create_dir(&authorized).unwrap();
    fs::copy(dir.path().join("id_ed25519.pub"), authorized.join("authorized_keys")).unwrap();
    for path in [authorized.clone(), authorized.join("authorized_keys")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let port = free_port();
    let mut command = Command::new(program("unshare"));
    let script = r#"mkdir -p "$HOME/.ssh" && mount --bind "$0" "$HOME/.ssh" && exec "$@""#;
    command.args(["-m", "sh", "-c", script]).arg(&authorized).arg(program("dropbear"));
    command.args(["-F", "-E", "-s", "-r"]).arg(&host_key).arg("-p").arg(format!("127.0.0.1:{port}"));
    command.arg("-P").arg(dir.path().join("pid")).args(arguments);
    Server::start(command, dir, port, key)
}

impl Server {
    fn start(mut command: Command, dir: TempDir, port: u16, key: PathBuf) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .env("LC_ALL", "C")
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("starting {command:?}: {error}"));
        let log = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(child.stderr.take().unwrap());
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.split(b'\n').map_while(Result::ok) {
                let mut kept = kept.lock().unwrap();
                kept.push_str(&String::from_utf8_lossy(&line));
                kept.push('\n');
            }
        });
        let mut server = Self { port, user: user(), key, dir, child, log };
        server.wait_until_up();
        server
    }

    fn wait_until_up(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Ok(mut stream) = TcpStream::connect(self.address()) {
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                let mut banner = [0; 4];
                if stream.read_exact(&mut banner).is_ok() && &banner == b"SSH-" {
                    return;
                }
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "no server ({ended:?}): {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// How many connections it accepted, by its log (the harness's own first one left out).
    pub(crate) fn connections(&self) -> usize {
        self.log().matches("Connection from ").count().saturating_sub(1)
    }

    /// How many logins it accepted, by its log.
    pub(crate) fn logins(&self) -> usize {
        self.log().lines().filter(|line| line.starts_with("Accepted ") && line.contains(" for ")).count()
    }

    /// The process id of the listening process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The processes of the server that serve connections.
    pub(crate) fn session_pids(&self) -> Vec<u32> {
        let mut found = Vec::new();
        let mut next = vec![self.pid()];
        while let Some(parent) = next.pop() {
            for (pid, ppid, name) in processes() {
                if ppid == parent {
                    next.push(pid);
                    if name.starts_with("sshd") || name.starts_with("dropbear") {
                        found.push(pid);
                    }
                }
            }
        }
        found
    }

    /// Ends the sessions hard, as a crash would.
    pub(crate) fn kill_sessions(&self) {
        for pid in self.session_pids() {
            signal(pid, "KILL");
        }
    }

    /// Stops listening and gives the folder, for another start with the same keys.
    pub(crate) fn into_dir(mut self) -> TempDir {
        self.end();
        std::mem::replace(&mut self.dir, TempDir::new().unwrap())
    }

    /// A further key of a kind, without a passphrase unless one is given; not authorised.
    pub(crate) fn make_key(&self, name: &str, kind: &str, passphrase: &str) -> PathBuf {
        let file = self.dir.path().join(name);
        keygen(&file, kind, passphrase);
        file
    }

    /// Lets a key log in as well.
    pub(crate) fn authorize(&self, key: &Path) {
        self.authorize_with(key, "");
    }

    /// Lets a key log in with options (`command="…"`).
    pub(crate) fn authorize_with(&self, key: &Path, options: &str) {
        let public = fs::read_to_string(key.with_extension("pub")).unwrap();
        let file = self.dir.path().join("authorized_keys");
        let mut lines = fs::read_to_string(&file).unwrap();
        lines.push_str(&format!("{options} {public}"));
        fs::write(file, lines).unwrap();
    }

    fn end(&mut self) {
        for pid in self.session_pids() {
            signal(pid, "KILL");
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            eprintln!("--- log of the server on port {}:\n{}", self.port, self.log());
        }
    }
}

/// Makes a key pair if it is not there.
pub(crate) fn keygen(file: &Path, kind: &str, passphrase: &str) {
    if !file.exists() {
        run(Command::new(program("ssh-keygen"))
            .args(["-q", "-t", kind, "-N", passphrase, "-C", "test", "-f"])
            .arg(file));
    }
}

/// Runs a program of the test and gives its output; it must succeed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("starting {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The fingerprint of a public key file, as `ssh-keygen -l` tells it.
pub(crate) fn fingerprint(public: &Path) -> String {
    let line = run(Command::new(program("ssh-keygen")).arg("-lf").arg(public));
    line.split(' ').nth(1).unwrap().to_owned()
}

/// Whoever runs the tests.
pub(crate) fn user() -> String {
    run(Command::new("id").arg("-un")).trim().to_owned()
}

/// True when root runs the tests.
pub(crate) fn is_root() -> bool {
    run(Command::new("id").arg("-u")).trim() == "0"
}

/// Sends a signal to one process.
pub(crate) fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").args(["-s", name, &pid.to_string()]).stderr(Stdio::null()).status();
}

/// All processes: id, parent, name.
pub(crate) fn processes() -> Vec<(u32, u32, String)> {
    let stats = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let mut fields = rest.split_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        (state != "Z").then(|| (pid, parent, name.to_owned()))
    });
    stats.collect()
}

/// The living processes whose command line holds a word.
pub(crate) fn processes_with(word: &str) -> Vec<u32> {
    let holds = |pid: u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(word)
    };
    processes()
        .into_iter()
        .map(|(pid, ..)| pid)
        .filter(|pid| *pid != std::process::id() && holds(*pid))
        .collect()
}

/// A port nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A program, also where only root's path has it.
fn program(name: &str) -> PathBuf {
    let folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"];
    let found = folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is not installed; e2e/setup.sh installs what the tests need"))
}

/// `sshd` in a mount namespace with private copies of the account files.
fn with_accounts(at: &Path, accounts: &[(String, String)], config: &Path) -> Command {
    let mut script = format!(
        "set -e; cp /etc/passwd {0}/passwd; cp /etc/shadow {0}/shadow; chmod 640 {0}/shadow; cp /etc/pam.d/sshd {0}/pam\n",
        at.display()
    );
    for (index, (name, password)) in accounts.iter().enumerate() {
        let hash = run(Command::new("openssl").args(["passwd", "-6", password]));
        let (id, hash) = (60_000 + index, hash.trim());
        script.push_str(&format!("mkdir -p {0}/home-{name}; chown {id} {0}/home-{name}\n", at.display()));
        script.push_str(&format!(
            "echo '{name}:x:{id}:65534::{0}/home-{name}:/bin/sh' >> {0}/passwd\n",
            at.display()
        ));
        script.push_str(&format!("echo '{name}:{hash}:19000:0:99999:7:::' >> {0}/shadow\n", at.display()));
    }
    script.push_str(&format!(
        "printf 'auth required pam_unix.so nodelay\\naccount required pam_unix.so\\nsession required pam_unix.so\\n' > {0}/pam\n\
         mount --bind {0}/passwd /etc/passwd; mount --bind {0}/shadow /etc/shadow; mount --bind {0}/pam /etc/pam.d/sshd\n\
         mkdir -p /run/sshd; exec {1} -D -e -f {2}\n",
        at.display(),
        program("sshd").display(),
        config.display()
    ));
    with_mounts(&script)
}

/// `sshd` in a mount namespace with a small full disk.
fn with_full_disk(script: &str, config: &Path) -> Command {
    with_mounts(&format!(
        "set -e; mount -t tmpfs -o size=2m none /mnt; mkdir /mnt/logs; cd /mnt/logs; {script}\n\
         cat /dev/zero > rest 2>/dev/null || true; cd /; mkdir -p /run/sshd; exec {} -D -e -f {}\n",
        program("sshd").display(),
        config.display()
    ))
}

/// A script of root's in a mount namespace of its own.
fn with_mounts(script: &str) -> Command {
    let mut command = if is_root() { Command::new(program("unshare")) } else { Command::new("sudo") };
    if !is_root() {
        command.args(["-n", "unshare"]);
    }
    command.args(["-m", "sh", "-c", script]);
    command
}
