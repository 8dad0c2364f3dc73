//! Steps to a value, on a stack and within a budget.

use dashu_ratio::RBig;

use super::Fault;
use super::function::negated;
use super::lexer::Sign;
use super::number::Number;
use super::parser::Step;
use super::power::power;

/// What a calculation may cost, in products of 64-bit words. A step on the longest numbers costs about 8,000, so this
/// is some fifty of those: a few milliseconds.
const FUEL: usize = 400_000;

/// The value of the steps of one expression.
pub(super) fn value(steps: Vec<Step>) -> Result<Number, Fault> {
    let mut fuel = FUEL;
    let mut stack: Vec<Number> = Vec::new();
    for step in steps {
        let value = match step {
            Step::Push(number) => Number::Exact(number),
            Step::Constant(constant) => constant.value(),
            Step::Negate => negated(&pop(&mut stack)?)?,
            Step::Join(sign) => {
                let (right, left) = (pop(&mut stack)?, pop(&mut stack)?);
                burn(&mut fuel, &[&left, &right])?;
                join(sign, &left, &right)?
            }
            Step::Call(function, count) => {
                let arguments = stack.split_off(stack.len().saturating_sub(count));
                burn(&mut fuel, &arguments.iter().collect::<Vec<_>>())?;
                function.apply(&arguments)?
            }
        };
        burn(&mut fuel, &[&value])?;
        stack.push(value);
    }
    pop(&mut stack)
}

fn pop(stack: &mut Vec<Number>) -> Result<Number, Fault> {
    stack.pop().ok_or_else(|| Fault::new("has an operator without a value"))
}

/// Multiplying and reducing cost the square of the length.
fn burn(fuel: &mut usize, numbers: &[&Number]) -> Result<(), Fault> {
    let cost: usize = numbers.iter().map(|number| number.words() * number.words()).sum();
    *fuel = fuel.checked_sub(cost).ok_or_else(|| Fault::new("takes too much work"))?;
    Ok(())
}

fn join(sign: Sign, left: &Number, right: &Number) -> Result<Number, Fault> {
    let divides = matches!(sign, Sign::Over | Sign::Floor | Sign::Remainder);
    if divides && right.is_zero() {
        return Err(Fault::new("division by zero"));
    }
    match (sign, left, right) {
        (Sign::Power, ..) => power(left, right),
        (_, Number::Exact(left), Number::Exact(right)) => Number::exact(exactly(sign, left, right)),
        _ => Number::approx(roughly(sign, left.to_f64(), right.to_f64())),
    }
}

fn exactly(sign: Sign, left: &RBig, right: &RBig) -> RBig {
    match sign {
        Sign::Plus => left + right,
        Sign::Minus => left - right,
        Sign::Times | Sign::Power => left * right,
        Sign::Over => left / right,
        Sign::Floor => RBig::from((left / right).floor()),
        Sign::Remainder => left - right * RBig::from((left / right).floor()),
    }
}

fn roughly(sign: Sign, left: f64, right: f64) -> f64 {
    match sign {
        Sign::Plus => left + right,
        Sign::Minus => left - right,
        Sign::Times | Sign::Power => left * right,
        Sign::Over => left / right,
        Sign::Floor => (left / right).floor(),
        Sign::Remainder => left - right * (left / right).floor(),
    }
}
