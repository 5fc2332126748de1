//! Limits the messages in work, so that memory stays bounded whatever the queue holds: by the size of their text, and by
//! the number of facts that are worked on.

use std::cell::Cell;
use std::rc::Rc;

use sales::attributes::Value;
use sales::ports::Delivery;
use tokio::sync::Notify;

/// Bytes of messages above which no more are received.
const TEXT: usize = 8 * 1024 * 1024;

/// What a receive is expected to bring, until its messages are known. It may bring up to ten times as much: receives in
/// flight can exceed the limit by that.
const EXPECTED: usize = 256 * 1024;

/// What a message takes beside its text.
const OVERHEAD: usize = 1024;

/// Facts in work above which received messages wait before they are read. Each takes about 1.5 KB.
const FACTS: usize = 4_096;

/// The room for messages of one worker. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Room(Rc<Inside>);

#[derive(Debug, Default)]
struct Inside {
    text: Cell<usize>,
    facts: Cell<usize>,
    left: Notify,
}

/// A part of the room, until it is dropped.
#[derive(Debug)]
pub struct Share {
    room: Room,
    of: fn(&Inside) -> &Cell<usize>,
    size: usize,
}

impl Room {
    /// Waits until there is room for a receive.
    pub async fn reserve(&self) -> Share {
        self.wait(|inside| &inside.text, EXPECTED, TEXT).await
    }

    /// Waits until the facts of a message may be worked on; those of one message always may.
    pub async fn admit(&self, delivery: &Delivery) -> Share {
        // No fewer than there are: each event of a batch has a type.
        let facts = delivery.body.matches("\"type\"").count().max(1);
        self.wait(|inside| &inside.facts, facts, FACTS).await
    }

    async fn wait(&self, of: fn(&Inside) -> &Cell<usize>, size: usize, limit: usize) -> Share {
        while of(&self.0).get() > 0 && of(&self.0).get() + size > limit {
            self.0.left.notified().await;
        }
        self.share(of, size)
    }

    fn share(&self, of: fn(&Inside) -> &Cell<usize>, size: usize) -> Share {
        of(&self.0).set(of(&self.0).get() + size);
        Share { room: self.clone(), of, size }
    }
}

impl Share {
    /// Exchanges a receive's share for one of each message.
    #[must_use]
    pub fn divide(self, deliveries: &[Delivery]) -> Vec<Self> {
        deliveries.iter().map(|delivery| self.room.share(self.of, size(delivery))).collect()
    }
}

fn size(Delivery { body, attributes, .. }: &Delivery) -> usize {
    let attributes = attributes.iter().map(|(name, attribute)| {
        let value = match &attribute.value {
            Value::Text(text) => text.len(),
            Value::Base64(bytes) => bytes.len(),
        };
        name.len() + attribute.data_type.len() + value
    });
    body.len() + attributes.sum::<usize>() + OVERHEAD
}

impl Drop for Share {
    fn drop(&mut self) {
        let used = (self.of)(&self.room.0);
        used.set(used.get() - self.size);
        self.room.0.left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use sales::attributes::{Attribute, Attributes};

    use super::*;

    fn delivery(body: String) -> Delivery {
        Delivery { body, attributes: Attributes::new(), receipt: String::new(), receive_count: 1, first_received: None }
    }

    #[tokio::test]
    async fn a_receive_waits_until_messages_are_done() {
        let room = Room::default();
        let (large, small) = (delivery("x".repeat(TEXT - EXPECTED)), delivery("x".into()));
        let mut shares = room.reserve().await.divide(&[large, small]);
        let mut next = Box::pin(room.reserve());
        assert!(futures::poll!(&mut next).is_pending());
        shares.remove(0);
        drop(next.await);
        drop(shares);
        assert_eq!(room.0.text.get(), 0);
    }

    #[tokio::test]
    async fn attributes_count_like_the_body() {
        let room = Room::default();
        let mut heavy = delivery(String::new());
        let bytes = Attribute { data_type: "Binary".into(), value: Value::Base64(vec![0; TEXT]) };
        heavy.attributes.insert("more".into(), bytes);
        let shares = room.reserve().await.divide(&[heavy]);
        let mut next = Box::pin(room.reserve());
        assert!(futures::poll!(&mut next).is_pending());
        drop(shares);
        drop(next.await);
    }

    #[tokio::test]
    async fn messages_wait_while_many_facts_are_in_work_but_for_one_however_many_it_has() {
        let room = Room::default();
        let many = delivery(r#"{"type":"sale.registered"}"#.repeat(FACTS + 1));
        let one = delivery("{}".into());
        let first = room.admit(&many).await;
        let mut second = Box::pin(room.admit(&one));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        let (second, third) = (second.await, room.admit(&one).await);
        let mut fourth = Box::pin(room.admit(&many));
        assert!(futures::poll!(&mut fourth).is_pending());
        drop((second, third));
        drop(fourth.await);
        assert_eq!(room.0.facts.get(), 0);
    }
}
