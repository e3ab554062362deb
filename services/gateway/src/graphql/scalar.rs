//! The scalars of the schema as text: `Date`, `DateTime`, `Decimal`.

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, Timelike};
use rust_decimal::Decimal;

/// Days from 0001-01-01 to 1970-01-01, where the first day counts as 1.
const EPOCH_FROM_CE: i32 = 719_163;

/// Writes a day as `YYYY-MM-DD`. A day that has no such form (before the year 0 or after 9999) is written as null.
pub(crate) fn write_date(days: i32, out: &mut Vec<u8>) {
    let date = days.checked_add(EPOCH_FROM_CE).and_then(NaiveDate::from_num_days_from_ce_opt);
    match date.filter(|date| (0..=9999).contains(&date.year())) {
        None => out.extend_from_slice(b"null"),
        Some(date) => {
            out.push(b'"');
            write_ymd(date, out);
            out.push(b'"');
        }
    }
}

/// Writes a moment as RFC 3339 in UTC, with as many digits of the second as it has.
pub(crate) fn write_date_time(micros: i64, out: &mut Vec<u8>) {
    let Some(moment) = DateTime::from_timestamp_micros(micros).filter(|moment| (0..=9999).contains(&moment.year()))
    else {
        out.extend_from_slice(b"null");
        return;
    };
    out.push(b'"');
    write_ymd(moment.date_naive(), out);
    out.push(b'T');
    digits(moment.hour(), 2, out);
    out.push(b':');
    digits(moment.minute(), 2, out);
    out.push(b':');
    digits(moment.second(), 2, out);
    let fraction = moment.timestamp_subsec_micros();
    if fraction != 0 {
        out.push(b'.');
        digits(fraction, 6, out);
    }
    out.extend_from_slice(b"Z\"");
}

fn write_ymd(date: NaiveDate, out: &mut Vec<u8>) {
    digits(u32::try_from(date.year()).unwrap_or_default(), 4, out);
    out.push(b'-');
    digits(date.month(), 2, out);
    out.push(b'-');
    digits(date.day(), 2, out);
}

fn digits(mut number: u32, width: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + width, b'0');
    for place in (start..start + width).rev() {
        // A remainder by ten is one digit.
        out[place] = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

/// Reads a day.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    if text.len() != 10 {
        return None;
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|date| date.num_days_from_ce() - EPOCH_FROM_CE)
}

/// Reads a moment with any offset.
pub(crate) fn parse_date_time(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.timestamp_micros())
}

/// Reads a decimal number, without exponent.
pub(crate) fn parse_decimal(text: &str) -> Option<Decimal> {
    (text.len() <= 32).then(|| text.parse().ok()).flatten()
}

/// A moment as text, for places that are not a response.
pub(crate) fn date_time_text(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .map(|moment| moment.to_rfc3339_opts(SecondsFormat::AutoSi, true))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn days_are_written_as_they_are_read() {
        for (text, days) in [
            ("1970-01-01", 0),
            ("1969-12-31", -1),
            ("2000-02-29", 11_016),
            ("2026-11-23", 20_780),
            ("9999-12-31", 2_932_896),
        ] {
            assert_eq!(parse_date(text), Some(days), "{text}");
            assert_eq!(written(|out| write_date(days, out)), format!("\"{text}\""));
        }
        for text in ["2026-02-29", "2026-1-1", "26-01-01", "2026-01-01T00:00:00Z", "", "10000-01-01"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
        assert_eq!(written(|out| write_date(i32::MAX, out)), "null");
        assert_eq!(written(|out| write_date(i32::MIN, out)), "null");
    }

    #[test]
    fn moments_are_written_in_utc() {
        let micros = parse_date_time("2026-11-23T16:00:00.25+01:00").expect("a moment");
        assert_eq!(written(|out| write_date_time(micros, out)), "\"2026-11-23T15:00:00.250000Z\"");
        assert_eq!(written(|out| write_date_time(0, out)), "\"1970-01-01T00:00:00Z\"");
        assert_eq!(parse_date_time("2026-11-23"), None);
        assert_eq!(written(|out| write_date_time(i64::MAX, out)), "null");
    }
}
