//! Whose second factor it is, and where: as sentences and addresses name it.
#![forbid(unsafe_code)]

pub struct Whom<'a> {
    pub uid: u32,
    /// The canonical name.
    pub name: &'a str,
    /// This machine.
    pub host: &'a str,
    /// Whoever reads the sentences is root, who names this person in every command.
    pub named: bool,
}
