//! An API that another program knew, in the words of `api_add`.

use std::collections::BTreeSet;

use gabier_tool::schema::{self, Validator};
use gabier_tool::{Error, Result};
use serde_json::{Map, Value};

use super::add::ApiAdd;
use super::record::list;
use crate::hosts::Hosts;

/// An API that may be taken: it was found to be one that `api_add` takes.
pub struct Known(ApiAdd);

impl Known {
    /// Reads the arguments of `api_add`; a failure names the field and tells no value.
    pub fn read(arguments: Map<String, Value>) -> Result<Self> {
        let checked = Validator::new(&schema::input::<ApiAdd>()).check(arguments)?;
        let add: ApiAdd = serde_json::from_value(checked)
            .map_err(|error| Error::internal("reading an API").with_source(error))?;
        add.check()?;
        Ok(Self(add))
    }

    /// Keeps it, with its secrets in the vault; `now` is when they were set, ISO 8601.
    pub async fn adopt(&self, hosts: &Hosts, now: &str) -> Result<()> {
        self.0.keep(hosts, now).await.map(drop)
    }
}

/// The names of the APIs there are.
pub async fn aliases(hosts: &Hosts) -> Result<BTreeSet<String>> {
    Ok(list(hosts).await?.into_keys().collect())
}
