//! What a plain scalar means: the core schema of YAML 1.2 (section 10.3.2), kept to what JSON can hold.

use serde_json::{Number, Value};

/// Why a plain scalar has no value that could be passed on without changing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unrepresentable {
    /// An integer outside the range of 64 bits.
    TooLarge,
    /// `.inf` or `.nan`, or a float outside the range of 64 bits.
    NotFinite,
}

impl Unrepresentable {
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::TooLarge => "this number does not fit into 64 bits",
            Self::NotFinite => "infinite and undefined numbers are not supported",
        }
    }
}

/// The value of an unquoted, untagged scalar.
pub(crate) fn resolve_plain(text: &str) -> Result<Value, Unrepresentable> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(Unrepresentable::NotFinite);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(text, digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(text, digits, 8);
    }
    if is_digits(unsigned) {
        let parsed = if text.starts_with('-') {
            text.parse::<i64>().map(Number::from)
        } else {
            unsigned.parse::<u64>().map(Number::from)
        };
        return parsed.map(Value::Number).map_err(|_| Unrepresentable::TooLarge);
    }
    if is_float(unsigned) {
        return text
            .parse::<f64>()
            .ok()
            .and_then(Number::from_f64)
            .map(Value::Number)
            .ok_or(Unrepresentable::NotFinite);
    }
    Ok(Value::String(text.to_owned()))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let exponent_holds = exponent.is_none_or(|text| is_digits(text.strip_prefix(['-', '+']).unwrap_or(text)));
    let mantissa_holds = match mantissa.split_once('.') {
        None => is_digits(mantissa),
        Some(("", fraction)) => is_digits(fraction),
        Some((whole, fraction)) => is_digits(whole) && (fraction.is_empty() || is_digits(fraction)),
    };
    exponent_holds && mantissa_holds
}

fn radix(text: &str, digits: &str, radix: u32) -> Result<Value, Unrepresentable> {
    let all_digits = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    if !all_digits {
        return Ok(Value::String(text.to_owned()));
    }
    u64::from_str_radix(digits, radix)
        .map(Value::from)
        .map_err(|_| Unrepresentable::TooLarge)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, value) in [
            ("", Value::Null),
            ("~", Value::Null),
            ("null", Value::Null),
            ("TRUE", json!(true)),
            ("yes", json!("yes")),
            ("on", json!("on")),
            ("12", json!(12)),
            ("-12", json!(-12)),
            ("+12", json!(12)),
            ("007", json!(7)),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("0x", json!("0x")),
            ("0o8", json!("0o8")),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("5.", json!(5.0)),
            ("1e3", json!(1000.0)),
            ("-1.5E-3", json!(-0.0015)),
            ("1.2.3", json!("1.2.3")),
            ("e3", json!("e3")),
            (".", json!(".")),
            ("-", json!("-")),
            ("inf", json!("inf")),
            ("1_000", json!("1_000")),
            ("2026-11-20", json!("2026-11-20")),
        ] {
            assert_eq!(resolve_plain(text), Ok(value), "{text:?}");
        }
    }

    #[test]
    fn numbers_that_json_would_round_or_lose_are_refused() {
        for (text, reason) in [
            ("18446744073709551616", Unrepresentable::TooLarge),
            ("-9223372036854775809", Unrepresentable::TooLarge),
            ("0x10000000000000000", Unrepresentable::TooLarge),
            (".inf", Unrepresentable::NotFinite),
            ("-.INF", Unrepresentable::NotFinite),
            (".nan", Unrepresentable::NotFinite),
            ("1e999", Unrepresentable::NotFinite),
        ] {
            assert_eq!(resolve_plain(text), Err(reason), "{text:?}");
        }
    }
}
