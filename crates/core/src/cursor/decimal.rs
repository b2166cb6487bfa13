//! The order of decimals in their text form: exact, whatever their length.

use std::cmp::Ordering;

/// A decimal's text in parts: sign, digits before the point without leading zeros, digits after it without trailing ones.
struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
}

/// Whether a text is a decimal: an optional `-`, digits, and perhaps a point with digits behind it.
pub(super) fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole) && all_digits(fraction)
}

/// Compares two decimals as numbers: `1.0` equals `1.00`. `None` when a text is none, such as `NaN`, which databases order each in its own way.
pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (parts(a)?, parts(b)?);
    Some(match (a.negative, b.negative) {
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, false) => magnitude(&a, &b),
        (true, true) => magnitude(&b, &a),
    })
}

fn parts(text: &str) -> Option<Parts<'_>> {
    if !is_decimal(text) {
        return None;
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let zero = whole.is_empty() && fraction.is_empty();
    Some(Parts {
        negative: text.starts_with('-') && !zero,
        whole,
        fraction,
    })
}

fn magnitude(a: &Parts<'_>, b: &Parts<'_>) -> Ordering {
    // Without leading zeros the longer whole part is the greater; fractions compare digit by digit.
    let whole = a.whole.len().cmp(&b.whole.len()).then_with(|| a.whole.cmp(b.whole));
    whole.then_with(|| a.fraction.cmp(b.fraction))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scaled(value: i64, digits: usize) -> String {
        let sign = if value < 0 { "-" } else { "" };
        let text = format!("{:0>width$}", value.unsigned_abs(), width = digits + 1);
        let (whole, fraction) = text.split_at(text.len() - digits);
        if digits == 0 {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{fraction}")
        }
    }

    proptest! {
        #[test]
        fn decimals_compare_as_the_numbers_they_are(a in -2_000_i64..2_000, b in -2_000_i64..2_000, digits in 0_usize..5) {
            prop_assert_eq!(compare(&scaled(a, digits), &scaled(b, digits)), Some(a.cmp(&b)));
            let padded = format!("{}{}", scaled(b, digits), if digits == 0 { ".00" } else { "00" });
            prop_assert_eq!(compare(&scaled(a, digits), &padded), Some(a.cmp(&b)), "zeros at the end change nothing");
        }

        #[test]
        fn integers_of_any_width_compare_exactly(a: i128, b: i128) {
            prop_assert_eq!(compare(&a.to_string(), &b.to_string()), Some(a.cmp(&b)));
        }
    }

    #[test]
    fn zero_has_no_sign_and_what_is_no_number_no_order() {
        assert_eq!(compare("-0.00", "0"), Some(Ordering::Equal));
        assert_eq!(compare("007", "7.0"), Some(Ordering::Equal));
        let greatest_of_256_bits = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
        assert_eq!(
            compare(greatest_of_256_bits, &greatest_of_256_bits.replace("9935", "9934")),
            Some(Ordering::Greater)
        );
        for text in ["NaN", "", "1e5", "-", "Infinity", "1."] {
            assert_eq!(compare(text, "1"), None, "{text}");
        }
    }
}
