//! Step 2 of an enrollment: a code from the app shows that the phone has the secret; a wrong one shows, often, by how
//! much the phone's clock is off. Offsets are sought against one secret that the asker holds, never told as a code.
#![forbid(unsafe_code)]

use super::code::{self, Digits, Typed};
use super::totp::{self, Floor, Match, Parameters, Secret};

/// What an answer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    /// The code of the step that starts then, within the window.
    Right { start: i64 },
    /// The code of a step that far from now, in seconds: negative is in the past.
    Off { seconds: i64 },
    /// No code of this secret, as far as was sought.
    Other,
}

const OPEN: Floor = Floor { not_before: 0, last: -1 };
const HOUR: i64 = 3600;
/// The farthest time zones lie 26 hours apart; a clock that was set to another date is not looked for.
const HOURS: i64 = 26;

/// Judges an answer as a login does, with `window` steps to either side of `now`; a wrong one is sought within an hour,
/// and around the whole hours.
pub fn judge(secret: &Secret, parameters: Parameters, answer: &[u8], now: i64, window: u8) -> Shown {
    let Typed::Digits(digits) = code::read(answer) else { return Shown::Other };
    match totp::find(secret, parameters, &digits, now, window, OPEN) {
        Match::Fresh(start) => Shown::Right { start },
        Match::Used | Match::None => offset(secret, parameters, &digits, now).map_or(Shown::Other, |seconds| Shown::Off { seconds }),
    }
}

/// By how much the step of that code is off, the nearest first.
pub fn offset(secret: &Secret, parameters: Parameters, digits: &Digits, now: i64) -> Option<i64> {
    let here = totp::step_start(now, parameters.period)?;
    let step = i64::from(parameters.period);
    let is_shown_at = |seconds: &i64| {
        let shown = here.checked_add(*seconds).and_then(|start| totp::code(secret, parameters, start));
        shown.is_some_and(|shown| shown.same(digits).into())
    };
    let steps = HOUR.checked_div(step).unwrap_or(0);
    let near = (1..=steps).map(|count| count.saturating_mul(step));
    let far = (2..=HOURS).flat_map(|hours| [0, step.saturating_neg(), step].map(|more| hours.saturating_mul(HOUR).saturating_add(more)));
    near.chain(far).flat_map(|seconds| [seconds.saturating_neg(), seconds]).find(is_shown_at)
}

/// How many whole hours an offset is, give or take a step.
pub fn whole_hours(seconds: i64) -> Option<i64> {
    const SLACK: i64 = 60;
    let hours = seconds.saturating_abs().saturating_add(SLACK).checked_div(HOUR)?;
    let rest = seconds.saturating_abs().saturating_sub(hours.saturating_mul(HOUR));
    (hours > 0 && rest.saturating_abs() <= SLACK).then_some(hours)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_511_647;

    fn secret() -> Secret {
        Secret::new(&[7; 20]).unwrap()
    }

    fn shown_at(seconds: i64, parameters: Parameters) -> Vec<u8> {
        let start = totp::step_start(NOW + seconds, parameters.period).unwrap();
        totp::code(&secret(), parameters, start).unwrap().expose().to_vec()
    }

    #[test]
    fn a_code_within_the_window_is_right_and_names_its_step() {
        let parameters = Parameters::default();
        let here = totp::step_start(NOW, 30).unwrap();
        for (seconds, window, expected) in [
            (0, 0, Shown::Right { start: here }),
            (-30, 1, Shown::Right { start: here - 30 }),
            (30, 1, Shown::Right { start: here + 30 }),
            (-30, 0, Shown::Off { seconds: -30 }),
            (30, 0, Shown::Off { seconds: 30 }),
        ] {
            assert_eq!(judge(&secret(), parameters, &shown_at(seconds, parameters), NOW, window), expected);
        }
    }

    #[test]
    fn a_wrong_clock_is_named_by_its_offset() {
        for period in [30, 60] {
            let parameters = Parameters { period, ..Parameters::default() };
            for seconds in [-90, 120, -600, 3600, -3600, 2 * 3600, -9 * 3600, -9 * 3600 + i64::from(period), 26 * 3600] {
                let seconds = seconds - seconds % i64::from(period);
                let expected = if seconds.abs() <= i64::from(period) { continue } else { Shown::Off { seconds } };
                assert_eq!(judge(&secret(), parameters, &shown_at(seconds, parameters), NOW, 1), expected, "{period} {seconds}");
            }
            assert_eq!(judge(&secret(), parameters, &shown_at(5 * 1800, parameters), NOW, 1), Shown::Other);
        }
    }

    #[test]
    fn what_is_no_code_is_other() {
        for answer in ["", "12345", "1M9S-346Q-3D25-VT4F", "abcdef"] {
            assert_eq!(judge(&secret(), Parameters::default(), answer.as_bytes(), NOW, 1), Shown::Other);
        }
        assert_eq!(judge(&secret(), Parameters::default(), b"000000", i64::MIN, 1), Shown::Other);
    }

    #[test]
    fn whole_hours_are_told_from_other_offsets() {
        for (seconds, hours) in
            [(-90, None), (3540, Some(1)), (-3600, Some(1)), (3660, Some(1)), (1800, None), (-7230, Some(2)), (59, None)]
        {
            assert_eq!(whole_hours(seconds), hours, "{seconds}");
        }
    }
}
