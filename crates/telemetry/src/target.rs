//! Where traces and metrics are pushed.

use std::{collections::BTreeMap, fmt, time::Duration};

/// How long one push may take when nothing else is said; the default of the standard.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// What is pushed. Each may go somewhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Counters and the like.
    Metrics,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
        }
    }
}

/// A collector that speaks OTLP over gRPC. `Debug` shows no header's value.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Such as `http://127.0.0.1:4317`; with `https`, the certificates of the system decide whom to trust.
    pub endpoint: String,
    /// Sent with every push; may hold secrets.
    pub headers: BTreeMap<String, String>,
    /// How long one push may take.
    pub timeout: Duration,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("endpoint", &self.endpoint)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// Why the environment names no collector that can be used. No value is repeated: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Another protocol than gRPC.
    #[error("`{variable}` asks for another protocol than `grpc`, which is the only one that Longshore speaks")]
    Protocol {
        /// The variable.
        variable: String,
    },
    /// A header that is none.
    #[error("`{variable}` is no list of headers such as `name=value,other=value`")]
    Headers {
        /// The variable.
        variable: String,
    },
    /// A time-out that is none.
    #[error("`{variable}` is no number of milliseconds")]
    Timeout {
        /// The variable.
        variable: String,
    },
}

impl Target {
    /// Reads the standard variables: `OTEL_EXPORTER_OTLP_ENDPOINT`, `…_HEADERS`, `…_TIMEOUT` and `…_PROTOCOL`, each also with `TRACES` or `METRICS` behind
    /// `OTLP`, which comes first; `OTEL_SDK_DISABLED`, and `OTEL_TRACES_EXPORTER` or `OTEL_METRICS_EXPORTER` with the value `none`. `None`: nothing is to be pushed.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn from_environment(
        signal: Signal,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, TargetError> {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let disabled = set("OTEL_SDK_DISABLED").is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
        let exporter = set(&format!("OTEL_{}_EXPORTER", signal.name()));
        if disabled || exporter.is_some_and(|exporter| exporter.trim() == "none") {
            return Ok(None);
        }
        // Its own variable comes before the one for all signals.
        let of_signal = |what: &str| {
            let names = [
                format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.name()),
                format!("OTEL_EXPORTER_OTLP_{what}"),
            ];
            names.into_iter().find_map(|name| Some((set(&name)?, name)))
        };
        let Some((endpoint, _)) = of_signal("ENDPOINT") else {
            return Ok(None);
        };
        if let Some((protocol, variable)) = of_signal("PROTOCOL")
            && protocol.trim() != "grpc"
        {
            return Err(TargetError::Protocol { variable });
        }
        let headers = match of_signal("HEADERS") {
            Some((text, variable)) => headers(&text).ok_or(TargetError::Headers { variable })?,
            None => BTreeMap::new(),
        };
        let timeout = match of_signal("TIMEOUT") {
            Some((text, variable)) => {
                let milliseconds = text.trim().parse();
                Duration::from_millis(milliseconds.map_err(|_| TargetError::Timeout { variable })?)
            }
            None => DEFAULT_TIMEOUT,
        };
        Ok(Some(Self {
            endpoint: endpoint.trim().to_owned(),
            headers,
            timeout,
        }))
    }
}

/// `name=value,other=value`, values percent-encoded as in W3C Baggage.
fn headers(text: &str) -> Option<BTreeMap<String, String>> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let parsed = entries.map(|entry| {
        let (name, value) = entry.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        let is_name = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        is_name.then(|| Some((name, percent_decoded(value.trim())?)))?
    });
    parsed.collect()
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || Some(char::from(rest.next()?).to_digit(16)? as u8);
        bytes.push(digit()? << 4 | digit()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(signal: Signal, variables: &[(&str, &str)]) -> Result<Option<Target>, TargetError> {
        Target::from_environment(signal, |name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nothing_is_pushed_unless_an_address_is_given_and_nothing_speaks_against_it() {
        assert_eq!(read(Signal::Traces, &[]), Ok(None));
        let address = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");
        assert!(read(Signal::Traces, &[address]).unwrap().is_some());
        assert_eq!(
            read(Signal::Traces, &[address, ("OTEL_SDK_DISABLED", "TRUE")]),
            Ok(None)
        );
        let no_traces = [address, ("OTEL_TRACES_EXPORTER", "none")];
        assert_eq!(read(Signal::Traces, &no_traces), Ok(None));
        assert!(read(Signal::Metrics, &no_traces).unwrap().is_some());
        assert_eq!(read(Signal::Traces, &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]), Ok(None));
    }

    #[test]
    fn what_is_said_of_one_signal_comes_before_what_is_said_of_all() {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4317"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4317"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20x%2Cy, tenant=7"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1500"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ];
        let traces = read(Signal::Traces, &variables).unwrap().unwrap();
        assert_eq!(traces.endpoint, "http://traces:4317");
        assert_eq!(traces.timeout, Duration::from_millis(1_500));
        assert_eq!(
            traces.headers.into_iter().collect::<Vec<_>>(),
            [
                ("authorization".to_owned(), "Bearer x,y".to_owned()),
                ("tenant".to_owned(), "7".to_owned())
            ]
        );
        let metrics = read(Signal::Metrics, &variables).unwrap().unwrap();
        assert_eq!(
            (&*metrics.endpoint, metrics.timeout),
            ("http://all:4317", DEFAULT_TIMEOUT)
        );
    }

    #[test]
    fn what_can_not_be_used_is_refused_without_repeating_it() {
        let address = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4317");
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=%zz"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "bad name=x"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ] {
            let error = read(Signal::Traces, &[address, (name, value)]).unwrap_err().to_string();
            assert!(error.contains(name) && !error.contains(value), "{error}");
        }
        let target = read(
            Signal::Traces,
            &[address, ("OTEL_EXPORTER_OTLP_HEADERS", "key=hunter2")],
        );
        assert!(!format!("{target:?}").contains("hunter2"));
    }
}
