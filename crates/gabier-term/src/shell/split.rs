//! A line as words, the way a POSIX shell quotes them.

/// What a line holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// These words.
    Closed(Vec<String>),
    /// A quote or a backslash waits for the next line.
    Open,
}

/// Splits a line. Single quotes keep everything, double quotes all but `\"` and `\\`, a backslash keeps one letter.
pub(crate) fn split(line: &str) -> Words {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next() {
                        Some('\'') => break,
                        Some(letter) => word.push(letter),
                        None => return Words::Open,
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next() {
                        Some('"') => break,
                        Some('\\') => match letters.next() {
                            Some(letter @ ('"' | '\\')) => word.push(letter),
                            Some(letter) => word.extend(['\\', letter]),
                            None => return Words::Open,
                        },
                        Some(letter) => word.push(letter),
                        None => return Words::Open,
                    }
                }
            }
            '\\' => match letters.next() {
                Some('\n') => {}
                Some(letter) => word.get_or_insert_default().push(letter),
                None => return Words::Open,
            },
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Words::Closed(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::quoted;

    fn check(line: &str, expected: Option<&[&str]>) {
        match (split(line), expected) {
            (Words::Open, None) => {}
            (Words::Closed(words), Some(expected)) => assert_eq!(words, expected, "{line}"),
            (words, _) => panic!("{line}: {words:?}"),
        }
    }

    #[test]
    fn quotes_keep_blanks_and_open_ones_wait() {
        check("", Some(&[]));
        check("  a  b\t", Some(&["a", "b"]));
        check(r#"a 'b c' "d \"e\" \n" f\ g '' x"y"z"#, Some(&["a", "b c", r#"d "e" \n"#, "f g", "", "xyz"]));
        check("a 'b\nc'", Some(&["a", "b\nc"]));
        check("a \\\nb", Some(&["a", "b"]));
        for open in ["a 'b", "a \"b", "a \\", "\"a\\"] {
            check(open, None);
        }
    }

    #[test]
    fn what_was_quoted_is_read_back() {
        for word in ["", "a", "it's", "a b", "\\", "\"", "ä$HOME`x`", "a\nb"] {
            check(&quoted(word), Some(&[word]));
        }
    }
}
