//! What a service's section of the configuration requires, where the rest requires less: no command says otherwise.

use super::golden;
use super::sheet::{enroll, session};
use super::world::World;

fn sheet(policy: &str) -> String {
    let world = World::new(policy);
    for name in ["alice", "bob"] {
        enroll(&world, name);
    }
    let text = session(&world, &["disable --user alice", "reset bob", "--user bob", "list --missing"]);
    // The days until a date are other ones tomorrow.
    let text = text.replace(" (in\n", " (in ");
    let mut parts = text.split(" (in ");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| format!("{text} (in [DAYS]{}", &part[part.find(')').unwrap()..]))
}

#[test]
fn the_strictest_service_decides() {
    let sshd = "[policy]\nunenrolled = \"skip\"\n[service.sshd]\nunenrolled = \"deny\"\n[service.cron]\nskip = true\n";
    let later = "[policy]\nunenrolled = \"skip\"\n[service.sshd]\nunenrolled = 2126-12-01\n";
    let everywhere = "[policy]\nunenrolled = \"2126-12-01\"\n";
    golden::compare("sections", &[sheet(sshd), sheet(later), sheet(everywhere)].join("---\n"));
}
