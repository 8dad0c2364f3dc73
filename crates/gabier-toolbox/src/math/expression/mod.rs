//! Arithmetic on exact fractions: text to tokens, tokens to steps, steps to a value.
//!
//! Nothing recurses on the input deeper than [`MOST_DEPTH`], no number grows past its bound, and every step is paid
//! from a budget, so that no text of [`MOST_BYTES`] takes longer than a blink.

mod evaluate;
mod function;
mod lexer;
mod number;
mod parser;
mod power;
mod render;

use std::fmt;

/// The longest expression, in bytes.
pub const MOST_BYTES: usize = 1024;

/// The deepest nesting of parentheses, signs and powers.
pub const MOST_DEPTH: usize = 64;

/// The value of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The value in decimals.
    pub text: String,
    /// True when it is rounded, or was on the way.
    pub approx: bool,
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(String);

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

/// Calculates an expression. Any text is safe to give.
pub fn calculate(text: &str) -> Result<Answer, Fault> {
    if text.len() > MOST_BYTES {
        return Err(Fault::new(format!("is longer than {MOST_BYTES} bytes")));
    }
    let tokens = lexer::tokens(text)?;
    let steps = parser::steps(&tokens)?;
    Ok(render::answer(&evaluate::value(steps)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        match calculate(text) {
            Ok(Answer { text, approx: false }) => text,
            Ok(Answer { text, approx: true }) => format!("~{text}"),
            Err(fault) => format!("! {fault}"),
        }
    }

    fn check(cases: &[(&str, &str)]) {
        for (text, expected) in cases {
            assert_eq!(told(text), *expected, "{text}");
        }
    }

    #[test]
    fn operators_bind_as_in_python() {
        check(&[
            ("2 + 2 * 3", "8"),
            ("(2 + 2) * 3", "12"),
            ("2 ** 3 ** 2", "512"),
            ("2 ^ 10", "1024"),
            ("-2 ** 2", "-4"),
            ("2 ** -1", "0.5"),
            ("--3", "3"),
            ("7 // 2", "3"),
            ("-7 // 2", "-4"),
            ("-7 % 3", "2"),
            ("7 % -3", "-2"),
            ("7.5 % 2", "1.5"),
            ("10 - 3 - 2", "5"),
            ("100 / 10 / 2", "5"),
        ]);
    }

    #[test]
    fn fractions_stay_exact() {
        check(&[
            ("0.1 + 0.2", "0.3"),
            ("1/3 + 1/3 + 1/3", "1"),
            ("1/3", "~0.33333333333333333333"),
            ("2/3", "~0.66666666666666666667"),
            ("1e3 + 1.5e-1", "1000.15"),
            ("2^200", "1606938044258990275541962092341162602522202993782792835301376"),
            ("0.5 ** 3", "0.125"),
            ("(2/3) ** -2", "2.25"),
        ]);
    }

    #[test]
    fn roots_of_squares_are_exact_and_others_approximate() {
        check(&[
            ("sqrt(16)", "4"),
            ("sqrt(9/4)", "1.5"),
            ("16 ** 0.5", "4"),
            ("sqrt(2)", "~1.4142135623731"),
            ("round(sqrt(220^2 + 110^2) * 1.732, 2)", "~426.02"),
        ]);
    }

    #[test]
    fn functions_and_constants() {
        check(&[
            ("abs(-3)", "3"),
            ("round(2.5)", "2"),
            ("round(3.5)", "4"),
            ("round(-1.25, 1)", "-1.2"),
            ("round(1234, -2)", "1200"),
            ("min(3, 1, 2)", "1"),
            ("max(3, 1, 2)", "3"),
            ("pow(2, 8)", "256"),
            ("sin(0)", "~0"),
            ("sin(pi/6)", "~0.5"),
            ("atan(1) * 4", "~3.14159265358979"),
            ("log(e)", "~1"),
            ("log10(1000)", "~3"),
            ("log(8, 2)", "~3"),
            ("exp(1)", "~2.71828182845905"),
            ("PI", "! there is no name \"PI\"; did you mean pi?"),
        ]);
    }

    #[test]
    fn what_has_no_value_says_why() {
        check(&[
            ("1/0", "! division by zero"),
            ("1 // 0", "! division by zero"),
            ("1 % 0", "! division by zero"),
            ("0 ** -1", "! division by zero"),
            ("sqrt(-1)", "! sqrt takes no negative number"),
            ("(-8) ** (1/3)", "! a negative number has no such power"),
            ("log(0)", "! log takes only numbers above 0"),
            ("asin(2)", "! asin takes only numbers from -1 to 1"),
            ("x + 1", "! there is no name \"x\""),
            ("sin", "! sin takes its arguments in parentheses"),
            ("sin()", "! sin takes 1 argument"),
            ("round(1, 0.5)", "! round takes a whole number of digits, -1000 to 1000"),
            ("pi(2)", "! pi is no function"),
            ("", "! is empty"),
            ("1 +", "! ends where a value should follow"),
            ("(1", "! lacks a closing parenthesis"),
            ("1)", "! has \")\" at character 2 where an operator should be"),
            ("1 2", "! has a number at character 3 where an operator should be"),
            ("1 $ 2", "! has \"$\" at character 3, which means nothing here"),
            ("é", "! has \"é\" at character 1, which means nothing here"),
            ("* 2", "! has \"*\" at character 1 where a value should be"),
            ("1.2.3", "! has \"1.2.3\" at character 1, which is no number"),
        ]);
    }

    #[test]
    fn bombs_are_refused_at_once() {
        check(&[
            ("9**9**9", "! the exponent is larger than 10000"),
            ("9**9999", "! a number grew past 4096 bits"),
            ("1e99999", "! a number grew past 4096 bits"),
            ("1e-99999", "! a number grew past 4096 bits"),
            ("exp(1000)", "! the result is too large"),
            ("sin(2^2000)", "! sin takes no number this large"),
        ]);
        let nines = "9".repeat(1024);
        assert!(told(&nines).len() == 1024);
        assert_eq!(told(&"(".repeat(1024)), "! is nested deeper than 64");
        assert_eq!(told(&format!("{}1{}", "(".repeat(511), ")".repeat(511))), "! is nested deeper than 64");
        assert_eq!(told(&"-".repeat(1024)), "! is nested deeper than 64");
        assert_eq!(told(&format!("1{}", "^1".repeat(500))), "! is nested deeper than 64");
        assert_eq!(told(&format!("1{}", "+1".repeat(511))), "512");
        assert_eq!(told(&"9".repeat(1025)), "! is longer than 1024 bytes");
    }

    #[test]
    fn much_work_on_large_numbers_runs_out_of_fuel() {
        let product = format!("1{}", "%7^-1450".repeat(120));
        assert!(product.len() < MOST_BYTES);
        assert_eq!(told(&product), "! takes too much work");
    }
}
