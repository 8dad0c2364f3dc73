//! Which request waits for which reply: ids are places in a slab, used again once answered.

use tokio::sync::oneshot;

use super::error::{Error, Reason};
use super::packet::Reply;

/// The requests under way on a session.
#[derive(Default)]
pub(super) struct Slots {
    waiting: Vec<Option<oneshot::Sender<Reply>>>,
    free: Vec<u32>,
    ended: Option<(Reason, String)>,
}

impl Slots {
    /// Takes an id whose reply goes to the sender; none on a session that is over.
    pub(super) fn take(&mut self, sender: oneshot::Sender<Reply>) -> Option<u32> {
        if self.ended.is_some() {
            return None;
        }
        if let Some(id) = self.free.pop() {
            self.waiting[id as usize] = Some(sender);
            return Some(id);
        }
        let id = u32::try_from(self.waiting.len()).expect("fewer requests than 2^32 are under way");
        self.waiting.push(Some(sender));
        Some(id)
    }

    /// Who waits for this reply; none when no such request is under way.
    pub(super) fn answer(&mut self, id: u32) -> Option<oneshot::Sender<Reply>> {
        let sender = self.waiting.get_mut(id as usize)?.take()?;
        self.free.push(id);
        Some(sender)
    }

    /// How many replies are awaited.
    pub(super) fn under_way(&self) -> usize {
        self.waiting.len() - self.free.len()
    }

    /// Ends the session for all who wait and all who come. The first reason stays.
    pub(super) fn end(&mut self, error: &Error) {
        if self.ended.is_none() {
            self.ended = Some((error.reason(), error.to_string()));
        }
        self.waiting.clear();
        self.free.clear();
    }

    /// Why the session is over, if it is.
    pub(super) fn ending(&self) -> Option<Error> {
        self.ended.as_ref().map(|(reason, message)| Error::new(*reason, message.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_used_again_only_once_it_is_answered() {
        let mut slots = Slots::default();
        let (first, second) = (slots.take(oneshot::channel().0), slots.take(oneshot::channel().0));
        assert_eq!((first, second, slots.under_way()), (Some(0), Some(1), 2));
        assert!(slots.answer(0).is_some());
        assert!(slots.answer(0).is_none(), "it is answered once");
        assert!(slots.answer(7).is_none(), "nobody asked");
        assert_eq!(slots.take(oneshot::channel().0), Some(0));
    }

    #[test]
    fn the_first_reason_ends_a_session_for_all() {
        let mut slots = Slots::default();
        let (sender, mut receiver) = oneshot::channel();
        slots.take(sender);
        slots.end(&Error::new(Reason::Lost, "first"));
        slots.end(&Error::new(Reason::Protocol, "second"));
        assert!(receiver.try_recv().is_err());
        assert_eq!(slots.take(oneshot::channel().0), None);
        assert_eq!(slots.ending().unwrap().to_string(), "first");
    }
}
