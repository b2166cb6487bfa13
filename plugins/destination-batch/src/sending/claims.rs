//! Which profiles have a request in flight: never two for one profile, in the whole process.

use std::{
    collections::HashSet,
    hash::{BuildHasher, BuildHasherDefault, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

use foldhash::quality::RandomState;
use tokio::sync::{Notify, futures::OwnedNotified};

/// The profiles in flight, by hash: two ids with one hash merely wait for each other.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    hasher: RandomState,
    taken: Mutex<HashSet<u64, BuildHasherDefault<AsItIs>>>,
    released: Arc<Notify>,
}

/// The hash of what is a hash already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes are hashed, which are u64");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Profiles held by one request, until it is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    claims: Arc<Claims>,
    held: Vec<u64>,
}

impl Claims {
    /// Resolves when profiles are released after this call.
    pub(crate) fn released(&self) -> OwnedNotified {
        Arc::clone(&self.released).notified_owned()
    }

    /// Holds no profile yet.
    pub(crate) fn claim(self: &Arc<Self>) -> Claim {
        Claim {
            claims: Arc::clone(self),
            held: Vec::new(),
        }
    }
}

impl Claim {
    /// Takes one more profile, unless another request has it.
    pub(crate) fn add(&mut self, custom_id: &str) -> bool {
        let hash = self.claims.hasher.hash_one(custom_id);
        let is_free = self
            .claims
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(hash);
        if is_free {
            self.held.push(hash);
        }
        is_free
    }

    /// Lets go of the profile that was taken last.
    pub(crate) fn give_back_last(&mut self) {
        if let Some(hash) = self.held.pop() {
            self.claims
                .taken
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&hash);
            self.claims.released.notify_waiters();
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.held.is_empty() {
            return;
        }
        {
            let mut taken = self.claims.taken.lock().unwrap_or_else(PoisonError::into_inner);
            for hash in &self.held {
                taken.remove(hash);
            }
        }
        self.claims.released.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_profile_is_held_once_until_its_request_is_over() {
        let claims = Arc::new(Claims::default());
        let (mut first, mut second) = (claims.claim(), claims.claim());
        assert!(first.add("a"));
        assert!(!second.add("a"));
        assert!(second.add("b"));
        let released = claims.released();
        drop(first);
        released.await;
        assert!(second.add("a"));
    }
}
