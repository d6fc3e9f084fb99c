//! Cases of the configuration: the file, the arguments, and what they mean together.
#![forbid(unsafe_code)]

use super::*;
use crate::rules::date::Date;

const SHIPPED: &str = include_str!("../../../config/config.toml");

fn read(text: &str, arguments: &[&str], service: &str) -> Config {
    let arguments: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
    Config::read(
        "/etc/countersign/config.toml",
        Some(text.as_bytes()),
        &Arguments::read(&arguments, Phase::Authentication).unwrap(),
        service.as_bytes(),
    )
    .unwrap()
}

fn wrong(text: &str) -> Vec<String> {
    problems("/c/config.toml", text.as_bytes()).iter().map(ToString::to_string).collect()
}

fn wrong_arguments(arguments: &[&[u8]]) -> Vec<String> {
    Arguments::read(arguments, Phase::Authentication).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn without_a_file_the_built_in_values_hold() {
    let config = Config::read(PATH, None, &Arguments::default(), b"sshd").unwrap();
    assert_eq!(config, read("", &[], "sshd"));
    assert_eq!((config.store.as_str(), config.run.as_str()), ("/var/lib/countersign", "/run/countersign"));
    assert_eq!(config.policy.unenrolled, Setting { value: Unenrolled::Deny, origin: Origin::BuiltIn });
    assert_eq!((config.policy.exempt_users.value, config.policy.require_prior.value), (vec![], Prior::Nothing));
    assert_eq!((config.window, config.codes, config.prompt.text.as_str(), config.prompt.echo), (1, 10, "Verification code: ", false));
    assert_eq!((config.log, config.skip, config.lane), (Log { format: Format::Text, unknown_users: false }, None, None));
}

#[test]
fn a_file_that_an_argument_names_must_be_there() {
    let arguments = Arguments::read(&[b"config=/srv/c.toml", b"debug"], Phase::Authentication).unwrap();
    assert_eq!((arguments.config_path(), arguments.names_config(), arguments.debug()), ("/srv/c.toml", true, true));
    let problems = Config::read(arguments.config_path(), None, &arguments, b"sshd").unwrap_err();
    assert_eq!(problems[0].to_string(), "/srv/c.toml: is named by config= and is not there");
    let none = Arguments::read(&[], Phase::Authentication).unwrap();
    assert_eq!((none.config_path(), none.names_config(), none.debug()), (PATH, false, false));
}

const WHOLE: &str = r#"store = "/srv/store"
run = '/srv/run'
[policy]
unenrolled = 2026-12-01
exempt_users = [
  "root", 'DOM\robot',
]
require_prior = "publickey"
[code]
window = 0
[prompt]
text = "Code:"
echo = true
[recovery]
codes = 20
[log]
format = "json"
unknown_users = true
[service.sshd]
unenrolled = "2027-01-01"
exempt_users = []
text = "Code of the app "
[service.gdm-password]
skip = true
lane = "remote"
require_prior = "none"
[service.su]
skip = false
"#;

fn in_file(line: usize) -> Origin {
    Origin::File { path: PATH.to_owned(), line }
}

#[test]
fn every_key_has_its_meaning() {
    let config = read(WHOLE, &[], "login");
    let date = Date::new(2026, 12, 1).unwrap();
    assert_eq!((config.store.as_str(), config.run.as_str()), ("/srv/store", "/srv/run"));
    assert_eq!(config.policy.unenrolled, Setting { value: Unenrolled::DenyFrom(date), origin: in_file(4) });
    assert_eq!(config.policy.exempt_users, Setting { value: vec!["root".to_owned(), "DOM\\robot".to_owned()], origin: in_file(5) });
    assert_eq!(config.policy.require_prior, Setting { value: Prior::PublicKey, origin: in_file(8) });
    assert_eq!(config.policy.require_prior.origin.to_string(), "config.toml:8");
    assert_eq!((config.window, config.codes), (0, 20));
    assert_eq!(config.prompt, Prompt { text: "Code: ".to_owned(), echo: true });
    assert_eq!(config.log, Log { format: Format::Json, unknown_users: true });
    assert_eq!((config.skip, config.lane), (None, None));
}

#[test]
fn a_service_s_section_is_stronger_than_the_rest_of_the_file() {
    let sshd = read(WHOLE, &[], "sshd");
    assert_eq!(sshd.policy.unenrolled, Setting { value: Unenrolled::DenyFrom(Date::new(2027, 1, 1).unwrap()), origin: in_file(20) });
    assert_eq!(sshd.policy.exempt_users, Setting { value: vec![], origin: in_file(21) });
    assert_eq!(sshd.policy.require_prior.value, Prior::PublicKey);
    assert_eq!(sshd.prompt, Prompt { text: "Code of the app ".to_owned(), echo: true });
    let gdm = read(WHOLE, &[], "gdm-password");
    assert_eq!((gdm.skip, gdm.lane, gdm.policy.require_prior.value), (Some(in_file(24)), Some(Lane::Remote), Prior::Nothing));
    assert_eq!(read(WHOLE, &[], "su").skip, None);
}

#[test]
fn arguments_are_stronger_than_the_file_and_lists_replace() {
    let arguments = ["unenrolled=deny", "exempt_users=a,b", "require_prior=none", "text=Now: ", "echo=false"];
    let config = read(WHOLE, &arguments, "sshd");
    assert_eq!(config.policy.unenrolled, Setting { value: Unenrolled::Deny, origin: Origin::Argument });
    assert_eq!(config.policy.exempt_users.value, ["a", "b"]);
    assert_eq!(config.policy.exempt_users.origin.to_string(), "argument");
    assert_eq!(config.policy.require_prior.value, Prior::Nothing);
    assert_eq!(config.prompt, Prompt { text: "Now: ".to_owned(), echo: false });
    assert_eq!(read(WHOLE, &["exempt_users="], "login").policy.exempt_users.value, [""; 0]);
    let dated = read("", &["unenrolled=2026-12-01"], "login");
    assert_eq!(dated.policy.unenrolled.value, Unenrolled::DenyFrom(Date::new(2026, 12, 1).unwrap()));
}

#[test]
fn every_wrong_line_is_reported_with_its_place() {
    let text = r#"stor = "/x"
store = "relative"
run = 5
policy2 = { a = 1 }
[policy]
unenrolled = "maybe"
exempt_users = "root"
require_prior = true
require_groups = ["wheel"]
text = "in the wrong section"
[code]
window = 2
[prompt]
text = ""
echo = "true"
[recovery]
codes = 21
codez = 1
[log]
format = "xml"
unknown_users = 1
[enroll]
issuer = "x"
[service.sshd]
skip = "yes"
lane = "local"
window = 1
[service.SSHD]
skip = true
"#;
    assert_eq!(
        wrong(text),
        [
            "/c/config.toml:1: \"stor\" is no key of this file",
            "/c/config.toml:2: \"store\" is an absolute path",
            "/c/config.toml:3: \"run\" is an absolute path",
            "/c/config.toml:4: \"policy2\" is no section of this file",
            "/c/config.toml:6: \"unenrolled\" is \"deny\", \"skip\" or a date such as 2026-12-31",
            "/c/config.toml:7: \"exempt_users\" is a list of user names",
            "/c/config.toml:8: \"require_prior\" is \"publickey\" or \"none\"",
            "/c/config.toml:9: \"require_groups\" is no key of [policy]",
            "/c/config.toml:10: \"text\" is no key of [policy]",
            "/c/config.toml:12: \"window\" is a whole number, 0 or 1",
            "/c/config.toml:14: \"text\" is 1 to 80 printable characters",
            "/c/config.toml:15: \"echo\" is true or false",
            "/c/config.toml:17: \"codes\" is a whole number, 0 to 20",
            "/c/config.toml:18: \"codez\" is no key of [recovery]",
            "/c/config.toml:20: \"format\" is \"text\" or \"json\"",
            "/c/config.toml:21: \"unknown_users\" is true or false",
            "/c/config.toml:22: \"enroll\" is no section of this file",
            "/c/config.toml:25: \"skip\" is true or false",
            "/c/config.toml:26: \"lane\" is \"remote\"",
            "/c/config.toml:27: \"window\" is no key of [service.NAME]",
            "/c/config.toml:28: \"SSHD\" is no service name: those are in lower case, without spaces",
        ]
    );
}

#[test]
fn what_is_not_toml_is_reported_beside_the_rest() {
    let not_toml = "this is not TOML: key = value, with texts in quotes";
    for (text, expected) in [
        ("window = 1 1\n[code]\nwindow = 7\n", vec![format!("1: {not_toml}"), "3: \"window\" is a whole number, 0 or 1".to_owned()]),
        ("[code]\nwindow = 1\nwindow = 0\n", vec!["3: \"window\" is there twice".to_owned()]),
        ("[code]\n[code]\n", vec!["2: \"code\" is there twice".to_owned()]),
        (
            "[policy]\nunenrolled = skip\n\n[code]\nwindow = one\n",
            vec![format!("2: {not_toml}"), "5: \"window\" is a whole number, 0 or 1".to_owned()],
        ),
        ("[[policy]]\n", vec!["1: \"policy\" is a section: [policy]".to_owned()]),
        (
            "policy = 1\nservice = 2\n",
            vec!["1: \"policy\" is a section: [policy]".to_owned(), "2: \"service\" is a section with a name: [service.NAME]".to_owned()],
        ),
        ("[service]\nsshd = 1\n", vec!["2: \"sshd\" is no key: a service is a section, [service.NAME]".to_owned()]),
        (
            "[policy]\nunenrolled = 2026-12-01T00:00:00Z\n",
            vec!["2: \"unenrolled\" is \"deny\", \"skip\" or a date such as 2026-12-31".to_owned()],
        ),
        (
            "[policy]\nunenrolled = \"2026-02-30\"\n",
            vec!["2: \"unenrolled\" is \"deny\", \"skip\" or a date such as 2026-12-31".to_owned()],
        ),
    ] {
        let expected: Vec<String> = expected.into_iter().map(|line| format!("/c/config.toml:{line}")).collect();
        assert_eq!(wrong(text), expected, "{text}");
    }
    assert_eq!(problems("/c", b"[code]\nwindow = 1 # \xff\n")[0].to_string(), "/c:2: is not UTF-8 text");
    assert_eq!(problems("/c", &[b'#'; LARGEST + 1])[0].to_string(), "/c: is larger than 64 KiB");
    assert_eq!(problems("/c", &[b'#'; LARGEST]), []);
}

#[test]
fn texts_and_names_are_printable() {
    for text in ["a\\u001b[2J", "a\\nb", "\\u202e", &"x".repeat(81)] {
        assert_eq!(wrong(&format!("prompt.text = \"{text}\"")), ["/c/config.toml:1: \"text\" is 1 to 80 printable characters"], "{text}");
    }
    for names in ["\"\"", "\" root\"", "\"a\\u0000\"", "5"] {
        assert_eq!(wrong(&format!("policy.exempt_users = [{names}]")), ["/c/config.toml:1: \"exempt_users\" is a list of user names"]);
    }
    assert_eq!(read("prompt.text = \"Prüfcode\\u00a0\"", &[], "su").prompt.text, "Prüfcode\u{a0}");
}

#[test]
fn i_07_every_wrong_argument_is_reported_with_its_place() {
    let arguments: [&[u8]; 14] = [
        b"debug",
        b"debug",
        b"debug=1",
        b"try_first_pass",
        b"config=relative",
        b"unenrolled",
        b"window=1",
        b"collect",
        b"echo=yes",
        b"a\xff=1",
        b"",
        b"=",
        b"skip=true",
        b"exempt_users=a,,b",
    ];
    assert_eq!(
        wrong_arguments(&arguments),
        [
            "argument 2: \"debug\" is there twice",
            "argument 3: \"debug\" is there twice",
            "argument 4: is no argument of this module",
            "argument 5: \"config\" is an absolute path",
            "argument 6: \"unenrolled\" is given with a value: key=value",
            "argument 7: \"window\" is no argument of this module",
            "argument 8: is no argument of this module",
            "argument 9: \"echo\" is true or false",
            "argument 10: is not UTF-8 text",
            "argument 11: is no argument of this module",
            "argument 12: \"\" is there twice",
            "argument 13: \"skip\" is no argument of this module",
            "argument 14: \"exempt_users\" is a list of user names",
        ]
    );
    assert_eq!(
        wrong_arguments(&[b"debug=1", b"config"]),
        ["argument 1: \"debug\" is a word of its own, without \"=\"", "argument 2: \"config\" is an absolute path"]
    );
}

#[test]
fn h_01_no_problem_shows_a_value() {
    // The same value in every place where a value can stand, and in some where none can.
    const SECRET: &str = "GEZDGNBVGY3TQOJQ";
    let file = |value: &str| {
        format!(
            "store = {value}\nrun = {value}\npolicy.unenrolled = {value}\npolicy.exempt_users = {value}\npolicy.require_prior = {value}\n\
             code.window = {value}\nprompt.echo = {value}\nrecovery.codes = {value}\nlog.format = {value}\nlog.unknown_users = {value}\n\
             service.sshd.skip = {value}\nservice.sshd.lane = {value}\nunknown = {value}\n"
        )
    };
    for value in [SECRET, &format!("\"{SECRET}\""), &format!("[{SECRET}]"), &format!("\"{SECRET}"), &format!("{{ a = \"{SECRET}\" }}")] {
        let problems = wrong(&file(value)).join("\n");
        assert!(problems.contains("config.toml:1:") && !problems.contains(SECRET), "{problems}");
        // A line of its own in brackets is the name of a section, and names are shown.
        for line in
            [format!("-{value}\n"), format!("store {value}\n"), format!("store = \"/x\" {value}\n"), format!("[code]\nwindow = 1 {value}")]
        {
            let problems = wrong(&line).join("\n");
            assert!(!problems.is_empty() && !problems.contains(SECRET), "{line} -> {problems}");
        }
    }
    let argument = |text: &str| wrong_arguments(&[text.as_bytes()]).join("\n");
    for text in
        [SECRET.to_owned(), format!("unenrolled={SECRET}"), format!("config={SECRET}"), format!("x={SECRET}"), format!("echo={SECRET}")]
    {
        assert!(!argument(&text).is_empty() && !argument(&text).contains(SECRET), "{text}");
    }
}

#[test]
fn the_shipped_file_is_read_and_its_comments_are_the_built_in_values() {
    let config = read(SHIPPED, &[], "sshd");
    assert_eq!(config.policy.unenrolled.value, Unenrolled::Skip);
    let built_in = read("", &[], "sshd");
    let as_built_in = |config: Config| Config { policy: built_in.policy.clone(), ..config };
    assert_eq!(as_built_in(config), built_in);
    // The tool turns this one line round where records are there already.
    assert_eq!(SHIPPED.matches("\nunenrolled = \"skip\"\n").count(), 1);

    let uncommented: String = SHIPPED
        .lines()
        .map(|line| {
            line.strip_prefix('#')
                .filter(|rest| rest.starts_with(|letter: char| letter.is_ascii_lowercase() || letter == '['))
                .unwrap_or(line)
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let everything = read(&uncommented, &[], "sshd");
    assert_eq!((&everything.policy.exempt_users.value, everything.policy.require_prior.value), (&vec![], Prior::Nothing));
    assert_eq!(as_built_in(everything), built_in);
    assert_eq!(read(&uncommented, &[], "login").policy.exempt_users.value, ["root"]);
    assert!(read(&uncommented, &[], "swaylock").skip.is_some());
    assert_eq!(read(&uncommented, &[], "ftp").lane, Some(Lane::Remote));
    for key in [
        "store",
        "run",
        "unenrolled",
        "exempt_users",
        "require_prior",
        "window",
        "text",
        "echo",
        "codes",
        "format",
        "unknown_users",
        "skip",
        "lane",
    ] {
        assert!(uncommented.contains(&format!("\n{key} = ")), "{key}");
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(file: Vec<u8>, text: String, arguments: Vec<Vec<u8>>, service: Vec<u8>) {
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        let arguments = Arguments::read(&arguments, Phase::Authentication).unwrap_or_default();
        for file in [&file, text.as_bytes()] {
            let _ = Config::read(PATH, Some(file), &arguments, &service);
        }
    }

    #[test]
    fn no_damage_to_a_good_file_panics_or_shows_more_than_names(place in 0..WHOLE.len(), junk in "[\\[\\]\\{\\}\"'=,.#a-z0-9\n -]{0,8}") {
        let mut text = WHOLE.to_owned();
        text.replace_range(place..place.saturating_add(junk.len()).min(WHOLE.len()), &junk);
        for problem in problems(PATH, text.as_bytes()) {
            proptest::prop_assert!(problem.line.is_some_and(|line| line <= text.split('\n').count()));
            proptest::prop_assert!(problem.message.len() < 150);
        }
    }
}
