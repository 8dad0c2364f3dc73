//! What holds for every tool.

use std::path::Path;
use std::sync::Arc;

use gabier_tool::schema::{Detail, mcp_input};
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

/// The toolsets that only look.
const LOOKING: [&str; 3] = ["monitor", "logs", "math"];

#[test]
fn a_toolset_that_only_looks_has_no_tool_that_changes_anything() {
    for entry in catalog().iter().filter(|entry| LOOKING.contains(&entry.toolset)) {
        assert_eq!(entry.facts.effect, Effect::Read, "{}", entry.facts.name);
    }
}

/// What a small profile shows costs tokens in every conversation (`tools.md` §2).
#[test]
fn what_the_small_profiles_show_of_a_tool_is_short() {
    for entry in catalog().iter().filter(|entry| entry.toolset != "network") {
        let input = serde_json::Value::Object(mcp_input(entry, Detail::Slim));
        let size = input.to_string().len() + entry.schemas().description.len();
        assert!(size <= 900, "{} takes {size} bytes", entry.facts.name);
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
