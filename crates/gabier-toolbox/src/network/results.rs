//! What a page of DuckDuckGo's HTML search says.

use schemars::JsonSchema;
use scraper::{ElementRef, Html, Selector};
use serde::Serialize;
use url::Url;

/// One result.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct SearchResult {
    /// The title.
    title: String,
    /// Where it leads.
    url: String,
    /// What the page says around the words.
    snippet: String,
}

/// The results of a page, advertisements left out; nothing when the page is none that we can read. A page that says
/// that there are no results has none.
pub(super) fn read(page: &str, most: usize) -> Option<Vec<SearchResult>> {
    let (page, result) = (Html::parse_document(page), selector(".result:not(.result--ad)")?);
    let found: Vec<_> = page.select(&result).filter_map(result_of).take(most).collect();
    let is_empty = page.select(&selector(".no-results, .result--no-result")?).next().is_some();
    (!found.is_empty() || is_empty).then_some(found)
}

fn result_of(result: ElementRef<'_>) -> Option<SearchResult> {
    let link = result.select(&selector("a.result__a")?).next()?;
    let snippet = result.select(&selector(".result__snippet")?).next().map(text_of).unwrap_or_default();
    let title = text_of(link);
    (!title.is_empty()).then_some(SearchResult { title, url: target(link.attr("href")?)?, snippet })
}

/// Where a link leads, past DuckDuckGo's own redirect (`/l/?uddg=…`). Its advertisements lead to `/y.js` and nowhere.
fn target(href: &str) -> Option<String> {
    let base = Url::parse("https://duckduckgo.com/").ok()?;
    let link = base.join(href).ok()?;
    let is_own =
        link.host_str().is_some_and(|host| host == "duckduckgo.com" || host.ends_with(".duckduckgo.com"));
    let url = match link.path() {
        "/l/" if is_own => {
            let (_, target) = link.query_pairs().find(|(name, _)| name == "uddg")?;
            Url::parse(&target).ok()?
        }
        "/y.js" if is_own => return None,
        _ => link,
    };
    matches!(url.scheme(), "http" | "https").then(|| url.into())
}

/// The text of an element with single spaces.
fn text_of(element: ElementRef<'_>) -> String {
    element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn selector(text: &str) -> Option<Selector> {
    Selector::parse(text).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A page as DuckDuckGo writes it.
    pub(in crate::network) const PAGE: &str = r#"<html><body><div id="links" class="results">
        <div class="result results_links result--ad"><h2><a class="result__a"
          href="https://duckduckgo.com/y.js?ad_domain=x.test">Buy</a></h2></div>
        <div class="result results_links results_links_deep web-result"><div class="links_main">
          <h2 class="result__title"><a rel="nofollow" class="result__a"
            href="//duckduckgo.com/l/?uddg=https%3A%2F%2Fwww.rust%2Dlang.org%2F%3Fa%3D1%26b%3D2&amp;rut=0f">Rust
            <b>Language</b></a></h2>
          <a class="result__snippet" href="//duckduckgo.com/l/?uddg=x">A language &amp; its <b>tools</b>.</a></div></div>
        <div class="result web-result"><a class="result__a" href="http://plain.test/p">Plain</a></div>
        <div class="result web-result"><a class="result__a" href="javascript:alert(1)">Bad</a></div>
        </div></body></html>"#;

    fn result(title: &str, url: &str, snippet: &str) -> SearchResult {
        SearchResult { title: title.to_owned(), url: url.to_owned(), snippet: snippet.to_owned() }
    }

    #[test]
    fn results_are_unwrapped_and_advertisements_left_out() {
        let expected = [
            result("Rust Language", "https://www.rust-lang.org/?a=1&b=2", "A language & its tools."),
            result("Plain", "http://plain.test/p", ""),
        ];
        assert_eq!(read(PAGE, 20).unwrap(), expected);
        assert_eq!(read(PAGE, 1).unwrap(), expected[..1]);
    }

    #[test]
    fn a_page_that_says_so_has_no_results() {
        assert_eq!(read(r#"<div class="no-results">No results.</div>"#, 5), Some(vec![]));
    }

    #[test]
    fn a_page_that_cannot_be_read_gives_nothing_at_all() {
        for page in
            ["", "<html><body>captcha</body></html>", "{\"results\": []}", "<div class=result>bare</div>"]
        {
            assert_eq!(read(page, 5), None, "{page}");
        }
    }
}
