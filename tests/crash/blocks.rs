//! What files hold, as small numbers: a journal is two blocks, every other file one.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use countersign::rules::journal::{BLOCK, Journal, LINE, Pair, SIZE};
use countersign::rules::record::Record;

use crate::records::{Facts, UID};

/// The block of an empty file.
pub const EMPTY: u32 = 0;
/// A block that was torn, flipped or damaged: it has no checksum that fits.
pub const TORN: u32 = 1;
/// The second block of a file that is no journal.
const NO_BLOCK: u32 = 2;

/// A file's content: the two slots of a journal, or one block.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Content(pub [u32; 2]);

impl Content {
    pub const EMPTY: Self = Self([EMPTY; 2]);
    pub const DAMAGED: Self = Self([TORN; 2]);

    pub fn with(self, slot: usize, block: u32) -> Self {
        let mut next = self;
        next.0[slot] = block;
        next
    }
}

pub struct Blocks {
    known: HashMap<Vec<u8>, u32>,
    bytes: Vec<Vec<u8>>,
    journals: RefCellMap<[u32; 2], Option<Pair>>,
    facts: RefCellMap<u32, Option<Facts>>,
}

type RefCellMap<K, V> = std::cell::RefCell<HashMap<K, V>>;

impl Blocks {
    pub fn new() -> Self {
        let bytes = vec![Vec::new(), vec![0xff; LINE], Vec::new()];
        Self { known: HashMap::new(), bytes, journals: RefCellMap::default(), facts: RefCellMap::default() }
    }

    fn number(&mut self, bytes: &[u8]) -> u32 {
        if let Some(number) = self.known.get(bytes) {
            return *number;
        }
        let number = u32::try_from(self.bytes.len()).unwrap();
        self.bytes.push(bytes.to_vec());
        self.known.insert(bytes.to_vec(), number);
        number
    }

    pub fn line(&mut self, line: &[u8]) -> u32 {
        assert!(line.len() == LINE);
        self.number(line)
    }

    /// A journal's whole file: nothing stands beside the two lines.
    pub fn journal(&mut self, file: &[u8]) -> Content {
        let (first, second) = file.split_at(BLOCK);
        assert!(file.len() == SIZE && first[LINE..].iter().chain(&second[LINE..]).all(|byte| *byte == 0));
        Content([self.number(&first[..LINE]), self.number(&second[..LINE])])
    }

    pub fn blob(&mut self, bytes: &[u8]) -> Content {
        Content([self.number(bytes), NO_BLOCK])
    }

    pub fn bytes(&self, content: Content) -> Vec<u8> {
        let [first, second] = content.0;
        let (first, rest) = (&self.bytes[first as usize], &self.bytes[second as usize]);
        if content == Content::EMPTY || second == NO_BLOCK {
            return first.clone();
        }
        let mut file = vec![0; SIZE];
        file[..first.len()].copy_from_slice(first);
        file[BLOCK..BLOCK + rest.len()].copy_from_slice(rest);
        file
    }

    pub fn size(&self, content: Content) -> u32 {
        match content {
            Content::EMPTY => 0,
            Content([first, NO_BLOCK]) => u32::try_from(self.bytes[first as usize].len()).unwrap(),
            Content(_) => u32::try_from(SIZE).unwrap(),
        }
    }

    /// The journal as the shipped code reads it.
    pub fn pair(&self, content: Content) -> Option<Pair> {
        let read = || Pair::parse(UID, &self.bytes(content)).ok();
        self.journals.borrow_mut().entry(content.0).or_insert_with(read).clone()
    }

    /// The same without a copy.
    pub fn of_journal<T>(&self, content: Content, tell: impl FnOnce(Option<&Pair>) -> T) -> T {
        let read = || Pair::parse(UID, &self.bytes(content)).ok();
        tell(self.journals.borrow_mut().entry(content.0).or_insert_with(read).as_ref())
    }

    /// Secret and set of a record; `None` if it is damaged.
    pub fn facts(&self, content: Content) -> Option<Facts> {
        let read = || Record::parse(UID, &self.bytes(content)).ok().map(|record| Facts::of(&record));
        *self.facts.borrow_mut().entry(content.0[0]).or_insert_with(read)
    }

    /// A slot's line with something changed in it, its checksum made to fit: what a broken disk or rule would hold.
    pub fn rewritten(&mut self, slot: usize, line: u32, change: impl Fn(&mut Journal)) -> u32 {
        self.moved(slot, line, slot, change)
    }

    /// The same for another slot.
    pub fn moved(&mut self, slot: usize, line: u32, to: usize, change: impl Fn(&mut Journal)) -> u32 {
        match self.pair(Content([TORN; 2]).with(slot, line)) {
            Some(Pair { mut journal, .. }) => {
                change(&mut journal);
                self.number(&journal.line(UID, to))
            }
            None => line,
        }
    }

    /// Both slots with something changed.
    pub fn both(&mut self, content: Content, change: impl Fn(&mut Journal)) -> Content {
        Content([self.rewritten(0, content.0[0], &change), self.rewritten(1, content.0[1], &change)])
    }
}
