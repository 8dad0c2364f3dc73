//! Powers and roots, exact where they can be.

use dashu_int::ops::SquareRootRem;
use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::Fault;
use super::number::{MOST_BITS, MOST_EXPONENT, Number, bits, too_big};

/// A base to an exponent.
pub(super) fn power(base: &Number, exponent: &Number) -> Result<Number, Fault> {
    if base.is_zero() && exponent.is_negative() {
        return Err(Fault::new("division by zero"));
    }
    if let (Number::Exact(base), Number::Exact(exponent)) = (base, exponent) {
        if exponent.is_int() {
            return whole_power(base, &exponent.trunc());
        }
        if *exponent == RBig::from_parts(1.into(), 2u8.into()) && *base >= RBig::ZERO {
            return square_root(&Number::Exact(base.clone()));
        }
    }
    let (base, exponent) = (base.to_f64(), exponent.to_f64());
    if base < 0.0 && exponent.fract() != 0.0 {
        return Err(Fault::new("a negative number has no such power"));
    }
    Number::approx(base.powf(exponent))
}

fn whole_power(base: &RBig, exponent: &IBig) -> Result<Number, Fault> {
    let magnitude = usize::try_from(exponent).or_else(|_| usize::try_from(-exponent.clone()));
    let magnitude = magnitude.ok().filter(|magnitude| *magnitude <= MOST_EXPONENT);
    let Some(magnitude) = magnitude else {
        return Err(Fault::new(format!("the exponent is larger than {MOST_EXPONENT}")));
    };
    // A number of n bits is at least 2^(n-1), so its power has at least (n-1) * magnitude bits.
    if bits(base).saturating_sub(1).saturating_mul(magnitude) > MOST_BITS {
        return Err(too_big());
    }
    let (numerator, denominator) = (base.numerator().pow(magnitude), base.denominator().pow(magnitude));
    if *exponent < IBig::ZERO {
        return Number::exact(RBig::from_parts_signed(IBig::from(denominator), numerator));
    }
    Number::exact(RBig::from_parts(numerator, denominator))
}

/// The root: exact for squares of fractions.
pub(super) fn square_root(value: &Number) -> Result<Number, Fault> {
    if value.is_negative() {
        return Err(Fault::new("sqrt takes no negative number"));
    }
    if let Number::Exact(value) = value {
        let (numerator, denominator) = value.clone().into_parts();
        let (_, numerator) = numerator.into_parts();
        if let (Some(numerator), Some(denominator)) = (whole_root(&numerator), whole_root(&denominator)) {
            return Number::exact(RBig::from_parts(numerator.into(), denominator));
        }
    }
    let float = value.to_f64();
    if !float.is_finite() {
        return Err(Fault::new("sqrt takes no number this large"));
    }
    Number::approx(float.sqrt())
}

fn whole_root(value: &UBig) -> Option<UBig> {
    let (root, rest) = value.sqrt_rem();
    rest.is_zero().then_some(root)
}
