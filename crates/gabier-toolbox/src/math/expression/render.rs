//! A value in decimals.

use dashu_int::ops::Abs;
use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::Answer;
use super::number::{Number, ten_to};

/// How many digits a rounded fraction shows.
const DIGITS: usize = 20;

/// How many decimals an exact fraction shows before it is rounded.
const PLACES: usize = 60;

/// Writes a value: whole numbers and short decimals exactly, other fractions to 20 digits, floats to 15.
pub(super) fn answer(value: &Number) -> Answer {
    match value {
        Number::Exact(value) => match places_of(value.denominator()) {
            Some(places) if places <= PLACES => Answer { text: fixed(value, places), approx: false },
            _ => Answer { text: rounded(value), approx: true },
        },
        Number::Approx(value) => Answer { text: float(*value), approx: true },
    }
}

/// How many decimals a fraction over that denominator has; `None` when they never end.
fn places_of(denominator: &UBig) -> Option<usize> {
    let twos = denominator.trailing_zeros().unwrap_or(0);
    let mut rest = denominator.clone() >> twos;
    let (five, mut fives) = (UBig::from(5u8), 0);
    while !rest.is_one() {
        if &rest % &five != UBig::ZERO {
            return None;
        }
        rest /= &five;
        fives += 1;
    }
    Some(twos.max(fives))
}

/// The value with that many decimals, which are all it has.
fn fixed(value: &RBig, places: usize) -> String {
    let scaled = (value * RBig::from(ten_to(places))).trunc();
    let is_negative = scaled < IBig::ZERO;
    let digits = format!("{:0>width$}", scaled.abs().to_string(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let sign = if is_negative { "-" } else { "" };
    if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// The value to 20 digits, with an exponent when it is far from 1.
fn rounded(value: &RBig) -> String {
    let sign = if *value < RBig::ZERO { "-" } else { "" };
    let value = value.clone().abs();
    let mut exponent = estimated_exponent(&value);
    let mut digits = leading_digits(&value, exponent);
    if digits.len() > DIGITS {
        // The estimate was one too low, or rounding carried over.
        exponent += 1;
        digits = leading_digits(&value, exponent);
    }
    format!("{sign}{}", placed(&digits, exponent))
}

/// The exponent of ten of the first digit, or one less.
fn estimated_exponent(value: &RBig) -> i64 {
    let digits = |number: &UBig| i64::try_from(number.to_string().len()).unwrap_or(i64::MAX);
    let (_, numerator) = value.numerator().clone().into_parts();
    digits(&numerator) - digits(value.denominator()) - 1
}

/// The first 20 digits when the first one counts ten to `exponent`, rounded.
fn leading_digits(value: &RBig, exponent: i64) -> String {
    let shift = i64::try_from(DIGITS).unwrap_or(i64::MAX) - 1 - exponent;
    let power = RBig::from(ten_to(usize::try_from(shift.unsigned_abs()).unwrap_or(usize::MAX)));
    let scaled = if shift < 0 { value / power } else { value * power };
    scaled.round().to_string()
}

/// A float to the 15 digits it can be trusted for.
fn float(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{:.14e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{}", placed(&mantissa.replace('.', ""), exponent.parse().unwrap_or(0)))
}

/// Puts the point into digits whose first one counts ten to `exponent`.
fn placed(digits: &str, exponent: i64) -> String {
    let digits = digits.trim_end_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    let (first, rest) = digits.split_at(1);
    match usize::try_from(exponent) {
        Ok(whole) if whole <= DIGITS => {
            let rest = format!("{rest:0<whole$}");
            let (whole, fraction) = rest.split_at(whole);
            if fraction.is_empty() { format!("{first}{whole}") } else { format!("{first}{whole}.{fraction}") }
        }
        Err(_) if exponent >= -6 => {
            let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0));
            format!("0.{zeros}{digits}")
        }
        _ if rest.is_empty() => format!("{first}e{exponent}"),
        _ => format!("{first}.{rest}e{exponent}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numerator: i64, denominator: u64, expected: &str) {
        let value = RBig::from_parts(numerator.into(), denominator.into());
        assert_eq!(answer(&Number::Exact(value)).text, expected);
    }

    #[test]
    fn fractions_are_exact_when_they_end_and_rounded_when_not() {
        check(-1, 8, "-0.125");
        check(100, 1, "100");
        check(-2, 3, "-0.66666666666666666667");
        check(1, 7_000_000, "1.4285714285714285714e-7");
        check(2, 300, "0.0066666666666666666667");
        check(300_000_000_000_000_000, 7, "42857142857142857.143");
    }

    #[test]
    fn floats_have_fifteen_digits() {
        assert_eq!(float(0.1 + 0.2), "0.3");
        assert_eq!(float(-1.5e300), "-1.5e300");
        assert_eq!(float(1e-7), "1e-7");
        assert_eq!(float(123_456.0), "123456");
    }
}
