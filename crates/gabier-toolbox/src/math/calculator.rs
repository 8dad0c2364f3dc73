//! The value of an expression.

use gabier_tool::{Context, Effect, Error, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::expression::{self, MOST_BYTES};
use crate::Services;

/// Calculate, exactly where possible.
///
/// Knows `+ - * / // % ^ **`, parentheses, abs round min max sqrt pow exp log log10 sin cos tan asin acos atan, pi
/// and e. Whole numbers and fractions are exact; the rest is marked `approx`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = serde_json::json!({"expression": "2 + 2 * 3"}))]
pub(super) struct Calculator {
    /// Such as `sqrt(2) * 3^2`.
    #[schemars(length(min = 1, max = 1024), extend("x-cli" = {"stdin": true}))]
    expression: String,
}

/// The value.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Calculated {
    /// The expression, as it was given.
    expression: String,
    /// The value, as a decimal number.
    result: String,
    /// True when the value is rounded.
    approx: bool,
}

impl Tool<Services> for Calculator {
    const NAME: &'static str = "calculator";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Core;
    const KEYWORDS: &'static str =
        "compute math arithmetic formula evaluate calcul calculer calculatrice formule";
    type Output = Calculated;

    async fn run(self, _: &Context<Services>) -> Result<Calculated> {
        let expression = self.expression;
        if expression.len() > MOST_BYTES {
            return Err(Error::invalid("expression", format!("is longer than {MOST_BYTES} bytes")));
        }
        crate::blocking(move || {
            let answer = expression::calculate(&expression)
                .map_err(|fault| Error::invalid("expression", fault.to_string()))?;
            Ok(Calculated { expression, result: answer.text, approx: answer.approx })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;
    use crate::testing::call_on;

    async fn check(arguments: &str, expected: &str) {
        let services = Services::open(&Settings::default(), None).unwrap();
        assert_eq!(call_on::<Calculator>(services, arguments).await, expected);
    }

    #[tokio::test]
    async fn an_exact_value_is_not_approximate() {
        check(r#"{"expression": "2 + 2 * 3"}"#, r#"{"expression":"2 + 2 * 3","result":"8","approx":false}"#)
            .await;
    }

    #[tokio::test]
    async fn a_fault_names_the_parameter() {
        check(r#"{"expression": "1/0"}"#, "INVALID_ARGUMENT expression: division by zero").await;
    }

    #[tokio::test]
    async fn bytes_are_counted_not_letters() {
        let arguments = format!(r#"{{"expression": "{}"}}"#, "é".repeat(1000));
        check(&arguments, "INVALID_ARGUMENT expression: is longer than 1024 bytes").await;
    }
}
