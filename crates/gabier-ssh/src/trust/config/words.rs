//! The words of a line of `ssh_config`, cut as OpenSSH cuts them.

const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

/// Cuts off the next word: blanks and `=` (where `splits_equals`) end it, double quotes hold it together. None at the
/// end, and where a quote stays open.
pub(super) fn next<'a>(rest: &mut Option<&'a str>, splits_equals: bool) -> Option<String> {
    let text: &'a str = rest.take()?;
    let Some(at) = text.find(|c: char| BLANK.contains(&c) || c == '"' || (splits_equals && c == '=')) else {
        return Some(text.to_owned());
    };
    if text[at..].starts_with('"') {
        let (before, quoted) = (&text[..at], &text[at + 1..]);
        let end = quoted.find('"')?;
        *rest = Some(quoted[end + 1..].trim_start_matches(BLANK));
        return Some(format!("{before}{}", &quoted[..end]));
    }
    let mut after = text[at + 1..].trim_start_matches(BLANK);
    // One `=` stands between a word and the next, blanks around it or not.
    if splits_equals && !text[at..].starts_with('=') && after.starts_with('=') {
        after = after[1..].trim_start_matches(BLANK);
    }
    *rest = Some(after);
    Some(text[..at].to_owned())
}

/// Cuts the rest of a line into arguments, up to a comment; none when a quote stays open.
pub(super) fn arguments(text: &str) -> Option<Vec<String>> {
    let mut arguments = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| *c == ' ' || *c == '\t').is_some() {}
        match chars.peek() {
            None | Some('#') => return Some(arguments),
            Some(_) => {}
        }
        let mut argument = String::new();
        let mut quote = None;
        while let Some(c) = chars.next() {
            match (c, quote) {
                ('\\', _) => {
                    let is_escape =
                        |next: &char| matches!(next, '\'' | '"' | '\\') || (quote.is_none() && *next == ' ');
                    argument.push(chars.next_if(is_escape).unwrap_or('\\'));
                }
                (' ' | '\t', None) => break,
                ('\'' | '"', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                (c, _) => argument.push(c),
            }
        }
        if quote.is_some() {
            return None;
        }
        arguments.push(argument);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyword(line: &str) -> (String, String) {
        let mut rest = Some(line);
        (next(&mut rest, true).unwrap_or_default(), rest.unwrap_or("-").to_owned())
    }

    #[test]
    fn a_keyword_ends_at_a_blank_or_one_equals_sign() {
        for line in ["Port 22", "Port=22", "Port = 22", "Port\t=22", "\"Port\" 22", "Port  \t 22"] {
            assert_eq!(keyword(line), ("Port".to_owned(), "22".to_owned()), "{line}");
        }
        assert_eq!(keyword("Port = =22"), ("Port".to_owned(), "=22".to_owned()));
        assert_eq!(keyword("Port"), ("Port".to_owned(), "-".to_owned()));
    }

    #[test]
    fn arguments_keep_what_is_quoted_and_end_at_a_comment() {
        let check = |text: &str| arguments(text).map(|found| found.join("|"));
        assert_eq!(check(r#"a "b c" 'd e' f\ g # h"#).unwrap(), "a|b c|d e|f g");
        assert_eq!(check(r#"a#b "x\"y" \z"#).unwrap(), "a#b|x\"y|\\z");
        assert_eq!(check(r#"""#), None);
        assert_eq!(check(r#"a "" b"#).unwrap(), "a||b");
    }
}
