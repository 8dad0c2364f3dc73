//! Text to tokens.

use dashu_ratio::RBig;

use super::{Fault, number};

/// A piece of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// A number.
    Number(RBig),
    /// A function or a constant.
    Name(&'a str),
    /// An operator.
    Sign(Sign),
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
}

/// What stands between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Times,
    /// `/`
    Over,
    /// `//`
    Floor,
    /// `%`
    Remainder,
    /// `^` or `**`
    Power,
}

/// A token and where it began.
pub(super) struct Placed<'a> {
    /// The token.
    pub(super) token: Token<'a>,
    /// Its text.
    pub(super) text: &'a str,
    /// The character it begins at, from 1.
    pub(super) at: usize,
}

/// Cuts a text into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed<'_>>, Fault> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let at = text[..text.len() - rest.len()].chars().count() + 1;
        let (length, token) = match first {
            '0'..='9' | '.' => number_at(rest, at)?,
            c if c.is_ascii_alphabetic() || c == '_' => {
                let length = span(rest, |c| c.is_ascii_alphanumeric() || c == '_');
                (length, Token::Name(&rest[..length]))
            }
            _ => mark_at(rest).ok_or_else(|| {
                Fault::new(format!("has \"{first}\" at character {at}, which means nothing here"))
            })?,
        };
        let (own, after) = rest.split_at(length);
        tokens.push(Placed { token, text: own, at });
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn mark_at(rest: &str) -> Option<(usize, Token<'static>)> {
    const MARKS: [(&str, Token<'static>); 11] = [
        ("**", Token::Sign(Sign::Power)),
        ("//", Token::Sign(Sign::Floor)),
        ("+", Token::Sign(Sign::Plus)),
        ("-", Token::Sign(Sign::Minus)),
        ("*", Token::Sign(Sign::Times)),
        ("/", Token::Sign(Sign::Over)),
        ("%", Token::Sign(Sign::Remainder)),
        ("^", Token::Sign(Sign::Power)),
        ("(", Token::Open),
        (")", Token::Close),
        (",", Token::Comma),
    ];
    let (text, token) = MARKS.into_iter().find(|(text, _)| rest.starts_with(text))?;
    Some((text.len(), token))
}

fn number_at(rest: &str, at: usize) -> Result<(usize, Token<'_>), Fault> {
    let mut length = span(rest, |c| c.is_ascii_digit() || c == '.');
    let mantissa = &rest[..length];
    let mut exponent = "0";
    if let Some(after) = rest[length..].strip_prefix(['e', 'E']) {
        let signs = usize::from(after.starts_with(['+', '-']));
        let digits = span(&after[signs..], |c| c.is_ascii_digit());
        if digits > 0 {
            exponent = &after[..signs + digits];
            length += 1 + exponent.len();
        }
    }
    let malformed =
        || Fault::new(format!("has \"{}\" at character {at}, which is no number", &rest[..length]));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if fraction.contains('.') || whole.len() + fraction.len() == 0 {
        return Err(malformed());
    }
    Ok((length, Token::Number(number::decimal(whole, fraction, exponent)?)))
}

fn span(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}
