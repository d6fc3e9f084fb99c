//! A QR code (ISO/IEC 18004) as text: level L, a quiet zone of four modules, black on white said with colours, so that
//! it is read on a dark screen and on a light one. Without colours white is drawn, which fits a dark screen.
#![forbid(unsafe_code)]

use qrcode::{Color, EcLevel, QrCode};
use zeroize::Zeroizing;

const QUIET: usize = 4;

/// How a terminal can be drawn on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Screen {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    pub(crate) colours: bool,
    /// Half blocks: two modules a character. Else each module is two characters wide.
    pub(crate) utf8: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoCode {
    TooSmall { columns: usize, rows: usize },
    TooLong,
}

pub(crate) fn drawn(address: &str, screen: Screen) -> Result<Zeroizing<String>, NoCode> {
    let code = QrCode::with_error_correction_level(address.as_bytes(), EcLevel::L).map_err(|_| NoCode::TooLong)?;
    let modules = Modules { width: code.width(), colors: code.to_colors() };
    let side = modules.width.saturating_add(QUIET.saturating_mul(2));
    let (columns, rows) = if screen.utf8 { (side, side.div_ceil(2)) } else { (side.saturating_mul(2), side) };
    if columns > screen.columns || rows > screen.rows {
        return Err(NoCode::TooSmall { columns, rows });
    }
    // Enough for all, so that no copy is left behind by a growing buffer.
    let mut out = Zeroizing::new(String::with_capacity(side.saturating_mul(side).saturating_mul(16)));
    for row in (0..side).step_by(if screen.utf8 { 2 } else { 1 }) {
        if screen.utf8 {
            modules.half_blocks(&mut out, row, side, screen.colours)
        } else {
            modules.wide(&mut out, row, side, screen.colours)
        }
        out.push_str(if screen.colours { "\x1b[0m\n" } else { "\n" });
    }
    Ok(out)
}

struct Modules {
    width: usize,
    colors: Vec<Color>,
}

impl Modules {
    /// The quiet zone is white, and so is what lies around it.
    fn is_white(&self, x: usize, y: usize) -> bool {
        let inside = |place: usize| place.checked_sub(QUIET).filter(|place| *place < self.width);
        let (Some(x), Some(y)) = (inside(x), inside(y)) else { return true };
        let place = y.checked_mul(self.width).and_then(|start| start.checked_add(x));
        place.and_then(|place| self.colors.get(place)).is_none_or(|color| *color == Color::Light)
    }

    /// White is the ink, black the paper.
    fn half_blocks(&self, out: &mut String, row: usize, side: usize, colours: bool) {
        if colours {
            out.push_str("\x1b[40;97m");
        }
        for x in 0..side {
            out.push(match (self.is_white(x, row), self.is_white(x, row.saturating_add(1))) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
    }

    fn wide(&self, out: &mut String, row: usize, side: usize, colours: bool) {
        for x in 0..side {
            out.push_str(match (self.is_white(x, row), colours) {
                (true, true) => "\x1b[107m  ",
                (false, true) => "\x1b[40m  ",
                (true, false) => "##",
                (false, false) => "  ",
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "otpauth://totp/web1:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=web1";
    const SCREEN: Screen = Screen { columns: 80, rows: 24, colours: false, utf8: true };

    #[test]
    fn an_ordinary_address_fits_80_columns_and_24_rows() {
        let text = drawn(ADDRESS, SCREEN).unwrap();
        assert_eq!(text.lines().count(), 21);
        assert!(text.lines().all(|line| line.chars().count() == 41));
        assert!(text.lines().take(2).all(|line| line.chars().all(|letter| letter == '█')));
    }

    #[test]
    fn what_is_too_small_says_what_is_needed() {
        let needs = |screen| drawn(ADDRESS, screen).unwrap_err();
        assert_eq!(needs(Screen { columns: 38, ..SCREEN }), NoCode::TooSmall { columns: 41, rows: 21 });
        assert_eq!(needs(Screen { rows: 20, ..SCREEN }), NoCode::TooSmall { columns: 41, rows: 21 });
        assert_eq!(needs(Screen { utf8: false, ..SCREEN }), NoCode::TooSmall { columns: 82, rows: 41 });
        assert_eq!(drawn(&"x".repeat(3000), SCREEN).unwrap_err(), NoCode::TooLong);
    }

    #[test]
    fn ascii_is_twice_as_wide() {
        let text = drawn(ADDRESS, Screen { columns: 82, rows: 41, utf8: false, ..SCREEN }).unwrap();
        assert!(text.is_ascii() && text.lines().all(|line| line.len() == 82));
    }
}
