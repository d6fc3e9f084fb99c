//! A QR code as it stands on a screen, rendered as a picture, or in a picture file; read by zbar.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// Pixels a module.
const SCALE: usize = 4;

/// The lines of a QR code in a screen: half blocks, or `##`; with colours or without.
pub fn lines(screen: &str) -> Vec<&str> {
    let is_plain = |line: &str| line.len() > 20 && line.bytes().all(|byte| b"# ".contains(&byte));
    let is_code = |line: &&str| line.contains(['█', '▀', '▄']) || line.contains("\x1b[") || is_plain(line);
    screen.lines().filter(is_code).collect()
}

/// What zbar reads, and how many columns and rows the code takes on the screen.
pub fn read(lines: &[&str], folder: &Path) -> (String, usize, usize) {
    read_on(lines, folder, false)
}

/// The same on a screen with dark letters on a light ground.
pub fn read_on(lines: &[&str], folder: &Path, is_light: bool) -> (String, usize, usize) {
    let has_halves = lines.iter().any(|line| line.contains(['█', '▀', '▄']));
    let (columns, rows): (Vec<usize>, Vec<Vec<Vec<bool>>>) = lines.iter().map(|line| modules(line, has_halves, is_light)).unzip();
    let rows: Vec<Vec<bool>> = rows.into_iter().flatten().collect();
    let (width, height) = (rows[0].len(), rows.len());
    assert!(rows.iter().all(|row| row.len() == width), "lines of one width");
    let mut picture = format!("P2\n{} {}\n255\n", width * SCALE, height * SCALE);
    for row in &rows {
        for _ in 0..SCALE {
            for white in row {
                for _ in 0..SCALE {
                    write!(picture, "{} ", if *white { 255 } else { 0 }).unwrap();
                }
            }
            picture.push('\n');
        }
    }
    let path = folder.join("qr.pgm");
    std::fs::write(&path, picture).unwrap();
    let text = decoded(&path);
    std::fs::remove_file(&path).unwrap();
    (text, columns[0], lines.len())
}

/// What zbar reads in a picture file.
pub fn decoded(path: &Path) -> String {
    let zbar = Command::new("zbarimg").args(["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable"]).arg(path).output().unwrap();
    assert!(zbar.status.success(), "zbar reads nothing in {path:?}: {zbar:?}");
    String::from_utf8(zbar.stdout).unwrap().trim_end_matches('\n').to_owned()
}

/// What zbar reads in an SVG, as another program draws it.
pub fn decoded_svg(path: &Path) -> String {
    let png = path.with_extension("drawn.png");
    let drawn = Command::new("rsvg-convert").arg(path).arg("--output").arg(&png).output().unwrap();
    assert!(drawn.status.success(), "{drawn:?}");
    decoded(&png)
}

/// A line's columns, and its one or two rows of modules: true is white. Ink is white on a dark screen, black on a light one.
fn modules(line: &str, has_halves: bool, is_light: bool) -> (usize, Vec<Vec<bool>>) {
    let ink_is_white = !is_light || line.contains("\x1b[40;97m");
    let mut paper_is_white = is_light;
    let mut letters = line.chars();
    let mut cells = Vec::new();
    while let Some(letter) = letters.next() {
        if letter == '\x1b' {
            match letters.by_ref().take_while(|letter| *letter != 'm').collect::<String>().as_str() {
                "[107" => paper_is_white = true,
                "[40" | "[40;97" | "[0" => paper_is_white = false,
                other => panic!("an escape sequence that was not expected: {other:?}"),
            }
        } else {
            cells.push(match letter {
                '█' | '#' => (ink_is_white, ink_is_white),
                '▀' => (ink_is_white, paper_is_white),
                '▄' => (paper_is_white, ink_is_white),
                ' ' => (paper_is_white, paper_is_white),
                other => panic!("{other:?} in a QR code"),
            });
        }
    }
    let columns = cells.len();
    if has_halves {
        (columns, vec![cells.iter().map(|cell| cell.0).collect(), cells.iter().map(|cell| cell.1).collect()])
    } else {
        (columns, vec![cells.iter().step_by(2).map(|cell| cell.0).collect()])
    }
}
