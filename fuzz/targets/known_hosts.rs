//! Files of known hosts.
#![no_main]

use std::path::Path;

use gabier_ssh::trust::{Decision, HostKey, KnownHosts, Place};
use libfuzzer_sys::fuzz_target;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

fuzz_target!(|input: (&[u8], &str, u16)| {
    let (text, host, port) = input;
    let Ok(known) = KnownHosts::parse(Path::new("known_hosts"), text) else { return };
    let (key, place) = (HostKey::parse(KEY).expect("it is a key"), Place::new(host, port));
    let recorded = known.recorded(&place);
    match known.check(&place, &key) {
        Decision::Known(found) => assert!(found.key == key && recorded.contains(&found)),
        Decision::Changed { recorded } => assert!(!recorded.is_empty()),
        Decision::Revoked(found) => assert_eq!(found.key, key),
        Decision::Unknown { .. } => assert!(recorded.iter().all(|recorded| recorded.key != key)),
    }
    for recorded in recorded {
        assert_eq!(
            HostKey::parse(&recorded.key.to_string()).expect("what was read can be written"),
            recorded.key
        );
    }
});
