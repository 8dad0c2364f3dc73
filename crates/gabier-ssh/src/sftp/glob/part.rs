//! One part of a pattern against one name: characters where the name is text, bytes where it is not.

/// One step of a pattern.
enum Token<'a> {
    /// Any characters.
    Star,
    /// Any one character.
    Any,
    /// One character of a set; the content of the brackets.
    Set { is_negated: bool, content: &'a [u8] },
    /// This byte.
    Byte(u8),
}

/// True when the pattern covers the whole name. Time grows with the product of both lengths and no faster.
pub(super) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.starts_with(b".") && !pattern.starts_with(b".") && !pattern.starts_with(b"\\.") {
        return false;
    }
    let (mut pattern_at, mut name_at) = (0, 0);
    // Where to go on when the last star takes one character more.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let advanced = match token(&pattern[pattern_at..]) {
            None if name_at == name.len() => return true,
            None => None,
            Some((Token::Star, length)) => {
                pattern_at += length;
                retry = Some((pattern_at, name_at));
                continue;
            }
            Some((token, length)) => token.take(&name[name_at..]).map(|taken| (length, taken)),
        };
        if let Some((length, taken)) = advanced {
            pattern_at += length;
            name_at += taken;
            continue;
        }
        match &mut retry {
            Some((behind_star, from)) if *from < name.len() => {
                *from += character(&name[*from..]).1;
                (pattern_at, name_at) = (*behind_star, *from);
            }
            _ => return false,
        }
    }
}

impl Token<'_> {
    /// How much of the name it takes; none when it does not match.
    fn take(&self, name: &[u8]) -> Option<usize> {
        let first = *name.first()?;
        let (found, length) = character(name);
        match self {
            Self::Star => None,
            Self::Any => Some(length),
            Self::Byte(byte) => (*byte == first).then_some(1),
            Self::Set { is_negated, content } => (holds(content, found) != *is_negated).then_some(length),
        }
    }
}

/// The next step of a pattern and its length.
fn token(pattern: &[u8]) -> Option<(Token<'_>, usize)> {
    match pattern {
        [] => None,
        [b'*', ..] => Some((Token::Star, 1)),
        [b'?', ..] => Some((Token::Any, 1)),
        [b'\\', byte, ..] => Some((Token::Byte(*byte), 2)),
        [b'[', rest @ ..] => Some(set(rest).unwrap_or((Token::Byte(b'['), 1))),
        [byte, ..] => Some((Token::Byte(*byte), 1)),
    }
}

/// A set behind its bracket; none when it is never closed. A bracket that comes first is a member.
fn set(rest: &[u8]) -> Option<(Token<'_>, usize)> {
    let is_negated = matches!(rest.first(), Some(b'!' | b'^'));
    let start = usize::from(is_negated);
    let end = start + 1 + rest.get(start + 1..)?.iter().position(|byte| *byte == b']')?;
    let content = &rest[start..end];
    Some((Token::Set { is_negated, content }, end + 2))
}

fn holds(mut content: &[u8], found: u32) -> bool {
    while !content.is_empty() {
        let (low, length) = character(content);
        content = &content[length..];
        if let [b'-', rest @ ..] = content
            && !rest.is_empty()
        {
            let (high, length) = character(rest);
            content = &rest[length..];
            if (low..=high).contains(&found) {
                return true;
            }
        } else if low == found {
            return true;
        }
    }
    false
}

/// The first character and its length. A byte that is not text is a character beyond all others.
fn character(bytes: &[u8]) -> (u32, usize) {
    let start = &bytes[..bytes.len().min(4)];
    let text = start.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    match text.chars().next() {
        Some(character) => (character.into(), character.len_utf8()),
        None => (0x11_0000 + u32::from(bytes[0]), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_text_are_matched_byte_by_byte() {
        let cases: [(&[u8], &[u8], bool); 6] = [
            (b"caf?", b"caf\xe9", true),
            (b"caf*", b"caf\xe9\xff", true),
            (b"caf\xe9", b"caf\xe9", true),
            (b"[\xe9]", b"\xe9", true),
            (b"[!a]", b"\xe9", true),
            (b"?", b"\xe9\xe9", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern, name), expected, "{pattern:?} on {name:?}");
        }
    }
}
