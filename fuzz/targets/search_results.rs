//! Pages of the web search.
#![no_main]

use libfuzzer_sys::fuzz_target;
use url::Url;

#[path = "../../crates/gabier-toolbox/src/network/results.rs"]
mod results;

fuzz_target!(|page: &str| {
    let Some(found) = results::read(page, 5) else { return };
    assert!(found.len() <= 5);
    for result in serde_json::to_value(found).expect("results are JSON").as_array().expect("a list") {
        let url = Url::parse(result["url"].as_str().expect("a text")).expect("a URL");
        assert!(matches!(url.scheme(), "http" | "https"));
    }
});
