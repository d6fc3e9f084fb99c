//! Every form of a QR code, read back by zbar.
#![forbid(unsafe_code)]

use std::fs;
use std::path::PathBuf;

use countersign::rules::address::{self, Entry};
use countersign::rules::totp::{Algorithm, Parameters, Secret};
use zeroize::Zeroizing;

use super::Code;
use super::picture::{self, Format};
use super::text::{self, Paper, Screen};

#[path = "../../../tests/screens/picture.rs"]
#[allow(unreachable_pub, dead_code, clippy::arithmetic_side_effects, reason = "tests")]
mod reader;

/// Hosts and users: ordinary, as long as they can be, and of people who mean no good.
const NAMES: [(&str, &str); 12] = [
    ("web1", "alice"),
    ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "alice"),
    ("a:b", "alice:"),
    ("a b", " "),
    ("\"quoted\"", "it's"),
    ("100%", "%3a%00"),
    ("<script>alert(1)</script>", "--><svg onload=x>"),
    ("\u{202e}1bew\u{202c}", "מארח"),
    ("a\nb\x1b[2J\0", "\t\u{9b}\u{7f}"),
    ("x?secret=A&issuer=B#c", "../../x"),
    ("日本語のとても長いサーバー名", "ｆｕｌｌ"),
    ("", ""),
];

fn addresses() -> impl Iterator<Item = Zeroizing<String>> {
    let longest = "界".repeat(64);
    let secret = |length| Secret::new(&vec![0xA5; length]).unwrap();
    let usual = NAMES.map(|(host, user)| address::address(&Entry::new(host, user), &secret(20), Parameters::default()));
    let other = Parameters { algorithm: Algorithm::Sha256, digits: 8, period: 60 };
    let longest = address::address(&Entry::new(&longest, &longest), &secret(64), other);
    usual.into_iter().chain([longest])
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("countersign-qr-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_form_on_a_terminal_is_the_address() {
    let folder = Folder::new("terminal");
    for address in addresses() {
        let code = Code::of(&address).unwrap();
        for utf8 in [true, false] {
            for paper in [Paper::Coloured, Paper::Dark, Paper::Light] {
                let text = text::drawn(&code, Screen { columns: 400, rows: 200, paper, utf8 }).unwrap();
                // Colours of its own say the same on either screen.
                let screens: &[bool] = if paper == Paper::Coloured { &[false, true] } else { &[paper == Paper::Light] };
                for is_light in screens {
                    let (read, ..) = reader::read_on(&reader::lines(&text), &folder.0, *is_light);
                    assert_eq!(read, *address, "utf8 {utf8}, {paper:?}");
                }
            }
        }
    }
}

#[test]
fn every_picture_is_the_address() {
    let folder = Folder::new("picture");
    for address in addresses() {
        let code = Code::of(&address).unwrap();
        let (png, svg) = (folder.0.join("qr.png"), folder.0.join("qr.svg"));
        fs::write(&png, &*picture::drawn(&code, Format::Png).unwrap()).unwrap();
        fs::write(&svg, &*picture::drawn(&code, Format::Svg).unwrap()).unwrap();
        assert_eq!(reader::decoded(&png), *address);
        assert_eq!(reader::decoded_svg(&svg), *address);
    }
}
