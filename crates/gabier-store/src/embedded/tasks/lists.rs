//! Lists, searches and counters, by the reading connections.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::super::sqlite::Context as _;
use super::blobs::Blobs;
use super::codes::{Code as _, ENDED};
use super::output;
use super::row::{COLUMNS, Raw};
use crate::Result;
use crate::queue::rules::folded;
use crate::queue::{Count, Cursor, Filter, Order, Page, State, Stats, Task};

/// A condition on rows, with its values.
struct Where {
    index: &'static str,
    sql: Vec<String>,
    values: Vec<Value>,
}

impl Where {
    fn of(filter: &Filter) -> Self {
        let mut this = Self { index: index(filter), sql: Vec::new(), values: Vec::new() };
        let optional = |text: &Option<String>| text.clone().map(Value::from);
        let ids = |id: &crate::queue::TaskId| Value::from(id.as_str().to_owned());
        this.and("owner =", optional(&filter.owner));
        this.and("queue =", optional(&filter.queue));
        this.and("tool =", optional(&filter.tool));
        this.and("alias =", optional(&filter.alias));
        this.and("parent =", filter.parent.as_ref().map(ids));
        this.and("created >=", filter.since.map(Value::from));
        this.and("created <", filter.before.map(Value::from));
        this.sql.extend(filter.dead_letter.map(|dead| format!("dead_letter = {}", i64::from(dead))));
        if let Some(ids_of) = &filter.ids {
            let places = vec!["?"; ids_of.len()].join(", ");
            this.values.extend(ids_of.iter().map(ids));
            this.sql.push(format!("id IN ({places})"));
        }
        if !filter.states.is_empty() {
            let codes: Vec<_> = filter.states.iter().map(|state| state.code().to_string()).collect();
            this.sql.push(format!("state IN ({})", codes.join(", ")));
        }
        match this.index {
            "task_active" => this.sql.push("state < 5".to_owned()),
            "task_odd" => this.sql.push("state > 5".to_owned()),
            _ => {}
        }
        this
    }

    fn and(&mut self, condition: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.sql.push(format!("{condition} ?"));
            self.values.push(value);
        }
    }

    fn sql(&self) -> String {
        if self.sql.is_empty() { "1".to_owned() } else { self.sql.join(" AND ") }
    }

    fn table(&self) -> String {
        match self.index {
            "" => "task NOT INDEXED".to_owned(),
            "id" => "task".to_owned(),
            index => format!("task INDEXED BY {index}"),
        }
    }
}

/// The index that holds the least of what a filter may select; none for a walk in the order of the rows.
fn index(filter: &Filter) -> &'static str {
    let are_all =
        |is: fn(i64) -> bool| !filter.states.is_empty() && filter.states.iter().all(|state| is(state.code()));
    if filter.ids.is_some() {
        "id"
    } else if filter.parent.is_some() {
        "task_parent"
    } else if filter.dead_letter == Some(true) {
        "task_dead"
    } else if are_all(|code| code < ENDED) {
        "task_active"
    } else if are_all(|code| code > ENDED) {
        "task_odd"
    } else if filter.alias.is_some() {
        "task_alias"
    } else if filter.owner.is_some() {
        "task_owner"
    } else if filter.tool.is_some() {
        "task_tool"
    } else {
        ""
    }
}

/// Rows that fit, in the filter's order, from behind a cursor; `take` says whether to go on.
fn walk(
    connection: &Connection,
    filter: &Filter,
    columns: &str,
    cursor: Option<i64>,
    limit: Option<usize>,
    mut take: impl FnMut(&Row<'_>) -> Result<bool>,
) -> Result<()> {
    let doing = || "list tasks".to_owned();
    let mut condition = Where::of(filter);
    let (beyond, order) = match filter.order {
        Order::Newest => ("seq <", "DESC"),
        Order::Oldest => ("seq >", "ASC"),
    };
    condition.and(beyond, cursor.map(Value::from));
    let limit = limit.map_or(String::new(), |limit| format!("LIMIT {limit}"));
    let (table, sql) = (condition.table(), condition.sql());
    let sql = format!("SELECT {columns} FROM {table} WHERE {sql} ORDER BY seq {order} {limit}");
    let mut statement = connection.prepare_cached(&sql).while_doing(doing)?;
    let mut rows = statement.query(params_from_iter(condition.values)).while_doing(doing)?;
    while let Some(row) = rows.next().while_doing(doing)? {
        if !take(row)? {
            break;
        }
    }
    Ok(())
}

/// A page of tasks.
pub(super) fn list(
    connection: &Connection,
    filter: &Filter,
    cursor: Option<&Cursor>,
    limit: usize,
    blobs: &Blobs,
) -> Result<Page<Task>> {
    let cursor = cursor.and_then(|cursor| cursor.0.parse().ok());
    let search = filter.search.as_deref().map(folded);
    let bound = search.is_none().then(|| limit.saturating_add(1));
    let mut found = Vec::new();
    walk(connection, filter, COLUMNS, cursor, bound, |row| {
        let raw = Raw::of(row).while_doing(|| "list tasks".to_owned())?;
        let fits = search.as_ref().map_or(Ok(true), |needle| says(connection, &raw, needle, blobs))?;
        if fits {
            found.push(raw);
        }
        Ok(found.len() <= limit)
    })?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| has_more).map(|raw| Cursor(raw.seq.to_string()));
    let items = found.into_iter().map(|raw| raw.task(blobs)).collect::<Result<_>>()?;
    Ok(Page { items, next })
}

/// The rows of all that a filter selects.
pub(super) fn select(connection: &Connection, filter: &Filter, blobs: &Blobs) -> Result<Vec<i64>> {
    let search = filter.search.as_deref().map(folded);
    let columns = if search.is_some() { COLUMNS } else { "seq" };
    let mut found = Vec::new();
    walk(connection, filter, columns, None, None, |row| {
        let doing = || "list tasks".to_owned();
        let fits = match &search {
            None => true,
            Some(needle) => says(connection, &Raw::of(row).while_doing(doing)?, needle, blobs)?,
        };
        if fits {
            found.push(row.get(0).while_doing(doing)?);
        }
        Ok(true)
    })?;
    Ok(found)
}

fn says(connection: &Connection, raw: &Raw, needle: &str, blobs: &Blobs) -> Result<bool> {
    let contains = |text: &str| folded(text).contains(needle);
    if raw.says(blobs, contains)? {
        return Ok(true);
    }
    let written = output::all(connection, raw.seq).while_doing(|| "search what tasks wrote".to_owned())?;
    Ok(written.iter().any(|bytes| contains(&String::from_utf8_lossy(bytes))))
}

/// The counters of an owner, or of all.
pub(super) fn stats(connection: &Connection, owner: Option<&str>) -> Result<Stats> {
    try_stats(connection, owner).while_doing(|| "read the counters".to_owned())
}

fn try_stats(connection: &Connection, owner: Option<&str>) -> rusqlite::Result<Stats> {
    let counts = connection
        .prepare_cached(
            "SELECT queue, tool, kind, state, sum(tasks), sum(ran) FROM task_counter
             WHERE ?1 IS NULL OR owner = ?1 GROUP BY queue, tool, kind, state HAVING sum(tasks) > 0",
        )?
        .query_map([owner], |row| {
            Ok(Count {
                queue: row.get(0)?,
                tool: row.get(1)?,
                kind: row.get(2)?,
                state: State::decode(row.get(3)?).unwrap_or(State::Unknown),
                tasks: row.get::<_, i64>(4)?.cast_unsigned(),
                ran: row.get(5)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let paused = connection
        .prepare_cached("SELECT queue FROM task_paused ORDER BY queue")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let dead_letters: i64 = connection
        .prepare_cached(
            "SELECT count(*) FROM task INDEXED BY task_dead WHERE dead_letter = 1 AND (?1 IS NULL OR owner = ?1)",
        )?
        .query_row([owner], |row| row.get(0))?;
    Ok(Stats { counts, paused, dead_letters: dead_letters.cast_unsigned() })
}

/// The faults of the tables of tasks: counters that a recount does not bear out, and files that are gone.
pub(super) fn check(connection: &Connection, blobs: &Blobs) -> rusqlite::Result<Vec<String>> {
    let mut faults = recount(connection)?;
    let mut statement = connection.prepare("SELECT id, fence, files FROM task WHERE files != 0")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id = crate::queue::TaskId::new(row.get::<_, String>(0)?);
        let fence = crate::queue::Fence(row.get::<_, i64>(1)?.cast_unsigned());
        let files: i64 = row.get(2)?;
        for part in super::blobs::Part::ALL.into_iter().filter(|part| files & part.bit() != 0) {
            if !blobs.exists(&id, fence, part) {
                faults.push(format!("a file of the task {id} is gone"));
            }
        }
    }
    Ok(faults)
}

fn recount(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let counters = connection
        .prepare(
            "SELECT queue, state, sum(counted), sum(found) FROM (
                 SELECT queue, state, tasks AS counted, 0 AS found FROM task_counter
                 UNION ALL SELECT queue, state, 0, 1 FROM task)
             GROUP BY queue, state HAVING sum(counted) != sum(found)",
        )?
        .query_map([], |row| {
            let (queue, state): (String, i64) = (row.get(0)?, row.get(1)?);
            let (counted, found): (i64, i64) = (row.get(2)?, row.get(3)?);
            let state = State::decode(state).map_or("unknown", State::name);
            Ok(format!("the counter of {state} tasks in {queue} says {counted} and there are {found}"))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let unreadable = connection
        .prepare(
            "SELECT id FROM task WHERE NOT (json_valid(coalesce(arguments, '1')) AND json_valid(coalesce(result, '1'))
                 AND json_valid(coalesce(error, '1')) AND json_valid(coalesce(context, '1')))",
        )?
        .query_map([], |row| Ok(format!("the task {} is not JSON", row.get::<_, String>(0)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok([counters, unreadable].concat())
}
