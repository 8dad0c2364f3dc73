//! The form of answer that a client prefers.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::answer::media;

/// A form of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The envelope.
    Json,
    /// The view as Markdown.
    Markdown,
    /// The view as a page.
    Html,
    /// One JSON value a line.
    Ndjson,
    /// The envelope, its view and its exit code.
    View,
    /// Progress as it happens, then the result.
    Events,
}

impl Form {
    const ALL: [(Self, &str); 6] = [
        (Self::Json, media::JSON),
        (Self::Markdown, "text/markdown"),
        (Self::Html, "text/html"),
        (Self::Ndjson, media::NDJSON),
        (Self::View, media::VIEW),
        (Self::Events, media::EVENTS),
    ];

    /// The first of the best: JSON for whoever takes anything, or names nothing that we have.
    pub(crate) fn preferred(headers: &HeaderMap) -> Self {
        let mut best = (Self::Json, 0.0);
        let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
        for range in lines.flat_map(|line| line.split(',')) {
            let mut parts = range.split(';');
            let name = parts.next().unwrap_or_default().trim();
            let quality = parts
                .find_map(|part| part.trim().strip_prefix("q="))
                .map_or(1.0, |text| text.parse::<f32>().unwrap_or(0.0));
            let form = match name {
                "*/*" | "application/*" => Some(Self::Json),
                "text/*" => Some(Self::Markdown),
                _ => Self::ALL.iter().find(|(_, own)| own.eq_ignore_ascii_case(name)).map(|(form, _)| *form),
            };
            if let Some(form) = form
                && quality > best.1
            {
                best = (form, quality);
            }
        }
        best.0
    }

    /// True when the answer shows the view.
    pub(crate) const fn shows_view(self) -> bool {
        matches!(self, Self::Markdown | Self::Html | Self::View | Self::Events)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(accept: &'static str, form: Form) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        assert_eq!(Form::preferred(&headers), form, "{accept}");
    }

    #[test]
    fn the_best_quality_wins_and_the_first_among_equals() {
        check("text/markdown", Form::Markdown);
        check("text/html,application/xhtml+xml,*/*;q=0.8", Form::Html);
        check("application/json;q=0.5, text/event-stream", Form::Events);
        check("application/json, text/event-stream", Form::Json);
    }

    #[test]
    fn whoever_takes_anything_or_nothing_of_ours_gets_json() {
        check("*/*", Form::Json);
        check("image/png", Form::Json);
        check("text/html;q=0", Form::Json);
        assert_eq!(Form::preferred(&HeaderMap::new()), Form::Json);
    }
}
