//! A QR code as it stands on a screen, rendered as a picture and read by zbar.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// Pixels a module.
const SCALE: usize = 4;

/// The lines of a QR code in a screen: half blocks, or `##`; with colours or without.
pub fn lines(screen: &str) -> Vec<&str> {
    screen.lines().filter(|line| line.contains(['█', '▀', '▄']) || line.contains("\x1b[") || line.contains("####")).collect()
}

/// What zbar reads, and how many columns and rows the code takes on the screen.
pub fn read(lines: &[&str], folder: &Path) -> (String, usize, usize) {
    let (columns, rows): (Vec<usize>, Vec<Vec<Vec<bool>>>) = lines.iter().map(|line| modules(line)).unzip();
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
    let zbar = Command::new("zbarimg").args(["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable"]).arg(&path).output().unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(zbar.status.success(), "zbar reads nothing: {zbar:?}");
    (String::from_utf8(zbar.stdout).unwrap().trim_end().to_owned(), columns[0], lines.len())
}

/// A line's columns, and its one or two rows of modules: true is white. Ink is white, unless the paper is.
fn modules(line: &str) -> (usize, Vec<Vec<bool>>) {
    let mut paper_is_white = false;
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
                '█' => (true, true),
                '▀' => (true, false),
                '▄' => (false, true),
                '#' => (true, true),
                ' ' => (paper_is_white, paper_is_white),
                other => panic!("{other:?} in a QR code"),
            });
        }
    }
    let columns = cells.len();
    if line.contains(['█', '▀', '▄']) {
        (columns, vec![cells.iter().map(|cell| cell.0).collect(), cells.iter().map(|cell| cell.1).collect()])
    } else {
        (columns, vec![cells.iter().step_by(2).map(|cell| cell.0).collect()])
    }
}
