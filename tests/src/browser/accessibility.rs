//! The page as a screen reader has it: roles, names, states.

use std::fmt;

use serde_json::Value;

use crate::{Context, Result};

/// What the reader is told of one element.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Such as `button`.
    pub role: String,
    /// What it is called.
    pub name: String,
    /// What is said of it besides: `description`, and properties such as `focused`, `disabled`, `level`.
    pub properties: Vec<(String, Value)>,
    /// The element, for the browser.
    pub(super) element: i64,
}

/// All of them, in the order of the page; what readers are not told of is left out.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The nodes.
    pub nodes: Vec<Node>,
}

impl Node {
    /// Whether it has a role, and a name that holds a text.
    pub fn is(&self, role: &str, name: &str) -> bool {
        self.role == role && self.name.contains(name)
    }

    /// A property.
    pub fn property(&self, name: &str) -> Option<&Value> {
        let found = self.properties.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value)
    }
}

impl Tree {
    pub(super) fn of(answer: &Value) -> Result<Self> {
        let nodes = answer["nodes"].as_array().context("the browser has no tree")?;
        Ok(Self {
            nodes: nodes.iter().filter_map(node).collect(),
        })
    }

    /// The first element with a role and a name that holds a text; the exact name goes before.
    pub fn find(&self, role: &str, name: &str) -> Option<&Node> {
        let exact = self.nodes.iter().find(|node| node.role == role && node.name == name);
        exact.or_else(|| self.nodes.iter().find(|node| node.is(role, name)))
    }

    /// Every element with a role.
    pub fn with_role<'t>(&'t self, role: &'t str) -> impl Iterator<Item = &'t Node> {
        self.nodes.iter().filter(move |node| node.role == role)
    }

    /// The element that has the focus, if it is not the page itself.
    pub fn focused(&self) -> Option<&Node> {
        let focused = |node: &&Node| node.property("focused") == Some(&Value::Bool(true));
        self.nodes
            .iter()
            .filter(focused)
            .find(|node| node.role != "RootWebArea")
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self
            .nodes
            .iter()
            .filter(|node| !node.name.is_empty() && node.role != "StaticText" && node.role != "InlineTextBox");
        for node in told {
            writeln!(f, "{} `{}`", node.role, node.name)?;
        }
        Ok(())
    }
}

fn node(node: &Value) -> Option<Node> {
    if node["ignored"] == true {
        return None;
    }
    let text = |field: &str| node[field]["value"].as_str().unwrap_or_default().to_owned();
    let properties = node["properties"].as_array().into_iter().flatten();
    let properties = properties.filter_map(|property| {
        let name = property["name"].as_str()?.to_owned();
        Some((name, property["value"]["value"].clone()))
    });
    let described = ("description".to_owned(), node["description"]["value"].clone());
    Some(Node {
        role: text("role"),
        name: text("name"),
        properties: properties.chain([described]).collect(),
        element: node["backendDOMNodeId"].as_i64()?,
    })
}
