//! Manual pages.

use crate::fixture::cli;

#[test]
fn every_visible_command_has_a_page_without_markdown() {
    let folder = tempfile::tempdir().unwrap();
    let pages = gabier_term::man(&cli(), folder.path()).unwrap();
    let mut names: Vec<String> =
        pages.iter().filter_map(|page| page.file_name()?.to_str().map(str::to_owned)).collect();
    names.sort();
    for name in ["gab.1", "gab-ping-host.1", "gab-server.1", "gab-calculator.1", "gab-config-show.1"] {
        assert!(names.iter().any(|own| own == name), "{name} in {names:?}");
    }
    assert!(!names.iter().any(|name| name == "gab-ping_host.1"), "{names:?}");
    let page = std::fs::read_to_string(folder.path().join("gab-ping-host.1")).unwrap();
    assert!(page.contains("Does ping_host.") && page.contains("COUNT"), "{page}");
}
