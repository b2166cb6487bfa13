//! Files and directories.

use super::support::{FILE, Site, places};

const SOURCE: &str = "kind: source\nspec: {name: shop, path: postgresql, tables: [t], destinations: [batch]}\n";
const DESTINATION: &str = "kind: destination\nspec: {name: batch, path: batch}\n";

#[test]
fn a_directory_stands_for_its_yaml_files_by_name() {
    let site = Site::empty()
        .file("conf/b.yaml", DESTINATION)
        .file("conf/a.yml", SOURCE)
        .file("conf/c.txt", "not: yaml: at all")
        .file("conf/.hidden.yml", "broken: [")
        .file("conf/below/d.yml", "broken: [");
    let configuration = site.loader().load(&[site.path("conf")]).expect("a configuration");
    assert_eq!(configuration.sources.len(), 1);
    assert!(configuration.sources[0].document.file().ends_with("conf/a.yml"));
    assert!(configuration.destinations[0].document.file().ends_with("conf/b.yaml"));
    assert!(configuration.warnings.is_empty());
}

#[test]
fn a_file_that_is_named_twice_is_read_once() {
    let site = Site::empty().file("conf/all.yml", format!("{SOURCE}---\n{DESTINATION}---\n"));
    let paths = [
        site.path("conf"),
        site.path("conf/all.yml"),
        site.path("conf/../conf/all.yml"),
    ];
    let configuration = site.loader().load(&paths).expect("a configuration");
    assert_eq!(configuration.sources.len(), 1);
}

#[test]
fn errors_of_several_files_come_in_the_order_of_the_files() {
    let site = Site::empty()
        .file("z.yml", SOURCE.replace("path", "pth"))
        .file("a.yml", DESTINATION.replace("path", "pth"));
    let error = site
        .loader()
        .load(&[site.path("z.yml"), site.path("missing.yml"), site.path("a.yml")])
        .expect_err("three mistakes");
    let expected = "\
error: this can not be read: it does not exist
 --> missing.yml
  = help: name a configuration file, or a directory that holds some

error: unknown key `pth`
 --> z.yml:2:20
  |
2 | spec: {name: shop, pth: ***, tables: [t], destinations: [batch]}
  |                    ^^^
  = help: did you mean `path`?

error: unknown key `pth`
 --> a.yml:2:21
  |
2 | spec: {name: batch, pth: ***}
  |                     ^^^
  = help: did you mean `path`?

3 errors in the configuration";
    assert_eq!(site.stable(&error.to_string()), expected);
}

#[test]
fn a_directory_without_yaml_is_refused() {
    let site = Site::empty()
        .file("conf/readme.txt", "x")
        .file("conf/below/a.yml", SOURCE);
    let error = site.loader().load(&[site.path("conf")]).expect_err("nothing to read");
    let expected = "\
error: the directory holds no configuration file
 --> conf
  = help: files directly in it that end in `.yml` or `.yaml` are read; directories below it are not

1 error in the configuration";
    assert_eq!(site.stable(&error.to_string()), expected);
}

#[test]
fn a_file_that_is_not_utf8_is_refused_at_the_first_wrong_byte() {
    let site = Site::empty().file(FILE, b"kind: source\nspec: {name: \"\xc3\xa4\xff\"}\n");
    let expected = "\
error: the file is not valid UTF-8
 --> longshore.yml:2:16
  |
2 | spec: {name: \"ä\u{fffd}\"}
  |                ^
  = help: save it as UTF-8

1 error in the configuration";
    assert_eq!(site.stable(&site.refused().to_string()), expected);
}

#[test]
fn an_empty_file_and_a_huge_one_are_refused() {
    assert!(
        Site::with("")
            .refused()
            .to_string()
            .contains("holds no configuration document")
    );
    let site = Site::empty().file(FILE, vec![b'#'; 4 * 1024 * 1024 + 1]);
    assert!(site.refused().to_string().contains("larger than 4 MiB"));
}

#[test]
fn nothing_named_is_nothing_loaded() {
    let paths: [&str; 0] = [];
    let error = Site::empty().loader().load(&paths).expect_err("no file");
    assert!(error.to_string().contains("the configuration has no source"), "{error}");
}

#[test]
fn byte_order_mark_and_all_line_endings_keep_positions_right() {
    let text = format!("\u{feff}{}", SOURCE.replace("tables", "tabels").replace('\n', "\r\n"));
    let site = Site::empty().file(FILE, &text).file("d.yml", DESTINATION);
    let error = site
        .loader()
        .load(&[site.path(FILE), site.path("d.yml")])
        .expect_err("a misspelt key");
    assert_eq!(places(&error.diagnostics), [(2, 38, "unknown key `tabels`".to_owned())]);
    let old = Site::with(&text.replace("\r\n", "\r"));
    assert_eq!(places(&old.refused().diagnostics)[0].0, 2);
}

#[test]
fn a_broken_file_does_not_make_its_documents_look_missing() {
    let site = Site::empty()
        .file("a.yml", SOURCE)
        .file("b.yml", format!("{DESTINATION}---\nkind: [\n"));
    let error = site
        .loader()
        .load(&[site.path("a.yml"), site.path("b.yml")])
        .expect_err("a syntax error");
    assert_eq!(error.diagnostics.len(), 1, "{error}");
}

#[test]
fn diagnostics_serialize_flat() {
    let site = Site::with(&SOURCE.replace("tables", "tabels"));
    let value = serde_json::to_value(site.refused()).expect("JSON");
    let first = &value[0];
    assert_eq!(first["severity"], "error");
    assert_eq!((&first["line"], &first["column"]), (&2.into(), &38.into()));
    assert_eq!(first["message"], "unknown key `tabels`");
    assert_eq!(first["help"], "did you mean `tables`?");
    assert!(
        first["source_line"]
            .as_str()
            .is_some_and(|line| line.starts_with("spec: "))
    );
}

#[test]
fn what_is_no_file_is_refused_without_being_opened() {
    let site = Site::empty().file("conf/all.yml", format!("{SOURCE}---\n{DESTINATION}"));
    let made = std::process::Command::new("mkfifo")
        .args([site.path("pipe.yml"), site.path("conf/b.yml")])
        .status();
    assert!(made.expect("mkfifo runs").success());
    let _socket = std::os::unix::net::UnixListener::bind(site.path("socket.yml")).expect("a socket");
    // To open a pipe that nobody writes into is to wait for ever.
    let paths = ["pipe.yml", "conf", "socket.yml"].map(|name| site.path(name));
    let error = site.loader().load(&paths).expect_err("no files");
    let text = site.stable(&error.to_string());
    for expected in [
        "error: this can not be read: it is a pipe and no file\n --> pipe.yml\n",
        "error: this can not be read: it is a pipe and no file\n --> conf/b.yml\n",
        "error: this can not be read: it is a socket and no file\n --> socket.yml\n",
    ] {
        assert!(text.contains(expected), "{text}");
    }

    let secret = SOURCE.replace("tables: [t]", "tables: [t], spec: {password: '${file:pipe.yml}'}");
    let error = site.file("secret.yml", format!("{secret}---\n{DESTINATION}"));
    let error = error.loader().load(&[error.path("secret.yml")]).expect_err("no secret");
    assert!(
        error.to_string().contains("can not be used: it is a pipe and no file"),
        "{error}"
    );
}

#[test]
fn whoever_only_wants_to_know_where_the_state_is_needs_no_password_for_it() {
    let site = Site::with("kind: source\nspec: {name: shop, path: p, password: '${ABSENT}', tabels: 1}\n---\nkind: settings\nspec: {state: 'sqlite:${STATE}'}\n")
        .variable("STATE", "here/state.db");
    let settings = site
        .loader()
        .load_settings(&[site.path(FILE)])
        .expect("the settings are right");
    assert_eq!(settings.state.to_string(), "sqlite:here/state.db");
    assert!(site.load().is_err());
    let without = Site::with("kind: source\nspec: {}\n");
    assert_eq!(
        without
            .loader()
            .load_settings(&[without.path(FILE)])
            .expect("the defaults"),
        longshore_config::Settings::default()
    );
    for broken in [
        "kind: settings\nspec: {state: 'mysql:x'}\n",
        "kind: settngs\n",
        "kind: [\n",
    ] {
        let site = Site::with(broken);
        assert!(site.loader().load_settings(&[site.path(FILE)]).is_err(), "{broken}");
    }
}
