//! Numbers as flags give them, refused in the words of the configuration.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Reads a whole number within bounds, both included. clap's own parsers say of a word only that
/// it has an "invalid digit", and nothing of what is wanted. The type of the bounds must be the
/// argument's own: clap finds out only when the argument is read.
pub(super) fn whole<N>(bounds: RangeInclusive<N>) -> impl Fn(&str) -> Result<N, String> + Clone
where
    N: FromStr + PartialOrd + Display + Clone,
{
    move |text| {
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        let (least, most) = (bounds.start(), bounds.end());
        number.ok_or_else(|| format!("give a whole number, {least} to {most}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_told_the_bounds() {
        let seconds = whole(1..=600_u64);
        assert_eq!((seconds("1"), seconds("600")), (Ok(1), Ok(600)));
        for wrong in ["0", "601", "-1", "1.5", "1s", "", "99999999999999999999"] {
            let told = Err("give a whole number, 1 to 600".to_owned());
            assert_eq!(seconds(wrong), told, "{wrong}");
        }
    }
}
