//! Numbers, exactly.

use serde_json::{Number, Value};

/// Integers beyond are text: most tools read JSON numbers as doubles, which round them.
const LARGEST_EXACT: i128 = 1 << 53;

pub(crate) fn integer(value: i128) -> Value {
    match i64::try_from(value) {
        Ok(small) if value.abs() <= LARGEST_EXACT => Value::from(small),
        _ => Value::from(value.to_string()),
    }
}

/// A whole number, from JSON's number or text.
pub(crate) fn read_integer(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Some(number.into()),
            (None, Some(number)) => Some(number.into()),
            (None, None) => None,
        },
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

pub(crate) fn double(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => Value::from("NaN"),
        None if value > 0.0 => Value::from("Infinity"),
        None => Value::from("-Infinity"),
    }
}

/// A single-precision number by its own shortest digits, not by those of the double beside it.
pub(crate) fn single(value: f32) -> Value {
    let digits: f64 = match value.is_finite() {
        true => value.to_string().parse().unwrap_or_else(|_| f64::from(value)),
        false => f64::from(value),
    };
    double(digits)
}

/// A double, from JSON's number or one of the three words.
pub(crate) fn read_double(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// A decimal's exact text, from its unscaled digits such as "-1250".
pub(crate) fn decimal(unscaled: &str, scale: i8) -> String {
    let (sign, digits) = match unscaled.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", unscaled),
    };
    let Ok(places) = usize::try_from(scale) else {
        let zeros = "0".repeat(usize::from(scale.unsigned_abs()));
        return match digits {
            "0" => "0".to_owned(),
            digits => format!("{sign}{digits}{zeros}"),
        };
    };
    if places == 0 {
        return format!("{sign}{digits}");
    }
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    format!("{sign}{whole}.{fraction}")
}

/// The unscaled digits of a decimal's text; `None` when it is no decimal, or has more digits than the type.
pub(crate) fn read_decimal(text: &str, precision: u8, scale: i8) -> Option<String> {
    let (sign, magnitude) = match text.strip_prefix('-') {
        Some(magnitude) => ("-", magnitude),
        None => ("", text),
    };
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || magnitude.ends_with('.') {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let digits = match usize::try_from(scale) {
        Ok(places) if fraction.len() <= places => format!("{whole}{fraction:0<places$}"),
        Ok(_) => return None,
        Err(_) if fraction.is_empty() => {
            let zeros = "0".repeat(usize::from(scale.unsigned_abs()));
            match whole.trim_start_matches('0') {
                "" => "0".to_owned(),
                whole => whole.strip_suffix(zeros.as_str())?.to_owned(),
            }
        }
        Err(_) => return None,
    };
    let digits = match digits.trim_start_matches('0') {
        "" => return Some("0".to_owned()),
        digits => digits,
    };
    (digits.len() <= usize::from(precision)).then(|| format!("{sign}{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_that_tools_would_round_are_text() {
        assert_eq!(integer(1 << 53), Value::from(9_007_199_254_740_992_i64));
        assert_eq!(integer((1 << 53) + 1), Value::from("9007199254740993"));
        assert_eq!(
            read_integer(&Value::from("18446744073709551615")),
            Some(i128::from(u64::MAX))
        );
        assert_eq!(read_integer(&Value::from(1.5)), None);
    }

    #[test]
    fn decimals_keep_every_digit_and_take_no_more_than_they_have() {
        for (unscaled, scale, text) in [
            ("-1250", 2, "-12.50"),
            ("5", 3, "0.005"),
            ("0", 2, "0.00"),
            ("7", 0, "7"),
            ("-7", -2, "-700"),
            ("0", -2, "0"),
        ] {
            assert_eq!(decimal(unscaled, scale), text);
            assert_eq!(read_decimal(text, 4, scale).as_deref(), Some(unscaled), "{text}");
        }
        assert_eq!(read_decimal("12.5", 4, 2).as_deref(), Some("1250"));
        assert_eq!(read_decimal("12.500", 4, 2).as_deref(), Some("1250"));
        for refused in ["12.505", "123.45", "1e3", "", ".5", "5.", "+1", "--1", "12,5", " 1"] {
            assert_eq!(read_decimal(refused, 4, 2), None, "{refused}");
        }
        assert_eq!(read_decimal("750", 4, -2), None);
    }

    #[test]
    fn singles_show_their_own_digits() {
        assert_eq!(single(0.1).to_string(), "0.1");
        assert_eq!(single(f32::NAN), Value::from("NaN"));
        assert_eq!(double(f64::NEG_INFINITY), Value::from("-Infinity"));
    }
}
