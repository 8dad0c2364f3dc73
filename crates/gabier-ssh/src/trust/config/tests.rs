//! Claims about `ssh_config` that need no `ssh`.

use super::*;

const HOME: &str = "/home/me";

fn config(text: &str) -> SshConfig {
    SshConfig::parse(text, &local()).unwrap()
}

fn local() -> Local {
    Local { home: PathBuf::from(HOME), user: "me".to_owned() }
}

fn settings(text: &str, host: &str) -> HostSettings {
    config(text).settings(host, &Given::default()).unwrap()
}

#[test]
fn the_first_value_wins_and_what_is_given_wins_over_all() {
    let text = "Host web*\n Port=2200\n User deploy\nHost *\n Port 22\n User other\n";
    let found = settings(text, "web1");
    assert_eq!((found.port, found.user.as_str()), (2200, "deploy"));
    let given = Given { user: Some("root".to_owned()), port: Some(1) };
    let found = config(text).settings("web1", &given).unwrap();
    assert_eq!((found.port, found.user.as_str()), (1, "root"));
}

#[test]
fn a_match_block_is_no_part_of_the_host_before_it() {
    let text =
        "Host web1\n User a\nMatch host web2\n User b\n Port 2\nMatch exec \"touch /canary\"\n Port 3\n";
    let found = settings(text, "web1");
    assert_eq!((found.user.as_str(), found.port), ("a", 22));
    assert_eq!(settings(text, "web2").port, 2);
    assert_eq!(settings("Match !exec true\n Port 3\n", "web1").port, 22, "exec is never asked");
}

#[test]
fn a_final_match_sees_the_name_that_was_found() {
    let text = "Host web\n HostName web.example.org\nMatch final host *.example.org\n Port 2\n";
    assert_eq!(settings(text, "web").port, 2);
    assert_eq!(settings(text, "other").port, 22);
}

#[test]
fn tokens_and_tildes_are_replaced_in_paths() {
    let text = "Host web\n HostName %h.example.org\n User deploy\n Port 2\n\
                IdentityFile ~/.ssh/%n-%h-%p-%r-%u\n IdentityFile %d/%%key\n";
    let found = settings(text, "web");
    assert_eq!(found.host_name, "web.example.org");
    let files: Vec<_> = found.identity_files.iter().map(|file| file.display().to_string()).collect();
    assert_eq!(files, ["/home/me/.ssh/web-web.example.org-2-deploy-me", "/home/me/%key"]);
    for bad in ["IdentityFile ~other/key", "IdentityFile ${HOME}/key", "IdentityFile %z"] {
        assert!(config(bad).settings("web", &Given::default()).is_err(), "{bad}");
    }
}

#[test]
fn a_way_of_several_hops_is_followed_through_their_own_settings() {
    let text = "Host inner\n ProxyJump me@gw1:2201,gw2\nHost gw1\n HostName 192.0.2.1\n ProxyJump outer\n\
                Host gw2\n HostName 192.0.2.2\n ProxyJump never\n";
    let route = config(text).route("inner", &Given::default()).unwrap();
    let stops: Vec<String> =
        route.iter().map(|stop| format!("{}@{}:{}", stop.user, stop.host_name, stop.port)).collect();
    assert_eq!(stops, ["me@outer:22", "me@192.0.2.1:2201", "me@192.0.2.2:22", "me@inner:22"]);
}

#[test]
fn a_way_that_bites_its_tail_and_a_program_are_refused() {
    let error = config("Host *\n ProxyJump gw\n").route("web", &Given::default()).unwrap_err();
    assert!(error.message().contains("hops"), "{error:?}");
    let error = config("ProxyCommand nc %h %p\n").route("web", &Given::default()).unwrap_err();
    assert!(error.message().contains("ProxyCommand"), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::NotAvailable);
}

#[test]
fn a_line_that_cannot_be_understood_is_named() {
    for (text, reason) in [
        ("\nPort\n", "line 2: port has no argument"),
        ("Port 0", "line 1: \"0\" is no port"),
        ("Port 22 23", "line 1: port has more than one argument"),
        ("User \"me", "line 1: a quote stays open"),
        ("Match\thost", "line 1: host is empty"),
        ("Match nothing x", "line 1: match nothing is not known"),
        ("ProxyJump a:b:c", "line 1: \"a:b:c\" is no list of hops"),
    ] {
        let read =
            SshConfig::parse(text, &local()).and_then(|config| config.settings("web", &Given::default()));
        let message = read.unwrap_err().message().to_owned();
        assert!(message.contains(reason), "{message} / {reason}");
    }
}

#[test]
fn what_must_not_be_dialled_is_refused() {
    for host in ["-oProxyCommand=x", "", "a b", "a;b", "$(x)", "a\nb"] {
        assert!(config("").settings(host, &Given::default()).is_err(), "{host:?}");
    }
    assert!(config("HostName -x").settings("web", &Given::default()).is_err());
}

#[test]
fn files_are_included_where_they_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let local = Local { home: folder.path().to_owned(), user: "me".to_owned() };
    let ssh = folder.path().join(".ssh/conf.d");
    std::fs::create_dir_all(&ssh).unwrap();
    std::fs::write(ssh.join("a.conf"), "Host web1\n Port 1\n").unwrap();
    std::fs::write(ssh.join("b.conf"), "Port 2\nInclude conf.d/none\n").unwrap();
    let config = SshConfig::parse("Host web*\nInclude conf.d/*.conf\nUser x\n", &local).unwrap();
    let port = |host: &str| config.settings(host, &Given::default()).unwrap().port;
    assert_eq!((port("web1"), port("web2"), port("db")), (1, 2, 22));
    assert_eq!(config.names(), ["web1"]);
    assert_eq!(config.settings("web1", &Given::default()).unwrap().user, "x");

    std::fs::write(ssh.join("c.conf"), "Include conf.d/c.conf\n").unwrap();
    let error = SshConfig::parse("Include conf.d/c.conf", &local).unwrap_err();
    assert!(error.message().contains("too many"), "{error:?}");
}

#[test]
fn an_included_file_that_others_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    std::fs::write(&file, "Port 1\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    let error = SshConfig::parse(&format!("Include {}", file.display()), &local()).unwrap_err();
    assert!(error.message().contains("others can write"), "{error:?}");
}
