//! `strftime_now`, which some templates use to tell the model today's date.

/// A moment in the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Days since 1970-01-01.
    days: i64,
    /// Seconds since midnight.
    seconds: i64,
}

/// Now: local time in a browser. Elsewhere the time zone is not to be had without a database of
/// zones, so it is UTC.
pub(super) fn now() -> Moment {
    #[cfg(target_arch = "wasm32")]
    let seconds = {
        let date = js_sys::Date::new_0();
        date.get_time() / 1000.0 - date.get_timezone_offset() * 60.0
    };
    #[cfg(not(target_arch = "wasm32"))]
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0.0, |elapsed| elapsed.as_secs_f64());
    Moment::from_unix(seconds as i64)
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

impl Moment {
    pub(super) fn from_unix(seconds: i64) -> Self {
        Self { days: seconds.div_euclid(86_400), seconds: seconds.rem_euclid(86_400) }
    }

    /// Year, month and day, both counted from 1.
    fn date(self) -> (i64, i64, i64) {
        // Years that begin in March put the leap day last, so months have fixed places.
        let days = self.days + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        (era * 400 + year_of_era + i64::from(month <= 2), month, day)
    }

    /// `strftime` for the codes that stand in templates; others are left as they are.
    pub(super) fn format(self, format: &str) -> String {
        let (year, month, day) = self.date();
        let weekday = WEEKDAYS[(self.days + 4).rem_euclid(7) as usize];
        let month_name = MONTHS[(month - 1) as usize];
        let (hour, minute, second) = (self.seconds / 3600, self.seconds / 60 % 60, self.seconds % 60);
        let half_day_hour = (hour + 11) % 12 + 1;
        let mut out = String::new();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            // `%-d` is `%d` without the leading zero.
            let code = chars.next();
            let (code, width) = if code == Some('-') { (chars.next(), 1) } else { (code, 2) };
            let number = |n: i64| format!("{n:0width$}");
            out.push_str(&match code {
                Some('Y') => year.to_string(),
                Some('y') => number(year.rem_euclid(100)),
                Some('m') => number(month),
                Some('d') => number(day),
                Some('e') => format!("{day:2}"),
                Some('B') => month_name.to_owned(),
                Some('b' | 'h') => month_name[..3].to_owned(),
                Some('A') => weekday.to_owned(),
                Some('a') => weekday[..3].to_owned(),
                Some('H') => number(hour),
                Some('I') => number(half_day_hour),
                Some('M') => number(minute),
                Some('S') => number(second),
                Some('p') => (if hour < 12 { "AM" } else { "PM" }).to_owned(),
                Some('j') => format!("{:03}", self.day_of_year()),
                Some('F') => format!("{year}-{month:02}-{day:02}"),
                Some('T') => format!("{hour:02}:{minute:02}:{second:02}"),
                Some('%') => "%".to_owned(),
                Some(other) => format!("%{other}"),
                None => "%".to_owned(),
            });
        }
        out
    }

    /// The day's number in its year, from 1.
    fn day_of_year(self) -> i64 {
        let (year, ..) = self.date();
        (1..=366).find(|back| Self { days: self.days - back, ..self }.date().0 < year).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::Moment;

    #[test]
    fn dates_print_as_strftime_does() {
        let moment = Moment::from_unix(1_709_213_405);
        assert_eq!(moment.format("%A %d %B %Y, %H:%M:%S %p"), "Thursday 29 February 2024, 13:30:05 PM");
        assert_eq!(
            moment.format("%a %b %-d %y %I %j %F %T %% %Q %"),
            "Thu Feb 29 24 01 060 2024-02-29 13:30:05 % %Q %"
        );
        assert_eq!(Moment::from_unix(0).format("%Y-%m-%d %e %H %I"), "1970-01-01  1 00 12");
        assert_eq!(Moment::from_unix(-1).format("%F %T %j"), "1969-12-31 23:59:59 365");
    }
}
