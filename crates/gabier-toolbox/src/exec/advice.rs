//! Advice about commands that write for ever or wait for a person: they run as given, bounded by their time limit.

/// One sentence about a command that has a better form here; none for all others.
pub(super) fn advice(script: &str) -> Option<String> {
    commands_of(script).find_map(|words| of_words(&words))
}

fn of_words(words: &[&str]) -> Option<String> {
    let (program, arguments) = words.split_first()?;
    let program = program.rsplit('/').next().unwrap_or_default();
    let has = |flags: &[&str]| arguments.iter().any(|word| flags.contains(word));
    let follows = || {
        has(&["-f", "-F", "--follow"])
            || arguments.iter().any(|word| {
                word.starts_with('-')
                    && !word.starts_with("--")
                    && word.ends_with(['f', 'F'])
                    && word.len() <= 4
            })
    };
    let better = match (program, arguments.first().copied()) {
        ("tail", _) if follows() => "tail_file, or tail -n 100 without -f",
        ("docker" | "podman", Some("logs" | "compose")) if follows() => {
            "get_docker_logs, or docker logs --tail 100"
        }
        ("journalctl", _) if follows() => "journalctl -n 100 --no-pager",
        ("journalctl" | "systemctl", _) if !has(&["--no-pager"]) && program == "journalctl" => {
            "journalctl -n 100 --no-pager"
        }
        ("pm2", Some("logs" | "log")) if !has(&["--nostream"]) => {
            "get_pm2_logs, or pm2 logs --nostream --lines 100"
        }
        ("pm2", Some("monit")) => "pm2 list",
        ("top", _) if !has(&["-b", "-bn1"]) => "get_system_resources, or top -b -n 1",
        ("htop" | "btop" | "atop", _) => "get_system_resources, or top -b -n 1",
        ("watch", _) => "the command itself, once",
        ("less" | "more" | "most", _) => "head, tail or grep",
        ("vi" | "vim" | "nvim" | "nano" | "emacs", _) => "sed, or a transfer of the edited file",
        _ => return None,
    };
    Some(format!("{program} may not end by itself; bounded form: {better}"))
}

/// The words of each simple command of a script, roughly: quotes are not read, and a prefix such as `sudo` is skipped.
fn commands_of(script: &str) -> impl Iterator<Item = Vec<&str>> {
    script.split([';', '&', '|', '\n', '(', ')', '{', '}']).map(|part| {
        let is_prefix = |word: &&str| {
            matches!(*word, "sudo" | "exec" | "nohup" | "time" | "nice" | "env" | "command")
                || word.split_once('=').is_some_and(|(name, _)| !name.is_empty() && !name.starts_with('-'))
        };
        let mut words = part.split_whitespace().peekable();
        // A limit of its own: it ends.
        if words.peek() == Some(&"timeout") {
            return Vec::new();
        }
        words.skip_while(is_prefix).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_answered_with_its_bounded_form() {
        for script in [
            "tail -f /var/log/syslog",
            "sudo tail -n5 -F /x",
            "cd /x && docker logs -f web",
            "journalctl -fu ssh",
            "journalctl",
            "pm2 logs",
            "top",
            "A=1 less /etc/passwd",
            "/usr/bin/vim x",
            "watch -n1 date",
        ] {
            assert!(advice(script).is_some(), "{script}");
        }
    }

    #[test]
    fn what_ends_is_left_alone() {
        for script in [
            "uptime",
            "tail -n 5 /x",
            "docker logs --tail 5 web",
            "journalctl -n 5 --no-pager",
            "pm2 logs --nostream",
            "top -b -n 1",
            "timeout 5 tail -f /x",
            "systemctl status ssh",
            "grep -f patterns file",
            "",
        ] {
            assert_eq!(advice(script), None, "{script}");
        }
    }
}
