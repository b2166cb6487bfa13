//! Numbers. The API documents no range: what is sent stays inside signed 64-bit integers and IEEE doubles, and is never rounded unasked.

use super::{Violation, write_json};

/// Digits that every decimal number keeps when it becomes a double.
const EXACT_DIGITS: usize = 15;

/// A whole number.
pub(crate) fn write_integer(value: i128, out: &mut Vec<u8>) -> Result<(), Violation> {
    let value = i64::try_from(value).map_err(|_| out_of_range("A whole number beyond 64 bits"))?;
    write_json(out, &value);
    Ok(())
}

/// A double.
pub(crate) fn write_float(value: f64, out: &mut Vec<u8>) -> Result<(), Violation> {
    if !value.is_finite() {
        return Err(not_finite());
    }
    write_json(out, &value);
    Ok(())
}

/// A single: written with the digits that tell it from other singles.
pub(crate) fn write_single(value: f32, out: &mut Vec<u8>) -> Result<(), Violation> {
    if !value.is_finite() {
        return Err(not_finite());
    }
    write_json(out, &value);
    Ok(())
}

/// An exact decimal, as its text. Without a fraction it is a whole number; with one it must be exact as a double, which 15 significant digits are.
pub(crate) fn write_decimal(text: &str, out: &mut Vec<u8>) -> Result<(), Violation> {
    let Some((whole, fraction)) = text.split_once('.') else {
        let value: i64 = text
            .parse()
            .map_err(|_| out_of_range("A decimal without fraction beyond 64 bits"))?;
        write_json(out, &value);
        return Ok(());
    };
    let fraction = fraction.trim_end_matches('0');
    let digits = whole.trim_start_matches(['-', '0']).len() + fraction.len();
    if digits > EXACT_DIGITS {
        let reason = format!("A decimal of {digits} significant digits, which a JSON number would round");
        return Err(Violation::new("decimal_not_exact", reason));
    }
    let negative_zero = digits == 0 && whole.starts_with('-');
    out.extend_from_slice(if negative_zero { "0" } else { whole }.as_bytes());
    out.push(b'.');
    out.extend_from_slice(if fraction.is_empty() { "0" } else { fraction }.as_bytes());
    Ok(())
}

fn not_finite() -> Violation {
    Violation::new("number_not_finite", "NaN or infinity, which JSON has no form for")
}

fn out_of_range(what: &str) -> Violation {
    Violation::new("number_out_of_range", what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>) -> Result<(), Violation>) -> Result<String, &'static str> {
        let mut out = Vec::new();
        write(&mut out).map_err(|violation| violation.rule)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn whole_numbers_have_64_bits() {
        assert_eq!(
            written(|out| write_integer(i128::from(i64::MIN), out)).unwrap(),
            "-9223372036854775808"
        );
        assert_eq!(
            written(|out| write_integer(i128::from(u64::MAX), out)),
            Err("number_out_of_range")
        );
    }

    #[test]
    fn floats_are_finite_and_keep_their_own_digits() {
        assert_eq!(written(|out| write_single(0.1, out)).unwrap(), "0.1");
        assert_eq!(written(|out| write_float(3.0, out)).unwrap(), "3.0");
        assert_eq!(written(|out| write_float(f64::NAN, out)), Err("number_not_finite"));
        assert_eq!(
            written(|out| write_single(f32::INFINITY, out)),
            Err("number_not_finite")
        );
    }

    #[test]
    fn decimals_are_exact_or_refused() {
        for (text, expected) in [
            ("12.30", Ok("12.3")),
            ("12.00", Ok("12.0")),
            ("-0.05", Ok("-0.05")),
            ("-0.00", Ok("0.0")),
            ("9223372036854775807", Ok("9223372036854775807")),
            ("9223372036854775808", Err("number_out_of_range")),
            ("123456789012345.0", Ok("123456789012345.0")),
            ("1234567890123.45", Ok("1234567890123.45")),
            ("12345678901234.567", Err("decimal_not_exact")),
        ] {
            assert_eq!(
                written(|out| write_decimal(text, out)).as_deref(),
                expected.as_ref().map(|text| *text),
                "{text}"
            );
        }
    }
}
