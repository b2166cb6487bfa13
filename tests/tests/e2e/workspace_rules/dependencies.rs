//! The dependency graph, as cargo resolves it.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

use super::{root, text_of};

/// What may stand in a `[dev-dependencies]` of a plugin besides the SDK: its tests need a database and a peer to talk to, its benchmarks something that counts.
const SUPPORT_OF_TESTS: [&str; 3] = ["longshore-tests", "longshore-batch-sandbox", "longshore-hot-paths"];

/// Crates that do I/O, or exist to do it.
const DOES_IO: [&str; 11] = [
    "tokio",
    "tonic",
    "hyper",
    "mio",
    "socket2",
    "reqwest",
    "rustls",
    "rusqlite",
    "tokio-postgres",
    "rustix",
    "tempfile",
];

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("cargo can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The graph without what only tests and build scripts need.
struct Graph {
    names: BTreeMap<String, String>,
    /// By package id: the ids of what it is linked with.
    linked: BTreeMap<String, Vec<String>>,
    /// Names by kind (`normal`, `dev`, `build`) that the manifests of the workspace's own packages declare.
    declared: BTreeMap<String, Vec<(String, String)>>,
    /// Directory of each package of the workspace, relative to the root.
    folders: BTreeMap<String, String>,
}

impl Graph {
    fn read() -> Self {
        // Of other platforms' crates this machine may have none.
        let versions = cargo(&["-vV"]);
        let host = versions.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let platform = ["--filter-platform", host];
        let metadata = cargo(
            &[
                &["metadata", "--format-version", "1", "--offline", "--locked"],
                &platform[..],
            ]
            .concat(),
        );
        let metadata: Value = serde_json::from_str(&metadata).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let items = |value: &Value| value.as_array().unwrap().clone();

        let own: BTreeSet<String> = items(&metadata["workspace_members"]).iter().map(text).collect();
        let mut graph = Self {
            names: BTreeMap::new(),
            linked: BTreeMap::new(),
            declared: BTreeMap::new(),
            folders: BTreeMap::new(),
        };
        for package in items(&metadata["packages"]) {
            let (id, name) = (text(&package["id"]), text(&package["name"]));
            if own.contains(&id) {
                let declared = items(&package["dependencies"]).into_iter().map(|dependency| {
                    let kind = dependency["kind"].as_str().unwrap_or("normal").to_owned();
                    (kind, text(&dependency["name"]))
                });
                graph.declared.insert(name.clone(), declared.collect());
                let manifest = text(&package["manifest_path"]);
                let folder = manifest.strip_suffix("/Cargo.toml").unwrap();
                let folder = folder.strip_prefix(root().to_str().unwrap()).unwrap();
                graph
                    .folders
                    .insert(name.clone(), folder.trim_start_matches('/').to_owned());
            }
            graph.names.insert(id, name);
        }
        for node in items(&metadata["resolve"]["nodes"]) {
            let is_linked = |dependency: &Value| {
                items(&dependency["dep_kinds"])
                    .iter()
                    .any(|kind| kind["kind"].is_null())
            };
            let linked = items(&node["deps"]).into_iter().filter(is_linked);
            graph.linked.insert(
                text(&node["id"]),
                linked.map(|dependency| text(&dependency["pkg"])).collect(),
            );
        }
        graph
    }

    /// Names of everything that a package of the workspace is linked with, at any distance.
    fn all_below(&self, package: &str) -> BTreeSet<String> {
        let mut open: Vec<&String> = self
            .names
            .iter()
            .filter(|(_, name)| *name == package)
            .map(|(id, _)| id)
            .collect();
        let mut found = BTreeSet::new();
        while let Some(id) = open.pop() {
            for below in &self.linked[id] {
                if found.insert(below.clone()) {
                    open.push(below);
                }
            }
        }
        found.into_iter().map(|id| self.names[&id].clone()).collect()
    }

    fn is_own(&self, name: &str) -> bool {
        self.folders.contains_key(name)
    }

    /// The workspace's own packages that a package's manifest names, with the kind of dependency.
    fn own_dependencies(&self, package: &str) -> Vec<(String, String)> {
        let mut dependencies = self.declared[package].clone();
        dependencies.retain(|(_, name)| self.is_own(name));
        dependencies
    }

    fn plugins(&self) -> Vec<&String> {
        let plugins = self.folders.iter().filter(|(_, folder)| folder.starts_with("plugins/"));
        plugins.map(|(name, _)| name).collect()
    }
}

#[test]
fn the_core_does_no_io() {
    let below = Graph::read().all_below("longshore-core");
    assert!(below.contains("serde"), "the graph was read: {below:?}");
    for name in DOES_IO {
        assert!(!below.contains(name), "longshore-core depends on {name}");
    }
}

#[test]
fn plugins_depend_on_the_sdk_only() {
    let graph = Graph::read();
    let plugins = graph.plugins();
    assert!(plugins.len() >= 4, "{plugins:?}");
    for plugin in plugins {
        for (kind, name) in graph.own_dependencies(plugin) {
            let is_for_tests = kind == "dev" && SUPPORT_OF_TESTS.contains(&name.as_str());
            assert!(
                name == "longshore-sdk" || is_for_tests,
                "{plugin} depends on {name} ({kind})"
            );
        }
    }
}

#[test]
fn nothing_but_tests_depends_on_a_plugin() {
    let graph = Graph::read();
    let plugins = graph.plugins();
    for package in graph.folders.keys() {
        for (kind, name) in graph.own_dependencies(package) {
            assert!(
                !plugins.contains(&&name),
                "{package} depends on the plugin {name} ({kind}): plugins are programs"
            );
        }
    }
}

#[test]
fn the_sandbox_and_the_destination_share_no_code() {
    let graph = Graph::read();
    let own = |package: &str| -> BTreeSet<String> {
        let below = graph.all_below(package).into_iter();
        below
            .chain([package.to_owned()])
            .filter(|name| graph.is_own(name))
            .collect()
    };
    let (sandbox, destination) = (own("longshore-batch-sandbox"), own("longshore-destination-batch"));
    assert!(sandbox.is_disjoint(&destination), "{sandbox:?} and {destination:?}");
}

#[test]
fn there_is_one_version_of_arrow() {
    let lock = text_of("Cargo.lock");
    let mut lines = lock.lines();
    let mut versions: BTreeMap<&str, &str> = BTreeMap::new();
    while let Some(line) = lines.next() {
        let Some(name) = line
            .strip_prefix("name = \"arrow")
            .and_then(|rest| rest.strip_suffix('"'))
        else {
            continue;
        };
        let version = lines.next().unwrap_or_default();
        assert_eq!(versions.insert(name, version), None, "two versions of arrow{name}");
    }
    let different: BTreeSet<&&str> = versions.values().collect();
    assert_eq!(different.len(), 1, "{versions:?}");
}

#[test]
fn every_package_keeps_to_the_workspaces_lints_and_licence() {
    let graph = Graph::read();
    for (name, folder) in &graph.folders {
        let manifest = text_of(&format!("{folder}/Cargo.toml"));
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{name} has no `[lints] workspace = true`"
        );
        assert!(manifest.contains("license.workspace = true"), "{name} has no licence");
    }
}

#[test]
fn every_dependency_has_its_line_in_the_architecture() {
    let manifest = text_of("Cargo.toml");
    let (_, section) = manifest.split_once("[workspace.dependencies]").unwrap();
    let section = section.split("\n[").next().unwrap_or_default();
    let names: Vec<&str> = section
        .lines()
        .filter(|line| !line.starts_with('#') && !line.contains("path = "))
        .filter_map(|line| Some(line.split_once(" = ")?.0))
        .collect();
    assert!(names.contains(&"tokio"), "{names:?}");
    let architecture = text_of("ARCHITECTURE.md");
    // The rows of a table: `| name, name | what for |`.
    let explained: BTreeSet<&str> = architecture
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .flat_map(|cell| cell.split(", "))
        .map(|name| name.trim_matches(['`', ' ']))
        .collect();
    let unexplained: Vec<&&str> = names.iter().filter(|name| !explained.contains(**name)).collect();
    assert!(
        unexplained.is_empty(),
        "ARCHITECTURE.md does not say what these are for: {unexplained:?}"
    );
}
