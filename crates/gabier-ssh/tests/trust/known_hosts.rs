//! What `ssh` accepts and refuses, and which lines `ssh-keygen -F` finds.

use std::fs;

use gabier_ssh::trust::{Decision, KnownHosts, KnownHostsFile, Names, Place};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::openssh::{Server, run, text};

/// Where ours is stricter than `ssh`, and why.
#[derive(Debug, PartialEq)]
enum Verdict {
    Accepts,
    AcceptsNew,
    Refuses,
}

/// Our verdict on the server's key. A file that cannot be understood is a refusal.
fn ours(server: &Server, known: &str, host: &str, port: u16) -> Verdict {
    let file = server.known(known);
    let decision = KnownHosts::read(&[file]).map(|known| known.check(&Place::new(host, port), &server.own));
    match decision {
        Ok(Decision::Known(_)) => Verdict::Accepts,
        Ok(decision) if decision.may_accept_new() => Verdict::AcceptsNew,
        _ => Verdict::Refuses,
    }
}

fn openssh(server: &Server, known: &str, host: &str, port: u16) -> Verdict {
    let is_accepted = |checking: &str| {
        let file = server.known(known);
        server.is_accepted(&file, checking, host, port)
    };
    match (is_accepted("yes"), is_accepted("accept-new")) {
        (true, true) => Verdict::Accepts,
        (false, true) => Verdict::AcceptsNew,
        (false, false) => Verdict::Refuses,
        (true, false) => panic!("strict accepts what accept-new refuses"),
    }
}

/// Puts keys in the place of their names: K the server's own, O another, P one of another type.
fn written(server: &Server, template: &str) -> String {
    let [other, another] = &server.others;
    let own = server.own.to_string();
    let (other, another) = (other.to_string(), another.to_string());
    template.replace("{K}", &own).replace("{O}", &other).replace("{P}", &another)
}

#[test]
fn what_ssh_accepts_is_accepted_and_what_it_refuses_is_refused() {
    let server = Server::new();
    for (template, host, port) in [
        ("", "web1", 22),
        ("web1 {K}", "web1", 22),
        ("web1 {K}", "WEB1", 22),
        ("WEB1 {K}", "web1", 22),
        ("web1,web2\t{K}\tcomment here", "web2", 22),
        ("  web1 {K}", "web1", 22),
        ("# c\n\n\t# c\nweb1 {K}\r", "web1", 22),
        ("web1 {O}", "web1", 22),
        ("web1 {O}\nweb1 {K}", "web1", 22),
        ("web1 {P}", "web1", 22),
        ("[web1]:2222 {P}", "web1", 2222),
        ("web* {K}", "web1", 22),
        ("web?,!web1 {K}", "web1", 22),
        ("!web1,web? {O}", "web1", 22),
        ("* {K}", "web1", 2222),
        ("[web1]:2222 {K}", "web1", 2222),
        ("[web1]:2222 {K}", "web1", 22),
        ("[web1]:22 {K}", "web1", 22),
        ("[web1]:* {K}", "web1", 2222),
        ("web1 {K}", "web1", 2222),
        ("web1 {O}", "web1", 2222),
        ("[web1]:2222 {O}\nweb1 {K}", "web1", 2222),
        ("@revoked web1 {K}", "web1", 22),
        ("@revoked * {K}\nweb1 {K}", "web1", 22),
        ("@revoked web1 {O}", "web1", 22),
        ("@revoked web2 {K}\nweb1 {K}", "web1", 22),
        ("@cert-authority web1 {O}\nweb1 {K}", "web1", 22),
        ("@cert-authority web1 {K}\nweb1 {K}", "web1", 22),
        ("old 1024 35 123456789\nweb1 {K}", "web1", 22),
        ("192.0.2.1 {K}", "192.0.2.1", 22),
        ("192.0.2.* {O}", "192.0.2.1", 22),
        ("::1 {K}", "::1", 22),
        ("[::1]:2222 {K}", "::1", 2222),
    ] {
        let known = written(&server, template);
        let expected = openssh(&server, &known, host, port);
        assert_eq!(ours(&server, &known, host, port), expected, "{template:?} {host} {port}");
    }
}

#[test]
fn where_ssh_takes_a_key_at_first_sight_although_something_is_recorded_we_refuse() {
    let server = Server::new();
    for (template, port) in [
        // A tab behind the mark, which hides the whole line from ssh.
        ("@revoked\tweb1 {K}", 22),
        // An authority vouches for the host.
        ("@cert-authority web1 {O}", 22),
        // Revoked under the bare name.
        ("@revoked web1 {K}", 2222),
        // The line of the host is damaged.
        ("web1 ssh-ed25519 AAAAC3NzaC1lZDI1NT", 22),
        ("web1", 22),
        ("|1|damaged ssh-ed25519 AAAA", 22),
    ] {
        let known = written(&server, template);
        assert_eq!(openssh(&server, &known, "web1", port), Verdict::AcceptsNew, "{template:?}");
        assert_eq!(ours(&server, &known, "web1", port), Verdict::Refuses, "{template:?}");
    }
}

#[test]
fn what_we_record_is_known_to_ssh_and_what_ssh_records_is_known_to_us() {
    let server = Server::new();
    for (host, port) in [("web1", 22), ("Web1", 2222), ("192.0.2.1", 22), ("::1", 2222)] {
        let place = Place::new(host, port);
        for names in [Names::Plain, Names::Hashed] {
            let file = server.known("");
            KnownHostsFile::new(&file).add(&place, &server.own, names).unwrap();
            assert!(server.is_accepted(&file, "yes", host, port), "{place} {names:?}");
            KnownHostsFile::new(&file).replace(&place, &server.others[0], names).unwrap();
            assert!(!server.is_accepted(&file, "accept-new", host, port), "{place} {names:?}");
        }
        let file = server.known("");
        assert!(server.is_accepted(&file, "accept-new", host, port));
        run("ssh-keygen", &["-H", "-f", text(&file)]);
        let known = KnownHosts::read(&[&file]).unwrap();
        let decision = known.check(&place, &server.own);
        let text = fs::read_to_string(&file).unwrap();
        assert!(matches!(decision, Decision::Known(_)), "{place} {decision:?} {text}");
    }
}

#[test]
fn files_that_are_generated_are_judged_as_ssh_judges_them() {
    let server = Server::new();
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let names = prop::sample::select(vec![
        "web1",
        "web2",
        "web*",
        "!web1",
        "*",
        "[web1]:2222",
        "[web1]:*",
        "[web*]:2222",
        "WEB1",
        "db",
    ]);
    let hosts = prop::collection::vec(names, 1..3).prop_map(|names| names.join(","));
    let mark = prop::sample::select(vec!["", "", "", "", "@revoked "]);
    let key = prop::sample::select(vec!["{K}", "{O}"]);
    let line = (mark, hosts, key).prop_map(|(mark, hosts, key)| format!("{mark}{hosts} {key}\n"));
    let text = prop::collection::vec(line, 0..5).prop_map(|lines| lines.concat());
    let port = prop::sample::select(vec![22, 2222]);
    let outcome = runner.run(&(text, port), |(template, port)| {
        let known = written(&server, &template);
        let (ours, theirs) = (ours(&server, &known, "web1", port), openssh(&server, &known, "web1", port));
        // A key that is revoked under the bare name: ssh asks there, finds it revoked, and takes it as new.
        let is_stricter = port != 22 && ours == Verdict::Refuses && template.contains("@revoked");
        prop_assert!(ours == theirs || is_stricter, "{ours:?} {theirs:?}");
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn the_lines_that_ssh_keygen_finds_are_found() {
    let server = Server::new();
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let atom = prop::sample::select(vec!["a", "b", "*", "?", "web", ".", "A", "[", "]:22", "1", "!", ","]);
    let name = || prop::collection::vec(atom.clone(), 1..6).prop_map(|atoms| atoms.concat());
    let mark = prop::sample::select(vec!["", "", "@cert-authority "]);
    let blank = prop::sample::select(vec![" ", "\t", "  ", " \t"]);
    let line = (mark, name(), blank).prop_map(|(mark, name, blank)| format!("{mark}{name}{blank}{{K}}\n"));
    let host = prop::collection::vec(prop::sample::select(vec!["a", "b", "web", ".", "1"]), 1..4)
        .prop_map(|atoms| atoms.concat());
    let hashes = any::<bool>();
    let input = (prop::collection::vec(line, 1..8), host, hashes);
    let outcome = runner.run(&input, |(lines, host, hashes)| {
        let file = server.known(&written(&server, &lines.concat()));
        if hashes {
            run("ssh-keygen", &["-H", "-f", text(&file)]);
        }
        let found = run("ssh-keygen", &["-F", &host, "-f", text(&file)]);
        let found = String::from_utf8(found.stdout).unwrap();
        let rows: Vec<&str> = found
            .lines()
            .filter_map(|line| line.strip_prefix(&format!("# Host {host} found: line ")))
            .collect();
        let lines_of = |is_wanted: fn(&&&str) -> bool| -> Vec<usize> {
            rows.iter().filter(is_wanted).map(|row| row.split(' ').next().unwrap().parse().unwrap()).collect()
        };
        let known = KnownHosts::read(&[&file]).unwrap();
        let place = Place::new(&host, 22);
        let plain: Vec<usize> = known.recorded(&place).iter().map(|recorded| recorded.line).collect();
        let authorities: Vec<usize> =
            known.authorities(&place).iter().map(|recorded| recorded.line).collect();
        prop_assert_eq!(plain, lines_of(|row| !row.contains("CA")), "{}", found);
        prop_assert_eq!(authorities, lines_of(|row| row.contains("CA")), "{}", found);
        Ok(())
    });
    outcome.unwrap();
}
