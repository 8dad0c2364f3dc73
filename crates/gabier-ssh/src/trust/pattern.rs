//! Patterns of host and user names: `*`, `?`, lists, negation.

/// True when the text matches a pattern of `*` and `?`, in a time linear to their product.
pub(crate) fn matches(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let (mut at, mut place) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(place) {
            Some(b'*') => {
                retry = Some((place + 1, at));
                place += 1;
            }
            Some(&expected) if expected == b'?' || expected == text[at] => {
                at += 1;
                place += 1;
            }
            _ => match retry {
                Some((after, from)) => {
                    retry = Some((after, from + 1));
                    (place, at) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[place..].iter().all(|rest| *rest == b'*')
}

/// True when the text matches a list of patterns separated by commas, none of its negated ones (`!`) among them.
pub(crate) fn matches_list(text: &str, list: &str) -> bool {
    let mut found = false;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(negated) if matches(text, negated) => return false,
            Some(_) => {}
            None => found |= matches(text, pattern),
        }
    }
    found
}

/// True when the text matches the list in any case.
pub(crate) fn matches_hosts(text: &str, list: &str) -> bool {
    matches_list(&text.to_ascii_lowercase(), &list.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match_as_in_a_shell() {
        for (text, pattern, expected) in [
            ("web1", "web1", true),
            ("web1", "web?", true),
            ("web12", "web?", false),
            ("web1.example.org", "*.example.org", true),
            ("example.org", "*.example.org", false),
            ("aXbXc", "a*X*c", true),
            ("", "*", true),
            ("", "", true),
            ("a", "", false),
            ("abc", "*b", false),
        ] {
            assert_eq!(matches(text, pattern), expected, "{text} {pattern}");
        }
    }

    #[test]
    fn a_negated_pattern_wins_wherever_it_stands() {
        assert!(matches_list("web1", "web*,!web2"));
        assert!(!matches_list("web2", "web*,!web2"));
        assert!(!matches_list("web2", "!web2,web*"));
        assert!(!matches_list("web1", "!web2"), "a negation alone matches nothing");
        assert!(matches_hosts("WEB1", "Web*"));
    }

    #[test]
    fn many_stars_cost_little() {
        let text = "a".repeat(10_000);
        assert!(!matches(&text, &format!("{}b", "*a".repeat(500))));
    }
}
