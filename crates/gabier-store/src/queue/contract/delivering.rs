//! Webhooks that are to be delivered.

use super::Trial;
use super::support::{
    LONG, SHORT, add, claim_one, end, ended, finish, finished, get, repeatable, task, worker,
};
use crate::queue::{Delivered, Delivery, DeliveryEvent, DeliveryState, End, NewTask, Queue, State, TaskId};

const URL: &str = "https://receiver.example/hook";

fn called(task: NewTask) -> NewTask {
    NewTask { callback: Some(URL.to_owned()), ..task }
}

async fn due(queue: &dyn Queue) -> Vec<Delivery> {
    queue.due(&worker("w1"), 100, LONG).await.expect("due")
}

async fn done(queue: &dyn Queue, delivery: &Delivery) {
    queue.delivered(&delivery.id, Delivered::Done { last: "200".to_owned() }).await.expect("delivered");
}

async fn listed(queue: &dyn Queue, owner: Option<&str>, state: Option<DeliveryState>) -> Vec<String> {
    let page = queue.deliveries(owner, state, None, 100).await.expect("deliveries");
    page.items.into_iter().map(|delivery| delivery.id).collect()
}

fn ids(task: &TaskId, events: &[DeliveryEvent]) -> Vec<String> {
    events.iter().map(|event| event.id(task)).collect()
}

pub(super) async fn only_a_callback_gets_deliveries(trial: &dyn Trial) {
    let queue = trial.open().await;
    ended(&*queue, task(), State::Completed).await;
    add(&*queue, called(task())).await;
    assert_eq!(due(&*queue).await, []);
    let id = claim_one(&*queue, LONG).await.asked.id;
    let before = queue.now().await.expect("now");
    let deliveries = due(&*queue).await;
    let [delivery] = deliveries.as_slice() else { panic!("{deliveries:?}") };
    assert_eq!(delivery.id, format!("msg_{id}_processing"));
    assert_eq!((&delivery.task, delivery.event), (&id, DeliveryEvent::Processing));
    assert_eq!((delivery.url.as_str(), delivery.state, delivery.attempts), (URL, DeliveryState::Waiting, 0));
    assert!(delivery.created <= before && delivery.last.is_none());
}

pub(super) async fn deliveries_of_a_task_come_in_order(trial: &dyn Trial) {
    use DeliveryEvent::{Cancelled, Completed, Error, Processing};
    let queue = trial.open().await;
    let ends = [(State::Completed, Completed), (State::Partial, Completed), (State::TimedOut, Error)];
    for (state, event) in ends.into_iter().chain([(State::Unknown, Error), (State::Cancelled, Cancelled)]) {
        let id = ended(&*queue, called(task()), state).await;
        let first = due(&*queue).await;
        assert_eq!(first.iter().map(|it| it.id.clone()).collect::<Vec<_>>(), ids(&id, &[Processing]));
        assert_eq!(due(&*queue).await, [], "one at a time");
        done(&*queue, &first[0]).await;
        let second = due(&*queue).await;
        assert_eq!(second.iter().map(|it| it.id.clone()).collect::<Vec<_>>(), ids(&id, &[event]));
        done(&*queue, &second[0]).await;
        assert_eq!(due(&*queue).await, []);
    }
    let id = add(&*queue, called(repeatable())).await;
    for _ in 0..2 {
        let held = claim_one(&*queue, LONG).await;
        assert!(end(&*queue, &id, held.fence, End::Retry { at: 0, error: 1.into() }).await);
    }
    let held = claim_one(&*queue, LONG).await;
    finished(&*queue, &held, State::Failed).await;
    assert_eq!(listed(&*queue, None, Some(DeliveryState::Waiting)).await, ids(&id, &[Error, Processing]));
    let unstarted = add(&*queue, called(task())).await;
    queue.cancel(&unstarted, "enough").await.expect("cancel");
    let waiting = due(&*queue).await;
    let mut names: Vec<_> = waiting.iter().map(|it| it.id.clone()).collect();
    names.sort();
    let mut expected = [ids(&id, &[Processing]), ids(&unstarted, &[Cancelled])].concat();
    expected.sort();
    assert_eq!(names, expected);
}

pub(super) async fn a_claimed_delivery_is_not_claimed_again(trial: &dyn Trial) {
    let queue = trial.open().await;
    ended(&*queue, called(task()), State::Completed).await;
    let claimed = queue.due(&worker("w1"), 10, SHORT).await.expect("due");
    assert_eq!(claimed.len(), 1);
    assert_eq!(due(&*trial.open().await).await, []);
    trial.pass(SHORT + 100).await;
    let again = due(&*queue).await;
    assert_eq!(again[0].id, claimed[0].id, "its worker was lost");
    let at = queue.now().await.expect("now") + SHORT;
    let how = Delivered::Again { at, last: "500".to_owned() };
    queue.delivered(&again[0].id, how).await.expect("delivered");
    assert_eq!(due(&*queue).await, []);
    let page = queue.deliveries(None, None, None, 10).await.expect("deliveries");
    let tried = page.items.last().expect("the first delivery");
    assert_eq!((tried.attempts, tried.next, tried.last.as_deref()), (1, Some(at), Some("500")));
    trial.pass(SHORT + 100).await;
    let third = due(&*queue).await;
    assert_eq!((third.len(), third[0].attempts), (1, 1));
    done(&*queue, &third[0]).await;
    let late = Delivered::Dead { last: "a late answer".to_owned() };
    queue.delivered(&third[0].id, late).await.expect("delivered");
    assert_eq!(listed(&*queue, None, Some(DeliveryState::Done)).await.len(), 1);
    queue.delivered("msg_none", Delivered::Done { last: String::new() }).await.expect("delivered");
}

pub(super) async fn a_dead_delivery_is_listed_and_replayed(trial: &dyn Trial) {
    use DeliveryEvent::{Completed, Processing};
    let queue = trial.open().await;
    let id = ended(&*queue, called(task()), State::Completed).await;
    let other = NewTask { owner: "bob".to_owned(), ..called(task()) };
    let other = add(&*queue, other).await;
    queue.cancel(&other, "enough").await.expect("cancel");
    let first = due(&*queue).await.into_iter().find(|it| it.task == id).expect("a delivery");
    queue.delivered(&first.id, Delivered::Dead { last: "410".to_owned() }).await.expect("delivered");
    assert_eq!(listed(&*queue, Some("ann"), Some(DeliveryState::Dead)).await, ids(&id, &[Processing]));
    assert_eq!(listed(&*queue, Some("bob"), Some(DeliveryState::Dead)).await, Vec::<String>::new());
    assert_eq!(listed(&*queue, Some("ann"), None).await, ids(&id, &[Completed, Processing]));
    assert_eq!(listed(&*queue, None, None).await.len(), 3);
    let page = queue.deliveries(None, None, None, 2).await.expect("deliveries");
    assert_eq!((page.items.len(), page.next.is_some()), (2, true));
    let page = queue.deliveries(None, None, page.next, 2).await.expect("deliveries");
    assert_eq!((page.items.len(), page.items[0].id.clone()), (1, first.id.clone()));
    assert_eq!((page.items[0].state, page.items[0].next), (DeliveryState::Dead, None));

    let second = due(&*queue).await;
    assert_eq!(second[0].id, Completed.id(&id), "a dead one does not stop the next");
    done(&*queue, &second[0]).await;
    assert!(!queue.replay("msg_none").await.expect("replay"));
    for delivery in [&first.id, &second[0].id] {
        assert!(queue.replay(delivery).await.expect("replay"));
    }
    let again = due(&*queue).await;
    assert_eq!((again[0].id.clone(), again[0].attempts), (first.id.clone(), 0), "in their order");
    done(&*queue, &again[0]).await;
    let again = due(&*queue).await;
    assert_eq!(again[0].id, second[0].id);
    assert!(!end(&*queue, &id, get(&*queue, &id).await.fence, finish(State::Failed)).await);
}
