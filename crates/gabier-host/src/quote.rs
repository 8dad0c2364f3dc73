//! The one place where a word becomes safe for a POSIX shell.

/// The word as a POSIX shell reads it back unchanged: bare when it needs no quotes, else in single quotes.
///
/// A NUL cannot be an argument of any program; callers refuse it before (see [`Command::check`](crate::Command::check)).
pub fn quote(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:@%+-,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A program with its arguments as one line.
pub fn quote_all<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    use super::*;

    const SHELLS: [&[&str]; 3] = [&["dash"], &["bash"], &["bash", "--posix"]];

    #[test]
    fn a_plain_word_stays_readable_and_others_are_quoted() {
        assert_eq!(quote("/var/log/nginx-1.log"), "/var/log/nginx-1.log");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("~"), "'~'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote_all(["tail", "-n", "5", "--", "a b"]), "tail -n 5 -- 'a b'");
    }

    /// What the shell makes of the quoted words, read from one run over all of them.
    #[expect(clippy::disallowed_methods, reason = "the test asks real shells")]
    fn read_back(shell: &[&str], words: &[String]) -> Vec<String> {
        let mut script = String::new();
        for word in words {
            script.push_str("printf '%s\\0' ");
            script.push_str(&quote(word));
            script.push('\n');
        }
        let mut child = Command::new(shell[0])
            .args(&shell[1..])
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || stdin.write_all(script.as_bytes()).unwrap());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_terminator('\0').map(str::to_owned).collect()
    }

    fn check(words: &[String]) {
        for shell in SHELLS {
            assert_eq!(read_back(shell, words), words, "{shell:?}");
        }
    }

    #[test]
    fn hostile_words_come_back_unchanged_from_every_shell() {
        let hostile = [
            "$(touch canary)",
            "`id`",
            "a;b",
            "a&&b",
            "|",
            "> f",
            "*",
            "?",
            "[a]",
            "{a,b}",
            "!",
            "!!",
            "#",
            "~root",
            "\\",
            "\\'",
            "'",
            "''",
            "\"",
            "\n",
            "a\nb\n",
            "\t",
            " ",
            "-n",
            "--",
            "-e",
            "%s%n",
            "$0",
            "${IFS}",
            "\u{1b}[31m",
            "\u{7f}",
            "é",
            "日本",
            "\u{202e}",
            "",
            "=",
            "a=b",
            "\r\n",
        ];
        check(&hostile.map(str::to_owned));
    }

    #[test]
    fn any_words_come_back_unchanged_from_every_shell() {
        let word = proptest::string::string_regex("(?s)[^\\x00]{0,24}").unwrap();
        let words = proptest::collection::vec(word, 64);
        let mut runner =
            TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
        runner
            .run(&words, |words| {
                for shell in SHELLS {
                    prop_assert_eq!(&read_back(shell, &words), &words);
                }
                Ok(())
            })
            .unwrap();
    }
}
