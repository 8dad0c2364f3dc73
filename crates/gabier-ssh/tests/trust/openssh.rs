//! OpenSSH's own programs. Where they are missing the tests fail: nothing is compared by guessing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gabier_ssh::trust::{HostKey, Local};
use tempfile::TempDir;

/// Runs one of OpenSSH's programs to its end.
#[expect(clippy::disallowed_methods, reason = "a test compares with the real program")]
pub(crate) fn run(program: &str, words: &[&str]) -> Output {
    let output = Command::new(program).args(words).env_remove("SSH_AUTH_SOCK").output();
    output.unwrap_or_else(|error| panic!("{program} is needed here: {error}"))
}

/// The value of a key in what `ssh -G` prints; empty when it prints none.
pub(crate) fn values<'a>(printed: &'a str, key: &str) -> Vec<&'a str> {
    let rows = printed.lines().filter_map(|line| line.split_once(' '));
    rows.filter(|(own, _)| *own == key).map(|(_, value)| value.trim_end()).collect()
}

/// Who OpenSSH thinks we are, whatever the environment says.
pub(crate) fn local() -> Local {
    let output = run("ssh", &["-G", "-F", "none", "host"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    let known = values(&printed, "userknownhostsfile")[0].split(' ').next().unwrap().to_owned();
    let home = known.strip_suffix("/.ssh/known_hosts").unwrap();
    Local { home: PathBuf::from(home), user: values(&printed, "user")[0].to_owned() }
}

/// A server with keys of its own that is spoken to over a pipe, and two keys that are not its.
pub(crate) struct Server {
    folder: TempDir,
    /// The key that it shows.
    pub(crate) own: HostKey,
    /// Other keys: of the same type, and of another.
    pub(crate) others: [HostKey; 2],
}

impl Server {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = |name: &str, kind: &str| {
            let file = folder.path().join(name);
            let output = run("ssh-keygen", &["-q", "-t", kind, "-N", "", "-C", "", "-f", text(&file)]);
            assert!(output.status.success(), "{output:?}");
            HostKey::parse(&fs::read_to_string(file.with_extension("pub")).unwrap()).unwrap()
        };
        let own = key("own", "ed25519");
        let others = [key("other", "ed25519"), key("another", "ecdsa")];
        let settings = format!(
            "HostKey {}\nPidFile none\nUsePAM no\nStrictModes no\nAuthorizedKeysFile none\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\n",
            folder.path().join("own").display()
        );
        fs::write(folder.path().join("sshd_config"), settings).unwrap();
        // As root, sshd wants its empty folder, which only its start script makes.
        let _ = fs::create_dir_all("/run/sshd");
        Self { folder, own, others }
    }

    /// True when `ssh` accepts the server's key: then it is refused at the login.
    pub(crate) fn is_accepted(&self, known: &Path, checking: &str, host: &str, port: u16) -> bool {
        let option = |key: &str, value: &str| format!("-o{key}={value}");
        let sshd = format!("/usr/sbin/sshd -i -f {}", self.folder.path().join("sshd_config").display());
        let port = port.to_string();
        let words = [
            "-F".to_owned(),
            "none".to_owned(),
            option("UserKnownHostsFile", text(known)),
            option("GlobalKnownHostsFile", "/dev/null"),
            option("StrictHostKeyChecking", checking),
            option("UpdateHostKeys", "no"),
            option("BatchMode", "yes"),
            option("ProxyCommand", &sshd),
            option("IdentityFile", "none"),
            "-p".to_owned(),
            port,
            host.to_owned(),
            "true".to_owned(),
        ];
        let output = run("ssh", &words.iter().map(String::as_str).collect::<Vec<_>>());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let is_accepted = said.contains("Permission denied");
        assert!(is_accepted || said.contains("Host key verification failed"), "{said}");
        is_accepted
    }

    /// Writes a file of known hosts.
    pub(crate) fn known(&self, text: &str) -> PathBuf {
        let file = self.folder.path().join("known_hosts");
        fs::write(&file, text).unwrap();
        file
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
