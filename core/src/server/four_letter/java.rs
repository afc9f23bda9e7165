//! Addresses and dates as Java prints them, since scripts read them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// An address as Java prints one without a resolved name: `/127.0.0.1:34567`, and IPv6 in eight
/// groups without shortening, `/[0:0:0:0:0:0:0:1]:34567`.
pub(super) struct JavaAddress(pub(super) SocketAddr);

impl fmt::Display for JavaAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.0.port();
        match self.0.ip().to_canonical() {
            IpAddr::V4(address) => write!(f, "/{address}:{port}"),
            IpAddr::V6(address) => {
                let groups = address.segments().map(|group| format!("{group:x}"));
                write!(f, "/[{}]:{port}", groups.join(":"))
            }
        }
    }
}

/// A moment, in milliseconds since 1970, as `java.util.Date` prints it in UTC:
/// `Sun Nov 22 17:01:09 UTC 2026`.
pub(super) struct JavaDate(pub(super) i64);

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

impl fmt::Display for JavaDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(1000);
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let name = |names: &[&'static str], index: i64| {
            usize::try_from(index).map_or("", |index| names[index % names.len()])
        };
        write!(
            f,
            "{} {} {day:02} {:02}:{:02}:{:02} UTC {year}",
            name(&DAYS, days.rem_euclid(7)),
            name(&MONTHS, month - 1),
            second / 3600,
            second / 60 % 60,
            second % 60,
        )
    }
}

/// Year, month and day of a number of days since 1970. Years begin in March here, so that the day
/// that comes every fourth year is the last one.
fn civil(days: i64) -> (i64, i64, i64) {
    // Days since the first of March of the year 0; 146097 of them are four hundred years.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let leaps = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_javas() {
        for (ms, want) in [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
            (951_782_399_000, "Mon Feb 28 23:59:59 UTC 2000"),
            (951_782_400_000, "Tue Feb 29 00:00:00 UTC 2000"),
            (1_795_366_869_000, "Sun Nov 22 17:01:09 UTC 2026"),
            (4_107_542_400_000, "Mon Mar 01 00:00:00 UTC 2100"),
        ] {
            assert_eq!(JavaDate(ms).to_string(), want);
        }
    }
}
