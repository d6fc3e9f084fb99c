//! A QR code (ISO/IEC 18004) of an address: level L, a quiet zone of four modules. `text` is how it stands on a
//! terminal, `picture` how it stands in a file.
#![forbid(unsafe_code)]

pub(crate) mod picture;
#[cfg(test)]
mod tests;
pub(crate) mod text;

use countersign::sys;
use qrcode::{Color, EcLevel, QrCode};
use zeroize::Zeroizing;

/// Modules of white on each side of the code (ISO/IEC 18004).
const QUIET: usize = 4;

pub(crate) struct Code {
    width: usize,
    dark: Zeroizing<Vec<bool>>,
}

/// More than any QR code holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooLong;

impl Code {
    /// The library's buffers hold the secret on its way: hidden work gives memory back wiped.
    pub(crate) fn of(address: &str) -> Result<Self, TooLong> {
        sys::hidden(|| Self::drawn(address))
    }

    fn drawn(address: &str) -> Result<Self, TooLong> {
        let code = QrCode::with_error_correction_level(address.as_bytes(), EcLevel::L).map_err(|_| TooLong)?;
        let width = code.width();
        let mut colors = code.into_colors();
        let dark = Zeroizing::new(colors.iter().map(|color| *color == Color::Dark).collect());
        // The library's own type can't be wiped by name; unseen by the optimizer it is not left out.
        colors.fill(Color::Light);
        std::hint::black_box(&colors);
        Ok(Self { width, dark })
    }

    /// Modules a side, the quiet zone among them.
    fn side(&self) -> usize {
        self.width.saturating_add(QUIET.saturating_mul(2))
    }

    /// The quiet zone is white, and so is what lies around it.
    fn is_white(&self, x: usize, y: usize) -> bool {
        let inside = |place: usize| place.checked_sub(QUIET).filter(|place| *place < self.width);
        let (Some(x), Some(y)) = (inside(x), inside(y)) else { return true };
        let place = y.checked_mul(self.width).and_then(|start| start.checked_add(x));
        place.and_then(|place| self.dark.get(place)).is_none_or(|dark| !dark)
    }
}
