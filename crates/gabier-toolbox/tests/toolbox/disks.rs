//! `disk_usage` against `df`.

use std::collections::BTreeMap;

use gabier_toolbox::testing::os_user;
use serde_json::json;

use crate::{call, data, services};

/// Mount point and total size of what `df` shows.
fn df(arguments: &[&str]) -> BTreeMap<String, u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test compares with the program; the product starts none"
    )]
    let output = std::process::Command::new("df")
        .args(["-B1", "--output=target,size"])
        .args(arguments)
        .env("LC_ALL", "C")
        .output()
        .expect("df is part of coreutils");
    let text = String::from_utf8(output.stdout).unwrap();
    let rows = text.lines().skip(1).filter_map(|line| line.rsplit_once(' '));
    rows.map(|(target, size)| (target.trim().to_owned(), size.parse().unwrap())).collect()
}

async fn shown(arguments: serde_json::Value) -> BTreeMap<String, u64> {
    let answer = data(&call(&services(), os_user(), "disk_usage", arguments).await);
    let partitions = answer["partitions"].as_array().unwrap();
    partitions
        .iter()
        .map(|row| (row["mount"].as_str().unwrap().to_owned(), row["total"].as_u64().unwrap()))
        .collect()
}

#[tokio::test]
async fn the_same_file_systems_and_totals_are_shown_as_by_df() {
    assert_eq!(shown(json!({})).await, df(&[]));
}

#[tokio::test]
async fn a_path_selects_the_file_system_that_holds_it() {
    assert_eq!(shown(json!({"path": "/etc/passwd"})).await, df(&["/etc/passwd"]));
    assert_eq!(shown(json!({"path": "/etc/not/there"})).await, df(&["/etc"]));
}

#[tokio::test]
async fn used_and_free_make_the_percentage() {
    let answer = data(&call(&services(), os_user(), "disk_usage", json!({"path": "/"})).await);
    let row = &answer["partitions"][0];
    let part = |key: &str| row[key].as_f64().unwrap();
    let expected = part("used") * 100.0 / (part("used") + part("free"));
    assert!((part("percent") - expected).abs() <= 0.05, "{row}");
}
