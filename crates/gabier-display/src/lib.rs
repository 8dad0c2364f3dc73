//! The one display of a result as text that is kept: Markdown and HTML, the same on every face.
//!
//! A terminal and a page's frame belong to their faces; what stands between is here.

pub mod html;
mod markdown;

pub use markdown::markdown;

use gabier_tool::Tone;

/// A tone in words: what colour says must be readable without it.
const fn tone_word(tone: Tone) -> &'static str {
    match tone {
        Tone::Warn => " (warning)",
        Tone::Bad => " (bad)",
        Tone::Plain | Tone::Good | Tone::Muted | Tone::Strong => "",
    }
}
