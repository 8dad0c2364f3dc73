//! What a result looks like, before any face renders it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A result as blocks that every face can render: terminal, Markdown, HTML.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The blocks, top to bottom.
    pub blocks: Vec<Block>,
}

/// One piece of a view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "block", rename_all = "snake_case")]
pub enum Block {
    /// A title line.
    Heading {
        /// The title.
        text: String,
    },
    /// A plain paragraph.
    Text {
        /// The paragraph.
        text: String,
    },
    /// Text in Markdown.
    Markdown {
        /// The source.
        text: String,
    },
    /// Text to show unchanged in a fixed font.
    Code {
        /// The text.
        text: String,
        /// The language, for colouring.
        #[serde(skip_serializing_if = "Option::is_none")]
        language: Option<String>,
    },
    /// Names and their values.
    Fields {
        /// The pairs, in order.
        fields: Vec<Field>,
    },
    /// Rows under columns.
    Table {
        /// What the rows are.
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// Column names.
        columns: Vec<Column>,
        /// Rows as wide as `columns`.
        rows: Vec<Vec<Cell>>,
    },
    /// Blocks that belong together, with a title.
    Panel {
        /// The title.
        title: String,
        /// How it stands.
        tone: Tone,
        /// What is inside.
        body: Vec<Self>,
    },
    /// A value between 0 and a maximum.
    Meter {
        /// What is measured.
        label: String,
        /// The value, in `unit`.
        value: f64,
        /// The maximum, in `unit`.
        max: f64,
        /// The unit, such as `%` or `GiB`.
        unit: String,
    },
    /// A series of values.
    Spark {
        /// What is measured.
        label: String,
        /// The values, oldest first.
        points: Vec<f64>,
    },
    /// Names under names.
    Tree {
        /// The name.
        label: String,
        /// What hangs under it.
        children: Vec<Self>,
    },
}

/// A name and its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// The name.
    pub label: String,
    /// The value.
    pub value: Cell,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// The name.
    pub label: String,
    /// True for numbers.
    #[serde(default)]
    pub right: bool,
}

/// A short text with its tone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The text.
    pub text: String,
    /// How it stands.
    #[serde(default)]
    pub tone: Tone,
}

/// How something stands; faces choose the colour and always add a word or sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Nothing to say.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// To be looked at.
    Warn,
    /// Wrong.
    Bad,
    /// Of little interest.
    Muted,
    /// Of most interest.
    Strong,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), tone: Tone::Plain }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, tone: Tone::Plain }
    }
}

impl Cell {
    /// The text with a tone.
    pub fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }
}

impl View {
    /// A view of one block.
    pub fn block(block: Block) -> Self {
        Self { blocks: vec![block] }
    }

    /// The generic view of any result: scalars as fields, lists of objects as tables, long text as code.
    pub fn of(value: &Value) -> Self {
        let mut blocks = Vec::new();
        match value {
            Value::Object(object) => blocks_of_object(object, &mut blocks),
            Value::Array(items) => blocks.push(block_of_list(None, items)),
            other => blocks.push(Block::Text { text: text_of(other) }),
        }
        Self { blocks }
    }

    /// Rewrites every text of the view.
    pub fn map_text(&mut self, rewrite: &mut dyn FnMut(&mut String)) {
        self.blocks.iter_mut().for_each(|block| map_block(block, rewrite));
    }
}

fn blocks_of_object(object: &Map<String, Value>, blocks: &mut Vec<Block>) {
    let mut fields = Vec::new();
    let mut later = Vec::new();
    for (key, value) in object {
        match value {
            Value::Object(inner) if !inner.is_empty() => later.push((key, value)),
            Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
                later.push((key, value));
            }
            Value::String(text) if text.contains('\n') => later.push((key, value)),
            _ => fields.push(Field { label: label_of(key), value: text_of(value).into() }),
        }
    }
    if !fields.is_empty() {
        blocks.push(Block::Fields { fields });
    }
    for (key, value) in later {
        match value {
            Value::Array(items) => blocks.push(block_of_list(Some(label_of(key)), items)),
            Value::String(text) => {
                blocks.push(Block::Heading { text: label_of(key) });
                blocks.push(Block::Code { text: text.clone(), language: None });
            }
            other => {
                blocks.push(Block::Heading { text: label_of(key) });
                blocks.extend(View::of(other).blocks);
            }
        }
    }
}

fn block_of_list(title: Option<String>, items: &[Value]) -> Block {
    let mut keys: Vec<&str> = Vec::new();
    for key in items.iter().filter_map(Value::as_object).flat_map(Map::keys) {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    if keys.is_empty() {
        let rows = items.iter().map(|item| vec![text_of(item).into()]).collect();
        return Block::Table {
            title,
            columns: vec![Column { label: "value".to_owned(), right: false }],
            rows,
        };
    }
    let columns = keys
        .iter()
        .map(|key| Column {
            label: label_of(key),
            right: items.iter().filter_map(|item| item.get(*key)).all(Value::is_number),
        })
        .collect();
    let rows = items
        .iter()
        .map(|item| keys.iter().map(|key| item.get(*key).map(text_of).unwrap_or_default().into()).collect())
        .collect();
    Block::Table { title, columns, rows }
}

fn label_of(key: &str) -> String {
    key.replace('_', " ")
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(text_of).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn map_block(block: &mut Block, rewrite: &mut dyn FnMut(&mut String)) {
    match block {
        Block::Heading { text }
        | Block::Text { text }
        | Block::Markdown { text }
        | Block::Code { text, .. } => {
            rewrite(text);
        }
        Block::Fields { fields } => {
            for field in fields {
                rewrite(&mut field.label);
                rewrite(&mut field.value.text);
            }
        }
        Block::Table { title, columns, rows } => {
            title.iter_mut().for_each(&mut *rewrite);
            for column in columns {
                rewrite(&mut column.label);
            }
            for cell in rows.iter_mut().flatten() {
                rewrite(&mut cell.text);
            }
        }
        Block::Panel { title, body, .. } => {
            rewrite(title);
            for inner in body {
                map_block(inner, rewrite);
            }
        }
        Block::Meter { label, .. } | Block::Spark { label, .. } => rewrite(label),
        Block::Tree { label, children } => {
            rewrite(label);
            for inner in children {
                map_block(inner, rewrite);
            }
        }
    }
}
