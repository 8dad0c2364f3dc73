//! Files and trees there and back; every copy is compared before it counts.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::process::Process;
use crate::ssh::book::{Book, Who};
use crate::ssh::content::{Content, Way};
use crate::ssh::field::{Field, HOST};
use crate::ssh::line::{Line, Shape};
use crate::ssh::openssh;
use crate::ssh::product::{Caller, Product};
use crate::ssh::script::Script;
use crate::ssh::{Plan, Row};

/// Half of a round trip of 50 ms.
const FAR: Shape = Shape { one_way: Duration::from_millis(25), rate: None };

/// Who moves files.
const MOVERS: [Who; 6] = [Who::Gabier, Who::Sftp, Who::Scp, Who::Rsync, Who::Node, Who::AsyncSsh];

/// A contestant that is ready.
enum Mover {
    Gabier(Box<Product>),
    Program(Who),
    Script(Box<Script>),
}

/// What one transfer took.
struct Took {
    wall: Duration,
    cpu: Duration,
}

pub(super) async fn measure(row: Row, field: &Field, plan: &Plan, book: &mut Book) -> Result<()> {
    let is_far = matches!(row, Row::Far | Row::SmallFar);
    let line = Line::to(field.sshd.port, if is_far { FAR } else { Shape::default() }).await?;
    // Without a delay nobody goes through the line.
    let port = if is_far { line.port } else { field.sshd.port };
    let content = match row {
        Row::Large => Content::file(&field.here, 256)?,
        Row::Far => Content::file(&field.here, 64)?,
        Row::Small => Content::tree(&field.here, 2_000)?,
        _ => Content::tree(&field.here, 200)?,
    };
    let mut movers = Vec::new();
    for who in MOVERS.into_iter().filter(|who| field.has(*who)) {
        movers.push((who, Mover::ready(who, field, port).await?));
    }
    let rounds = if row == Row::SmallFar { plan.few_rounds() } else { plan.rounds };
    // Warming up would take the slowest of them minutes.
    let first = usize::from(row == Row::SmallFar);
    for round in first..=rounds {
        for (who, mover) in &mut movers {
            for way in [Way::Up, Way::Down] {
                let target = field.fresh(if way == Way::Up { &field.there } else { &field.here });
                let took = mover.carry(field, port, way, [&content.path, &target]).await;
                let took = took.with_context(|| format!("{}, {way:?}", who.name()))?;
                content.check(&target).with_context(|| who.name())?;
                if round > 0 {
                    let [wall, cpu] = match way {
                        Way::Up => ["up, s", "up, CPU s"],
                        Way::Down => ["down, s", "down, CPU s"],
                    };
                    book.note(row, wall, *who, took.wall.as_secs_f64());
                    if row == Row::Large {
                        book.note(row, cpu, *who, took.cpu.as_secs_f64());
                    }
                }
            }
        }
    }
    Ok(())
}

impl Mover {
    async fn ready(who: Who, field: &Field, port: u16) -> Result<Self> {
        Ok(match who {
            Who::Gabier => {
                let product = field.product(port).await?;
                // Logged in like the scripts: its first transfer makes the connection for files.
                let (note, copy) = (field.here.join("note"), field.fresh(&field.there));
                fs::write(&note, "warm")?;
                by_tool(&mut product.caller().await?, Way::Up, [&note, &copy]).await?;
                Self::Gabier(Box::new(product))
            }
            Who::Node | Who::AsyncSsh => Self::Script(Box::new(Script::start(who, &field.sshd, port, 1)?)),
            program => Self::Program(program),
        })
    }

    async fn carry(&mut self, field: &Field, port: u16, way: Way, paths: [&Path; 2]) -> Result<Took> {
        let before = self.cpu()?;
        let wall = match self {
            Self::Gabier(product) => by_tool(&mut product.caller().await?, way, paths).await?,
            Self::Program(who) => openssh::transfer(*who, &field.sshd, port, way, paths)?,
            Self::Script(script) => script.transfer(way, paths)?,
        };
        Ok(Took { wall, cpu: self.cpu()?.saturating_sub(before) })
    }

    fn cpu(&self) -> Result<Duration> {
        match self {
            Self::Gabier(product) => product.process.cpu(),
            Self::Program(_) => Process::cpu_of_ended(),
            Self::Script(script) => script.process.cpu(),
        }
    }
}

/// A transfer by `task_transfer`, which also verifies it.
pub(super) async fn by_tool(caller: &mut Caller, way: Way, [source, target]: [&Path; 2]) -> Result<Duration> {
    let (direction, local, remote) = match way {
        Way::Up => ("upload", source, target),
        Way::Down => ("download", target, source),
    };
    let arguments = json!({"alias": HOST, "direction": direction, "local": local, "remote": remote});
    let begin = Instant::now();
    let data = caller.call("task_transfer", &arguments).await?;
    let took = begin.elapsed();
    ensure!(data["skipped"] == json!([]), "task_transfer left something out: {data}");
    Ok(took)
}
