//! The author's source or destination, once it is configured.

use std::sync::{Arc, RwLock};

use longshore_core::{Error, Result};

/// Holds what `Configure` made; every open call holds a clone of it.
pub(crate) struct Configured<T>(RwLock<Option<Arc<T>>>);

impl<T> Default for Configured<T> {
    fn default() -> Self {
        Self(RwLock::new(None))
    }
}

impl<T> Configured<T> {
    /// The configured value.
    ///
    /// # Errors
    /// `not_configured`: the role was used before it was configured.
    pub(crate) fn get(&self) -> Result<Arc<T>> {
        let current = self.0.read().expect("no holder of this lock panics").clone();
        current.ok_or_else(|| Error::protocol("not_configured", "The plugin was called before Configure"))
    }

    /// Puts another value in its place.
    ///
    /// # Errors
    /// `in_use`: a call is open. One whose caller is gone has ended, so a plugin that outlives Longshore can be configured again.
    pub(crate) fn replace(&self, value: T) -> Result<()> {
        let mut current = self.0.write().expect("no holder of this lock panics");
        if current.as_ref().is_some_and(|current| Arc::strong_count(current) > 1) {
            let error = Error::protocol(
                "in_use",
                "The plugin is being used by a run and can not be configured anew",
            );
            return Err(error.with_remedy("Wait for the run to end, or start another process of the plugin."));
        }
        *current = Some(Arc::new(value));
        Ok(())
    }
}
