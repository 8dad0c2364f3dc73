//! Names that are exchanged while they are looked up: nothing from outside the roots is ever read.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;

use crate::harness::{Home, post};

/// Calls of each client; an exchange takes microseconds, so that many of them fall into each.
const CALLS: usize = 250;

/// Exchanges two names until it is told to stop; gives back how often.
fn exchange([one, other]: &[PathBuf; 2], stop: &AtomicBool) -> usize {
    let mut rounds = 0;
    while !stop.load(Ordering::Relaxed) {
        renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
        rounds += 1;
    }
    rounds
}

#[test]
fn no_exchange_of_names_lets_a_call_out_of_the_roots() {
    let home = Home::new();
    let folder = home.write("open/folder/file.txt", "own");
    let file = home.write("open/file.txt", "own");
    let deep = home.write("open/deep/a/b/file.txt", "own");
    home.write("closed/file.txt", "treasure");
    home.write("closed/b/file.txt", "treasure");
    symlink(home.path("closed"), home.path("open/folder-link")).unwrap();
    symlink("../closed/file.txt", home.path("open/file-link")).unwrap();
    symlink(home.path("closed"), home.path("open/deep/a-link")).unwrap();
    // Out of the root and in again, with everything below it.
    home.write("closed/moved/b/file.txt", "treasure");
    home.write("open/moved/b/file.txt", "own");
    let moved = home.text_path("open/moved/b/../../file.txt");
    let pairs = [
        ["open/folder", "open/folder-link"],
        ["open/file.txt", "open/file-link"],
        ["open/deep/a", "open/deep/a-link"],
        ["open/moved/b", "closed/moved/b"],
    ];
    let home = {
        let roots = home.text_path("open");
        home.with("MCP_ALLOWED_ROOTS", &roots)
    };
    let server = home.serve(&[]);
    let (stop, read, refused) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let address = server.address;
    let client = |path: &str| {
        for number in 0..CALLS {
            let answer = match number % 5 {
                0 => post("/call/log_analysis", &json!({"log_file": path, "pattern": "."})),
                _ => post("/call/read_file", &json!({"file_path": path})),
            }
            .send(address);
            assert!(!answer.text().contains("treasure"), "{path}: {answer:?}");
            let count = if answer.status == 200 { &read } else { &refused };
            count.fetch_add(1, Ordering::Relaxed);
            assert!(matches!(answer.status, 200 | 403 | 404 | 422), "{path}: {answer:?}");
        }
    };
    thread::scope(|scope| {
        let races = pairs.map(|pair| {
            let (names, stop) = (pair.map(|name| home.path(name)), &stop);
            scope.spawn(move || exchange(&names, stop))
        });
        let clients = [&folder, &file, &deep, &moved].map(|path| scope.spawn(|| client(path)));
        let ended = clients.map(thread::ScopedJoinHandle::join);
        stop.store(true, Ordering::Relaxed);
        for race in races {
            assert!(race.join().unwrap() > CALLS, "the names were exchanged more often than looked up");
        }
        ended.into_iter().for_each(Result::unwrap);
    });
    // Both were seen, or there was no race.
    let (read, refused) = (read.into_inner(), refused.into_inner());
    assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
    server.assert_alive();
}
