//! What `ssh -G` says of generated files.

use std::fs;
use std::path::Path;

use gabier_ssh::trust::{Given, HostSettings, Jump, Local, SshConfig, Strictness};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use crate::openssh::{local, run, text, values};

const HOSTS: [&str; 9] = ["web1", "web2", "WEB1", "db", "db.example.org", "a.b.c", "10.0.0.1", "::1", "gw"];

fn pattern() -> impl Strategy<Value = &'static str> {
    select(vec![
        "web1",
        "web*",
        "*",
        "!web2",
        "db",
        "?b",
        "*.example.org",
        "!*",
        "WEB1",
        "10.*",
        "gw",
        "a.b.?",
        "::1",
        "none",
    ])
}

fn patterns() -> impl Strategy<Value = String> {
    prop::collection::vec(pattern(), 1..4).prop_map(|patterns| patterns.join(" "))
}

fn criterion() -> impl Strategy<Value = String> {
    let list = prop::collection::vec(pattern(), 1..3).prop_map(|patterns| patterns.join(","));
    let user = select(vec!["root", "deploy", "*", "!deploy,*", "me"]);
    prop_oneof![
        4 => (select(vec!["host", "originalhost", "Host", "!host", "!originalhost"]), select(vec![" ", "=", "  "]), list)
            .prop_map(|(name, blank, list)| format!("{name}{blank}{list}")),
        2 => (select(vec!["user", "!user", "localuser"]), user).prop_map(|(name, user)| format!("{name} {user}")),
        1 => select(vec!["final", "!final", "canonical", "!canonical"]).prop_map(str::to_owned),
    ]
}

fn selection() -> impl Strategy<Value = String> {
    let comment = || select(vec!["", "", "", " # note"]);
    prop_oneof![
        5 => (patterns(), comment()).prop_map(|(patterns, comment)| format!("Host {patterns}{comment}")),
        4 => (prop::collection::vec(criterion(), 1..4), comment())
            .prop_map(|(criteria, comment)| format!("Match {}{comment}", criteria.join(" "))),
        1 => select(vec!["Match all", "Match !all", "Match final all", "match canonical all", "Host=web1"])
            .prop_map(str::to_owned),
        1 => select(vec!["Match", "Match nonsense x", "Match host", "Match all user me", "Host \"\""])
            .prop_map(str::to_owned),
    ]
}

fn setting() -> impl Strategy<Value = String> {
    let value = |key: &'static str, words: &'static [&'static str]| {
        select(words.to_vec()).prop_map(move |word| (key, word.to_owned())).boxed()
    };
    let sound = prop_oneof![
        3 => value("HostName", &["%h", "%h.example.org", "192.0.2.7", "Web.Example.ORG", "%%h", "db"]),
        3 => value("User", &["root", "deploy", "\"a user\"", "me"]),
        3 => value("Port", &["22", "2200", "0022", "65535"]),
        2 => value("IdentityFile", &["~/.ssh/a", "/keys/b", "\"/keys/with blank\"", "none", "/keys/b", "'/keys/c'"]),
        1 => value("CertificateFile", &["~/.ssh/a-cert.pub", "/keys/b-cert.pub"]),
        1 => value("IdentitiesOnly", &["yes", "no", "true", "False"]),
        1 => value("IdentityAgent", &["none", "/run/agent", "SSH_AUTH_SOCK"]),
        3 => value("ProxyJump", &[
            "gw", "me@gw:2200", "gw1,gw2", "a@gw1:1,[::1]:2,c", "none", "ssh://me@gw:22", "10.0.0.1", "gw # note",
        ]),
        2 => value("ProxyCommand", &["nc %h %p", "none", "exec ssh \"gw\" -W %h:%p # kept"]),
        1 => value("UserKnownHostsFile", &["~/a", "~/a /b", "none", "\"/with blank\" /b"]),
        1 => value("GlobalKnownHostsFile", &["/a", "/a /b # note"]),
        1 => value("HostKeyAlias", &["alias", "web-key"]),
        2 => value("StrictHostKeyChecking", &["yes", "no", "off", "accept-new", "ask"]),
        1 => value("HashKnownHosts", &["yes", "no"]),
        1 => value("ConnectTimeout", &["5", "1m", "1m30s", "none", "2h"]),
        1 => value("ServerAliveInterval", &["0", "15", "2m"]),
        1 => value("Compression", &["yes"]),
    ];
    let broken = prop_oneof![
        value("Port", &["0", "65536", "22 23", "-1", "2x"]),
        value("User", &["\"open", "a b", "\"\""]),
        value("IdentitiesOnly", &["maybe"]),
        value("StrictHostKeyChecking", &["perhaps"]),
        value("ProxyJump", &["a:b:c", "@gw", "gw:0", "gw,,gw"]),
        value("ConnectTimeout", &["5x", "-"]),
        value("UserKnownHostsFile", &["a none", "none a"]),
    ];
    let separator = select(vec![" ", "=", " = ", "\t", " =", "= ", "  "]);
    let case = select(vec![0, 1, 2]);
    let indent = select(vec!["", " ", "\t", "    "]);
    let end = select(vec!["", " ", "\t", "\r"]);
    (prop_oneof![60 => sound, 1 => broken], separator, case, indent, end).prop_map(
        |((key, value), separator, case, indent, end)| {
            let key = match case {
                0 => key.to_owned(),
                1 => key.to_lowercase(),
                _ => key.to_uppercase(),
            };
            format!("{indent}{key}{separator}{value}{end}")
        },
    )
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => selection(),
        7 => setting(),
        1 => select(vec!["", "   ", "# comment", "\t# Port 1"]).prop_map(str::to_owned),
        1 => select(vec!["Include {more}", "Include \"{more}\" {last}", "Include {dir}/*.conf", "include={none}"])
            .prop_map(str::to_owned),
    ]
}

fn file() -> impl Strategy<Value = String> {
    prop::collection::vec(line(), 0..14).prop_map(|lines| lines.join("\n"))
}

fn given() -> impl Strategy<Value = Given> {
    let user =
        prop_oneof![3 => Just(None), 1 => Just(Some("root".to_owned())), 1 => Just(Some("me".to_owned()))];
    let port = prop_oneof![3 => Just(None), 1 => Just(Some(4022))];
    (user, port).prop_map(|(user, port)| Given { user, port })
}

/// What `ssh -G` says; none when it refuses the file.
fn theirs(config: &Path, host: &str, given: &Given) -> Result<String, String> {
    let port = given.port.map(|port| port.to_string());
    let mut words = vec!["-G", "-F", text(config)];
    if let Some(user) = &given.user {
        words.extend(["-l", user]);
    }
    if let Some(port) = &port {
        words.extend(["-p", port]);
    }
    words.extend(["--", host]);
    let output = run("ssh", &words);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// Our settings in the words of `ssh -G`.
fn ours(settings: &HostSettings) -> Vec<(&'static str, String)> {
    let list = |paths: &[std::path::PathBuf]| {
        let words: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        words.join("|")
    };
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let strictness = match settings.strictness {
        Strictness::Yes => "true",
        Strictness::AcceptNew => "accept-new",
        Strictness::Ask => "ask",
        Strictness::Off => "false",
    };
    let seconds = |time: Option<std::time::Duration>| time.map_or(0, |time| time.as_secs()).to_string();
    let mut rows = vec![
        ("hostname", settings.host_name.clone()),
        ("user", settings.user.clone()),
        ("port", settings.port.to_string()),
        ("identitiesonly", yes(settings.identities_only)),
        ("certificatefile", list(&settings.certificate_files)),
        ("userknownhostsfile", list(&settings.user_known_hosts).replace('|', " ")),
        ("globalknownhostsfile", list(&settings.global_known_hosts).replace('|', " ")),
        ("hostkeyalias", settings.host_key_alias.clone().unwrap_or_default()),
        ("stricthostkeychecking", strictness.to_owned()),
        ("hashknownhosts", yes(settings.hashes_known_hosts)),
        ("connecttimeout", seconds(settings.connect_timeout)),
        ("serveraliveinterval", seconds(settings.keep_alive)),
        ("proxycommand", if settings.jump == Jump::Command { "program" } else { "" }.to_owned()),
        ("proxyjump", jumps(&settings.jump)),
    ];
    if !settings.has_usual_identities {
        rows.push(("identityfile", list(&settings.identity_files)));
    }
    rows
}

fn jumps(jump: &Jump) -> String {
    let Jump::Hops(hops) = jump else { return String::new() };
    let hops: Vec<String> =
        hops.iter().map(|hop| format!("{:?} {} {:?}", hop.user, hop.host, hop.port)).collect();
    hops.join(",")
}

/// The row that `ssh -G` prints, in the same words.
fn row(printed: &str, key: &str, local: &Local) -> String {
    let home = |path: &str| match path.strip_prefix("~/") {
        Some(rest) => local.home.join(rest).display().to_string(),
        None => path.to_owned(),
    };
    let found = values(printed, key);
    let first = found.first().copied().unwrap_or_default();
    match key {
        "identityfile" | "certificatefile" => {
            let named: Vec<String> =
                found.iter().filter(|path| **path != "none").map(|path| home(path)).collect();
            named.join("|")
        }
        "userknownhostsfile" | "globalknownhostsfile" if first == "none" => String::new(),
        "connecttimeout" if first == "none" => "0".to_owned(),
        "proxycommand" if !first.is_empty() => "program".to_owned(),
        "proxyjump" if !first.is_empty() => jumps(&Jump::Hops(
            first.split(',').map(|hop| gabier_ssh::trust::Hop::parse(hop).unwrap()).collect(),
        )),
        _ => first.to_owned(),
    }
}

#[test]
fn generated_files_say_the_same_to_us_and_to_ssh() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("dir")).unwrap();
    let local = local();
    let mut runner = TestRunner::new(Config { cases: 700, failure_persistence: None, ..Config::default() });
    let input = (file(), prop::collection::vec(setting(), 0..4), file(), select(HOSTS.to_vec()), given());
    let outcome = runner.run(&input, |(main, last, more, host, given)| {
        let place = |text: &str, is_leaf: bool| {
            let text: Vec<&str> =
                text.lines().filter(|line| !is_leaf || !line.to_lowercase().contains("include")).collect();
            text.join("\n")
                .replace("{more}", text_of(&at("dir/more.conf")).as_str())
                .replace("{last}", text_of(&at("dir/a-last.conf")).as_str())
                .replace("{dir}", text_of(&at("dir")).as_str())
                .replace("{none}", text_of(&at("missing")).as_str())
        };
        fs::write(at("config"), place(&main, false)).unwrap();
        fs::write(at("dir/more.conf"), place(&more, true)).unwrap();
        fs::write(at("dir/a-last.conf"), place(&last.join("\n"), true)).unwrap();
        let read =
            SshConfig::read_file(&at("config"), &local).and_then(|config| config.settings(host, &given));
        match (read, theirs(&at("config"), host, &given)) {
            (Ok(settings), Ok(printed)) => {
                for (key, value) in ours(&settings) {
                    prop_assert_eq!(value, row(&printed, key, &local), "{} of {}", key, host);
                }
            }
            (Err(_), Err(_)) => {}
            // A name that ssh would hand to the resolver as it is.
            (Err(error), Ok(_)) if error.message().contains("no host name") => {}
            // We say so when the way is followed.
            (Ok(_), Err(said)) if said.contains("jumphost loop") => {}
            (Ok(_), Err(said)) => prop_assert!(false, "ssh alone refuses: {}", said),
            (Err(error), Ok(_)) => prop_assert!(false, "we alone refuse: {:?}", error),
        }
        Ok(())
    });
    outcome.unwrap();
}

fn text_of(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn files_that_other_readers_stumble_over_are_read_as_ssh_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    let local = local();
    for file in [
        "Host web1\nPort=2200\nUser = me",
        "Host web1\n  Port\t=\t2200\n\nMatch host web2\n User other\n Port 1",
        "Match originalhost web1 user *\n Port 5\nHost *\n Port 6",
        "Host \"web1\" 'db'\n User \"a \\\"b\\\"\"\n",
        "Host *\n HostName %h.example.org\nMatch host *.example.org\n Port 7\nMatch final host *.example.org\n User f",
        "Host !web1 *\n Port 7\nHost web1\n Port 8",
        "ProxyCommand none\nProxyJump gw",
        "ProxyJump none\nProxyCommand nc",
        "ProxyJump a,b\nProxyCommand nc",
        "\"Port\" 2200",
        "Port 2200#x",
        "User me#x\nPort 2200 # x",
        "=Port 22",
    ] {
        fs::write(&config, file).unwrap();
        for host in HOSTS {
            let given = Given::default();
            let read = SshConfig::read_file(&config, &local).and_then(|config| config.settings(host, &given));
            match (read, theirs(&config, host, &given)) {
                (Ok(settings), Ok(printed)) => {
                    for (key, value) in ours(&settings) {
                        assert_eq!(value, row(&printed, key, &local), "{key} of {host} in {file}");
                    }
                }
                (Err(_), Err(_)) => {}
                (read, theirs) => panic!("{file}: {read:?} / {theirs:?}"),
            }
        }
    }
}
