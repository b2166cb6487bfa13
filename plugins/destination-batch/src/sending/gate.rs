//! The door that requests go through: no more at a time than the window allows.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::window::Window;

/// Counts requests in flight for the whole process.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    window: Window,
    in_flight: usize,
}

/// Leave to have one request in flight, until it is dropped.
#[derive(Debug)]
pub(crate) struct Passage {
    gate: Arc<Gate>,
}

impl Gate {
    pub(crate) fn new(max: u32) -> Self {
        Self {
            state: Mutex::new(State {
                window: Window::new(max),
                in_flight: 0,
            }),
            freed: Notify::new(),
        }
    }

    /// Waits until one more request may be in flight. Cancel-safe.
    pub(crate) async fn pass(self: &Arc<Self>) -> Passage {
        loop {
            let freed = self.freed.notified();
            if let Some(passage) = self.try_pass() {
                return passage;
            }
            freed.await;
        }
    }

    fn try_pass(self: &Arc<Self>) -> Option<Passage> {
        let mut state = self.lock();
        if state.in_flight >= state.window.limit() {
            return None;
        }
        state.in_flight += 1;
        let has_room = state.in_flight < state.window.limit();
        drop(state);
        if has_room {
            // Somebody else may have been woken for nothing before there was room for two.
            self.freed.notify_one();
        }
        Some(Passage { gate: Arc::clone(self) })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Passage {
    /// See [`Window::succeeded`].
    pub(crate) fn succeeded(&self, latency: Duration) {
        let mut state = self.gate.lock();
        let in_flight = state.in_flight;
        state.window.succeeded(latency, in_flight);
    }

    /// See [`Window::failed`].
    pub(crate) fn failed(&self, sent: Instant) {
        self.gate.lock().window.failed(sent, Instant::now());
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.gate.lock().in_flight -= 1;
        self.gate.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn as_many_pass_as_the_window_allows_and_the_next_when_one_is_back() {
        let gate = Arc::new(Gate::new(2));
        let first = gate.pass().await;
        let _second = gate.pass().await;
        assert!(gate.try_pass().is_none());
        let waiting = gate.pass();
        drop(first);
        let _third = waiting.await;
        assert!(gate.try_pass().is_none());
    }
}
