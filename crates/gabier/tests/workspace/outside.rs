//! What comes from outside comes from the registry, and once where it must be.

use std::collections::BTreeMap;

use crate::metadata::{Metadata, built_in};

#[test]
fn every_dependency_is_of_the_registry() {
    for package in &Metadata::get().packages {
        if let Some(source) = &package.source {
            assert!(source.starts_with("registry+https://"), "{} comes from {source}", package.name);
        }
    }
}

#[test]
fn a_native_library_is_linked_once() {
    let mut linked: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for package in &Metadata::get().packages {
        if let Some(links) = &package.links {
            linked.entry(links).or_default().push(format!("{} {}", package.name, package.version));
        }
    }
    for (library, packages) in linked {
        assert_eq!(packages.len(), 1, "{library} is linked by {}", packages.join(" and "));
    }
}

#[test]
fn there_is_one_crypto_provider_and_no_openssl() {
    let unwanted = ["openssl-sys ", "native-tls ", "ring "];
    for package in built_in() {
        let is_unwanted = unwanted.iter().any(|name| package.name.starts_with(name));
        assert!(!is_unwanted, "{} is built in", package.name);
    }
}
