//! Tokens to steps in the order of their execution, by operator precedence (Pratt).

use dashu_ratio::RBig;

use super::function::{Constant, Function};
use super::lexer::{Placed, Sign, Token};
use super::{Fault, MOST_DEPTH};

/// One step of a calculation, on a stack of values.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Puts a number on the stack.
    Push(RBig),
    /// Puts a constant on the stack.
    Constant(Constant),
    /// Negates the top.
    Negate,
    /// Joins the two on top.
    Join(Sign),
    /// Replaces that many on top by a function's value.
    Call(Function, usize),
}

/// How tightly a prefix sign binds: looser than a power, tighter than a product.
const PREFIX: u8 = 5;

/// The steps of an expression.
pub(super) fn steps(tokens: &[Placed<'_>]) -> Result<Vec<Step>, Fault> {
    if tokens.is_empty() {
        return Err(Fault::new("is empty"));
    }
    let mut parser = Parser { tokens, position: 0, depth: 0, steps: Vec::new() };
    parser.expression(0)?;
    match parser.peek() {
        None => Ok(parser.steps),
        Some(token) => Err(misplaced(token, "an operator")),
    }
}

struct Parser<'a> {
    tokens: &'a [Placed<'a>],
    position: usize,
    depth: usize,
    steps: Vec<Step>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Placed<'a>> {
        self.tokens.get(self.position)
    }

    fn next(&mut self) -> Option<&'a Placed<'a>> {
        let token = self.peek();
        self.position += 1;
        token
    }

    fn takes(&mut self, token: &Token<'_>) -> bool {
        let is_next = self.peek().is_some_and(|next| next.token == *token);
        self.position += usize::from(is_next);
        is_next
    }

    /// A value, and all operators after it that bind at least that tightly.
    fn expression(&mut self, least: u8) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(Fault::new(format!("is nested deeper than {MOST_DEPTH}")));
        }
        self.operand()?;
        while let Some(Placed { token: Token::Sign(sign), .. }) = self.peek() {
            let (left, right) = binding(*sign);
            if left < least {
                break;
            }
            self.position += 1;
            self.expression(right)?;
            self.steps.push(Step::Join(*sign));
        }
        self.depth -= 1;
        Ok(())
    }

    fn operand(&mut self) -> Result<(), Fault> {
        let Some(placed) = self.next() else { return Err(Fault::new("ends where a value should follow")) };
        match &placed.token {
            Token::Number(number) => self.steps.push(Step::Push(number.clone())),
            Token::Name(name) => self.named(name)?,
            Token::Sign(Sign::Plus) => self.expression(PREFIX)?,
            Token::Sign(Sign::Minus) => {
                self.expression(PREFIX)?;
                self.steps.push(Step::Negate);
            }
            Token::Open => {
                self.expression(0)?;
                self.close()?;
            }
            Token::Sign(_) | Token::Close | Token::Comma => return Err(misplaced(placed, "a value")),
        }
        Ok(())
    }

    fn named(&mut self, name: &str) -> Result<(), Fault> {
        let is_call = self.peek().is_some_and(|next| next.token == Token::Open);
        if let Some(constant) = Constant::named(name) {
            if is_call {
                return Err(Fault::new(format!("{name} is no function")));
            }
            self.steps.push(Step::Constant(constant));
            return Ok(());
        }
        let function = Function::named(name)?;
        if !self.takes(&Token::Open) {
            return Err(Fault::new(format!("{name} takes its arguments in parentheses")));
        }
        let mut count = 0;
        if !self.takes(&Token::Close) {
            loop {
                self.expression(0)?;
                count += 1;
                if !self.takes(&Token::Comma) {
                    break;
                }
            }
            self.close()?;
        }
        function.check_count(count)?;
        self.steps.push(Step::Call(function, count));
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        if self.takes(&Token::Close) {
            return Ok(());
        }
        Err(match self.peek() {
            None => Fault::new("lacks a closing parenthesis"),
            Some(token) => misplaced(token, "an operator or a closing parenthesis"),
        })
    }
}

/// How tightly an operator holds what is left and right of it.
fn binding(sign: Sign) -> (u8, u8) {
    match sign {
        Sign::Plus | Sign::Minus => (1, 2),
        Sign::Times | Sign::Over | Sign::Floor | Sign::Remainder => (3, 4),
        // From the right, and its right side may have a sign: 2 ** -1.
        Sign::Power => (7, 6),
    }
}

fn misplaced(placed: &Placed<'_>, wanted: &str) -> Fault {
    let what = match &placed.token {
        Token::Number(_) => "a number".to_owned(),
        _ => format!("\"{}\"", placed.text),
    };
    Fault::new(format!("has {what} at character {} where {wanted} should be", placed.at))
}
