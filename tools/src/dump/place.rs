//! `--from` and `--until`: places in a topic as people say them.

use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use neckar_kafka::Position;

/// As given: a time ago has no meaning before the clock is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// By itself.
    At(Position),
    /// So many milliseconds ago.
    AgoMs(i64),
}

const EXPECTED: &str = "`beginning`, `end`, an offset such as 1000, -1000 for records before the end, a time ago such as 15m, or a \
     time in UTC such as 2026-01-31T12:00:00Z was expected";

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let position = match text {
            "beginning" => Position::Beginning,
            "end" => Position::End,
            _ => match text.parse::<i64>() {
                Ok(offset) if text.starts_with('-') => Position::BeforeEnd(offset.saturating_neg()),
                Ok(offset) => Position::Offset(offset),
                Err(_) => return time(text).ok_or_else(|| EXPECTED.to_owned()),
            },
        };
        Ok(Self::At(position))
    }
}

fn time(text: &str) -> Option<Place> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return i64::try_from(ago.as_millis()).ok().map(Place::AgoMs);
    }
    let time = humantime::parse_rfc3339_weak(text).ok()?;
    let ms = time.duration_since(UNIX_EPOCH).ok()?.as_millis();
    i64::try_from(ms).ok().map(|ms| Place::At(Position::TimeMs(ms)))
}

impl Place {
    /// Where that is at `now`.
    pub(super) fn position(self, now: SystemTime) -> Position {
        match self {
            Self::At(position) => position,
            Self::AgoMs(ago) => {
                let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
                Position::TimeMs(i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(ago).max(0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn places_as_people_say_them() {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let at = |text: &str| text.parse::<Place>().ok().map(|place| place.position(now));
        for (text, expected) in [
            ("beginning", Some(Position::Beginning)),
            ("end", Some(Position::End)),
            ("0", Some(Position::Offset(0))),
            ("1000", Some(Position::Offset(1000))),
            ("-1000", Some(Position::BeforeEnd(1000))),
            ("15m", Some(Position::TimeMs(1_699_999_100_000))),
            ("2h 30m", Some(Position::TimeMs(1_699_991_000_000))),
            ("2023-11-14T22:13:20Z", Some(Position::TimeMs(1_700_000_000_000))),
            ("2023-11-14 22:13:20", Some(Position::TimeMs(1_700_000_000_000))),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(at(text), expected, "{text}");
        }
    }
}
