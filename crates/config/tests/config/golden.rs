//! Every kind of bad input with the exact words a user reads: `tests/golden/NAME.yml` is refused as `NAME.txt` says.
//! After a deliberate change, `LONGSHORE_BLESS=1 cargo test -p longshore-config` writes the texts anew; read them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::support::{FILE, Site};

#[test]
fn bad_input_is_refused_with_the_words_of_the_golden_files() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(&directory).expect("the golden directory") {
        let path = entry.expect("an entry").path();
        names.insert(path.file_stem().expect("a name").to_string_lossy().into_owned());
    }
    assert!(names.len() > 20, "cases went missing: {names:?}");
    let bless = std::env::var_os("LONGSHORE_BLESS").is_some();
    let mut differences = Vec::new();
    for name in names {
        let text = fs::read(directory.join(format!("{name}.yml"))).expect("the input of a case");
        let site = Site::empty().file(FILE, text).variable("MODE", "unsafe");
        let error = site.load().expect_err(&name);
        let actual = format!("{}\n", site.stable(&error.to_string()));
        let golden = directory.join(format!("{name}.txt"));
        if bless {
            fs::write(&golden, &actual).expect("a golden file");
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if actual != expected {
            differences.push(format!("== {name}: expected\n{expected}\n== {name}: got\n{actual}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
