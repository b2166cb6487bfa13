//! Where the daemon answers HTTP, and whom.

use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use axum::Router;
use clap::Args;
use longshore_core::{Error, Result};
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    api::{
        self, DEFAULT_ADDRESS,
        access::{Access, OPERATOR_VARIABLE, READ_ONLY_VARIABLE, Role, Tokens},
        hosts::Hosts,
    },
    cli::Context,
    serve::Http,
};

#[derive(Args)]
pub(super) struct HttpArguments {
    /// Where the API and the page are served; `none`: nowhere. A port of 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", env = "LONGSHORE_LISTEN", default_value = DEFAULT_ADDRESS)]
    listen: Listen,
    /// A file with tokens: on each line a role (operator or read_only) and a token. LONGSHORE_OPERATOR_TOKEN and LONGSHORE_READ_ONLY_TOKEN may hold one each
    /// as well.
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// Ask for no token although other machines can reach the address: whoever does may do everything.
    #[arg(long)]
    no_authentication: bool,
    /// A name under which the API is reached without tokens, and metrics are, besides addresses and localhost; may be given several times.
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
}

#[derive(Clone, Copy)]
enum Listen {
    Nowhere,
    On(SocketAddr),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::Nowhere),
            _ => text.parse().map(Self::On).map_err(|_| {
                format!("write an address and a port, such as {DEFAULT_ADDRESS} or [::1]:4780, or `none`")
            }),
        }
    }
}

/// Where it listens: what is printed.
#[derive(Serialize)]
struct Listening {
    address: SocketAddr,
    url: String,
    tokens: bool,
}

impl HttpArguments {
    /// The names under which this machine may be asked.
    pub(super) fn hosts(&self) -> Hosts {
        Hosts::new(self.hosts.clone())
    }

    /// Opens the address, and says so.
    ///
    /// # Errors
    /// `address_unusable`; those of [`Access::on`] and [`Tokens`].
    pub(super) async fn open(self, context: &Context) -> Result<Option<Http>> {
        let Listen::On(address) = self.listen else {
            return Ok(None);
        };
        let access = Access::on(address.ip(), self.tokens(context)?, self.no_authentication)?;
        let unusable = |error: std::io::Error| {
            Error::config("address_unusable", format!("{address} can not be listened on"))
                .with_cause(&error)
                .with_remedy("Another program has it, or a `longshore serve` with another state. Give this one an address of its own with --listen, or `--listen none`.")
        };
        let listener = TcpListener::bind(address).await.map_err(unusable)?;
        let address = listener.local_addr().map_err(unusable)?;
        let listening = Listening {
            address,
            url: format!("http://{address}"),
            tokens: !access.is_open(),
        };
        // The address is this program's own: that a value of the configuration is in it by chance must not hide where to look.
        let said = match context.output.is_json() {
            true => format!("{}\n", json!(listening)),
            false => format!("listening on {}\n", listening.url),
        };
        context.output.exact(&said)?;
        let options = api::Options {
            access,
            hosts: self.hosts(),
            secrets: context.secrets.clone(),
            beside: Router::new(),
            end: CancellationToken::new(),
        };
        Ok(Some(Http { listener, options }))
    }

    fn tokens(&self, context: &Context) -> Result<Tokens> {
        let mut tokens = Tokens::new()?;
        for (variable, role) in [
            (OPERATOR_VARIABLE, Role::Operator),
            (READ_ONLY_VARIABLE, Role::ReadOnly),
        ] {
            match std::env::var(variable) {
                Ok(token) => tokens.add(role, &token, variable, &context.secrets)?,
                Err(std::env::VarError::NotPresent) => {}
                Err(std::env::VarError::NotUnicode(_)) => {
                    return Err(Error::config(
                        "token_invalid",
                        format!("The token of {variable} is no text"),
                    ));
                }
            }
        }
        if let Some(file) = &self.tokens {
            tokens.add_file(file, &context.secrets)?;
        }
        Ok(tokens)
    }
}
