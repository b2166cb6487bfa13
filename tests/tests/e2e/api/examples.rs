//! The examples of docs/api.md are run as they stand there.

use std::process::Stdio;

use longshore_tests::{Context as _, PATIENCE, Result, eventually};
use tokio::process::Command;

use crate::{pages::blocks_in, served::Quay};

const PAGE: &str = "docs/api.md";
const TOKEN: &str = "an-operators-token-0123456789abcdef";

#[tokio::test]
async fn the_examples_of_the_page_do_what_it_says() -> Result<()> {
    let mut quay = Quay::open().await?;
    quay.longshore.set_variable("LONGSHORE_OPERATOR_TOKEN", TOKEN);
    quay.add_reject("eve").await?;
    let served = quay.serve(&[]).await?.with_token(TOKEN);
    served.run("people").await?;
    let mut run = 0;
    for block in blocks_in(PAGE, "sh") {
        // The page has the names of README.md.
        let example = block.text().replace("profiles", "people");
        let output = Command::new("sh")
            .args(["-e", "-c", &example])
            .current_dir(quay.longshore.folder())
            .env("LONGSHORE_URL", &served.base)
            .env("LONGSHORE_OPERATOR_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .output()
            .await
            .context("sh can not be started")?;
        assert!(
            output.status.success(),
            "{example}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        run += 1;
        // What an example starts is let end, so that the next one finds what the page says.
        eventually("the sync is idle again", PATIENCE, async || {
            let sync = served.get("/syncs/people").await.ok()?.json();
            (sync["activity"].is_null()).then_some(())
        })
        .await?;
    }
    assert!(run >= 8, "{run} examples were run");
    Ok(())
}
