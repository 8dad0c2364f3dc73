//! All sources of settings, the stronger over the weaker.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use etcetera::base_strategy::{BaseStrategy, Xdg};
use gabier_tool::schema::{Param, Validator};
use gabier_tool::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use crate::config::address;
use crate::config::layer::Layer;
use crate::config::{Config, Loaded, Origin, VARIABLES, Variable};

/// A setting by a flag of the command line.
#[derive(Clone, Debug)]
pub(crate) struct Flag {
    /// The dotted key.
    pub(crate) key: String,
    /// The flag, without dashes.
    pub(crate) name: String,
    /// The value.
    pub(crate) value: Value,
}

/// What is known before the sources are read.
#[derive(Clone, Default)]
pub(crate) struct Loader {
    /// The program's name: of its folders and, in upper case, of its variables.
    pub(crate) name: String,
    /// The schemas of an app's own sections, beside [`Config`].
    pub(crate) sections: Vec<Value>,
    /// The app's own variables.
    pub(crate) variables: Vec<Variable>,
    /// The environment.
    pub(crate) environment: Vec<(String, String)>,
    /// `--config`.
    pub(crate) config: Option<PathBuf>,
    /// `--env-file`.
    pub(crate) env_file: Option<PathBuf>,
    /// Flags that set keys.
    pub(crate) flags: Vec<Flag>,
}

impl Loader {
    /// The environment of this process.
    pub(crate) fn with_environment(mut self) -> Self {
        self.environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        self
    }

    /// The same sources with other flags.
    #[must_use]
    pub(crate) fn with_flags(&self, flags: Vec<Flag>) -> Self {
        Self { flags, ..self.clone() }
    }

    /// Reads all sources. `INVALID_ARGUMENT` with every bad field in `details.errors[]`.
    pub(crate) fn load(&self) -> Result<Loaded> {
        let schema = self.schema();
        let params = Param::of(&schema);
        let (prefix, known) = (self.prefix(), self.known());
        let user = self.user_file();
        let chosen =
            self.config.clone().or_else(|| self.variable(&format!("{prefix}_CONFIG")).map(PathBuf::from));
        let mut layers = vec![];
        for (file, is_chosen) in [
            (Some(Path::new("/etc").join(&self.name).join("config.toml")), false),
            (user.clone(), false),
            (chosen.clone(), true),
        ] {
            if let Some(file) = file {
                layers.extend(file_layer(&file, &params, is_chosen)?);
            }
        }
        let file = chosen.or(user).unwrap_or_else(|| PathBuf::from("config.toml"));
        let env_file = self.env_file.clone().unwrap_or_else(|| file.with_file_name(".env"));
        layers.extend(env_file_layer(&env_file, self.env_file.is_some(), &prefix, &known, &params)?);
        layers.push(Layer::of_variables(&self.environment, &prefix, &known, &params, |name| {
            Origin::Environment(name.to_owned())
        }));
        layers.push(self.flag_layer());
        let (tree, origins, warnings) = merge(layers, &schema)?;
        let mut loaded = Loaded { tree, origins, params, prefix, variables: known, file, warnings };
        loaded.warnings.extend(address::idle(&loaded));
        Ok(loaded)
    }

    /// The settings as nobody changed them: for the reference.
    pub(crate) fn defaults(&self) -> Result<Loaded> {
        let schema = self.schema();
        let (tree, origins, warnings) = merge(Vec::new(), &schema)?;
        Ok(Loaded {
            tree,
            origins,
            params: Param::of(&schema),
            prefix: self.prefix(),
            variables: self.known(),
            file: PathBuf::new(),
            warnings,
        })
    }

    fn prefix(&self) -> String {
        self.name.to_uppercase().replace('-', "_")
    }

    fn known(&self) -> Vec<Variable> {
        self.variables.iter().chain(VARIABLES).copied().collect()
    }

    /// The schema of all settings: the kit's and the app's.
    pub(crate) fn schema(&self) -> Value {
        let mut schema = gabier_tool::schema::input::<Config>();
        for section in &self.sections {
            let own = section.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
            if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
                properties.extend(own);
            }
        }
        schema
    }

    /// Where the user's folders are: configuration, data, state, cache.
    pub(crate) fn folders() -> Option<Xdg> {
        Xdg::new().ok()
    }

    /// The user's configuration file.
    pub(crate) fn user_file(&self) -> Option<PathBuf> {
        Some(Self::folders()?.config_dir().join(&self.name).join("config.toml"))
    }

    /// A variable of the environment.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    fn flag_layer(&self) -> Layer {
        let mut layer = Layer::default();
        for flag in &self.flags {
            layer.values.insert(flag.key.clone(), (flag.value.clone(), Origin::Flag(flag.name.clone())));
        }
        layer
    }
}

fn file_layer(file: &Path, params: &[Param], is_required: bool) -> Result<Option<Layer>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(Layer::of_toml(file, &text, params))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_required => Ok(None),
        Err(error) => {
            Err(Error::new(ErrorKind::InvalidArgument, format!("reading {}: {error}", file.display())))
        }
    }
}

fn env_file_layer(
    file: &Path,
    is_required: bool,
    prefix: &str,
    known: &[Variable],
    params: &[Param],
) -> Result<Option<Layer>> {
    let failed = |error: String| {
        Error::new(ErrorKind::InvalidArgument, format!("reading {}: {error}", file.display()))
    };
    if !file.exists() && !is_required {
        return Ok(None);
    }
    let lines = dotenvy::from_path_iter(file).map_err(|error| failed(error.to_string()))?;
    let mut variables = Vec::new();
    for (number, line) in lines.enumerate() {
        // The line itself may be a secret: it is counted, not shown.
        variables.push(line.map_err(|_| failed(format!("entry {} is not NAME=VALUE", number + 1)))?);
    }
    let origin = |name: &str| Origin::EnvFile(file.to_owned(), name.to_owned());
    Ok(Some(Layer::of_variables(&variables, prefix, known, params, origin)))
}

type Merged = (Value, BTreeMap<String, Origin>, Vec<String>);

fn merge(layers: Vec<Layer>, schema: &Value) -> Result<Merged> {
    let (mut tree, mut origins) = (Map::new(), BTreeMap::new());
    let (mut warnings, mut faults) = (Vec::new(), Vec::new());
    for layer in layers {
        warnings.extend(layer.warnings);
        faults.extend(layer.faults);
        for (key, (value, origin)) in layer.values {
            put(&mut tree, &key, value);
            origins.insert(key, origin);
        }
    }
    let tree = match Validator::new(schema).check(tree.clone()) {
        Ok(tree) => tree,
        Err(error) => {
            faults.extend(named(&error, &origins));
            Value::Object(tree)
        }
    };
    if faults.is_empty() {
        return Ok((tree, origins, warnings));
    }
    Err(Error::new(ErrorKind::InvalidArgument, faults.join("\n")).with("errors", faults))
}

/// The faults of a validation, each with the place of the bad value.
fn named(error: &Error, origins: &BTreeMap<String, Origin>) -> Vec<String> {
    error.details()["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|fault| {
            let key = fault["parameter"].as_str().unwrap_or_default();
            let message = fault["message"].as_str().unwrap_or_default();
            let origin =
                origins.iter().find(|(own, _)| key.starts_with(own.as_str())).map(|(_, origin)| origin);
            match origin {
                Some(origin) => format!("{origin}: {key}: {message}"),
                None => format!("{key}: {message}"),
            }
        })
        .collect()
}

fn put(tree: &mut Map<String, Value>, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            tree.insert(key.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = tree.entry(first).or_insert_with(|| json!({}));
            if let Some(inner) = inner.as_object_mut() {
                put(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flag;

    /// A loader over a file's text, an environment and flags.
    struct Bench {
        folder: tempfile::TempDir,
        loader: Loader,
    }

    impl Bench {
        fn new(file: &str, environment: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("config.toml");
            std::fs::write(&path, file).unwrap();
            let environment =
                environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let loader =
                Loader { name: "gabier".to_owned(), config: Some(path), environment, ..Loader::default() };
            Self { folder, loader }
        }

        fn with_env_file(self, text: &str) -> Self {
            std::fs::write(self.folder.path().join(".env"), text).unwrap();
            self
        }

        fn check(&self, key: &str) -> String {
            match self.loader.load() {
                Ok(loaded) => {
                    let (_, value, origin) = loaded.rows().into_iter().find(|(own, ..)| own == key).unwrap();
                    let origin = origin.to_string().replace(&self.folder.path().display().to_string(), "");
                    format!("{value} from {origin}")
                }
                Err(error) => error.message().replace(&self.folder.path().display().to_string(), ""),
            }
        }
    }

    #[test]
    fn the_stronger_source_wins() {
        let file = "[server]\nport = 1\n";
        assert_eq!(Bench::new("", &[]).check("server.port"), "8000 from default");
        assert_eq!(Bench::new(file, &[]).check("server.port"), "1 from /config.toml");
        let env_file = Bench::new(file, &[]).with_env_file("PORT=2\n# a comment\n");
        assert_eq!(env_file.check("server.port"), "2 from PORT in /.env");
        let mut bench = Bench::new(file, &[("PORT", "3")]).with_env_file("PORT=2\n");
        assert_eq!(bench.check("server.port"), "3 from $PORT");
        bench.loader.flags =
            vec![Flag { key: "server.port".to_owned(), name: "port".to_owned(), value: 4.into() }];
        assert_eq!(bench.check("server.port"), "4 from --port");
    }

    #[test]
    fn of_several_names_of_one_key_the_first_wins() {
        let both = Bench::new("", &[("MCP_SERVER_PORT", "2"), ("PORT", "1"), ("GABIER_SERVER_HOST", "::1")]);
        assert_eq!(both.check("server.port"), "1 from $PORT");
        assert_eq!(both.check("server.host"), "\"::1\" from $GABIER_SERVER_HOST");
    }

    #[test]
    fn every_bad_field_is_named_with_its_place() {
        let bench = Bench::new(
            "[server]\nprot = 1\nhealth_path = \"x\"\n",
            &[("PORT", "many"), ("LOG_LEVEL", "loud")],
        );
        assert_eq!(
            bench.check("server.port"),
            "/config.toml: server.prot: is no setting; did you mean server.port?\n\
             $PORT: server.port: must be a number\n\
             /config.toml: server.health_path: must match ^/[A-Za-z0-9/_.-]*$\n\
             $LOG_LEVEL: log.level: must be one of fatal, error, warn, info, debug, trace",
        );
    }

    #[test]
    fn older_spellings_work_and_idle_variables_say_so() {
        let bench =
            Bench::new("", &[("DEBUG", "true"), ("NODE_ENV", "production"), ("SAVE_INTERVAL", "5000")]);
        assert_eq!(bench.check("log.level"), "\"debug\" from $DEBUG");
        assert_eq!(bench.check("log.format"), "\"json\" from $NODE_ENV");
        let loaded = bench.loader.load().unwrap();
        assert_eq!(
            loaded.warnings,
            ["SAVE_INTERVAL: has no effect, because every change is durable before it is acknowledged"],
        );
    }

    #[test]
    fn an_unknown_variable_of_ours_is_a_warning_with_the_nearest_name() {
        let loaded = Bench::new("", &[("GABIER_SERVER_PROT", "1")]).loader.load().unwrap();
        assert_eq!(
            loaded.warnings,
            ["GABIER_SERVER_PROT: is no variable of this program; did you mean GABIER_SERVER_PORT?"],
        );
    }

    #[test]
    fn settings_of_redis_say_when_they_have_no_effect() {
        let check = |url: &str| {
            let bench =
                Bench::new("", &[("GABIER_STORE_URL", url), ("REDIS_HOST", "a"), ("REDIS_PASSWORD", "b")]);
            bench.loader.load().unwrap().warnings
        };
        assert_eq!(
            check("memory:"),
            ["host", "password"].map(|name| format!(
                "$REDIS_{}: store.redis_{name}: has no effect, because the store is not Redis (store.url)",
                name.to_uppercase()
            ))
        );
        assert_eq!(check("redis://"), Vec::<String>::new());
        assert_eq!(
            check("redis://other:1"),
            ["$REDIS_HOST: store.redis_host: has no effect, because store.url names a host"]
        );
    }

    #[test]
    fn a_secret_is_never_shown() {
        let bench = Bench::new("", &[("GABIER_STORE_URL", "redis://:hunter2@host")]);
        assert_eq!(bench.check("store.url"), "\"redis://:[REDACTED]@host\" from $GABIER_STORE_URL");
        let bench = Bench::new("", &[("AUTH_TOKEN", "correct horse battery")]);
        assert_eq!(bench.check("auth.token"), "\"[REDACTED]\" from $AUTH_TOKEN");
        let config = bench.loader.load().unwrap().config().unwrap();
        assert_eq!(config.auth.token.unwrap().expose(), "correct horse battery");
    }
}
