//! The order of replies on one connection.
//!
//! Replies leave in the order of the requests. Writes and syncs are handed on at once; a read
//! waits until every request before it has been answered, so that a session reads its own writes
//! (ZooKeeper Internals, "Consistency Guarantees").

use std::collections::VecDeque;

/// A request that has not been answered.
#[derive(Debug)]
enum Slot<R> {
    /// Handed on under this number.
    Pending(u64),
    /// Answered, but an earlier one is not.
    Answered(Vec<u8>),
    /// A read, to be executed when its turn comes.
    Read(R),
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step<R> {
    /// Send this reply.
    Reply(Vec<u8>),
    /// Execute this read and send its reply.
    Execute(R),
}

/// Unanswered requests of one connection, oldest first.
#[derive(Debug)]
pub(crate) struct Queue<R> {
    slots: VecDeque<Slot<R>>,
}

impl<R> Queue<R> {
    pub(crate) fn new() -> Queue<R> {
        Queue { slots: VecDeque::new() }
    }

    /// A request was handed on under `number`.
    pub(crate) fn pending(&mut self, number: u64) {
        self.slots.push_back(Slot::Pending(number));
    }

    /// A read arrived.
    pub(crate) fn read(&mut self, read: R) {
        self.slots.push_back(Slot::Read(read));
    }

    /// A request was answered at once, but must keep its place.
    pub(crate) fn answered(&mut self, reply: Vec<u8>) {
        self.slots.push_back(Slot::Answered(reply));
    }

    /// The request handed on under `number` is answered.
    pub(crate) fn answer(&mut self, number: u64, reply: Vec<u8>) {
        let slot = self
            .slots
            .iter_mut()
            .find(|slot| matches!(slot, Slot::Pending(pending) if *pending == number));
        if let Some(slot) = slot {
            *slot = Slot::Answered(reply);
        }
    }

    /// The next thing that may be done, in order; `None` while the oldest request is pending.
    pub(crate) fn next(&mut self) -> Option<Step<R>> {
        if matches!(self.slots.front()?, Slot::Pending(_)) {
            return None;
        }
        match self.slots.pop_front()? {
            Slot::Answered(reply) => Some(Step::Reply(reply)),
            Slot::Read(read) => Some(Step::Execute(read)),
            Slot::Pending(_) => unreachable!("looked at above"),
        }
    }

    /// Is a read the next thing that may be done?
    pub(crate) fn is_read_next(&self) -> bool {
        matches!(self.slots.front(), Some(Slot::Read(_)))
    }

    /// Requests not answered.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_keep_the_order_of_requests_and_reads_wait_for_writes() {
        let mut queue = Queue::new();
        queue.pending(1);
        queue.read("read");
        queue.pending(2);
        queue.answered(vec![9]);
        assert_eq!(queue.next(), None);
        queue.answer(2, vec![2]);
        assert_eq!(queue.next(), None, "the first write is still pending");
        queue.answer(1, vec![1]);
        assert_eq!(queue.next(), Some(Step::Reply(vec![1])));
        assert_eq!(queue.next(), Some(Step::Execute("read")));
        assert_eq!(queue.next(), Some(Step::Reply(vec![2])));
        assert_eq!(queue.next(), Some(Step::Reply(vec![9])));
        assert_eq!((queue.next(), queue.len()), (None, 0));
    }

    #[test]
    fn an_answer_to_an_unknown_number_is_ignored() {
        let mut queue = Queue::<()>::new();
        queue.pending(1);
        queue.answer(7, vec![]);
        assert_eq!(queue.next(), None);
    }
}
