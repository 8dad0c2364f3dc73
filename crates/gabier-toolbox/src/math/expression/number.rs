//! A value: an exact fraction while it can be, a float from the first rounded function on.

use std::cmp::Ordering;

use dashu_int::ops::BitTest;
use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::Fault;

/// The largest numerator or denominator, in bits.
pub(super) const MOST_BITS: usize = 4096;

/// The largest exponent.
pub(super) const MOST_EXPONENT: usize = 10_000;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Number {
    /// A fraction.
    Exact(RBig),
    /// A rounded, finite number.
    Approx(f64),
}

impl Number {
    /// A fraction, unless it grew past its bound.
    pub(super) fn exact(value: RBig) -> Result<Self, Fault> {
        if bits(&value) > MOST_BITS {
            return Err(too_big());
        }
        Ok(Self::Exact(value))
    }

    /// A float, unless it is no number or infinite.
    pub(super) fn approx(value: f64) -> Result<Self, Fault> {
        if value.is_finite() { Ok(Self::Approx(value)) } else { Err(Fault::new("the result is too large")) }
    }

    /// The nearest float; infinite when there is none.
    pub(super) fn to_f64(&self) -> f64 {
        match self {
            Self::Exact(value) => value.to_f64().value(),
            Self::Approx(value) => *value,
        }
    }

    /// The exact fraction that a value is or, for a float, means.
    pub(super) fn to_exact(&self) -> RBig {
        match self {
            Self::Exact(value) => value.clone(),
            Self::Approx(value) => RBig::try_from(*value).unwrap_or(RBig::ZERO),
        }
    }

    /// True below 0.
    pub(super) fn is_negative(&self) -> bool {
        match self {
            Self::Exact(value) => *value < RBig::ZERO,
            Self::Approx(value) => *value < 0.0,
        }
    }

    /// True for 0.
    pub(super) fn is_zero(&self) -> bool {
        match self {
            Self::Exact(value) => value.is_zero(),
            Self::Approx(value) => *value == 0.0,
        }
    }

    /// Which is larger.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        self.to_exact().cmp(&other.to_exact())
    }

    /// How long it is, in words of 64 bits.
    pub(super) fn words(&self) -> usize {
        match self {
            Self::Exact(value) => bits(value) / 64 + 1,
            Self::Approx(_) => 1,
        }
    }
}

/// The longer of numerator and denominator.
pub(super) fn bits(value: &RBig) -> usize {
    value.numerator().bit_len().max(value.denominator().bit_len())
}

/// What is said of a number past its bound.
pub(super) fn too_big() -> Fault {
    Fault::new(format!("a number grew past {MOST_BITS} bits"))
}

/// Ten to a power that is known to be small.
pub(super) fn ten_to(exponent: usize) -> UBig {
    UBig::from(10u8).pow(exponent)
}

/// Reads `whole.fraction` times ten to `exponent`; all three are digits, the last with a sign.
pub(super) fn decimal(whole: &str, fraction: &str, exponent: &str) -> Result<RBig, Fault> {
    let digits = format!("{whole}{fraction}");
    let mantissa = UBig::from_str_radix(&digits, 10).map_err(|_| Fault::new("has a malformed number"))?;
    if mantissa.is_zero() {
        return Ok(RBig::ZERO);
    }
    let places = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    let shift = exponent.parse::<i64>().map_err(|_| too_big())?.saturating_sub(places);
    let power = usize::try_from(shift.unsigned_abs()).unwrap_or(usize::MAX);
    // Ten to this power alone is past the bound, and the digits cannot bring it back: there are 1024 at most.
    if power > MOST_BITS {
        return Err(too_big());
    }
    let value = if shift < 0 {
        RBig::from_parts(IBig::from(mantissa), ten_to(power))
    } else {
        RBig::from(mantissa * ten_to(power))
    };
    if bits(&value) > MOST_BITS { Err(too_big()) } else { Ok(value) }
}
