//! Clocks of exporters, made into Unix nanoseconds (semantics.md section 3).

const NS_PER_S: u64 = 1_000_000_000;
const NS_PER_MS: u64 = 1_000_000;
const NS_PER_US: u64 = 1_000;
/// Seconds from 1900, where NTP counts from, to 1970.
const NTP_TO_UNIX_S: u64 = 2_208_988_800;
/// NTP seconds wrap in 2036; smaller numbers than 1970's belong to the era after (RFC 5905 section
/// 6).
const NTP_ERA_S: u64 = 1 << 32;
const YEAR_2000_NS: u64 = 946_684_800 * NS_PER_S;
const DAY_NS: u64 = 86_400 * NS_PER_S;

/// An uptime in milliseconds, as an instant: "header clock minus the signed 32-bit difference
/// (uptime - first). A wrap is then right, and so is a time slightly after the header."
#[inline(always)]
pub(crate) fn uptime(clock_ns: u64, uptime_ms: u32, at_ms: u32) -> u64 {
    let before_ms = i64::from(uptime_ms.wrapping_sub(at_ms).cast_signed());
    clock_ns.wrapping_sub((before_ms * NS_PER_MS as i64).cast_unsigned())
}

/// Unix seconds.
#[inline(always)]
pub(crate) fn seconds(value: u64) -> u64 {
    value.saturating_mul(NS_PER_S)
}

/// Unix milliseconds.
#[inline(always)]
pub(crate) fn milliseconds(value: u64) -> u64 {
    value.saturating_mul(NS_PER_MS)
}

/// Microseconds before `export_ns`.
#[inline(always)]
pub(crate) fn before(export_ns: u64, microseconds: u64) -> u64 {
    export_ns.saturating_sub(microseconds.saturating_mul(NS_PER_US))
}

/// An NTP timestamp, and whether it had to be read as plain Unix time: "NTP values that decode to
/// before 2000 or more than a day after the receive time, while the same bits read as Unix µs/ns
/// lie within a day of it, are taken as Unix."
///
/// All 32 bits of the fraction count for microseconds too: masking the low eleven (RFC 7011 6.1.9)
/// would turn an exact microsecond into the one before it.
#[inline]
pub(crate) fn ntp(value: u64, unix_ns: u64, received_ns: u64) -> (u64, bool) {
    // "A value of 0 is a special case representing unknown or unsynchronized time" (RFC 5905
    // section 6), not 2036.
    if value == 0 {
        return (0, false);
    }
    let (seconds, fraction) = (value >> 32, value & 0xffff_ffff);
    let is_old = seconds < NTP_TO_UNIX_S;
    let unix_s = seconds.wrapping_sub(NTP_TO_UNIX_S) % NTP_ERA_S;
    let as_ntp = unix_s * NS_PER_S + ((fraction * NS_PER_S) >> 32);
    let implausible =
        is_old || as_ntp < YEAR_2000_NS || as_ntp > received_ns.saturating_add(DAY_NS);
    if implausible && unix_ns.abs_diff(received_ns) <= DAY_NS {
        return (unix_ns, true);
    }
    (as_ntp, false)
}

/// [`ntp`] for elements in microseconds.
#[inline]
pub(crate) fn ntp_microseconds(value: u64, received_ns: u64) -> (u64, bool) {
    ntp(value, value.saturating_mul(NS_PER_US), received_ns)
}

/// [`ntp`] for elements in nanoseconds.
#[inline]
pub(crate) fn ntp_nanoseconds(value: u64, received_ns: u64) -> (u64, bool) {
    ntp(value, value, received_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: u64 = 1_700_000_000 * NS_PER_S;

    #[test]
    fn an_uptime_counts_back_from_the_header() {
        assert_eq!(uptime(CLOCK, 3_600_000, 3_595_000), CLOCK - 5 * NS_PER_S);
    }

    #[test]
    fn an_uptime_that_wrapped_lies_just_before_the_header() {
        assert_eq!(uptime(CLOCK, 256, 0xffff_ff00), 1_699_999_999_488_000_000);
    }

    #[test]
    fn an_uptime_after_the_header_lies_after_it() {
        assert_eq!(uptime(CLOCK, 3_600_000, 3_600_100), CLOCK + 100 * NS_PER_MS);
    }

    #[test]
    fn ntp_fractions_are_exact() {
        // Published example of an exporter's value and its instant.
        let received = 1_748_668_400 * NS_PER_S;
        let expected = (1_748_668_344_769_725_799, false);
        assert_eq!(ntp_nanoseconds(0xebe5_0e38_c50c_c000, received), expected);
        assert_eq!(ntp_microseconds(0xebe5_0e38_c50c_c000, received), expected);
    }

    #[test]
    fn unix_time_in_an_ntp_element_is_seen_by_the_receive_time() {
        let unix_ns = CLOCK + 123_456_789;
        assert_eq!(ntp_nanoseconds(unix_ns, CLOCK), (unix_ns, true));
        assert_eq!(ntp_microseconds(unix_ns / 1000, CLOCK), (unix_ns / 1000 * 1000, true));
        // Two days off: no reason to believe it, so the RFC stands.
        assert!(!ntp_nanoseconds(unix_ns, CLOCK + 2 * DAY_NS).1);
    }

    #[test]
    fn ntp_seconds_after_2036_belong_to_the_next_era() {
        let received = 2_100_000_000 * NS_PER_S;
        let value = ((2_100_000_000 + NTP_TO_UNIX_S) % NTP_ERA_S) << 32;
        assert_eq!(ntp_nanoseconds(value, received), (received, false));
    }

    #[test]
    fn extreme_values_stay_in_range() {
        assert_eq!(seconds(u64::MAX), u64::MAX);
        assert_eq!(milliseconds(u64::MAX), u64::MAX);
        assert_eq!(before(5, u64::MAX), 0);
        for value in [0, 1, u64::MAX, 1 << 63] {
            let _ = ntp_nanoseconds(value, u64::MAX);
            let _ = ntp_microseconds(value, 0);
        }
    }
}
