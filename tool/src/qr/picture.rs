//! A QR code as a picture: PNG in black and white, or SVG. Nothing stands in either but the modules: no name, no time,
//! no text.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::path::Path;

use png::{BitDepth, ColorType, Encoder};
use zeroize::Zeroizing;

use super::Code;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Png,
    Svg,
}

impl Format {
    /// By the end of a file's name.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let end = path.extension()?;
        [("png", Self::Png), ("svg", Self::Svg)].into_iter().find(|(name, _)| end.eq_ignore_ascii_case(name)).map(|(_, format)| format)
    }
}

/// Pixels a module: as many as a byte has at one bit a pixel, so that a module is one byte of a line.
const SCALE: usize = 8;

/// The file's bytes.
pub(crate) fn drawn(code: &Code, format: Format) -> io::Result<Zeroizing<Vec<u8>>> {
    let side = code.side();
    // Enough for all, so that no copy is left behind by a growing buffer.
    let mut out = Zeroizing::new(Vec::with_capacity(side.saturating_mul(side).saturating_mul(16).saturating_add(1024)));
    match format {
        Format::Png => png(code, &mut out)?,
        Format::Svg => svg(code, &mut out)?,
    }
    Ok(out)
}

fn png(code: &Code, out: &mut Vec<u8>) -> io::Result<()> {
    let side = code.side();
    let mut lines = Zeroizing::new(Vec::with_capacity(side.saturating_mul(side).saturating_mul(SCALE)));
    for y in 0..side {
        for _ in 0..SCALE {
            lines.extend((0..side).map(|x| if code.is_white(x, y) { 0xFF_u8 } else { 0 }));
        }
    }
    let pixels = u32::try_from(side.saturating_mul(SCALE)).map_err(io::Error::other)?;
    let mut encoder = Encoder::new(out, pixels, pixels);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&lines)?;
    Ok(writer.finish()?)
}

/// A white square, and each run of black modules in a line as a box on it.
fn svg(code: &Code, out: &mut Vec<u8>) -> io::Result<()> {
    let side = code.side();
    let pixels = side.saturating_mul(SCALE);
    write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{pixels}\" height=\"{pixels}\" viewBox=\"0 0 {side} {side}\" \
         shape-rendering=\"crispEdges\">\n<rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/>\n<path fill=\"#000\" d=\""
    )?;
    for y in 0..side {
        let mut x = 0;
        while x < side {
            let run = (x..side).take_while(|x| !code.is_white(*x, y)).count();
            if run > 0 {
                write!(out, "M{x} {y}h{run}v1h-{run}z")?;
            }
            x = x.saturating_add(run.max(1));
        }
    }
    out.write_all(b"\"/>\n</svg>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_name_says_which() {
        for (name, format) in [
            ("qr.png", Some(Format::Png)),
            ("a/b.c/qr.SVG", Some(Format::Svg)),
            ("qr.png.svg", Some(Format::Svg)),
            ("qr", None),
            (".png", None),
            ("png", None),
            ("qr.png/", Some(Format::Png)),
            ("qr.jpeg", None),
            ("", None),
        ] {
            assert_eq!(Format::of(Path::new(name)), format, "{name}");
        }
    }

    #[test]
    fn no_buffer_grows_behind_what_is_wiped() {
        for address in ["x", &"x".repeat(300), &"x".repeat(2900)] {
            let code = Code::of(address).unwrap();
            for format in [Format::Png, Format::Svg] {
                assert_eq!(drawn(&code, format).unwrap().capacity(), code.side() * code.side() * 16 + 1024);
            }
        }
    }

    #[test]
    fn an_svg_is_nothing_but_boxes() {
        let svg = String::from_utf8(drawn(&Code::of("<script>\"&").unwrap(), Format::Svg).unwrap().to_vec()).unwrap();
        let tags: Vec<&str> = svg.split('<').skip(1).map(|tag| tag.split([' ', '>']).next().unwrap()).collect();
        assert_eq!(tags, ["svg", "rect", "path", "/svg"]);
        let boxes = svg.split(" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert!(boxes.bytes().all(|byte| byte.is_ascii_digit() || b" Mhvz-".contains(&byte)), "{boxes}");
    }
}
