//! Arithmetic modulo a prime: every count of equal rows but zero has an inverse, so that one row's share of a sum can be taken out exactly.

/// The greatest prime below 2⁶⁴.
pub(super) const PRIME: u64 = u64::MAX - 58;

/// What a fingerprint is taken for: itself, apart from the 59 greatest.
pub(super) const fn reduced(value: u64) -> u64 {
    if value >= PRIME { value - PRIME } else { value }
}

/// `a + b`, for reduced numbers as everything here.
pub(super) const fn sum(a: u64, b: u64) -> u64 {
    let (sum, carried) = a.overflowing_add(b);
    if carried || sum >= PRIME {
        sum.wrapping_sub(PRIME)
    } else {
        sum
    }
}

/// `a - b`.
pub(super) const fn difference(a: u64, b: u64) -> u64 {
    if a >= b {
        a - b
    } else {
        a.wrapping_sub(b).wrapping_add(PRIME)
    }
}

/// `a · b`.
pub(super) const fn product(a: u64, b: u64) -> u64 {
    ((a as u128 * b as u128) % PRIME as u128) as u64
}

/// A signed count as a number of the field.
pub(super) const fn of_count(count: i64) -> u64 {
    let magnitude = reduced(count.unsigned_abs());
    if count < 0 { difference(0, magnitude) } else { magnitude }
}

/// `a / b`; `b` is not zero.
pub(super) const fn quotient(a: u64, b: u64) -> u64 {
    // By Fermat: b to the power of PRIME - 2 is its inverse.
    let (mut inverse, mut power, mut exponent) = (1, b, PRIME - 2);
    while exponent > 0 {
        if exponent & 1 == 1 {
            inverse = product(inverse, power);
        }
        power = product(power, power);
        exponent >>= 1;
    }
    product(a, inverse)
}
