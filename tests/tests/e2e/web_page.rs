//! The page in a real Chromium, as people meet it: with a mouse, with a keyboard alone, on a phone, in the dark.
//!
//! Pictures of what the tests saw are left in `target/page`.

mod access;
mod contrast;
mod keyboard;
mod looks;
mod telling;
mod watching;

use std::path::PathBuf;

use longshore_tests::{
    Result,
    browser::{Browser, Window},
};

use crate::served::{Quay, Served};

/// A daemon, and a browser that has its page open.
struct Visit {
    quay: Quay,
    served: Served,
    browser: Browser,
}

impl Visit {
    async fn begin(window: Window) -> Result<Self> {
        let quay = Quay::open().await?;
        let served = quay.serve(&[]).await?;
        Self::with(quay, served, window).await
    }

    async fn with(quay: Quay, served: Served, window: Window) -> Result<Self> {
        Ok(Self {
            quay,
            served,
            browser: Browser::start(window).await?,
        })
    }

    async fn open(&self, path: &str) -> Result<()> {
        self.browser.open(&format!("{}{path}", self.served.base)).await
    }

    async fn picture(&self, name: &str) -> Result<()> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/page");
        self.browser.picture(&folder.join(format!("{name}.png"))).await
    }

    /// The pages have asked nobody else, and complained about nothing.
    async fn ends_well(&self) -> Result<()> {
        for address in self.browser.requests().await? {
            assert!(
                address.starts_with(&format!("{}/", self.served.base)),
                "the page asks {address}"
            );
        }
        let complaints = self.browser.complaints().await?;
        assert!(complaints.is_empty(), "{complaints:#?}");
        Ok(())
    }
}
