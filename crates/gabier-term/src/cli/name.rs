//! From a tool's name to its commands.

use gabier_tool::schema::kebab;

/// The flat command of a tool: `ping_host` = `ping-host`. A second owner gets a number; a name without any letter is
/// `tool`.
pub(crate) fn flat(name: &str, taken: &[String]) -> String {
    let kebab = kebab(name);
    let natural = if kebab.is_empty() { "tool".to_owned() } else { kebab };
    let numbered = (2..).map(|number| format!("{natural}-{number}"));
    let free = std::iter::once(natural.clone()).chain(numbered).find(|name| !taken.contains(name));
    free.unwrap_or(natural)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_command_of_its_own() {
        let mut taken = Vec::new();
        for name in ["ping_host", "pingHost", "???", "monOutilSync", "a/b c", "read_file"] {
            taken.push(flat(name, &taken));
        }
        assert_eq!(taken, ["ping-host", "ping-host-2", "tool", "mon-outil-sync", "a-b-c", "read-file"]);
    }
}
