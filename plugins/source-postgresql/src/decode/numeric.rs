//! PostgreSQL's `numeric` in its binary form, to a scaled integer.

use longshore_sdk::arrow::datatypes::i256;

use super::{DecodeError, bytes_of};

/// An integer wide enough for the decimals of one Arrow type.
pub(super) trait Scaled: Copy {
    const ZERO: Self;
    fn times(self, factor: u32) -> Option<Self>;
    fn plus(self, more: u32) -> Option<Self>;
    fn negated(self) -> Option<Self>;
}

impl Scaled for i128 {
    const ZERO: Self = 0;

    fn times(self, factor: u32) -> Option<Self> {
        self.checked_mul(Self::from(factor))
    }

    fn plus(self, more: u32) -> Option<Self> {
        self.checked_add(Self::from(more))
    }

    fn negated(self) -> Option<Self> {
        self.checked_neg()
    }
}

impl Scaled for i256 {
    const ZERO: Self = i256::ZERO;

    fn times(self, factor: u32) -> Option<Self> {
        self.checked_mul(Self::from_i128(i128::from(factor)))
    }

    fn plus(self, more: u32) -> Option<Self> {
        self.checked_add(Self::from_i128(i128::from(more)))
    }

    fn negated(self) -> Option<Self> {
        self.checked_neg()
    }
}

const NEGATIVE: u16 = 0x4000;
/// NaN (0xC000), Infinity (0xD000), -Infinity (0xF000).
const SPECIAL: u16 = 0xC000;

const POWERS: [u32; 5] = [1, 10, 100, 1_000, 10_000];

/// The value times 10^`scale`.
///
/// The form (numeric_send in the server's source): number of digits, weight of the first digit, sign, display scale, then the digits to base 10,000.
pub(super) fn scaled<T: Scaled>(value: &[u8], scale: i32) -> Result<T, DecodeError> {
    let header: [u8; 8] = bytes_of(value.get(..8).unwrap_or_default())?;
    let field = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let weight = i32::from(field(2).cast_signed());
    let sign = field(4);
    if sign & SPECIAL == SPECIAL {
        return Err(DecodeError::NotANumber);
    }
    let digits = &value[8..];
    if digits.len() != 2 * usize::from(field(0)) {
        return Err(DecodeError::Malformed("numeric"));
    }
    let mut result = T::ZERO;
    // Power of ten of the last digit taken over.
    let mut exponent = 0;
    for (index, digit) in digits.chunks_exact(2).enumerate() {
        let digit = u32::from(u16::from_be_bytes([digit[0], digit[1]]));
        let index = i32::try_from(index).map_err(|_| DecodeError::Malformed("numeric"))?;
        exponent = 4 * (weight - index) + scale;
        if exponent >= 0 {
            result = result
                .times(10_000)
                .and_then(|result| result.plus(digit))
                .ok_or(DecodeError::OutOfRange("numeric"))?;
            continue;
        }
        // The scale ends within this digit. A declared scale leaves zeros behind it.
        let dropped = usize::try_from(-exponent).unwrap_or(usize::MAX);
        let (kept, rest) = match POWERS.get(dropped) {
            Some(power) if dropped < 4 => (digit / power, digit % power),
            _ => (0, digit),
        };
        if rest != 0 {
            return Err(DecodeError::OutOfRange("numeric"));
        }
        if dropped < 4 {
            result = result
                .times(POWERS[4 - dropped])
                .and_then(|result| result.plus(kept))
                .ok_or(DecodeError::OutOfRange("numeric"))?;
        }
        exponent = 0;
    }
    while exponent > 0 {
        let step = usize::try_from(exponent.min(4)).unwrap_or(4);
        result = result.times(POWERS[step]).ok_or(DecodeError::OutOfRange("numeric"))?;
        exponent -= 4;
    }
    if sign == NEGATIVE {
        result.negated().ok_or(DecodeError::OutOfRange("numeric"))
    } else {
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the server sends a number of `digits` × 10^-`scale`.
    fn sent(value: i128, scale: u32) -> Vec<u8> {
        let padding = (4 - scale % 4) % 4;
        let fraction_digits = (scale + padding) / 4;
        let mut rest = value.unsigned_abs();
        let mut digits = Vec::new();
        // Padded to whole digits to base 10,000, the lowest first, without overflowing 128 bits.
        let first_power = 10_u128.pow(4 - padding);
        digits.push(u16::try_from(rest % first_power).unwrap() * u16::try_from(10_u32.pow(padding)).unwrap());
        rest /= first_power;
        while rest > 0 {
            digits.push(u16::try_from(rest % 10_000).unwrap());
            rest /= 10_000;
        }
        let weight = i32::try_from(digits.len()).unwrap() - i32::try_from(fraction_digits).unwrap() - 1;
        digits.reverse();
        let mut bytes = Vec::new();
        bytes.extend(u16::try_from(digits.len()).unwrap().to_be_bytes());
        bytes.extend(i16::try_from(weight).unwrap().to_be_bytes());
        bytes.extend(if value < 0 { NEGATIVE } else { 0 }.to_be_bytes());
        bytes.extend(u16::try_from(scale).unwrap().to_be_bytes());
        digits.iter().for_each(|digit| bytes.extend(digit.to_be_bytes()));
        bytes
    }

    proptest! {
        #[test]
        fn every_decimal_of_38_digits_is_read_exactly(value in -(10_i128.pow(38) - 1)..10_i128.pow(38), scale in 0_u32..38) {
            let bytes = sent(value, scale);
            prop_assert_eq!(scaled::<i128>(&bytes, scale.cast_signed()).unwrap(), value);
            prop_assert_eq!(scaled::<i256>(&bytes, scale.cast_signed()).unwrap(), i256::from_i128(value));
        }
    }

    #[test]
    fn zero_has_no_digits() {
        assert_eq!(scaled::<i128>(&[0, 0, 0, 0, 0, 0, 0, 2], 2).unwrap(), 0);
    }

    #[test]
    fn whole_numbers_get_the_zeros_of_their_scale() {
        // 12 with scale 6: one digit of weight 0.
        assert_eq!(scaled::<i128>(&[0, 1, 0, 0, 0, 0, 0, 6, 0, 12], 6).unwrap(), 12_000_000);
    }

    #[test]
    fn what_is_no_number_or_too_large_is_an_error() {
        assert_eq!(
            scaled::<i128>(&[0, 0, 0, 0, 0xC0, 0, 0, 0], 2),
            Err(DecodeError::NotANumber)
        );
        assert_eq!(
            scaled::<i128>(&[0, 0, 0, 0, 0xD0, 0, 0, 0], 2),
            Err(DecodeError::NotANumber)
        );
        assert_eq!(scaled::<i128>(&[0, 1, 0, 0], 2), Err(DecodeError::Malformed("value")));
        // 0.5 does not fit a scale of 0.
        assert_eq!(
            scaled::<i128>(&[0, 1, 0xFF, 0xFF, 0, 0, 0, 1, 0x13, 0x88], 0),
            Err(DecodeError::OutOfRange("numeric"))
        );
        // One digit of weight 20.
        assert_eq!(
            scaled::<i128>(&[0, 1, 0, 20, 0, 0, 0, 0, 0, 1], 0),
            Err(DecodeError::OutOfRange("numeric"))
        );
    }
}
