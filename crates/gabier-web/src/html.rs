//! The frame of every page.

use gabier_tool::View;
use maud::{DOCTYPE, Markup, html};

use crate::docs_ui::{SCRIPT, STYLE};

/// A page with our frame around its content.
pub(crate) fn page(title: &str, content: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="stylesheet" href=(STYLE.path());
                link rel="icon" href="data:,";
                script src=(SCRIPT.path()) defer {}
            }
            body {
                a.skip href="#main" { "Skip to content" }
                (content)
            }
        }
    }
    .into_string()
}

/// A result as a page's main part.
pub(crate) fn result(view: &View) -> Markup {
    html! {
        main #main {
            h1 { "Result" }
            (gabier_display::html::fragment(view))
        }
    }
}
