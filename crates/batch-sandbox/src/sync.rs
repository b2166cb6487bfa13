//! Locks that are held for a few lines and never across an await.

use std::sync::{Mutex, MutexGuard};

/// Takes a lock of the sandbox.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("code that holds a lock of the sandbox does not panic")
}
