//! Names are shown, whatever the variables of a configuration hold; what a plugin's schema calls secret is shown nowhere, whoever tells it.

use longshore_tests::{Database, Finished, Longshore, PASSWORD, PATIENCE, PostgresCluster, Result, USER, eventually};
use rustix::process::Signal;
use serde_json::json;

use crate::{secrets::assert_no_file_has, served::Served};

/// A database whose name, which comes from a variable, is in the names of a sync and a table.
const DATABASE: &str = "harbourshop";
const SYNC: &str = "harbourshop-orders";
const TABLE: &str = "harbourshop_orders";
const WRONG: &str = "canary-of-a-mistyped-password";

/// What looks into the state, and needs none of the variables.
const LOOKING: [&str; 6] = [
    "syncs list --config longshore.yml",
    "syncs turns --config longshore.yml",
    "runs list --config longshore.yml",
    "runs show last --logs --config longshore.yml",
    "state list --config longshore.yml",
    "state show harbourshop-orders --config longshore.yml",
];

#[tokio::test]
async fn names_are_shown_and_the_password_is_not_from_the_first_answer_to_the_last_log_line() -> Result<()> {
    let mut shop = Shop::open().await?;
    let served = Served::start(&shop.longshore, &["--log-level", "debug"]).await?;
    let first = served.get("/syncs").await?;
    assert_eq!(first.good()["syncs"][0]["name"], SYNC, "{}", first.text);
    served.run(SYNC).await?;
    shop.looks_well(&served, true).await?;
    let failures = [
        (DATABASE, WRONG, format!("user \"{USER}\"")),
        (
            "harbourshop_that_is_gone",
            PASSWORD,
            "harbourshop_that_is_gone".to_owned(),
        ),
    ];
    let mut daemons = vec![ended(served).await?];
    for (database, password, words) in failures {
        shop.is_told(database, password);
        let served = Served::start(&shop.longshore, &["--log-level", "debug", "--log-format", "json"]).await?;
        let failed = served.run(SYNC).await?;
        let told = failed["last_run"]["error"].to_string();
        let plain = told.replace("\\\"", "\"");
        assert!(plain.contains(&words) && !plain.contains("***"), "{words}: {plain}");
        shop.looks_well(&served, false).await?;
        for command in [
            "sync longshore.yml",
            "test-connection longshore.yml",
            "tables longshore.yml",
        ] {
            for extra in ["--log-level trace", "--json"] {
                let arguments = format!("{command} {extra}");
                let finished = shop.longshore.run(arguments.split(' ')).await?;
                assert_ne!(finished.code(), Some(0), "{finished}");
                assert_clear(&arguments, &finished);
            }
        }
        daemons.push(ended(served).await?);
    }
    for daemon in &daemons {
        assert_clear("serve", daemon);
        assert!(daemon.stderr.contains(SYNC), "{daemon}");
    }
    assert!(daemons[0].stderr.contains(TABLE), "{}", daemons[0]);
    assert_no_file_has(shop.longshore.folder(), &[PASSWORD, WRONG]);
    Ok(())
}

#[tokio::test]
async fn names_are_shown_also_where_no_plugin_can_say_what_is_secret() -> Result<()> {
    let mut longshore = Longshore::new()?;
    longshore.set_variable("SHOP_DATABASE", DATABASE);
    longshore.set_variable("SHOP_ENTRY", WRONG);
    let text = format!(
        "kind: source\nspec:\n  name: {SYNC}\n  path: ./missing\n  registry: local\n  tables: [{TABLE}]\n  destinations: [{DATABASE}]\n  \
         spec: {{ database: '${{SHOP_DATABASE}}', entry: '${{SHOP_ENTRY}}' }}\n---\nkind: destination\nspec: {{ name: {DATABASE}, path: discard }}\n"
    );
    longshore.write("longshore.yml", &text)?;
    let served = Served::start(&longshore, &[]).await?;
    let first = served.get("/syncs").await?.good();
    assert_eq!(
        (&first["syncs"][0]["name"], &first["syncs"][0]["destinations"][0]),
        (&json!(SYNC), &json!(DATABASE))
    );
    let failed = served.run(SYNC).await?;
    assert_eq!(failed["last_run"]["error"]["code"], "configuration_invalid", "{failed}");
    let listed = longshore.run(["syncs", "list"]).await?.succeeded()?;
    assert!(listed.stdout.contains(SYNC), "{listed}");
    assert_clear("serve", &ended(served).await?);
    Ok(())
}

/// With what makes searching for a text hard: signs that every encoding changes; several lines, of which any may be told by itself.
#[tokio::test]
async fn a_plugin_that_tells_its_secret_wherever_it_can_is_heard_without_it() -> Result<()> {
    for secret in [
        r#"p@ss/c4nary "w\ord"+ü%41"#,
        "-----BEGIN KEY-----\nc4naryAAAABBBBCCCC/DDDD\nc4nary+EEEEFFFFGGGG==\n-----END KEY-----\n",
    ] {
        told_everywhere(secret).await?;
    }
    Ok(())
}

async fn told_everywhere(secret: &str) -> Result<()> {
    let mut longshore = Longshore::new()?;
    longshore.set_variable("SHOP_ENTRY", secret);
    let source = |more: &str| {
        format!(
            "kind: source\nspec:\n  name: numbers\n  path: generate\n  tables: ['*']\n  destinations: [nowhere]\n  spec:\n    \
             tables: [{{ name: numbers, rows: 100, cursor: id }}]\n    told_secret: ${{SHOP_ENTRY}}\n{more}\
             ---\nkind: destination\nspec:\n  name: nowhere\n  path: discard\n  spec: {{ reject_every: 10, told_secret: \"${{SHOP_ENTRY}}\" }}\n"
        )
    };
    longshore.write("longshore.yml", &source(""))?;
    longshore.write(
        "failing.yml",
        &source("    fail_after_rows: { rows: 1, retryable: false }\n"),
    )?;
    let mut heard = 0;
    for command in [
        "sync longshore.yml",
        "test-connection longshore.yml",
        "sync failing.yml --dry-run",
        "state reset numbers --yes",
        "sync failing.yml",
        "runs list",
        "runs show last --logs",
        "rejects list",
        "rejects show 1",
        "rejects replay --config longshore.yml",
        "validate longshore.yml",
    ] {
        for extra in ["--log-level info", "--log-level info --log-format json", "--json"] {
            let arguments = format!("{command} {extra}");
            let finished = longshore.run(arguments.split(' ')).await?;
            assert_untold(&arguments, &[&finished.stdout, &finished.stderr]);
            heard += finished.stdout.matches("told: ***").count() + finished.stderr.matches("told: ***").count();
        }
    }
    assert!(heard > 50, "{heard}");
    let served = Served::start(&longshore, &[]).await?;
    served.run("numbers").await?;
    longshore.write(
        "longshore.yml",
        &source("    fail_after_rows: { rows: 1, retryable: false }\n"),
    )?;
    served.daemon.signal(Signal::HUP)?;
    eventually("it is reloaded", PATIENCE, async || {
        served.daemon.said("loaded anew").then_some(())
    })
    .await?;
    longshore
        .run(["state", "reset", "numbers", "--yes"])
        .await?
        .succeeded()?;
    served.run("numbers").await?;
    let failed = served.get("/runs/last").await?.good();
    assert!(
        failed["error"]["message"]
            .as_str()
            .is_some_and(|words| words.contains("told: ***")),
        "{failed}"
    );
    for path in [
        "/syncs",
        "/runs",
        "/runs/last",
        "/runs/last/log",
        "/rejects",
        "/rejects/1",
        "/state",
    ] {
        assert_untold(path, &[&served.get(path).await?.text]);
    }
    let daemon = ended(served).await?;
    assert_untold("serve", &[&daemon.stdout, &daemon.stderr]);
    assert_no_file_has(longshore.folder(), &["c4nary"]);
    Ok(())
}

#[tokio::test]
async fn a_secret_that_no_text_can_be_kept_free_of_is_warned_of() -> Result<()> {
    let longshore = Longshore::new()?;
    let text = "kind: source\nspec:\n  name: numbers\n  path: generate\n  tables: ['*']\n  destinations: [nowhere]\n  spec:\n    \
                tables: [{ name: numbers, rows: 1 }]\n    told_secret: c4n\n---\nkind: destination\nspec: { name: nowhere, path: discard, spec: { told_secret: numbers } }\n";
    longshore.write("longshore.yml", text)?;
    let validated = longshore.run(["validate"]).await?.succeeded()?;
    let served = Served::start(&longshore, &[]).await?;
    for said in [validated.stderr, ended(served).await?.stderr] {
        for words in ["is too short", "is also a name in this configuration"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert!(said.contains("told_secret: ***"), "{said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_place_for_state_is_refused_without_its_password() -> Result<()> {
    let mut longshore = Longshore::new()?;
    let refused = longshore
        .run(["state", "list", "--state", "postgresql://me:c4nary@db.example/shop"])
        .await?;
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(
        refused.stderr.contains("postgresql://me:***@db.example/shop"),
        "{refused}"
    );
    longshore.write(
        "longshore.yml",
        "kind: settings\nspec: { state: 'postgresql://me:c4nary@db.example/shop' }\n",
    )?;
    let in_file = longshore.run(["state", "list", "--config", "longshore.yml"]).await?;
    assert!(in_file.stderr.contains("not available yet"), "{in_file}");
    longshore.set_variable("LONGSHORE_STATE", "postgresql://me:c4nary@db.example/shop");
    let help = longshore.run(["state", "list", "--help"]).await?.succeeded()?;
    assert!(help.stdout.contains("LONGSHORE_STATE"), "{help}");
    for finished in [&refused, &in_file, &help] {
        assert_untold("state list", &[&finished.stdout, &finished.stderr]);
    }
    Ok(())
}

/// A sync of one table of orders, to nowhere. Everything that the source is told comes from variables.
struct Shop {
    longshore: Longshore,
    /// It goes with the value.
    _database: Database,
}

impl Shop {
    async fn open() -> Result<Self> {
        let database = PostgresCluster::shared().await?.create_database_named(DATABASE).await?;
        for statement in [
            format!("CREATE TABLE {TABLE} (id bigint PRIMARY KEY, last_updated_at timestamptz NOT NULL DEFAULT now())"),
            format!("INSERT INTO {TABLE} SELECT n FROM generate_series(1, 10) n"),
        ] {
            database.execute(&statement).await?;
        }
        let mut longshore = Longshore::new()?;
        let text = format!(
            "kind: source\nspec:\n  name: {SYNC}\n  path: postgresql\n  tables: ['*']\n  destinations: [nowhere]\n  spec:\n    host: ${{SHOP_HOST}}\n    \
             port: ${{SHOP_PORT}}\n    database: ${{SHOP_DATABASE}}\n    username: ${{SHOP_USER}}\n    password: ${{SHOP_ENTRY}}\n    \
             cursor: last_updated_at\n---\nkind: destination\nspec: {{ name: nowhere, path: discard }}\n"
        );
        longshore.write("longshore.yml", &text)?;
        for (name, value) in [
            ("SHOP_HOST", "127.0.0.1"),
            ("SHOP_PORT", &database.port().to_string()),
            ("SHOP_USER", USER),
        ] {
            longshore.set_variable(name, value);
        }
        let mut shop = Self {
            longshore,
            _database: database,
        };
        shop.is_told(DATABASE, PASSWORD);
        Ok(shop)
    }

    fn is_told(&mut self, database: &str, password: &str) {
        self.longshore.set_variable("SHOP_DATABASE", database);
        self.longshore.set_variable("SHOP_ENTRY", password);
    }

    /// Whatever looks at the daemon or at the state shows names, blanks nothing, and tells no password. A run that failed before it could begin has `logged` nothing.
    async fn looks_well(&self, served: &Served, logged: bool) -> Result<()> {
        // Without any of the variables: nothing of them is needed to look.
        let looking = Longshore::in_folder(self.longshore.folder())?;
        for command in LOOKING {
            for extra in [None, Some("--json")] {
                let finished = looking.run(command.split(' ').chain(extra)).await?.succeeded()?;
                assert_clear(command, &finished);
                let names_it = finished
                    .stdout
                    .contains(if command.starts_with("state") { TABLE } else { SYNC });
                assert!(names_it, "{command}\n{finished}");
            }
        }
        for path in [
            "/syncs",
            "/syncs/harbourshop-orders",
            "/runs",
            "/runs/last",
            "/runs/last/log",
            "/state",
        ] {
            // What a run logs is stored a moment later.
            let answer = eventually(&format!("{path} has the names"), PATIENCE, async || {
                let answer = served.get(path).await.ok()?;
                let is_named = answer.text.contains(DATABASE) || (path == "/runs/last/log" && !logged);
                is_named.then_some(answer)
            })
            .await?;
            answer.good();
            assert_shown(path, &answer.text);
        }
        Ok(())
    }
}

async fn ended(served: Served) -> Result<Finished> {
    served.daemon.signal(Signal::TERM)?;
    served.daemon.finish().await?.succeeded()
}

#[track_caller]
fn assert_clear(what: &str, finished: &Finished) {
    assert_shown(what, &finished.stdout);
    assert_shown(what, &finished.stderr);
}

/// No password, and no blank either: nothing else is secret here.
#[track_caller]
fn assert_shown<'t>(what: &str, text: &'t str) -> &'t str {
    let wrong = |line: &&str| [PASSWORD, WRONG, "***"].iter().any(|word| line.contains(word));
    let found: Vec<&str> = text.lines().filter(wrong).take(5).collect();
    assert!(found.is_empty(), "{what} tells or blanks:\n{}", found.join("\n"));
    text
}

#[track_caller]
fn assert_untold(what: &str, texts: &[&str]) {
    for line in texts.iter().flat_map(|text| text.lines()) {
        assert!(!line.contains("c4nary"), "{what} tells: {line}");
    }
}
