//! The licences of what is built in: allowed ones alone, and all of them listed.

use std::fmt::Write as _;

use crate::metadata::{built_in, root};

const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

#[test]
fn every_licence_is_allowed() {
    for package in built_in() {
        assert!(is_allowed(&package.licence), "{} has the licence {:?}", package.name, package.licence);
    }
}

/// An SPDX expression: one allowed way of each part that is joined by AND.
fn is_allowed(expression: &str) -> bool {
    let flat = expression.replace(['(', ')'], "").replace('/', " OR ");
    !flat.is_empty()
        && flat.split(" AND ").all(|part| part.split(" OR ").any(|way| ALLOWED.contains(&way.trim())))
}

#[test]
fn the_list_of_licences_is_complete() {
    let mut text = String::from(
        "Built into gabier, each under its own licence. The API page /docs shows Swagger UI (Apache-2.0) from\n\
         utoipa-swagger-ui-vendored; SQLite (public domain) comes with libsqlite3-sys; the\n\
    scripts of the Redis store are those of BullMQ (MIT) in bullmq-official.\n\n",
    );
    for package in built_in() {
        let _ = writeln!(text, "{}: {}", package.name, package.licence);
    }
    let file = root().join("reference/licences.txt");
    if is_blessing() {
        std::fs::write(&file, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == text, "reference/licences.txt is out of date: run this test with BLESS=1");
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test asks for BLESS; the product reads its environment in one place"
)]
fn is_blessing() -> bool {
    std::env::var_os("BLESS").is_some()
}
