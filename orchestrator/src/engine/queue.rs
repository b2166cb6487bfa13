//! Partitions of one table that go one after the other.

use tokio::sync::oneshot;

/// A line of partitions. Each begins when the one before it is done; where that one stopped short, it does not begin at all.
#[derive(Default)]
pub(super) struct Queue {
    last: Option<oneshot::Receiver<()>>,
}

/// A partition's place in the line. Dropping it without [`Place::done`] ends the line here.
pub(super) struct Place {
    before: Option<oneshot::Receiver<()>>,
    done: oneshot::Sender<()>,
}

impl Queue {
    /// The next place.
    pub(super) fn join(&mut self) -> Place {
        let (done, next) = oneshot::channel();
        Place {
            before: self.last.replace(next),
            done,
        }
    }
}

impl Place {
    /// Waits until all before it are done; `false`: they never will be.
    pub(super) async fn comes(&mut self) -> bool {
        match &mut self.before {
            Some(before) => before.await.is_ok(),
            None => true,
        }
    }

    /// Lets the next one begin.
    pub(super) fn done(self) {
        // Nobody waits behind the last one.
        let _ = self.done.send(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_begins_when_the_one_before_it_is_done() {
        let mut queue = Queue::default();
        let (mut first, mut second) = (queue.join(), queue.join());
        assert!(first.comes().await);
        assert!(futures_util::poll!(std::pin::pin!(second.comes())).is_pending());
        first.done();
        assert!(second.comes().await);
    }

    #[tokio::test]
    async fn behind_one_that_stopped_short_nothing_begins() {
        let mut queue = Queue::default();
        let (first, mut second, mut third) = (queue.join(), queue.join(), queue.join());
        drop(first);
        assert!(!second.comes().await);
        drop(second);
        assert!(!third.comes().await);
    }
}
