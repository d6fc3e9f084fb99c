//! A QR code on a terminal: half blocks, two modules a character, or ASCII, two characters a module.
//!
//! Black on white is said with colours, so that it is read on a dark screen and on a light one: common decoders don't
//! read an inverted code. Where no colours are wanted, the screen's own are counted on.
#![forbid(unsafe_code)]

use zeroize::Zeroizing;

use super::Code;

/// How a terminal can be drawn on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Screen {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    pub(crate) paper: Paper,
    /// Half blocks. Else each module is two characters wide.
    pub(crate) utf8: bool,
}

/// What the letters stand on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Paper {
    /// Whatever colours are asked for.
    Coloured,
    /// Letters are light: white is drawn.
    Dark,
    /// Letters are dark: black is drawn.
    Light,
}

/// The room that is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooSmall {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

pub(crate) fn drawn(code: &Code, screen: Screen) -> Result<Zeroizing<String>, TooSmall> {
    let side = code.side();
    let (columns, rows) = if screen.utf8 { (side, side.div_ceil(2)) } else { (side.saturating_mul(2), side) };
    if columns > screen.columns || rows > screen.rows {
        return Err(TooSmall { columns, rows });
    }
    // Enough for all, so that no copy is left behind by a growing buffer.
    let mut out = Zeroizing::new(String::with_capacity(side.saturating_mul(side).saturating_mul(16)));
    for row in (0..side).step_by(if screen.utf8 { 2 } else { 1 }) {
        if screen.utf8 {
            half_blocks(code, &mut out, row, screen.paper)
        } else {
            wide(code, &mut out, row, screen.paper)
        }
        out.push_str(if screen.paper == Paper::Coloured { "\x1b[0m\n" } else { "\n" });
    }
    Ok(out)
}

fn half_blocks(code: &Code, out: &mut String, row: usize, paper: Paper) {
    if paper == Paper::Coloured {
        out.push_str("\x1b[40;97m");
    }
    let is_ink = |x, y| code.is_white(x, y) != (paper == Paper::Light);
    for x in 0..code.side() {
        out.push(match (is_ink(x, row), is_ink(x, row.saturating_add(1))) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        });
    }
}

fn wide(code: &Code, out: &mut String, row: usize, paper: Paper) {
    for x in 0..code.side() {
        out.push_str(match (code.is_white(x, row), paper) {
            (true, Paper::Coloured) => "\x1b[107m  ",
            (false, Paper::Coloured) => "\x1b[40m  ",
            (true, Paper::Dark) | (false, Paper::Light) => "##",
            (false, Paper::Dark) | (true, Paper::Light) => "  ",
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "otpauth://totp/web1:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=web1";
    const SCREEN: Screen = Screen { columns: 80, rows: 24, paper: Paper::Dark, utf8: true };

    fn text(screen: Screen) -> Result<Zeroizing<String>, TooSmall> {
        drawn(&Code::of(ADDRESS).unwrap(), screen)
    }

    #[test]
    fn an_ordinary_address_fits_80_columns_and_24_rows() {
        let text = text(SCREEN).unwrap();
        assert_eq!(text.lines().count(), 21);
        assert!(text.lines().all(|line| line.chars().count() == 41));
        assert!(text.lines().take(2).all(|line| line.chars().all(|letter| letter == '█')));
    }

    #[test]
    fn what_is_too_small_says_what_is_needed() {
        let needs = |screen| text(screen).unwrap_err();
        assert_eq!(needs(Screen { columns: 40, ..SCREEN }), TooSmall { columns: 41, rows: 21 });
        assert_eq!(needs(Screen { rows: 20, ..SCREEN }), TooSmall { columns: 41, rows: 21 });
        assert_eq!(needs(Screen { utf8: false, ..SCREEN }), TooSmall { columns: 82, rows: 41 });
        assert!(text(Screen { columns: 41, rows: 21, ..SCREEN }).is_ok());
    }

    #[test]
    fn ascii_is_twice_as_wide() {
        for paper in [Paper::Dark, Paper::Light] {
            let text = text(Screen { columns: 82, rows: 41, utf8: false, paper }).unwrap();
            assert!(text.is_ascii() && text.lines().all(|line| line.len() == 82));
        }
    }

    #[test]
    fn on_a_light_screen_black_is_drawn_in_place_of_white() {
        for utf8 in [true, false] {
            let [dark, light] = [Paper::Dark, Paper::Light]
                .map(|paper| text(Screen { columns: 82, rows: 41, utf8, paper }).unwrap().chars().collect::<Vec<_>>());
            let opposite = |letter: &char| match letter {
                '█' | '#' => ' ',
                '▀' => '▄',
                '▄' => '▀',
                ' ' if utf8 => '█',
                ' ' => '#',
                other => *other,
            };
            assert_eq!(light, dark.iter().map(opposite).collect::<Vec<_>>());
        }
    }

    #[test]
    fn no_buffer_grows_behind_what_is_wiped() {
        for (utf8, paper) in [(true, Paper::Coloured), (false, Paper::Coloured), (true, Paper::Dark), (false, Paper::Light)] {
            let text = text(Screen { columns: 82, rows: 41, utf8, paper }).unwrap();
            assert_eq!(text.capacity(), 41 * 41 * 16);
        }
    }
}
