//! Variables of the process, handed in: this crate reads no environment of its own.

use std::fmt;
use std::sync::Arc;

/// Looks a variable up.
type LookUp = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The variables that colour, width, pager and `env:NAME` sources ask for.
#[derive(Clone)]
pub struct Environment(Arc<LookUp>);

impl Environment {
    /// One that asks a function.
    pub fn new(look_up: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(look_up))
    }

    /// One with these variables alone.
    pub fn of(variables: &[(&str, &str)]) -> Self {
        let variables: Vec<(String, String)> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self::new(move |name| variables.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()))
    }

    /// The variable, if it is set.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }

    /// True when the variable is set to something.
    pub fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !value.is_empty())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}
