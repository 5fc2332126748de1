//! Limits the messages in work by their size, so that memory stays bounded whatever the queue holds.

use std::cell::Cell;
use std::rc::Rc;

use sales::ports::Delivery;
use tokio::sync::Notify;

/// Bytes of messages in work above which no more are received.
const LIMIT: usize = 8 * 1024 * 1024;

/// What a receive is expected to bring, until its messages are known. It may bring up to ten times as much: receives in
/// flight can exceed the limit by that.
const EXPECTED: usize = 256 * 1024;

/// What a message takes beside its body.
const OVERHEAD: usize = 1024;

/// The room for messages of one worker. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Room(Rc<Inside>);

#[derive(Debug, Default)]
struct Inside {
    used: Cell<usize>,
    left: Notify,
}

/// A part of the room, until it is dropped.
#[derive(Debug)]
pub struct Share {
    room: Room,
    size: usize,
}

impl Room {
    /// Waits until there is room for a receive.
    pub async fn reserve(&self) -> Share {
        while self.0.used.get() > 0 && self.0.used.get() + EXPECTED > LIMIT {
            self.0.left.notified().await;
        }
        self.share(EXPECTED)
    }

    fn share(&self, size: usize) -> Share {
        self.0.used.set(self.0.used.get() + size);
        Share { room: self.clone(), size }
    }
}

impl Share {
    /// Exchanges a receive's share for one of each message.
    #[must_use]
    pub fn divide(self, deliveries: &[Delivery]) -> Vec<Self> {
        deliveries.iter().map(|delivery| self.room.share(delivery.body.len() + OVERHEAD)).collect()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let used = &self.room.0.used;
        used.set(used.get() - self.size);
        self.room.0.left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use sales::attributes::Attributes;

    use super::*;

    fn delivery(size: usize) -> Delivery {
        Delivery {
            body: "x".repeat(size),
            attributes: Attributes::new(),
            receipt: String::new(),
            receive_count: 1,
            first_received: None,
        }
    }

    #[tokio::test]
    async fn a_receive_waits_until_messages_are_done() {
        let room = Room::default();
        let mut shares = room.reserve().await.divide(&[delivery(LIMIT - EXPECTED), delivery(10)]);
        let mut next = Box::pin(room.reserve());
        assert!(futures::poll!(&mut next).is_pending());
        shares.pop();
        assert!(futures::poll!(&mut next).is_pending());
        shares.pop();
        drop(next.await);
        assert_eq!(room.0.used.get(), 0);
    }

    #[tokio::test]
    async fn a_message_that_is_larger_than_the_room_is_handled_alone() {
        let room = Room::default();
        let shares = room.reserve().await.divide(&[delivery(2 * LIMIT)]);
        let mut next = Box::pin(room.reserve());
        assert!(futures::poll!(&mut next).is_pending());
        drop(shares);
        drop(next.await);
    }
}
