//! How a plugin's process begins, speaks and ends.

use std::time::{Duration, Instant};

use longshore_sdk::protocol::{
    PROTOCOL_VERSION,
    status::from_status,
    v1::{self, plugin_client::PluginClient},
};
use serde_json::{Value, json};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::{
    certificates::Authority,
    plugin_process::{PluginProcess, logged, run, spawn},
};

/// What the contract gives a plugin to end.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_plugin_describes_itself_before_it_is_configured() {
    let plugin = PluginProcess::start("source").await;
    let description = describe(plugin.channel.clone()).await.unwrap();
    assert_eq!(description.name, "countries");
    assert_eq!(description.protocol_versions, [PROTOCOL_VERSION]);
    assert!(description.destination.is_none());
    let source = description.source.unwrap();
    assert!(source.incremental && !source.resumable);
    let schema: Value = serde_json::from_str(&source.spec_schema).unwrap();
    assert_eq!(schema["additionalProperties"], false);
}

#[tokio::test]
async fn the_schema_of_a_specification_holds_what_its_author_wrote() {
    let plugin = PluginProcess::start("destination").await;
    let destination = describe(plugin.channel.clone()).await.unwrap().destination.unwrap();
    let schema: Value = serde_json::from_str(&destination.spec_schema).unwrap();
    assert_eq!(schema["required"], json!(["path"]));
    let text = schema["properties"]["path"]["description"].as_str().unwrap();
    assert!(text.starts_with("The file."), "{text}");
}

#[tokio::test]
async fn a_specification_is_refused_with_the_place_of_its_error() {
    let plugin = PluginProcess::start("destination").await;
    let status = plugin
        .configure(v1::Role::Destination, &json!({ "path": 1 }))
        .await
        .unwrap_err();
    let error = from_status(&status);
    assert_eq!((error.code.as_str(), error.field.as_str()), ("spec_invalid", "/path"));
    let status = plugin.configure(v1::Role::Source, &json!({})).await.unwrap_err();
    assert_eq!(from_status(&status).code, "role_unknown");
}

#[tokio::test]
async fn sigterm_ends_a_plugin_in_time_although_a_stream_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let plugin = PluginProcess::start("destination").await;
    let spec = json!({ "path": directory.path().join("lines") });
    plugin.configure(v1::Role::Destination, &spec).await.unwrap();
    let open_stream = crate::examples::open_write_stream(plugin.channel.clone()).await;
    let begin = Instant::now();
    plugin.terminate();
    let (status, _) = plugin.ended().await;
    assert!(status.success(), "{status}");
    assert!(begin.elapsed() < STOP_DEADLINE);
    drop(open_stream);
}

#[tokio::test]
async fn the_end_of_standard_input_ends_a_plugin() {
    let mut plugin = PluginProcess::start("source").await;
    plugin.cut_lifeline();
    let (status, _) = plugin.ended().await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn logs_are_lines_of_json_on_standard_error() {
    let plugin = PluginProcess::start("source").await;
    plugin.configure(v1::Role::Source, &json!({})).await.unwrap();
    plugin.terminate();
    let (_, logged) = plugin.ended().await;
    let lines: Vec<Value> = logged.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        lines
            .iter()
            .all(|line| line["level"].is_string() && line["message"].is_string())
    );
    assert!(lines.iter().any(|line| line["invocation_id"] == "test"), "{logged}");
}

#[tokio::test]
async fn flags_that_make_no_sense_end_with_status_two() {
    for arguments in [
        vec![],
        vec!["serve", "--colour"],
        vec!["serve", "--network", "pigeon"],
        vec!["serve", "--log-level", "loud"],
        vec!["serve", "--tls-key", "key.pem"],
    ] {
        let output = run("source", &arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn help_is_printed_on_standard_output() {
    let output = run("source", &["serve", "--help"]).await;
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains("--tls-client-ca"));
}

#[tokio::test]
async fn an_address_that_others_can_reach_needs_tls() {
    let output = run(
        "source",
        &[
            "serve",
            "--network",
            "tcp",
            "--address",
            "0.0.0.0:0",
            "--log-format",
            "json",
        ],
    )
    .await;
    assert_eq!(output.status.code(), Some(1));
    let entry: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(entry["code"], "tls_required");
}

#[tokio::test]
async fn a_socket_that_can_not_be_made_is_an_error_and_not_a_crash() {
    let arguments = [
        "serve",
        "--network",
        "unix",
        "--address",
        "/nowhere/socket",
        "--log-format",
        "json",
    ];
    let output = run("source", &arguments).await;
    assert_eq!(output.status.code(), Some(1));
    let entry: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(entry["code"], "address_unusable");
}

#[tokio::test]
async fn mutual_tls_lets_in_who_the_authority_knows_and_nobody_else() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = authority.identity("localhost");
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let certificate = file("certificate.pem", &server.certificate);
    let key = file("key.pem", &server.key);
    let client_ca = file("ca.pem", &authority.certificate());
    let (_plugin, mut logs) = spawn(
        "source",
        &[
            "--network",
            "tcp",
            "--address",
            "127.0.0.1:0",
            "--tls-certificate",
            &certificate,
            "--tls-key",
            &key,
            "--tls-client-ca",
            &client_ca,
        ],
    );
    let address = logged(&mut logs, "address").await;

    let trusting = ClientTlsConfig::new()
        .domain_name("localhost")
        .ca_certificate(Certificate::from_pem(authority.certificate()));
    let identity = |authority: &Authority| {
        let client = authority.identity("longshore");
        Identity::from_pem(client.certificate, client.key)
    };
    let known = trusting.clone().identity(identity(&authority));
    assert_eq!(describe_over_tls(&address, known).await.unwrap().name, "countries");
    let unknown = trusting.clone().identity(identity(&stranger));
    assert!(describe_over_tls(&address, unknown).await.is_none());
    assert!(describe_over_tls(&address, trusting).await.is_none());
    let plain = Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .connect_lazy();
    assert!(describe(plain).await.is_err());
}

async fn describe_over_tls(address: &str, tls: ClientTlsConfig) -> Option<v1::DescribeResponse> {
    let endpoint = Endpoint::from_shared(format!("https://{address}"))
        .unwrap()
        .tls_config(tls)
        .unwrap();
    describe(endpoint.connect().await.ok()?).await.ok()
}

async fn describe(channel: Channel) -> Result<v1::DescribeResponse, tonic::Status> {
    let answer = PluginClient::new(channel).describe(v1::DescribeRequest {}).await?;
    Ok(answer.into_inner())
}
