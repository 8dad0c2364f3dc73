//! The functions and constants that have a name.

use dashu_int::IBig;
use dashu_ratio::RBig;

use super::Fault;
use super::number::{Number, ten_to};
use super::power::{power, square_root};

/// A named number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Constant {
    /// The ratio of a circle's circumference to its diameter.
    Pi,
    /// The base of the natural logarithm.
    E,
}

impl Constant {
    /// The constant of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "pi" => Some(Self::Pi),
            "e" => Some(Self::E),
            _ => None,
        }
    }

    /// Its value.
    pub(super) fn value(self) -> Number {
        Number::Approx(match self {
            Self::Pi => std::f64::consts::PI,
            Self::E => std::f64::consts::E,
        })
    }
}

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Function {
    name: &'static str,
    least: usize,
    most: usize,
}

/// The functions, with how many arguments each takes.
const FUNCTIONS: [Function; 15] = [
    Function { name: "abs", least: 1, most: 1 },
    Function { name: "round", least: 1, most: 2 },
    Function { name: "min", least: 1, most: usize::MAX },
    Function { name: "max", least: 1, most: usize::MAX },
    Function { name: "sqrt", least: 1, most: 1 },
    Function { name: "pow", least: 2, most: 2 },
    Function { name: "exp", least: 1, most: 1 },
    Function { name: "log", least: 1, most: 2 },
    Function { name: "log10", least: 1, most: 1 },
    Function { name: "sin", least: 1, most: 1 },
    Function { name: "cos", least: 1, most: 1 },
    Function { name: "tan", least: 1, most: 1 },
    Function { name: "asin", least: 1, most: 1 },
    Function { name: "acos", least: 1, most: 1 },
    Function { name: "atan", least: 1, most: 1 },
];

impl Function {
    /// The function of that name.
    pub(super) fn named(name: &str) -> Result<Self, Fault> {
        FUNCTIONS.into_iter().find(|function| function.name == name).ok_or_else(|| {
            let names = FUNCTIONS.iter().map(|function| function.name).chain(["pi", "e"]);
            match gabier_tool::nearest(&name.to_lowercase(), names, 1).first() {
                Some(near) if near.len() > 1 => {
                    Fault::new(format!("there is no name {name:?}; did you mean {near}?"))
                }
                _ => Fault::new(format!("there is no name {name:?}")),
            }
        })
    }

    /// Refuses a wrong number of arguments.
    pub(super) fn check_count(self, count: usize) -> Result<(), Fault> {
        if (self.least..=self.most).contains(&count) {
            return Ok(());
        }
        let name = self.name;
        Err(Fault::new(match (self.least, self.most) {
            (1, 1) => format!("{name} takes 1 argument"),
            (least, usize::MAX) => format!("{name} takes at least {least} argument"),
            (least, most) if least == most => format!("{name} takes {least} arguments"),
            (least, most) => format!("{name} takes {least} or {most} arguments"),
        }))
    }

    /// Its value for that many arguments as it takes.
    pub(super) fn apply(self, arguments: &[Number]) -> Result<Number, Fault> {
        match (self.name, arguments) {
            ("abs", [value]) if value.is_negative() => negated(value),
            ("abs", [value]) => Ok(value.clone()),
            ("round", [value]) => round(value, 0),
            ("round", [value, digits]) => round(value, whole(digits)?),
            ("min", values) => Ok(extreme(values, |a, b| a.compare(b).is_lt())),
            ("max", values) => Ok(extreme(values, |a, b| a.compare(b).is_gt())),
            ("sqrt", [value]) => square_root(value),
            ("pow", [base, exponent]) => power(base, exponent),
            ("log", [value, base]) => {
                let (value, base) = (self.float(value)?.ln(), self.float(base)?.ln());
                if base == 0.0 { Err(Fault::new("division by zero")) } else { Number::approx(value / base) }
            }
            (_, [value]) => Number::approx(self.curve(self.float(value)?)),
            _ => Err(Fault::new(format!("{} takes other arguments", self.name))),
        }
    }

    fn curve(self, x: f64) -> f64 {
        match self.name {
            "exp" => x.exp(),
            "log" => x.ln(),
            "log10" => x.log10(),
            "sin" => x.sin(),
            "cos" => x.cos(),
            "tan" => x.tan(),
            "asin" => x.asin(),
            "acos" => x.acos(),
            _ => x.atan(),
        }
    }

    /// The argument as a float, where the function has a value.
    fn float(self, value: &Number) -> Result<f64, Fault> {
        let (name, x) = (self.name, value.to_f64());
        match name {
            _ if !x.is_finite() => Err(Fault::new(format!("{name} takes no number this large"))),
            "log" | "log10" if x <= 0.0 => Err(Fault::new(format!("{name} takes only numbers above 0"))),
            "asin" | "acos" if x.abs() > 1.0 => {
                Err(Fault::new(format!("{name} takes only numbers from -1 to 1")))
            }
            _ => Ok(x),
        }
    }
}

/// The number with the other sign.
pub(super) fn negated(value: &Number) -> Result<Number, Fault> {
    match value {
        Number::Exact(value) => Number::exact(-value.clone()),
        Number::Approx(value) => Number::approx(-value),
    }
}

fn extreme(values: &[Number], wins: impl Fn(&Number, &Number) -> bool) -> Number {
    let mut best = &values[0];
    for value in values {
        if wins(value, best) {
            best = value;
        }
    }
    best.clone()
}

fn whole(digits: &Number) -> Result<i32, Fault> {
    let fault = || Fault::new("round takes a whole number of digits, -1000 to 1000");
    let exact = digits.to_exact();
    if !exact.is_int() {
        return Err(fault());
    }
    i32::try_from(exact.trunc()).ok().filter(|digits| digits.abs() <= 1000).ok_or_else(fault)
}

/// Rounds to decimal digits, halves to the even neighbour.
fn round(value: &Number, digits: i32) -> Result<Number, Fault> {
    let scale = RBig::from(ten_to(digits.unsigned_abs() as usize));
    let (up, down) =
        if digits < 0 { (RBig::ONE / &scale, scale) } else { (scale.clone(), RBig::ONE / scale) };
    let rounded = RBig::from(half_even(&(value.to_exact() * up))) * down;
    match value {
        Number::Exact(_) => Number::exact(rounded),
        Number::Approx(_) => Number::approx(rounded.to_f64().value()),
    }
}

fn half_even(value: &RBig) -> IBig {
    let floor = value.floor();
    let twice = (value.clone() - RBig::from(floor.clone())) * RBig::from(2);
    let is_odd = &floor % IBig::from(2) != IBig::ZERO;
    match twice.cmp(&RBig::ONE) {
        std::cmp::Ordering::Less => floor,
        std::cmp::Ordering::Equal if !is_odd => floor,
        _ => floor + 1,
    }
}
