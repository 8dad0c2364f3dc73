//! The walk over an input schema that finds the flat parameters.

use serde_json::{Map, Value};

use crate::schema::param::{Kind, Param, flag_of};
use crate::schema::resolve::resolve;

/// The deepest path that still gets a flag of its own.
const DEEPEST: usize = 3;

/// A walk over one schema.
pub(crate) struct Walk<'a> {
    root: &'a Value,
    is_foreign: bool,
    params: Vec<Param>,
}

/// Where the walk stands.
#[derive(Clone, Default)]
struct Place {
    path: Vec<String>,
    required: bool,
    group: Option<(String, String)>,
    only_if: Option<(String, Vec<String>)>,
}

impl<'a> Walk<'a> {
    /// The parameters of a schema, with their natural flags.
    pub(crate) fn over(root: &'a Value) -> Vec<Param> {
        let is_foreign = root.get("x-foreign").is_some_and(|mark| mark == true);
        let mut walk = Self { root, is_foreign, params: Vec::new() };
        // The root may be a reference itself; it is followed even when what it names is recursive.
        let target =
            root.get("$ref").and_then(Value::as_str).and_then(|name| root.pointer(name.strip_prefix('#')?));
        if let Some(schema) = resolve(root, target.unwrap_or(root)) {
            walk.object(&schema, &Place { required: true, ..Place::default() });
        }
        walk.params
    }

    fn object(&mut self, schema: &Value, place: &Place) {
        if let Some(union) = Union::of(self.root, schema) {
            return self.union(schema, &union, place);
        }
        self.properties(schema, place, &[]);
        for branch in ["anyOf", "oneOf"].iter().filter_map(|key| schema.get(key)?.as_array()).flatten() {
            let known: Vec<String> =
                self.params.iter().filter_map(|param| param.path.last().cloned()).collect();
            if let Some(branch) = resolve(self.root, branch) {
                self.properties(&branch, &Place { required: false, ..place.clone() }, &known);
            }
        }
    }

    fn properties(&mut self, schema: &Value, place: &Place, except: &[String]) {
        for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if !except.contains(name) {
                self.property(name, inner, is_required(schema, name), place);
            }
        }
    }

    fn property(&mut self, name: &str, schema: &Value, required: bool, place: &Place) {
        let mut path = place.path.clone();
        path.push(name.to_owned());
        let place = Place { path, required: required && place.required, ..place.clone() };
        let Some(schema) = resolve(self.root, schema) else {
            return self.leaf(schema, Kind::Json, place);
        };
        let may_nest = place.path.len() < DEEPEST;
        if let Some(union) = Union::of(self.root, &schema) {
            return if may_nest {
                self.union(&schema, &union, &place);
            } else {
                self.leaf(&schema, Kind::Json, place);
            };
        }
        let is_object =
            schema.get("properties").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
        if is_object && may_nest {
            let group = Some((flag_of(&place.path), description(&schema)));
            return self.object(&schema, &Place { group, ..place });
        }
        let kind = kind(self.root, &schema);
        self.leaf(&schema, kind, place);
    }

    /// The tag takes the parent's flag; what belongs to a branch counts only under its word.
    fn union(&mut self, schema: &Value, union: &Union, place: &Place) {
        let words = union.branches.iter().map(|(word, branch)| (word.clone(), description(branch))).collect();
        let flag = if place.path.is_empty() {
            flag_of(std::slice::from_ref(&union.tag))
        } else {
            flag_of(&place.path)
        };
        let mut path = place.path.clone();
        path.push(union.tag.clone());
        let tag = Place { path, ..place.clone() };
        self.leaf(schema, Kind::Enum(words), tag);
        if let Some(tag) = self.params.last_mut() {
            tag.flag.clone_from(&flag);
        }
        let group = if place.path.is_empty() { None } else { Some((flag.clone(), description(schema))) };
        let inner = Place { group, ..place.clone() };
        self.properties(schema, &inner, std::slice::from_ref(&union.tag));
        for (name, schema, words) in union.members() {
            let only_if = Some((flag.clone(), words));
            self.property(&name, &schema, false, &Place { only_if, required: false, ..inner.clone() });
        }
    }

    fn leaf(&mut self, schema: &Value, kind: Kind, place: Place) {
        let hint = |name: &str| schema.get("x-cli").and_then(|hints| hints.get(name));
        let marked = |name: &str| schema.get(name).is_some_and(|mark| mark == true);
        let secret = is_secret(schema)
            || ["items", "additionalProperties"].iter().any(|key| schema.get(key).is_some_and(is_secret));
        let common = marked("x-common");
        let natural = place.required && place.path.len() == 1 && kind.is_scalar() && kind != Kind::Bool;
        let wanted = hint("positional").and_then(Value::as_bool).unwrap_or(natural && !secret && !common);
        let complete = schema.get("x-complete").or_else(|| schema.get("items")?.get("x-complete"));
        self.params.push(Param {
            flag: hint("flag").and_then(Value::as_str).map_or_else(|| flag_of(&place.path), str::to_owned),
            renamed: false,
            aliases: texts(schema.get("x-aliases")),
            short: hint("short")
                .and_then(Value::as_str)
                .and_then(|text| text.chars().next())
                .filter(|_| !self.is_foreign),
            positional: wanted && !self.is_foreign && place.path.len() == 1,
            kind,
            required: place.required,
            default: schema.get("default").cloned(),
            help: description(schema),
            group: place.group,
            only_if: place.only_if,
            secret,
            stdin: hint("stdin").is_some_and(|mark| mark == true),
            complete: complete.and_then(Value::as_str).map(str::to_owned),
            common,
            path: place.path,
        });
    }
}

/// A choice between objects that one property tells apart.
struct Union {
    tag: String,
    branches: Vec<(String, Value)>,
}

impl Union {
    fn of(root: &Value, schema: &Value) -> Option<Self> {
        let branches = schema.get("oneOf").or_else(|| schema.get("anyOf"))?.as_array()?;
        let branches: Vec<Value> =
            branches.iter().map(|branch| resolve(root, branch)).collect::<Option<_>>()?;
        let first = branches.first()?.get("properties")?.as_object()?;
        let tag = first
            .iter()
            .find(|(name, _)| branches.iter().all(|branch| word(branch, name).is_some()))?
            .0
            .clone();
        let branches =
            branches.into_iter().map(|branch| Some((word(&branch, &tag)?, branch))).collect::<Option<_>>()?;
        Some(Self { tag, branches })
    }

    /// The properties of the branches with the words under which each counts. One that two branches define
    /// differently takes anything.
    fn members(&self) -> Vec<(String, Value, Vec<String>)> {
        let mut members: Vec<(String, Value, Vec<String>)> = Vec::new();
        for (word, branch) in &self.branches {
            let properties = branch.get("properties").and_then(Value::as_object);
            for (name, schema) in properties.into_iter().flatten().filter(|(name, _)| **name != self.tag) {
                match members.iter_mut().find(|(known, ..)| known == name) {
                    None => members.push((name.clone(), schema.clone(), vec![word.clone()])),
                    Some((_, known, words)) => {
                        words.push(word.clone());
                        if known != schema {
                            *known = Value::Object(Map::from_iter([(
                                "description".to_owned(),
                                description(known).into(),
                            )]));
                        }
                    }
                }
            }
        }
        members
    }
}

/// The one word a branch allows for a property.
fn word(branch: &Value, name: &str) -> Option<String> {
    let schema = branch.get("properties")?.get(name)?;
    let only = schema.get("const").or_else(|| match schema.get("enum")?.as_array()?.as_slice() {
        [only] => Some(only),
        _ => None,
    })?;
    only.as_str().map(str::to_owned)
}

/// What a resolved schema takes.
fn kind(root: &Value, schema: &Value) -> Kind {
    if let Some(words) = words(schema) {
        return Kind::Enum(words);
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let numbers: Option<Vec<i128>> = values.iter().map(whole).collect();
        return numbers.map_or(Kind::Json, |numbers| Kind::Int {
            min: numbers.iter().min().copied(),
            max: numbers.iter().max().copied(),
        });
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("boolean") => Kind::Bool,
        Some("integer") => integer(schema),
        Some("number") => Kind::Num,
        Some("string") => Kind::Str {
            pattern: schema.get("pattern").and_then(Value::as_str).map(str::to_owned),
            length: (
                schema.get("minLength").and_then(Value::as_u64),
                schema.get("maxLength").and_then(Value::as_u64),
            ),
        },
        Some("array") => list(root, schema),
        Some("object") => map(root, schema),
        _ => Kind::Json,
    }
}

fn integer(schema: &Value) -> Kind {
    let bound = |name: &str| schema.get(name).and_then(whole);
    Kind::Int {
        min: bound("minimum").or_else(|| bound("exclusiveMinimum").map(|bound| bound + 1)),
        max: bound("maximum").or_else(|| bound("exclusiveMaximum").map(|bound| bound - 1)),
    }
}

fn list(root: &Value, schema: &Value) -> Kind {
    if schema.get("prefixItems").is_some() || schema.get("items").is_some_and(Value::is_array) {
        return Kind::Json;
    }
    let Some(item) = schema.get("items").and_then(|item| resolve(root, item)) else {
        return Kind::List(Box::new(Kind::Json));
    };
    let is_record = item.get("properties").and_then(Value::as_object).is_some_and(|all| !all.is_empty())
        && item.get("oneOf").is_none()
        && item.get("anyOf").is_none();
    let kind = if is_record { Kind::Record(record(root, &item)) } else { kind(root, &item) };
    let is_plain = is_record || kind.is_scalar();
    Kind::List(Box::new(if is_plain { kind } else { Kind::Json }))
}

/// The fields of an object in a list; what is deeper takes JSON.
fn record(root: &Value, schema: &Value) -> Vec<Param> {
    let mut walk = Walk { root, is_foreign: true, params: Vec::new() };
    for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let place =
            Place { path: vec![name.clone()], required: is_required(schema, name), ..Place::default() };
        match resolve(root, inner) {
            Some(inner) => {
                let kind = Some(kind(root, &inner)).filter(Kind::is_scalar).unwrap_or(Kind::Json);
                walk.leaf(&inner, kind, place);
            }
            None => walk.leaf(inner, Kind::Json, place),
        }
    }
    walk.params
}

fn map(root: &Value, schema: &Value) -> Kind {
    let has_own = schema.get("properties").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
    if has_own || schema.get("oneOf").is_some() || schema.get("anyOf").is_some() {
        return Kind::Json;
    }
    let value = schema.get("additionalProperties").filter(|value| value.is_object());
    let value = value.and_then(|value| resolve(root, value)).map(|value| kind(root, &value));
    Kind::Map(Box::new(value.filter(Kind::is_scalar).unwrap_or(Kind::Json)))
}

/// The words of an enumeration, plain or documented.
fn words(schema: &Value) -> Option<Vec<(String, String)>> {
    if let Some(only) = schema.get("const") {
        return Some(vec![(only.as_str()?.to_owned(), String::new())]);
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.iter().map(|word| Some((word.as_str()?.to_owned(), String::new()))).collect();
    }
    let branches = schema.get("oneOf").or_else(|| schema.get("anyOf"))?.as_array()?;
    let mut all = Vec::new();
    for branch in branches {
        let help = description(branch);
        all.extend(words(branch)?.into_iter().map(|(word, _)| (word, help.clone())));
    }
    Some(all).filter(|all| !all.is_empty())
}

#[expect(clippy::cast_possible_truncation, reason = "a bound beyond i128 is no bound of ours")]
fn whole(value: &Value) -> Option<i128> {
    let float = || value.as_f64().filter(|float| float.fract() == 0.0).map(|float| float as i128);
    value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from)).or_else(float)
}

fn is_secret(schema: &Value) -> bool {
    schema.get("writeOnly").is_some_and(|mark| mark == true)
        || schema.get("format").is_some_and(|format| format == "password")
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema.get("required").and_then(Value::as_array).is_some_and(|all| all.iter().any(|own| own == name))
}

fn description(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn texts(value: Option<&Value>) -> Vec<String> {
    let all = value.and_then(Value::as_array).into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}
