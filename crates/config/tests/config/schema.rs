//! The schema that editors get.

use serde_json::{Value, json};

#[test]
fn every_field_of_the_schema_has_a_description() {
    fn visit(schema: &Value, path: &str, bare: &mut Vec<String>) {
        match schema {
            Value::Object(entries) => {
                if let Some(Value::Object(properties)) = entries.get("properties") {
                    for (key, property) in properties {
                        let described = property.get("description").is_some_and(Value::is_string);
                        if !described {
                            bare.push(format!("{path}/{key}"));
                        }
                    }
                }
                for (key, below) in entries {
                    visit(below, &format!("{path}/{key}"), bare);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| visit(item, path, bare)),
            _ => {}
        }
    }
    let mut bare = Vec::new();
    visit(&longshore_config::schema(), "", &mut bare);
    assert!(bare.is_empty(), "{bare:?}");
}

#[test]
fn the_schema_names_defaults_and_examples() {
    let schema = longshore_config::schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let source = &schema["$defs"]["SourceSpec"]["properties"];
    assert_eq!(source["concurrency"]["default"], json!(2));
    assert_eq!(source["max_unacked_bytes"]["default"], json!("8MiB"));
    assert_eq!(source["registry"]["default"], json!("bundled"));
    assert_eq!(source["uncertain"]["default"], json!("resend"));
    assert_eq!(source["schedule"]["examples"][0], json!("*/5 * * * *"));
    let destination = &schema["$defs"]["DestinationSpec"]["properties"];
    assert_eq!(destination["migrate_mode"]["default"], json!("safe"));
    assert_eq!(
        schema["$defs"]["Settings"]["properties"]["state"]["default"],
        json!("sqlite:.longshore/state.db")
    );
}

#[test]
fn the_schema_accepts_what_the_loader_accepts_and_tells_the_kinds_apart() {
    let validator = jsonschema::draft202012::new(&longshore_config::schema()).expect("a valid schema");
    let source = json!({"kind": "source", "spec": {
        "name": "shop", "path": "postgresql", "tables": ["t"], "destinations": ["batch"], "max_unacked_bytes": "8MiB",
        "max_rejects": "1%", "spec": {"anything": [1]},
    }});
    assert!(validator.is_valid(&source));
    assert!(validator.is_valid(&json!({"kind": "destination", "spec": {"name": "batch", "path": "batch"}})));
    assert!(validator.is_valid(&json!({"kind": "settings", "spec": {"state": "sqlite:x.db"}})));
    assert!(!validator.is_valid(&json!({"kind": "destination", "spec": source["spec"]})));
    assert!(!validator.is_valid(&json!({"kind": "source", "spec": {"name": "shop"}})));
}
