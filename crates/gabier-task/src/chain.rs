//! What follows a task once it has ended.

use gabier_store::queue::{State, Task, Then, ThenOn};
use gabier_tool::{ErrorKind, Result};

use crate::backing::Backing;
use crate::context::Context;
use crate::plan::Origin;
use crate::tasks::Engine;

/// How many ended tasks are looked at together.
const BATCH: usize = 100;

impl Engine {
    /// Starts what follows tasks that have ended. The key of each follower makes it one, however often this is tried.
    pub(crate) async fn chain(&self, backing: &Backing) -> Result<()> {
        loop {
            let ended = self.ask("looking for what follows", backing.queue.unchained(BATCH)).await?;
            if ended.is_empty() {
                return Ok(());
            }
            let mut chained = Vec::new();
            for task in &ended {
                if self.follow_up(backing, task).await? {
                    chained.push(task.asked.id.clone());
                }
            }
            let is_done = chained.len() < ended.len() || ended.len() < BATCH;
            self.ask("noting what follows", backing.queue.chained(chained)).await?;
            if is_done {
                return Ok(());
            }
        }
    }

    /// Starts all that follows one task; false when the queue has no room now.
    async fn follow_up(&self, backing: &Backing, task: &Task) -> Result<bool> {
        for (number, next) in task.asked.then.iter().enumerate().filter(|(_, next)| applies(next, task.state))
        {
            let origin = Origin {
                tool: &next.tool,
                arguments: next.arguments.clone(),
                owner: &task.asked.owner,
                key: format!("then:{}:{number}", task.asked.id),
                parent: Some(task.asked.id.clone()),
                context: Context {
                    schedule: None,
                    terms: gabier_tool::Terms::default(),
                    ..Context::read(task)
                },
            };
            match self.enqueue(backing, self.made(origin)?).await {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::QueueFull => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

fn applies(next: &Then, state: State) -> bool {
    match next.on {
        ThenOn::Any => true,
        ThenOn::Completed => state == State::Completed,
        ThenOn::Failed => state != State::Completed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_waits_for_its_outcome() {
        let applies = |on, state| {
            applies(&Then { on, tool: "tell".to_owned(), arguments: serde_json::Map::new() }, state)
        };
        assert!(applies(ThenOn::Completed, State::Completed) && !applies(ThenOn::Completed, State::Partial));
        assert!(applies(ThenOn::Failed, State::Crashed) && !applies(ThenOn::Failed, State::Completed));
        assert!(applies(ThenOn::Any, State::Expired));
    }
}
