//! What holds for every tool.

use std::path::Path;
use std::sync::Arc;

use gabier_tool::{Catalog, Effect, lint};
use gabier_toolbox::TOOLSETS;

use crate::services;

fn catalog() -> Catalog {
    let services = services();
    let mut catalog = Catalog::new();
    for toolset in TOOLSETS {
        catalog.bind(*toolset, &services);
    }
    catalog
}

#[test]
fn no_tool_breaks_a_rule() {
    assert_eq!(lint(&catalog()), Vec::<String>::new());
}

/// A file with a tool that is missing from its folder's list would never be called.
#[test]
fn every_file_with_a_tool_is_in_the_list_of_its_folder() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for toolset in TOOLSETS {
        let folder = source.join(toolset.name);
        let list = std::fs::read_to_string(folder.join("mod.rs")).unwrap();
        for file in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let Some(name) = file.file_stem().and_then(|name| name.to_str()).filter(|name| *name != "mod")
            else {
                continue;
            };
            assert!(list.contains(&format!("mod {name};")), "{} is no module of its folder", file.display());
            let is_tool = file.is_file()
                && std::fs::read_to_string(&file).unwrap().contains("\nimpl Tool<Services> for ");
            let is_listed = list.contains(&format!("ToolDef::of::<{name}::"));
            assert_eq!(is_tool, is_listed, "{} and the list of its folder disagree", file.display());
        }
    }
}

#[test]
fn what_changes_nothing_says_so_and_no_local_tool_carries_data_out() {
    for entry in catalog().iter().filter(|entry| entry.toolset != "network") {
        assert_eq!(entry.facts.effect, Effect::Read, "{}", entry.facts.name);
        assert!(!entry.facts.open_world, "{}", entry.facts.name);
    }
}

/// Descriptions cost tokens in every conversation (`tools.md` §2).
#[test]
fn the_schemas_of_the_local_tools_are_short() {
    for entry in catalog().iter().filter(|entry| entry.toolset != "network") {
        let schemas = entry.schemas();
        let size = serde_json::to_string(&schemas.input).unwrap().len() + schemas.description.len();
        assert!(size <= 700, "{} takes {size} bytes", entry.facts.name);
    }
}

#[test]
fn settings_refuse_what_they_do_not_know() {
    let refused = serde_json::from_str::<gabier_toolbox::Settings>(r#"{"files": {"root": []}}"#);
    assert!(refused.is_err());
    let settings: gabier_toolbox::Settings =
        serde_json::from_str(r#"{"files": {"roots": ["relative"]}}"#).unwrap();
    let error = gabier_toolbox::Services::open(&settings, None).map(Arc::new).err().unwrap();
    assert_eq!(error.message(), "files.roots: must be absolute paths, relative is not");
}
