//! Commands: warm, many at once, cold, in a sequence.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::future::{join_all, try_join_all};
use serde_json::json;

use super::count;
use crate::figures::{ms, percentile};
use crate::ssh::book::{Book, Who};
use crate::ssh::field::{Field, HOST};
use crate::ssh::openssh::{self, Master};
use crate::ssh::product::Caller;
use crate::ssh::script::Script;
use crate::ssh::{Plan, Row};

/// Callers at once, and the commands of all of them together.
const CALLERS: usize = 50;
const COMMANDS: usize = 300;

/// Connections of the peers in that row, with five channels each.
const CONNECTIONS: usize = 5;

/// Commands of a sequence.
const STEPS: usize = 50;

/// The peers that are libraries.
const LIBRARIES: [Who; 2] = [Who::Node, Who::AsyncSsh];

fn libraries(field: &Field, connections: usize) -> Result<Vec<(Who, Script)>> {
    let present = LIBRARIES.into_iter().filter(|who| field.has(*who));
    present.map(|who| Ok((who, Script::start(who, &field.sshd, field.sshd.port, connections)?))).collect()
}

pub(super) async fn exec(field: &Field, plan: &Plan, book: &mut Book) -> Result<()> {
    let product = field.product(field.sshd.port).await?;
    let master = Master::start(&field.sshd, &field.home).await?;
    let mut libraries = libraries(field, 1)?;
    for round in 0..=plan.rounds {
        // The server closes what was silent while the others had their turn.
        let mut caller = product.caller().await?;
        let mut figures = vec![
            (Who::Gabier, repeated(&mut caller, plan.calls).await?),
            (Who::Ssh, (0..plan.calls).map(|_| master.exec("true")).collect::<Result<_>>()?),
        ];
        for (who, peer) in &mut libraries {
            // ssh2 on Node takes 44 ms for each.
            figures.push((*who, peer.exec(plan.calls.div_ceil(4))?));
        }
        // Round 0 warms up just-in-time compilers, caches and connections.
        if round > 0 {
            for (who, mut times) in figures {
                let rate = count(times.len()) / times.iter().sum::<Duration>().as_secs_f64();
                book.note(Row::Exec, "commands/s", who, rate);
                book.note(Row::Exec, "p50 ms", who, percentile(&mut times, 50));
                book.note(Row::Exec, "p99 ms", who, percentile(&mut times, 99));
            }
        }
    }
    Ok(())
}

async fn repeated(caller: &mut Caller, calls: u32) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for _ in 0..calls {
        times.push(caller.exec(HOST, "true").await?);
    }
    Ok(times)
}

pub(super) async fn burst(field: &Field, plan: &Plan, book: &mut Book) -> Result<()> {
    let mut most = 0;
    let product = field.product(field.sshd.port).await?;
    let mut peers: Vec<(Who, Script)> = Vec::new();
    for round in 0..=plan.rounds {
        // The peers' own connections, once they have them, are not the product's.
        let others = peers.len() * CONNECTIONS;
        let mut callers = try_join_all((0..CALLERS).map(|_| product.caller())).await?;
        let begin = Instant::now();
        let ended = join_all(callers.iter_mut().map(share)).await;
        let rate = count(COMMANDS) / begin.elapsed().as_secs_f64();
        let errors = ended.iter().flatten().filter(|result| result.is_err()).count();
        most = most.max(field.sshd.connections()?.saturating_sub(others));
        if round == 0 {
            peers = libraries(field, CONNECTIONS)?;
        }
        let number = u32::try_from(COMMANDS).context("a number of commands")?;
        for (who, peer) in &mut peers {
            let rate = peer.burst(number)?;
            if round > 0 {
                book.note(Row::Burst, "commands/s", *who, rate);
            }
        }
        if round > 0 {
            book.note(Row::Burst, "commands/s", Who::Gabier, rate);
            book.note(Row::Burst, "errors", Who::Gabier, count(errors));
            book.note(Row::Burst, "connections", Who::Gabier, count(most));
        }
    }
    Ok(())
}

/// One caller's share of the commands.
async fn share(caller: &mut Caller) -> Vec<Result<Duration>> {
    let mut ended = Vec::new();
    for _ in 0..COMMANDS / CALLERS {
        ended.push(caller.exec(HOST, "true").await);
    }
    ended
}

pub(super) async fn cold(field: &Field, plan: &Plan, book: &mut Book) -> Result<()> {
    let product = field.product(field.sshd.port).await?;
    let mut caller = product.caller().await?;
    let alone = field.product_home()?;
    alone.add(&field.sshd, HOST)?;
    for round in 0..=plan.rounds {
        let mut figures = [Who::Gabier, Who::GabierCli, Who::Ssh].map(|who| (who, Vec::new()));
        for _ in 0..plan.calls.div_ceil(10) {
            for (who, times) in &mut figures {
                field.sshd.end_connections().await?;
                times.push(match who {
                    Who::Gabier => caller.exec(HOST, "true").await?,
                    Who::GabierCli => alone.run(&["task", "exec", HOST, "true"])?,
                    _ => openssh::cold(&field.sshd, "true")?,
                });
            }
        }
        if round > 0 {
            for (who, mut times) in figures {
                book.note(Row::Cold, "p50 ms", who, percentile(&mut times, 50));
            }
        }
    }
    Ok(())
}

pub(super) async fn sequence(field: &Field, plan: &Plan, book: &mut Book) -> Result<()> {
    let product = field.product(field.sshd.port).await?;
    let mut caller = product.caller().await?;
    for round in 0..=plan.rounds {
        let apart: Duration = repeated(&mut caller, u32::try_from(STEPS)?).await?.into_iter().sum();
        let begin = Instant::now();
        let arguments = json!({"alias": HOST, "commands": vec!["true"; STEPS]});
        let data = caller.call("task_exec_sequence", &arguments).await?;
        let together = begin.elapsed();
        let ended = data["results"].as_array().map_or(0, Vec::len);
        ensure!(ended == STEPS, "a sequence of {STEPS} ended after {ended}: {data}");
        if round > 0 {
            book.note(Row::Sequence, "apart, ms", Who::Gabier, ms(apart));
            book.note(Row::Sequence, "sequence, ms", Who::Gabier, ms(together));
        }
    }
    Ok(())
}
