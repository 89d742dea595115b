//! How the time is divided: each part gets its share of what is left, so that what one does not use goes to those after
//! it, and none takes another's.

use std::time::Duration;

/// What a part is given before it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// When it is to stop by itself.
    pub(crate) stop: Duration,
    /// When it is killed.
    pub(crate) kill: Duration,
}

/// Less is not worth starting for.
const LEAST: Duration = Duration::from_secs(2);
/// From when a part should stop until it must have stopped.
const GRACE: Duration = Duration::from_secs(4);

/// The limits of the first of `shares`, those of the parts that are to come, with `left` for all of them; none if that is
/// too little.
pub(crate) fn limits(left: Duration, shares: &[u32]) -> Option<Limits> {
    let (&first, all) = (shares.first()?, shares.iter().sum::<u32>());
    let kill = left.mul_f64(f64::from(first) / f64::from(all.max(1)));
    (kill >= LEAST).then(|| Limits { stop: kill - GRACE.min(kill / 4), kill })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: f64) -> Duration {
        Duration::from_secs_f64(n)
    }

    #[test]
    fn time_is_shared_and_never_exceeded() {
        let shares = [10, 90, 100];
        let first = limits(seconds(400.0), &shares).map(|limits| limits.kill);
        assert_eq!(first, Some(seconds(20.0)));
        // every part takes all it may
        let mut left = seconds(400.0);
        for at in 0..shares.len() {
            let Some(limits) = limits(left, &shares[at..]) else { panic!("there is time") };
            assert!(limits.stop < limits.kill);
            left -= limits.kill;
        }
        assert!(left < seconds(0.01), "{left:?}");
    }

    #[test]
    fn what_is_not_used_goes_on() {
        assert_eq!(limits(seconds(60.0), &[30]).map(|limits| limits.kill), Some(seconds(60.0)));
        assert_eq!(limits(seconds(1.0), &[30]), None);
        assert_eq!(limits(seconds(9.0), &[]), None);
    }
}
