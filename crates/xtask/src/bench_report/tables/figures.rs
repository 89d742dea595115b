//! Figures as people read them.

/// Three digits or so: all of a large figure, one or two places of a small one.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        large if large >= 99.95 => format!("{value:.0}"),
        middle if middle >= 0.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// With the unit that suits it, of 10^3, 10^6 or 10^9.
pub(super) fn bytes(bytes: u64) -> String {
    let value = bytes as f64;
    match bytes {
        1_000_000_000.. => format!("{} GB", figure(value / 1e9)),
        1_000_000.. => format!("{} MB", figure(value / 1e6)),
        _ => format!("{} kB", figure(value / 1e3)),
    }
}

/// A share of one as percent.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        large if large >= 9.95 => format!("{large:.0}%"),
        small => format!("{small:.1}%"),
    }
}

/// From the least to the most of some values to one place, or the one that they are all shown as.
pub(super) fn range(values: &[f64]) -> String {
    let shown =
        |pick: fn(f64, f64) -> f64| values.iter().copied().reduce(pick).map(|value| format!("{value:.1}"));
    match (shown(f64::min), shown(f64::max)) {
        (Some(least), Some(most)) if least == most => least,
        (Some(least), Some(most)) => format!("{least} to {most}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_about_three_digits() {
        let shown = [1279.457, 99.96, 12.24, 0.996, 0.3004].map(figure);
        assert_eq!(shown, ["1279", "100", "12.2", "1.0", "0.30"]);
        assert_eq!([2_768_076, 4_034_316_096, 900].map(bytes), ["2.8 MB", "4.0 GB", "0.90 kB"]);
        assert_eq!([0.0164, 0.0997, 0.4201].map(percent), ["1.6%", "10%", "42%"]);
    }

    #[test]
    fn range_of_what_is_shown_alike_is_one_figure() {
        assert_eq!(range(&[1.26, 1.11, 1.11]), "1.1 to 1.3");
        assert_eq!(range(&[0.97, 1.03]), "1.0");
        assert_eq!(range(&[]), "");
    }
}
