//! One thing done on many hosts, so many at a time, until too many fail.

use std::future::Future;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

/// How a thing is spread over many hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// How many at once.
    pub max_parallel: usize,
    /// With more failures than this, no further host is begun; unlimited when absent.
    pub max_failures: Option<usize>,
}

impl Default for Spread {
    fn default() -> Self {
        Self { max_parallel: 10, max_failures: None }
    }
}

/// What became of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It was done.
    Done(T),
    /// It was not begun: too many others had failed.
    Skipped,
}

/// Does one thing for each target and gives what came of it, in the order of the targets.
///
/// `is_failure` says which results count towards the most failures. All that were begun are awaited.
pub async fn fan_out<K, T, F>(
    targets: Vec<K>,
    spread: Spread,
    mut begin: impl FnMut(K) -> F,
    is_failure: impl Fn(&T) -> bool,
) -> Vec<Outcome<T>>
where
    F: Future<Output = T>,
{
    let mut outcomes: Vec<Outcome<T>> = targets.iter().map(|_| Outcome::Skipped).collect();
    let mut waiting = targets.into_iter().enumerate();
    let mut running = FuturesUnordered::new();
    let mut failures = 0;
    loop {
        let may_begin = spread.max_failures.is_none_or(|most| failures <= most);
        while may_begin && running.len() < spread.max_parallel.max(1) {
            let Some((index, target)) = waiting.next() else { break };
            let future = begin(target);
            running.push(async move { (index, future.await) });
        }
        let Some((index, result)) = running.next().await else { return outcomes };
        failures += usize::from(is_failure(&result));
        outcomes[index] = Outcome::Done(result);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn no_more_run_at_once_than_allowed_and_the_order_is_kept() {
        let (running, most) = (Cell::new(0), Cell::new(0));
        let spread = Spread { max_parallel: 3, max_failures: None };
        let outcomes = fan_out(
            (0..20).collect(),
            spread,
            |number: usize| {
                running.set(running.get() + 1);
                most.set(most.get().max(running.get()));
                let running = &running;
                async move {
                    for _ in 0..(20 - number) {
                        tokio::task::yield_now().await;
                    }
                    running.set(running.get() - 1);
                    number
                }
            },
            |_| false,
        )
        .await;
        assert_eq!(outcomes, (0..20).map(Outcome::Done).collect::<Vec<_>>());
        assert_eq!(most.get(), 3);
    }

    #[tokio::test]
    async fn after_too_many_failures_nothing_more_is_begun() {
        let spread = Spread { max_parallel: 1, max_failures: Some(1) };
        let outcomes =
            fan_out((0..6).collect(), spread, |number: u32| async move { number }, |number| number % 2 == 1)
                .await;
        let expected =
            [0, 1, 2, 3].map(Outcome::Done).into_iter().chain([Outcome::Skipped, Outcome::Skipped]);
        assert_eq!(outcomes, expected.collect::<Vec<_>>());
    }
}
