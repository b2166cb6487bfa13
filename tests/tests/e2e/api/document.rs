//! The OpenAPI document is one, and is true: what is documented is served, what is answered has the documented form.

use std::collections::BTreeSet;

use longshore_tests::Result;
use reqwest::Method;
use serde_json::{Value, json};

use crate::served::{Quay, Served};

/// What an OpenAPI document of version 3.1 must be, from its makers.
const DIALECT: &str = include_str!("../../../support/openapi/openapi-3.1.schema.json");

/// Checks answers against the document.
pub(super) struct Document {
    pub(super) text: Value,
}

impl Document {
    pub(super) async fn of(served: &Served) -> Result<Self> {
        let text = served.get("/openapi.json").await?.good();
        Ok(Self { text })
    }

    /// The answer has the form that the document promises for the operation.
    #[track_caller]
    pub(super) fn check(&self, path: &str, method: &str, answer: &Value) {
        let response = &self.text["paths"][path][method]["responses"]["200"];
        self.check_against(&response["content"]["application/json"]["schema"], answer, path);
    }

    #[track_caller]
    pub(super) fn check_error(&self, path: &str, method: &str, answer: &Value) {
        let response = &self.text["paths"][path][method]["responses"]["default"];
        self.check_against(&response["content"]["application/json"]["schema"], answer, path);
    }

    #[track_caller]
    fn check_against(&self, schema: &Value, answer: &Value, path: &str) {
        assert!(schema.is_object(), "{path} has no schema");
        let mut schema = schema.clone();
        schema["components"] = self.text["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(answer)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{path}: {errors:#?} in {answer:#}");
    }
}

#[tokio::test]
async fn the_document_is_one_that_tools_understand() -> Result<()> {
    let quay = Quay::open().await?;
    let served = quay.serve(&[]).await?;
    let document = Document::of(&served).await?.text;
    let dialect: Value = serde_json::from_str(DIALECT).unwrap();
    let validator = jsonschema::validator_for(&dialect).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert!(!validator.is_valid(&json!({ "openapi": "3.1.0" })), "the check checks");
    for reference in references(&document) {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let operations = operations(&document);
    let names: BTreeSet<&str> = operations
        .iter()
        .map(|(_, _, operation)| operation["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), operations.len());
    assert!(operations.len() >= 20, "{names:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_documented_is_served_and_nothing_else_is() -> Result<()> {
    let quay = Quay::open().await?;
    let served = quay.serve(&[]).await?;
    let document = Document::of(&served).await?;
    let documented = operations(&document.text);
    let paths: BTreeSet<&str> = documented.iter().map(|(path, _, _)| *path).collect();
    for path in paths {
        let real = path.replace("{reject}", "1").replace('{', "no-such-").replace('}', "");
        for method in ["get", "post", "put", "delete", "patch"] {
            if (path, method) == ("/events", "get") {
                continue;
            }
            let known = documented.iter().any(|(known, of, _)| (*known, *of) == (path, method));
            let body = (method != "get").then(|| "{}".to_owned());
            let headers = [("content-type", "application/json")];
            let asked = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let answer = served.ask(asked, &real, body, &headers).await?;
            let code = match answer.status {
                200 => Value::Null,
                _ => answer.json()["error"]["code"].clone(),
            };
            assert_eq!(code == "method_not_allowed", !known, "{method} {path}: {}", answer.text);
            assert_ne!(code, "path_unknown", "{method} {path}");
            if known && answer.status != 200 {
                document.check_error(path, method, &answer.json());
            }
        }
    }
    for path in ["/nothing", "/syncs/people/nothing", "/"] {
        assert_eq!(
            served.get(path).await?.refused(),
            (404, "path_unknown".to_owned()),
            "{path}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn real_answers_have_the_documented_form() -> Result<()> {
    let quay = Quay::open().await?;
    quay.add_people(3).await?;
    quay.add_reject("eve").await?;
    let served = quay.serve(&[]).await?;
    let document = Document::of(&served).await?;
    served.run("people").await?;
    served.post("/syncs/numbers/run", json!({})).await?.good();
    served.until_moving("numbers").await?;
    let numbers = served.get("/syncs/numbers").await?.good();
    let running = numbers["activity"]["run_id"].as_str().unwrap().to_owned();
    for (path, real) in [
        ("/session", "/session".to_owned()),
        ("/syncs", "/syncs".to_owned()),
        ("/syncs/{sync}", "/syncs/numbers".to_owned()),
        ("/syncs/{sync}/turns", "/syncs/people/turns".to_owned()),
        ("/runs", "/runs".to_owned()),
        ("/runs/{run}", format!("/runs/{running}")),
        ("/runs/{run}", "/runs/last".to_owned()),
        ("/runs/{run}/log", "/runs/last/log".to_owned()),
        ("/rejects", "/rejects".to_owned()),
        ("/rejects/counts", "/rejects/counts".to_owned()),
        ("/rejects/{reject}", "/rejects/1".to_owned()),
        ("/state", "/state".to_owned()),
        ("/state/{sync}", "/state/people".to_owned()),
        ("/state/{sync}", "/state/numbers".to_owned()),
    ] {
        document.check(path, "get", &served.get(&real).await?.good());
    }
    for (path, method, real, body) in [
        ("/syncs/{sync}/pause", "post", "/syncs/people/pause", json!({})),
        ("/syncs/{sync}/resume", "post", "/syncs/people/resume", json!({})),
        (
            "/rejects/replay",
            "post",
            "/rejects/replay",
            json!({ "sync": "people", "insist": true }),
        ),
        (
            "/state/{sync}/tables/{table}",
            "put",
            "/state/people/tables/people",
            json!({ "value": "2026-01-01T00:00:00Z" }),
        ),
        (
            "/state/{sync}/reset",
            "post",
            "/state/people/reset",
            json!({ "confirmed": true }),
        ),
        ("/syncs/{sync}/run", "post", "/syncs/people/run", json!({})),
        ("/syncs/{sync}/cancel", "post", "/syncs/numbers/cancel", json!({})),
    ] {
        let asked = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let answer = served.ask(asked, real, Some(body.to_string()), &[]).await?;
        document.check(path, method, &answer.good());
    }
    Ok(())
}

fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let mut operations = Vec::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            operations.push((path.as_str(), method.as_str(), operation));
        }
    }
    operations
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(fields.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}
