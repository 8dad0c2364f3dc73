//! The calculator against fractions calculated another way.

use std::time::{Duration, Instant};

use gabier_toolbox::math::expression::calculate;
use proptest::prelude::*;

/// A fraction of machine integers; `None` once it does not fit or has no value.
type Fraction = Option<(i128, i128)>;

#[derive(Clone, Debug)]
enum Tree {
    Number(i64, u32),
    Negate(Box<Self>),
    Join(char, Box<Self>, Box<Self>),
    Power(Box<Self>, i32),
}

impl Tree {
    fn value(&self) -> Fraction {
        match self {
            Self::Number(digits, places) => reduced(i128::from(*digits), 10i128.checked_pow(*places)?),
            Self::Negate(inner) => inner.value().map(|(n, d)| (-n, d)),
            Self::Join(sign, left, right) => join(*sign, left.value()?, right.value()?),
            Self::Power(base, exponent) => {
                let (n, d) = base.value()?;
                let (n, d) = if *exponent < 0 { (d, n) } else { (n, d) };
                reduced(n.checked_pow(exponent.unsigned_abs())?, d.checked_pow(exponent.unsigned_abs())?)
            }
        }
    }

    /// The text with no more parentheses than precedence asks for.
    fn text(&self) -> String {
        match self {
            Self::Number(digits, places) => {
                let places = *places as usize;
                let digits = format!("{digits:0>width$}", width = places + 1);
                let (whole, fraction) = digits.split_at(digits.len() - places);
                if places == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") }
            }
            Self::Negate(inner) => format!("-{}", inner.text_from(3)),
            Self::Join(sign, left, right) => {
                let own = self.strength();
                let sign = if *sign == 'f' { "//".to_owned() } else { sign.to_string() };
                format!("{} {sign} {}", left.text_from(own), right.text_from(own + 1))
            }
            Self::Power(base, exponent) => format!("{} ** {exponent}", base.text_from(5)),
        }
    }

    fn text_from(&self, least: u8) -> String {
        if self.strength() < least { format!("({})", self.text()) } else { self.text() }
    }

    fn strength(&self) -> u8 {
        match self {
            Self::Join('+' | '-', ..) => 1,
            Self::Join(..) => 2,
            Self::Negate(_) => 3,
            Self::Power(..) => 4,
            Self::Number(..) => 5,
        }
    }
}

fn join(sign: char, (a, b): (i128, i128), (c, d): (i128, i128)) -> Fraction {
    let sum = |c: i128| reduced(a.checked_mul(d)?.checked_add(c.checked_mul(b)?)?, b.checked_mul(d)?);
    let quotient = || reduced(a.checked_mul(d)?, b.checked_mul(c)?);
    let floor = || quotient().map(|(n, d)| (n.div_euclid(d), 1));
    match sign {
        '+' => sum(c),
        '-' => sum(-c),
        '*' => reduced(a.checked_mul(c)?, b.checked_mul(d)?),
        '/' => quotient(),
        'f' => floor(),
        _ => {
            let (whole, _) = floor()?;
            join('-', (a, b), reduced(c.checked_mul(whole)?, d)?)
        }
    }
}

fn reduced(n: i128, d: i128) -> Fraction {
    let (mut a, mut b) = (n.checked_abs()?, d.checked_abs()?);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    (d != 0).then(|| (n / a * d.signum(), d.abs() / a))
}

fn trees() -> impl Strategy<Value = Tree> {
    let number = (0..1000i64, 0..3u32).prop_map(|(digits, places)| Tree::Number(digits, places));
    number.prop_recursive(5, 24, 2, |inner| {
        let sign = prop::sample::select(vec!['+', '-', '*', '/', 'f', '%']);
        prop_oneof![
            inner.clone().prop_map(|tree| Tree::Negate(Box::new(tree))),
            (sign, inner.clone(), inner.clone()).prop_map(|(sign, left, right)| Tree::Join(
                sign,
                Box::new(left),
                Box::new(right)
            )),
            (inner, -3..4i32).prop_map(|(base, exponent)| Tree::Power(Box::new(base), exponent)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_expression_has_the_value_of_its_fractions(tree in trees()) {
        let text = tree.text();
        prop_assume!(text.len() < 900);
        if let Some((n, d)) = tree.value() {
            let difference = calculate(&format!("({text}) - ({n}) / {d}")).map_err(|fault| fault.to_string());
            let difference = difference.map(|answer| (answer.text, answer.approx));
            prop_assert_eq!(difference, Ok(("0".to_owned(), false)), "{} = {}/{}", text, n, d);
        }
    }

    #[test]
    fn no_text_breaks_the_calculator(text in "[-+*/%^()., 0-9a-z]{0,200}|\\PC{0,200}") {
        let _ = calculate(&text);
    }

    #[test]
    fn a_decimal_comes_back_as_it_was_written(whole in 1..u64::MAX, places in 0..15u32) {
        let text = Tree::Number(i64::try_from(whole >> 1).unwrap_or(1), places).text();
        let answer = calculate(&text).unwrap();
        let expected = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        prop_assert_eq!(answer.text.as_str(), expected);
        prop_assert!(!answer.approx);
    }
}

/// The worst texts found so far, each within the time that `security.md` allows.
#[test]
fn the_worst_expressions_end_within_a_tenth_of_a_second() {
    let bombs = [
        "9**9**9".to_owned(),
        "%7^-1450".repeat(120).replacen('%', "1%", 1),
        "*3^2000/7^1000".repeat(70).replacen('*', "1*", 1),
        "sqrt(".repeat(63) + "2^4000" + &")".repeat(63),
        format!("max({}1)", "2^4000,".repeat(140)),
        format!("1{}", "+1/997".repeat(170)),
        "(".repeat(1024),
        "9".repeat(1024),
        format!("0.{}", "9".repeat(1000)),
    ];
    for bomb in bombs {
        // The best of three: the machine may be busy with other tests.
        let took = (0..3).map(|_| time_of(&bomb)).min().unwrap();
        assert!(took.as_millis() < 100, "{took:?} for {bomb}");
    }
}

fn time_of(text: &str) -> Duration {
    let began = Instant::now();
    let _ = calculate(text);
    began.elapsed()
}
