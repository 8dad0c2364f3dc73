//! One walk through the lines for one host.

use gabier_tool::Result;

use super::settings::Found;
use super::source::{Line, Source};
use super::{Given, Local, tokens, words};
use crate::trust::pattern;

/// A walk, and what it has found.
pub(super) struct Pass<'a> {
    host: &'a str,
    original: &'a str,
    local: &'a Local,
    is_last: bool,
    pub(super) wants_final: bool,
    pub(super) found: Found,
}

impl<'a> Pass<'a> {
    /// The first walk. `host` is what `Host` lines are compared with.
    pub(super) fn new(host: &'a str, original: &'a str, given: &Given, local: &'a Local) -> Self {
        let found = Found { user: given.user.clone(), port: given.port, ..Found::default() };
        Self { host, original, local, is_last: false, wants_final: false, found }
    }

    /// The walk after which nothing follows, with what the first has found.
    pub(super) fn last(mut self, found: Found) -> Self {
        self.found = found;
        self.is_last = true;
        self
    }

    /// Walks through one file.
    pub(super) fn run(&mut self, source: &Source) -> Result<()> {
        self.walk(source, true, false)
    }

    fn walk(&mut self, source: &Source, mut is_active: bool, never_matches: bool) -> Result<()> {
        for line in &source.lines {
            match line.keyword.as_str() {
                "host" => is_active = self.is_host(line)? && !never_matches,
                "match" => is_active = self.is_match(line)? && !never_matches,
                // What a file selects ends with it; what is included where nothing is selected selects nothing.
                "include" => {
                    for included in &line.included {
                        self.walk(included, is_active, !is_active)?;
                    }
                }
                _ => self.found.take(line, is_active)?,
            }
        }
        Ok(())
    }

    fn is_host(&self, line: &Line) -> Result<bool> {
        let mut is_hit = false;
        for argument in &line.arguments {
            if argument.is_empty() {
                return Err(line.refuse("host is empty"));
            }
            match argument.strip_prefix('!') {
                Some(negated) if pattern::matches(self.host, negated) => return Ok(false),
                Some(_) => {}
                None => is_hit |= pattern::matches(self.host, argument),
            }
        }
        Ok(is_hit)
    }

    fn is_match(&mut self, line: &Line) -> Result<bool> {
        let mut rest = Some(line.rest.as_str());
        let mut criteria = 0;
        let mut is_hit = true;
        while let Some(word) = words::next(&mut rest, true).filter(|word| !word.is_empty()) {
            if word.starts_with('#') {
                break;
            }
            let (is_negated, name) = match word.strip_prefix('!') {
                Some(name) => (true, name.to_ascii_lowercase()),
                None => (false, word.to_ascii_lowercase()),
            };
            if name == "all" {
                let after = words::next(&mut rest, true).filter(|word| !word.is_empty());
                if criteria > 1 || after.is_some_and(|after| !after.starts_with('#')) {
                    return Err(line.refuse("all stands alone"));
                }
                return Ok(is_hit && !is_negated);
            }
            criteria += 1;
            if name == "final" || name == "canonical" {
                self.wants_final |= name == "final" && !self.is_last;
                is_hit &= self.is_last != is_negated;
                continue;
            }
            let argument =
                words::next(&mut rest, true).filter(|word| !word.is_empty() && !word.starts_with('#'));
            let Some(argument) = argument else { return Err(line.refuse(format!("{name} is empty"))) };
            is_hit &= match self.criterion(line, &name, &argument)? {
                Some(holds) => holds != is_negated,
                None => false,
            };
        }
        if criteria == 0 {
            return Err(line.refuse("match has no criterion"));
        }
        Ok(is_hit)
    }

    /// Whether a criterion holds; none for one that is never asked.
    fn criterion(&self, line: &Line, name: &str, argument: &str) -> Result<Option<bool>> {
        Ok(Some(match name {
            "host" => pattern::matches_hosts(&self.host_name(line)?, argument),
            "originalhost" => pattern::matches_hosts(self.original, argument),
            "user" => {
                let user = self.found.user.as_ref().unwrap_or(&self.local.user);
                pattern::matches_list(user, argument)
            }
            "localuser" => pattern::matches_list(&self.local.user, argument),
            // A program is never started, so neither its yes nor its no is known.
            "exec" => return Ok(None),
            _ => return Err(line.refuse(format!("match {name} is not known"))),
        }))
    }

    fn host_name(&self, line: &Line) -> Result<String> {
        match &self.found.host_name {
            Some(name) if self.is_last => Ok(name.clone()),
            Some(name) => tokens::expand(name, &[('h', self.host)])
                .map_err(|token| line.refuse(format!("HostName has {token}, which is no token"))),
            None => Ok(self.host.to_owned()),
        }
    }
}
