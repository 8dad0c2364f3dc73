//! `%h` and its like.

/// Puts values in place of tokens; `%%` is a percent sign. The token that is not among them is the error.
pub(super) fn expand(text: &str, values: &[(char, &str)]) -> Result<String, String> {
    let mut expanded = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            expanded.push(c);
            continue;
        }
        match chars.next() {
            Some('%') => expanded.push('%'),
            Some(token) => match values.iter().find(|(known, _)| *known == token) {
                Some((_, value)) => expanded.push_str(value),
                None => return Err(format!("%{token}")),
            },
            None => return Err("%".to_owned()),
        }
    }
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn tokens_are_replaced_and_unknown_ones_named() {
        let values = [('h', "web1"), ('p', "%h")];
        assert_eq!(expand("%h-%p-%%h", &values).unwrap(), "web1-%h-%h");
        assert_eq!(expand("%x", &values).unwrap_err(), "%x");
        assert_eq!(expand("100%", &values).unwrap_err(), "%");
    }
}
