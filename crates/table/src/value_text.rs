//! Values as people read and write them.
//!
//! [`Display`](std::fmt::Display) and [`Value::parse`] are inverse for every value but NaNs with a payload:
//! integers in decimal, floats as the shortest digits that read back, timestamps in RFC 3339 with as many
//! fraction digits as needed, uuids hyphenated, bytes as `0x` and hex digits.

use std::fmt;

use crate::{ColumnType, Value, ValueRef};

const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// Days from 0000-03-01 to 1970-01-01 in the Gregorian calendar.
const EPOCH_DAYS: i64 = 719_468;
const DAYS_PER_ERA: i64 = 146_097;

impl fmt::Display for ValueRef<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueRef::Null => formatter.pad("null"),
            ValueRef::Bool(value) => value.fmt(formatter),
            ValueRef::I8(value) => value.fmt(formatter),
            ValueRef::I16(value) => value.fmt(formatter),
            ValueRef::I32(value) => value.fmt(formatter),
            ValueRef::I64(value) => value.fmt(formatter),
            ValueRef::I128(value) => value.fmt(formatter),
            ValueRef::U8(value) => value.fmt(formatter),
            ValueRef::U16(value) => value.fmt(formatter),
            ValueRef::U32(value) => value.fmt(formatter),
            ValueRef::U64(value) => value.fmt(formatter),
            ValueRef::U128(value) => value.fmt(formatter),
            ValueRef::F32(value) => value.fmt(formatter),
            ValueRef::F64(value) => value.fmt(formatter),
            ValueRef::String(value) => formatter.pad(value),
            ValueRef::Bytes(value) => {
                formatter.write_str("0x")?;
                value
                    .iter()
                    .try_for_each(|byte| write!(formatter, "{byte:02x}"))
            }
            ValueRef::Uuid(value) => write_uuid(*value, formatter),
            ValueRef::Timestamp(value) => write_timestamp(*value, formatter),
        }
    }
}

impl Value {
    /// Reads a value of a type as [`Display`](std::fmt::Display) writes it; `None` if the text is not one.
    ///
    /// A timestamp may have a space instead of the `T`. Null has no text: the caller decides what stands for it.
    pub fn parse(column_type: ColumnType, text: &str) -> Option<Value> {
        Some(match column_type {
            ColumnType::Bool => Value::Bool(text.parse().ok()?),
            ColumnType::I8 => Value::I8(text.parse().ok()?),
            ColumnType::I16 => Value::I16(text.parse().ok()?),
            ColumnType::I32 => Value::I32(text.parse().ok()?),
            ColumnType::I64 => Value::I64(text.parse().ok()?),
            ColumnType::I128 => Value::I128(text.parse().ok()?),
            ColumnType::U8 => Value::U8(text.parse().ok()?),
            ColumnType::U16 => Value::U16(text.parse().ok()?),
            ColumnType::U32 => Value::U32(text.parse().ok()?),
            ColumnType::U64 => Value::U64(text.parse().ok()?),
            ColumnType::U128 => Value::U128(text.parse().ok()?),
            ColumnType::F32 => Value::F32(text.parse().ok()?),
            ColumnType::F64 => Value::F64(text.parse().ok()?),
            ColumnType::String => Value::String(text.to_owned()),
            ColumnType::Bytes => Value::Bytes(parse_hex(text.strip_prefix("0x")?)?),
            ColumnType::Uuid => Value::Uuid(parse_uuid(text)?),
            ColumnType::Timestamp => Value::Timestamp(parse_timestamp(text)?),
        })
    }
}

fn write_uuid(bytes: [u8; 16], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            formatter.write_str("-")?;
        }
        write!(formatter, "{byte:02x}")?;
    }
    Ok(())
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    if lengths != [8, 4, 4, 4, 12] {
        return None;
    }
    parse_hex(&parts.concat())?.try_into().ok()
}

fn parse_hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            if let [high, low] = pair {
                Some(digit(high)? << 4 | digit(low)?)
            } else {
                None
            }
        })
        .collect()
}

fn write_timestamp(nanoseconds: i64, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    let seconds = nanoseconds.div_euclid(NANOSECONDS_PER_SECOND);
    let mut fraction = nanoseconds.rem_euclid(NANOSECONDS_PER_SECOND);
    let (year, month, day) = civil_of_days(seconds.div_euclid(SECONDS_PER_DAY));
    let second_of_day = seconds.rem_euclid(SECONDS_PER_DAY);
    let (hour, minute, second) = (
        second_of_day / 3600,
        second_of_day / 60 % 60,
        second_of_day % 60,
    );
    write!(
        formatter,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    )?;
    if fraction != 0 {
        let mut digits = 9;
        while fraction % 10 == 0 {
            fraction /= 10;
            digits -= 1;
        }
        write!(formatter, ".{fraction:0digits$}")?;
    }
    formatter.write_str("Z")
}

fn parse_timestamp(text: &str) -> Option<i64> {
    let body = text.strip_suffix('Z')?;
    let (whole, fraction) = match body.split_once('.') {
        Some((whole, fraction)) => (whole, parse_fraction(fraction)?),
        None => (body, 0),
    };
    let bytes = whole.as_bytes();
    let separators: [(usize, &[u8]); 5] =
        [(4, b"-"), (7, b"-"), (10, b"T "), (13, b":"), (16, b":")];
    if bytes.len() != 19
        || !separators
            .iter()
            .all(|(index, allowed)| allowed.contains(&bytes[*index]))
    {
        return None;
    }
    let number = |start: usize, end: usize| -> Option<i64> {
        let digits = &bytes[start..end];
        digits.iter().all(u8::is_ascii_digit).then(|| {
            digits
                .iter()
                .fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
        })
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let days = days_of_civil(year, month, day);
    if civil_of_days(days) != (year, month, day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    // Before the epoch the whole seconds alone may lie below the range although the sum is inside it.
    let nanoseconds =
        i128::from(seconds) * i128::from(NANOSECONDS_PER_SECOND) + i128::from(fraction);
    i64::try_from(nanoseconds).ok()
}

/// The nanoseconds of 1 to 9 fraction digits.
fn parse_fraction(digits: &str) -> Option<i64> {
    if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|digit| digit.is_ascii_digit())
    {
        return None;
    }
    let scale = (digits.len()..9).fold(1, |scale, _| scale * 10);
    digits.parse::<i64>().ok().map(|fraction| fraction * scale)
}

/// Year, month and day of a day number, days counted from 1970-01-01.
///
/// Years are counted from March, so that the leap day ends a year and a month's first day is a linear
/// formula of the month.
fn civil_of_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + EPOCH_DAYS;
    let era = shifted.div_euclid(DAYS_PER_ERA);
    let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil_of_days`]; a day that does not exist gives the day number of another one.
fn days_of_civil(year: i64, month: i64, day: i64) -> i64 {
    let march_year = year - i64::from(month <= 2);
    let (era, year_of_era) = (march_year.div_euclid(400), march_year.rem_euclid(400));
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - EPOCH_DAYS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_print_for_people_and_read_back() {
        let uuid = [
            0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 1, 2, 3, 4, 5, 6, 7, 8,
        ];
        let rows = [
            (Value::Bool(true), "true"),
            (
                Value::I128(i128::MIN),
                "-170141183460469231731687303715884105728",
            ),
            (Value::F64(0.1), "0.1"),
            (Value::F64(-0.0), "-0"),
            (Value::F32(f32::INFINITY), "inf"),
            (Value::String("a b".into()), "a b"),
            (Value::Bytes(vec![0, 0xab]), "0x00ab"),
            (Value::Uuid(uuid), "12345678-9abc-def0-0102-030405060708"),
            (Value::Timestamp(0), "1970-01-01T00:00:00Z"),
            (Value::Timestamp(-1), "1969-12-31T23:59:59.999999999Z"),
            (
                Value::Timestamp(951_782_400_500_000_000),
                "2000-02-29T00:00:00.5Z",
            ),
            (
                Value::Timestamp(1_357_016_400_000_000_000),
                "2013-01-01T05:00:00Z",
            ),
            (Value::Timestamp(i64::MIN), "1677-09-21T00:12:43.145224192Z"),
            (Value::Timestamp(i64::MAX), "2262-04-11T23:47:16.854775807Z"),
        ];
        for (value, text) in rows {
            assert_eq!(value.to_string(), text);
            let column_type = value.column_type().unwrap();
            assert_eq!(Value::parse(column_type, text), Some(value));
        }
        assert_eq!(Value::Null.to_string(), "null");
    }

    #[test]
    fn text_that_is_no_value_is_refused() {
        let rows = [
            (ColumnType::Timestamp, "2013-02-29T00:00:00Z"),
            (ColumnType::Timestamp, "2013-00-10T00:00:00Z"),
            (ColumnType::Timestamp, "2013-13-10T00:00:00Z"),
            (ColumnType::Timestamp, "2013-01-01T24:00:00Z"),
            (ColumnType::Timestamp, "2013-01-01T00:00:00"),
            (ColumnType::Timestamp, "2013-01-01T00:00:00.Z"),
            (ColumnType::Timestamp, "2262-04-11T23:47:16.854775808Z"),
            (ColumnType::Timestamp, "é013-01-01T00:00:0Z"),
            (ColumnType::Uuid, "123456789abcdef00102030405060708"),
            (ColumnType::Bytes, "0x0"),
            (ColumnType::Bytes, "0xéé"),
            (ColumnType::U8, "256"),
            (ColumnType::Bool, "TRUE"),
        ];
        for (column_type, text) in rows {
            assert_eq!(Value::parse(column_type, text), None, "{text}");
        }
    }
}
