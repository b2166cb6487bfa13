//! What a good configuration becomes, and what must hold across its documents.

use std::path::Path;

use longshore_config::{
    ByteSize, MaxRejects, MigrateMode, PkMode, Registry, RejectedValues, Retry, StateLocation, Uncertain, WriteMode,
};

use super::support::{Site, places};

#[test]
fn defaults_are_filled_in() {
    let configuration = Site::with(
        "kind: source\nspec: {name: shop, path: postgresql, tables: [t], destinations: [batch], schedule: null, spec: }\n---\nkind: destination\nspec: {name: batch, path: batch}\n",
    )
    .loaded();
    let source = &configuration.source("shop").expect("the source").spec;
    assert_eq!(source.registry, Registry::Bundled);
    assert_eq!(source.concurrency, 2);
    assert_eq!(source.max_unacked_bytes, ByteSize::from_mebibytes(8));
    assert_eq!(source.uncertain, Uncertain::Resend);
    assert_eq!(
        (
            source.rejects.values,
            source.rejects.retry,
            source.rejects.retention.to_string()
        ),
        (RejectedValues::Keep, Retry::NextRun, "30d".to_owned())
    );
    assert!(source.max_rejects.is_none() && source.schedule.is_none() && source.tls.is_none());
    assert!(source.skip_tables.is_empty());
    let destination = &configuration.destination("batch").expect("the destination").spec;
    assert_eq!(destination.write_mode, None);
    assert_eq!(destination.migrate_mode, MigrateMode::Safe);
    assert_eq!(destination.pk_mode, PkMode::Default);
    assert_eq!(
        configuration.settings.state.sqlite_path(),
        Path::new(".longshore/state.db")
    );
}

#[test]
fn every_field_is_read() {
    let site = Site::with(
        "kind: source
spec:
  name: shop
  path: plugins.example.com:7777
  registry: grpc
  version: '1.2.3'
  tables: ['public.*', other]
  skip_tables: [public.log]
  destinations: [batch, lake]
  schedule: '*/5 * * * *'
  concurrency: 64
  max_rejects: 10
  max_unacked_bytes: 1048576
  uncertain: resend
  rejects: {values: omit, retention: 12h, retry: never}
  tls: {ca: tls/ca.pem, certificate: /etc/c.pem, key: tls/k.pem}
  spec: {host: db}
---
kind: destination
spec: {name: batch, path: ./bin/batch, registry: local, write_mode: overwrite-delete-stale, migrate_mode: forced, pk_mode: default}
---
kind: destination
spec: {name: lake, path: lake, write_mode: append}
---
kind: settings
spec: {state: 'sqlite:/var/lib/longshore/state.db', history: {retention: 48h}}
",
    );
    let configuration = site.loaded();
    let source = &configuration.sources[0];
    assert_eq!(source.spec.max_rejects, Some(MaxRejects::Count(10)));
    assert_eq!(source.spec.max_unacked_bytes, ByteSize::from_mebibytes(1));
    let rejects = source.spec.rejects;
    assert_eq!(
        (rejects.values, rejects.retry, rejects.retention.to_string()),
        (RejectedValues::Omit, Retry::Never, "12h".to_owned())
    );
    let tls = source.spec.tls.as_ref().expect("files");
    assert_eq!(source.document.resolve_path(&tls.ca), site.path("tls/ca.pem"));
    assert_eq!(source.document.resolve_path(&tls.certificate), Path::new("/etc/c.pem"));
    let names: Vec<&str> = configuration
        .destinations_of(&source.spec)
        .iter()
        .map(|destination| destination.spec.name.as_str())
        .collect();
    assert_eq!(names, ["batch", "lake"]);
    assert_eq!(
        configuration.destinations[0].spec.write_mode,
        Some(WriteMode::OverwriteDeleteStale)
    );
    assert_eq!(
        configuration.settings.state,
        StateLocation::Sqlite("/var/lib/longshore/state.db".into())
    );
    let history = configuration.settings.history;
    assert_eq!(
        (history.retention.to_string(), history.max_runs),
        ("2d".to_owned(), 5_000)
    );
}

#[test]
fn a_destination_that_nobody_uses_is_a_warning() {
    let site = Site::with(
        "kind: source\nspec: {name: shop, path: p, tables: [t], destinations: [batch]}\n---\nkind: destination\nspec: {name: batch, path: batch}\n---\nkind: destination\nspec:\n  name: lake\n  path: lake\n",
    );
    let configuration = site.loaded();
    let expected = "\
warning: no source sends anything to the destination `lake`
 --> longshore.yml:9:9
  |
9 |   name: lake
  |         ^^^^
  = help: name it under a source's `destinations`, or remove it";
    assert_eq!(site.rendered(&configuration.warnings), expected);
}

#[test]
fn a_source_and_a_destination_may_share_a_name() {
    let configuration = Site::with(
        "kind: source\nspec: {name: batch, path: p, tables: [t], destinations: [batch]}\n---\nkind: destination\nspec: {name: batch, path: batch}\n",
    )
    .loaded();
    assert!(configuration.source("batch").is_some() && configuration.destination("batch").is_some());
}

#[test]
fn one_misspelt_name_is_one_message() {
    let site = Site::with(
        "kind: source\nspec: {name: shop, path: p, tables: [t], destinations: [batch]}\n---\nkind: destination\nspec: {nmae: batch, path: batch}\n",
    );
    assert_eq!(
        places(&site.refused().diagnostics),
        [(5, 8, "unknown key `nmae`".to_owned())]
    );
}

#[test]
fn an_integer_with_a_fraction_of_zero_is_refused_at_its_place() {
    let site = Site::with(
        "kind: source\nspec: {name: shop, path: p, tables: [t], destinations: [batch], concurrency: 8.0}\n---\nkind: destination\nspec: {name: batch, path: batch}\n",
    );
    assert_eq!(
        places(&site.refused().diagnostics),
        [(2, 78, "this value is not of the form that is wanted here".to_owned())]
    );
}
