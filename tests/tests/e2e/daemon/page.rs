//! docs/serve.md shows forms of a schedule and commands: they are tried as they stand there.

use longshore_tests::{Longshore, Result};
use rustix::process::Signal;

use super::scene::{Daemons, Sync};
use crate::pages::{blocks_in, text_of};

const PAGE: &str = "docs/serve.md";

/// The name that the page gives its sync.
const SYNC: &str = "profiles";

#[tokio::test]
async fn every_form_of_a_schedule_on_the_page_is_accepted() -> Result<()> {
    let page = text_of(PAGE);
    let forms = page.split("`schedule: ").skip(1);
    let forms: Vec<&str> = forms.filter_map(|rest| rest.split('`').next()).collect();
    assert!(forms.len() >= 3, "{forms:?}");
    let longshore = Longshore::new()?;
    for form in forms {
        let text = format!(
            "kind: source\nspec:\n  name: a\n  path: generate\n  tables: ['*']\n  destinations: [out]\n  schedule: {form}\n  spec: {{ tables: [] }}\n\
             ---\nkind: destination\nspec: {{ name: out, path: discard }}\n"
        );
        longshore.write("longshore.yml", &text)?;
        longshore.run(["validate"]).await?.succeeded()?;
    }
    Ok(())
}

#[tokio::test]
async fn the_commands_of_the_page_work_in_their_order() -> Result<()> {
    let daemons = Daemons::new(&[Sync::slow(SYNC)])?;
    // The settings that the page shows belong to it.
    let text = std::fs::read_to_string(daemons.longshore.folder().join("longshore.yml")).unwrap();
    let settings = blocks_in(PAGE, "yaml").into_iter().map(|block| block.text());
    let settings = settings.filter(|block| block.starts_with("kind: settings"));
    let settings: Vec<String> = settings.collect();
    assert_eq!(settings.len(), 1);
    daemons
        .longshore
        .write("longshore.yml", &format!("{text}---\n{}\n", settings[0]))?;

    let commands: Vec<String> = blocks_in(PAGE, "sh")
        .into_iter()
        .flat_map(|block| block.lines)
        .collect();
    let (serve, asked) = commands.split_first().expect("the page shows commands");
    assert_eq!(serve, "longshore serve longshore.yml");
    let daemon = daemons.start(&["longshore.yml"]).await?;
    let mut tried = 0;
    for command in asked {
        let arguments = command.strip_prefix("longshore ").expect("a command of ours");
        daemons.longshore.run(arguments.split(' ')).await?.succeeded()?;
        if arguments == format!("syncs run {SYNC}") {
            daemons.until_running(SYNC).await?;
        }
        tried += 1;
    }
    assert!(tried >= 6, "{commands:?}");
    daemons
        .until(SYNC, "its run was cancelled", |sync| {
            sync["last_run"]["status"] == "cancelled"
        })
        .await?;
    daemon.signal(Signal::TERM)?;
    daemon.finish().await?.succeeded()?;
    Ok(())
}
