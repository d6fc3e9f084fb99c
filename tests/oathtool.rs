//! The same codes as another implementation of RFC 6238: oathtool, over random secrets, digits, periods and times.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests")]

use std::process::Command;

use countersign::rules::totp::{Algorithm, Parameters, Secret, code};

const SECRETS: usize = 1500;
/// Codes that oathtool prints for each secret: the step of the time and those that follow.
const STEPS: usize = 5;

#[test]
fn a_06_thousands_of_random_codes_agree_with_oathtool() {
    // Marsaglia's xorshift: the same numbers in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut number = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut compared = 0;
    for _ in 0..SECRETS {
        let length = 16 + usize::try_from(number(49)).unwrap();
        let bytes: Vec<u8> = (0..length).map(|_| u8::try_from(number(256)).unwrap()).collect();
        let parameters = Parameters {
            algorithm: if number(2) == 0 { Algorithm::Sha1 } else { Algorithm::Sha256 },
            digits: if number(2) == 0 { 6 } else { 8 },
            period: if number(2) == 0 { 30 } else { 60 },
        };
        let start = i64::try_from(number(4_000_000_000)).unwrap();
        let start = start - start % i64::from(parameters.period);
        let secret = Secret::new(&bytes).unwrap();
        let ours: Vec<String> = (0..i64::try_from(STEPS).unwrap())
            .map(|step| code(&secret, parameters, start + step * i64::from(parameters.period)).unwrap())
            .map(|code| String::from_utf8(code.expose().to_vec()).unwrap())
            .collect();
        assert_eq!(ours, theirs(&bytes, parameters, start), "{parameters:?} {start}");
        compared += ours.len();
    }
    assert_eq!(compared, SECRETS * STEPS);
    println!("{compared} codes agree with oathtool");
}

fn theirs(secret: &[u8], parameters: Parameters, start: i64) -> Vec<String> {
    let output = Command::new("oathtool")
        .arg(format!("--totp={}", parameters.algorithm.name()))
        .args(["--digits", &parameters.digits.to_string()])
        .args(["--time-step-size", &format!("{}s", parameters.period)])
        .args(["--now", &format!("@{start}")])
        .args(["--window", &(STEPS - 1).to_string()])
        .arg(data_encoding::HEXLOWER.encode(secret))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}
