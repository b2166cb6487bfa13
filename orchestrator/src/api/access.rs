//! Who may do what: bearer tokens with roles.

use std::{fmt, fs, net::IpAddr, path::Path, str::FromStr};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::Response,
};
use longshore_config::Secrets;
use longshore_core::{Error, Result};
use ring::{hmac, rand::SystemRandom};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Shared, answer::Refusal};

/// The variable with a token for operators.
pub const OPERATOR_VARIABLE: &str = "LONGSHORE_OPERATOR_TOKEN";

/// The variable with a token for readers.
pub const READ_ONLY_VARIABLE: &str = "LONGSHORE_READ_ONLY_TOKEN";

/// A shorter token can be guessed: 16 characters of base64 are 96 bits.
pub const SHORTEST_TOKEN: usize = 16;

/// What the holder of a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look, but for the values of rejected rows.
    ReadOnly,
    /// Look and change.
    Operator,
}

impl FromStr for Role {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "read_only" => Ok(Self::ReadOnly),
            "operator" => Ok(Self::Operator),
            _ => Err(()),
        }
    }
}

/// Tokens, as they are compared. They are kept as tags under a key of this process alone, so that a comparison takes as long whatever is compared, and a dump
/// of the memory has no token that was not just sent.
pub struct Tokens {
    key: hmac::Key,
    known: Vec<(Role, hmac::Tag)>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens", self.known.len())
    }
}

impl Tokens {
    /// No tokens.
    ///
    /// # Errors
    /// `randomness`: the system gives none.
    pub fn new() -> Result<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| Error::internal("randomness", "The system gives no random numbers"))?;
        Ok(Self { key, known: Vec::new() })
    }

    /// Adds a token, and has it covered wherever something is printed. `place` says where it is from.
    ///
    /// # Errors
    /// `token_invalid`: it is too short, or can not be sent in a header.
    pub fn add(&mut self, role: Role, token: &str, place: &str, secrets: &Secrets) -> Result<()> {
        secrets.insert(token);
        let wrong = |what: &str| {
            Err(
                Error::config("token_invalid", format!("The token of {place} {what}")).with_remedy(
                    "Make one with `openssl rand -base64 32`, or any other way to 32 random bytes in letters and digits.",
                ),
            )
        };
        if token.len() < SHORTEST_TOKEN {
            return wrong(&format!("is shorter than {SHORTEST_TOKEN} characters"));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return wrong("has characters that no header can carry");
        }
        self.known.push((role, hmac::sign(&self.key, token.as_bytes())));
        Ok(())
    }

    /// Adds the tokens of a file: `ROLE TOKEN` on each line; `#` begins a comment.
    ///
    /// # Errors
    /// `token_file`, with the line; `token_invalid`.
    pub fn add_file(&mut self, path: &Path, secrets: &Secrets) -> Result<()> {
        let form = "Write `operator TOKEN` or `read_only TOKEN` on each line.";
        let text = fs::read_to_string(path).map_err(|error| {
            Error::config(
                "token_file",
                format!("The tokens in {} can not be read", path.display()),
            )
            .with_cause(&error)
            .with_remedy(form)
        })?;
        let before = self.known.len();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let place = format!("{}, line {}", path.display(), index + 1);
            let parsed = line.split_once(char::is_whitespace);
            let parsed = parsed.and_then(|(role, token)| Some((role.parse().ok()?, token.trim())));
            // The line itself may be a token: it is not repeated.
            let (role, token) = parsed.ok_or_else(|| {
                Error::config("token_file", format!("{place} is not a role and a token")).with_remedy(form)
            })?;
            self.add(role, token, &place, secrets)?;
        }
        if self.known.len() == before {
            return Err(Error::config("token_file", format!("{} has no token", path.display())).with_remedy(form));
        }
        Ok(())
    }

    fn role_of(&self, token: &str) -> Option<Role> {
        // Every tag is compared, so that the time does not tell which one it was.
        let matching = |(role, tag): &(Role, hmac::Tag)| {
            hmac::verify(&self.key, token.as_bytes(), tag.as_ref())
                .ok()
                .map(|()| *role)
        };
        self.known.iter().filter_map(matching).max()
    }
}

/// Whether tokens are asked for.
#[derive(Debug)]
pub enum Access {
    /// Whoever reaches the address is an operator.
    Open,
    /// Only who has a token.
    Tokens(Tokens),
}

impl Access {
    /// What holds for an address. Beyond this machine, nothing is served without tokens unless somebody has said so in so many words.
    ///
    /// # Errors
    /// `tokens_missing`, `tokens_needless`.
    pub fn on(address: IpAddr, tokens: Tokens, switched_off: bool) -> Result<Self> {
        match (tokens.known.is_empty(), switched_off) {
            (false, false) => Ok(Self::Tokens(tokens)),
            (false, true) => Err(Error::config(
                "tokens_needless",
                "Tokens are given, and --no-authentication says that none are asked for",
            )
            .with_remedy("Leave one of them out.")),
            (true, true) => Ok(Self::Open),
            (true, false) if address.is_loopback() => Ok(Self::Open),
            (true, false) => Err(Error::config(
                "tokens_missing",
                format!("{address} can be reached from other machines, and no token is given"),
            )
            .with_remedy(format!(
                "Give --tokens FILE, or set {OPERATOR_VARIABLE} or {READ_ONLY_VARIABLE}. With --no-authentication anybody who reaches the address may do everything.",
            ))),
        }
    }

    /// Whether anybody is let in.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    /// The role of whoever sent these headers.
    pub(super) fn role(&self, headers: &HeaderMap) -> Result<Role, Refusal> {
        let Self::Tokens(tokens) = self else {
            return Ok(Role::Operator);
        };
        let remedy = "Send `Authorization: Bearer TOKEN` with a token that this Longshore was started with.";
        let refused = |code: &str, message: &str| {
            let error = Error::config(code, message).with_remedy(remedy);
            Refusal::new(StatusCode::UNAUTHORIZED, error)
        };
        let sent = headers.get(header::AUTHORIZATION);
        let sent = sent.ok_or_else(|| refused("token_missing", "A token is needed here"))?;
        let token = sent.to_str().ok().and_then(bearer);
        let role = token.and_then(|token| tokens.role_of(token));
        role.ok_or_else(|| refused("token_refused", "The token is not known here"))
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Metrics name syncs and tables, and are for who may look; health says nothing and is for anybody, because whoever asks for it has no tokens.
pub(super) async fn before_metrics(State(service): State<Shared>, request: Request, next: Next) -> Response {
    if request.uri().path() == "/metrics"
        && let Err(refusal) = service.access.role(request.headers())
    {
        return service.refuse(refusal);
    }
    next.run(request).await
}

/// An operator's matter was asked for by who may only look.
pub(super) fn operators_only() -> Refusal {
    let error = Error::config("operators_only", "This token may look, and not change anything")
        .with_remedy("Use a token with the role `operator`.");
    Refusal::new(StatusCode::FORBIDDEN, error)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const OPERATOR: &str = "operator-token-0123456789";
    const READER: &str = "read-only-token-012345678";

    fn tokens(of: &[(Role, &str)]) -> Tokens {
        let mut tokens = Tokens::new().unwrap();
        for (role, token) in of {
            tokens.add(*role, token, "a test", &Secrets::new()).unwrap();
        }
        tokens
    }

    fn with(authorization: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, authorization.parse().unwrap())])
    }

    #[test]
    fn a_token_has_its_role_and_others_have_none() {
        let access = Access::Tokens(tokens(&[(Role::Operator, OPERATOR), (Role::ReadOnly, READER)]));
        assert_eq!(
            access.role(&with(&format!("Bearer {OPERATOR}"))).unwrap(),
            Role::Operator
        );
        assert_eq!(
            access.role(&with(&format!("bearer  {READER}"))).unwrap(),
            Role::ReadOnly
        );
        for wrong in [
            format!("Bearer {OPERATOR}x"),
            format!("Bearer {}", &OPERATOR[1..]),
            format!("Basic {OPERATOR}"),
            OPERATOR.to_owned(),
            "Bearer ".to_owned(),
        ] {
            let refusal = access.role(&with(&wrong)).unwrap_err();
            assert_eq!(
                (refusal.status.as_u16(), refusal.error.code.as_str()),
                (401, "token_refused"),
                "{wrong}"
            );
        }
        assert_eq!(access.role(&HeaderMap::new()).unwrap_err().error.code, "token_missing");
    }

    #[test]
    fn nothing_is_served_beyond_this_machine_without_a_token_or_the_word_of_its_owner() {
        let none = || tokens(&[]);
        let some = || tokens(&[(Role::Operator, OPERATOR)]);
        let (here, everywhere) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv4Addr::UNSPECIFIED));
        assert!(Access::on(here, none(), false).unwrap().is_open());
        assert!(!Access::on(here, some(), false).unwrap().is_open());
        assert!(!Access::on(everywhere, some(), false).unwrap().is_open());
        assert_eq!(
            Access::on(everywhere, none(), false).unwrap_err().code,
            "tokens_missing"
        );
        assert!(Access::on(everywhere, none(), true).unwrap().is_open());
        assert_eq!(Access::on(here, some(), true).unwrap_err().code, "tokens_needless");
    }

    #[test]
    fn a_file_of_tokens_is_read_and_its_mistakes_are_told_without_the_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            let mut tokens = Tokens::new().unwrap();
            tokens.add_file(&path, &Secrets::new()).map(|()| tokens)
        };
        let good = read(&format!("# who\n\noperator {OPERATOR}\nread_only\t{READER}\n")).unwrap();
        assert_eq!(good.role_of(READER), Some(Role::ReadOnly));
        for (text, code) in [
            (OPERATOR.to_owned(), "token_file"),
            (format!("admin {OPERATOR}"), "token_file"),
            ("# nothing".to_owned(), "token_file"),
            ("operator short".to_owned(), "token_invalid"),
            ("operator with spaces in between".to_owned(), "token_invalid"),
        ] {
            let error = read(&text).unwrap_err();
            assert_eq!(error.code, code, "{text}");
            assert!(!format!("{error:?}").contains(OPERATOR), "{error:?}");
        }
    }

    #[test]
    fn a_token_is_covered_wherever_something_is_printed() {
        let secrets = Secrets::new();
        Tokens::new()
            .unwrap()
            .add(Role::Operator, OPERATOR, "a test", &secrets)
            .unwrap();
        assert_eq!(secrets.redact(&format!("sent {OPERATOR}")), "sent ***");
    }
}
