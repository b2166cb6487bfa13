//! The OpenAPI document, made from the endpoints and the types that they take and answer.

use axum::{
    http::{HeaderValue, Method, header},
    response::{IntoResponse as _, Response},
};
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    answer::{ErrorAnswer, Refusal},
    call::{Call, Needs},
    endpoint::{Content, Endpoint, SchemaOf},
};

/// Where the schemas of types are in the document.
const SCHEMAS: &str = "/components/schemas";

pub(super) async fn answer(call: Call) -> Result<Response, Refusal> {
    let mut response = call.service.document.clone().into_response();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

pub(super) fn document(endpoints: &[Endpoint]) -> Value {
    // What is asked for is described as it is read, what is answered as it is written.
    let mut read = generator(SchemaSettings::for_deserialize);
    let mut written = generator(SchemaSettings::for_serialize);
    let mut paths = Map::new();
    for endpoint in endpoints {
        let operation = operation(endpoint, &mut read, &mut written);
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method.as_str().to_lowercase()] = operation;
    }
    let mut schemas = read.take_definitions(true);
    schemas.extend(written.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Longshore",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the command line can do about syncs, runs, rejects and state. Fields are added to answers over time; readers ignore those they do not know.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": super::ROOT }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "A token of the role that the endpoint needs. None is asked for where `longshore serve` was started without." },
            },
        },
    })
}

fn generator(contract: fn(SchemaSettings) -> SchemaSettings) -> SchemaGenerator {
    let settings = contract(SchemaSettings::draft2020_12()).with(|settings| {
        settings.definitions_path = SCHEMAS.into();
        settings.meta_schema = None;
    });
    settings.into_generator()
}

fn operation(endpoint: &Endpoint, read: &mut SchemaGenerator, written: &mut SchemaGenerator) -> Value {
    let mut parameters = path_parameters(endpoint.path);
    parameters.extend(query_parameters(endpoint.query, read));
    let (description, content) = match endpoint.content {
        Content::Json(schema) => (
            "What was asked for.",
            json!({ "application/json": { "schema": schema(written) } }),
        ),
        Content::Other(media_type, description) => (description, json!({ media_type: {} })),
    };
    let error = json!({ "application/json": { "schema": written.subschema_for::<ErrorAnswer>() } });
    let mut operation = json!({
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": parameters,
        "responses": {
            "200": { "description": description, "content": content },
            "default": { "description": "An error: its code, what happened, and what can be done about it.", "content": error },
        },
        "x-role": match endpoint.needs {
            Needs::Nothing => Value::Null,
            Needs::Reading => json!("read_only"),
            Needs::Operating => json!("operator"),
        },
    });
    if endpoint.needs == Needs::Nothing {
        operation["security"] = json!([]);
    }
    if endpoint.method != Method::GET {
        let schema = (endpoint.body)(read);
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    operation
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name: &str| {
        let kind = if name == "reject" { "integer" } else { "string" };
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": kind } })
    };
    names.map(parameter).collect()
}

/// Each field of the type is a parameter.
fn query_parameters(query: SchemaOf, generator: &mut SchemaGenerator) -> Vec<Value> {
    let schema = query(generator);
    let resolved = resolved(&schema, generator);
    let required = resolved
        .get("required")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let Some(Value::Object(fields)) = resolved.get("properties") else {
        return Vec::new();
    };
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = schema.clone();
        let described = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let mut parameter = json!({
            "name": name,
            "in": "query",
            "required": required.contains(&json!(name)),
            "schema": schema,
        });
        if let Some(description) = described {
            parameter["description"] = description;
        }
        parameter
    };
    fields.iter().map(parameter).collect()
}

fn resolved(schema: &Schema, generator: &SchemaGenerator) -> Value {
    let reference = schema.get("$ref").and_then(Value::as_str);
    let name = reference
        .and_then(|reference| reference.rsplit_once('/'))
        .map(|(_, name)| name);
    match name.and_then(|name| generator.definitions().get(name)) {
        Some(definition) => definition.clone(),
        None => schema.clone().to_value(),
    }
}
