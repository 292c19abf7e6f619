//! Rules of the Bitcoin protocol, with the semantics of Bitcoin Core: the
//! subsidy (`GetBlockSubsidy`), compact targets (`arith_uint256::SetCompact`,
//! `GetCompact`) and the retarget (`CalculateNextWorkRequired`).

use num_bigint::{BigInt, BigUint};
use num_traits::{One, Zero};

use crate::exact::Exact;

/// Blocks between halvings.
pub const HALVING_BLOCKS: u64 = 210_000;
/// Subsidy of the first blocks, satoshi.
pub const FIRST_SUBSIDY: u64 = 50 * 100_000_000;
/// Blocks between retargets.
pub const EPOCH_BLOCKS: u64 = 2016;
/// Seconds an epoch is meant to last.
pub const EPOCH_SECONDS: i64 = 14 * 24 * 3600;
/// Target of difficulty 1 in compact form; also the easiest there is.
pub const LIMIT_BITS: u32 = 0x1d00_ffff;

/// Subsidy of the block at `height`, satoshi.
pub const fn subsidy(height: u64) -> u64 {
    let halvings = height / HALVING_BLOCKS;
    // A shift by the width of the type is undefined in C++; Core returns zero.
    if halvings >= 64 { 0 } else { FIRST_SUBSIDY >> halvings }
}

/// Sum of the subsidies of `count` blocks from `height` on, satoshi.
pub fn subsidies(height: u64, count: u64) -> u128 {
    let (mut at, end, mut sum) = (height, height.saturating_add(count), 0_u128);
    while at < end {
        let next = (at / HALVING_BLOCKS + 1).saturating_mul(HALVING_BLOCKS).min(end);
        sum += u128::from(subsidy(at)) * u128::from(next - at);
        at = next;
    }
    sum
}

/// Why a compact target is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// Its sign bit is set.
    #[error("the target is negative")]
    Negative,
    /// It does not fit 256 bits.
    #[error("the target does not fit 256 bits")]
    Overflow,
    /// It is zero.
    #[error("the target is zero")]
    Zero,
}

/// The target that `bits` stands for.
pub fn target(bits: u32) -> Result<BigUint, BadTarget> {
    let (size, word) = (bits >> 24, bits & 0x007f_ffff);
    let target =
        if size <= 3 { BigUint::from(word >> (8 * (3 - size))) } else { BigUint::from(word) << (8 * (size - 3)) };
    let shown = if size <= 3 { word >> (8 * (3 - size)) } else { word };
    if shown != 0 && bits & 0x0080_0000 != 0 {
        return Err(BadTarget::Negative);
    }
    if word != 0 && (size > 34 || (word > 0xff && size > 33) || (word > 0xffff && size > 32)) {
        return Err(BadTarget::Overflow);
    }
    if target.is_zero() { Err(BadTarget::Zero) } else { Ok(target) }
}

/// The compact form of `target`; what does not fit its 23 bits is cut off.
pub fn compact(target: &BigUint) -> u32 {
    let mut size = u32::try_from(target.bits().div_ceil(8)).unwrap_or(u32::MAX);
    let word = if size <= 3 { target << (8 * (3 - size)) } else { target >> (8 * (size - 3)) };
    let mut word = word.iter_u32_digits().next().unwrap_or_default();
    // The highest of the 24 bits is the sign.
    if word & 0x0080_0000 != 0 {
        word >>= 8;
        size += 1;
    }
    word | (size << 24)
}

/// Difficulty of a target: the easiest target over it, exact.
pub fn difficulty(bits: u32) -> Result<Exact, BadTarget> {
    let (easiest, target) = (target(LIMIT_BITS)?, target(bits)?);
    let of = |value: BigUint| Exact::scaled(BigInt::from(value), 0);
    of(easiest).over(&of(target)).ok_or(BadTarget::Zero)
}

/// Compact target of the next epoch, from the last one's and the times of its
/// first and last block. The span covers 2015 intervals, not 2016: the
/// equilibrium is 600.298 s a block.
pub fn retarget(bits: u32, first: i64, last: i64) -> Result<u32, BadTarget> {
    let span = last.saturating_sub(first).clamp(EPOCH_SECONDS / 4, EPOCH_SECONDS * 4);
    let span = BigUint::from(u64::try_from(span).unwrap_or_default());
    let meant = BigUint::from(u64::try_from(EPOCH_SECONDS).unwrap_or_default());
    // Core multiplies within 256 bits; a target at the limit leaves room.
    let wide: BigUint = (target(bits)? * span) % (BigUint::one() << 256);
    let next = (wide / meant).min(target(LIMIT_BITS)?);
    Ok(compact(&next))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn subsidies_halve_by_height_and_end() {
        for (height, wanted) in [
            (0, 5_000_000_000),
            (209_999, 5_000_000_000),
            (210_000, 2_500_000_000),
            (840_000, 312_500_000),
            (1_050_000, 156_250_000),
            (33 * 210_000 - 1, 1),
            (33 * 210_000, 0),
            (64 * 210_000, 0),
            (u64::MAX, 0),
        ] {
            assert_eq!(subsidy(height), wanted, "{height}");
        }
        assert_eq!(subsidies(0, 64 * 210_000), 2_099_999_997_690_000);
    }

    #[test]
    fn compact_targets_are_core_s() {
        // Vectors of Core's arith_uint256 tests.
        for (bits, value) in [
            (0x0112_3456, 0x12_u64),
            (0x0201_2345, 0x0123),
            (0x0312_3456, 0x0012_3456),
            (0x0412_3456, 0x1234_5600),
            (0x0500_9234, 0x9234_0000),
        ] {
            assert_eq!(target(bits).unwrap(), BigUint::from(value), "{bits:x}");
        }
        for bits in [0_u32, 0x0000_3456, 0x0100_0000, 0x0100_3456, 0x0200_0056, 0x0300_0000, 0x0400_0000, 0x0180_3456] {
            assert_eq!(target(bits), Err(BadTarget::Zero), "{bits:x}");
        }
        assert_eq!(target(0x01fe_dcba), Err(BadTarget::Negative));
        assert_eq!(target(0x0492_3456), Err(BadTarget::Negative));
        assert_eq!(target(0xff12_3456), Err(BadTarget::Overflow));
        assert_eq!(target(0x2012_3456).unwrap(), BigUint::from(0x0012_3456_u32) << (29 * 8));
        assert_eq!(compact(&BigUint::from(0x80_u32)), 0x0200_8000);
        assert_eq!(compact(&BigUint::zero()), 0);
    }

    #[test]
    fn retargets_are_core_s() {
        // Core's pow_tests: no change of limits, the limit, lower and upper bound.
        for (bits, first, last, wanted) in [
            (0x1d00_ffff, 1_261_130_161, 1_262_152_739, 0x1d00_d86a),
            (0x1d00_ffff, 1_231_006_505, 1_233_061_996, 0x1d00_ffff),
            (0x1c05_a3f4, 1_279_008_237, 1_279_297_671, 0x1c01_68fd),
            (0x1c38_7f6f, 1_263_163_443, 1_269_211_443, 0x1d00_e1fd),
        ] {
            assert_eq!(retarget(bits, first, last), Ok(wanted), "{bits:x}");
        }
        assert_eq!(retarget(0, 0, 1), Err(BadTarget::Zero));
    }

    #[test]
    fn difficulty_is_the_easiest_target_over_the_target() {
        assert_eq!(difficulty(LIMIT_BITS), Ok(Exact::one()));
        assert_eq!(difficulty(0x1b04_04cb).unwrap().text(6), "16307.420939");
        assert_eq!(difficulty(0), Err(BadTarget::Zero));
    }

    proptest! {
        #[test]
        fn a_target_reads_back_from_its_compact_form(word in 1_u32..0x0080_0000, size in 3_u32..32) {
            let bits = compact(&(BigUint::from(word) << (8 * (size - 3))));
            prop_assert_eq!(target(bits).unwrap(), BigUint::from(word) << (8 * (size - 3)));
            prop_assert_eq!(compact(&target(bits).unwrap()), bits);
        }

        #[test]
        fn subsidies_add_up(height in 0_u64..14_000_000, a in 0_u64..500_000, b in 0_u64..500_000) {
            prop_assert_eq!(subsidies(height, a + b), subsidies(height, a) + subsidies(height + a, b));
        }
    }
}
