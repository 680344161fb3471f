//! What a file holds, page by page; pages of zeros take no room.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

pub const PAGE: usize = 4_096;

#[derive(Clone, Default, PartialEq, Eq)]
pub struct Image {
    pages: BTreeMap<u64, Vec<u8>>,
    length: u64,
}

impl Image {
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Replaces bytes; the file grows if they lie behind its end.
    pub fn write(&mut self, at: u64, bytes: &[u8]) {
        let (mut at, mut rest) = (at, bytes);
        while !rest.is_empty() {
            let (page, offset) = (at / PAGE as u64, inside(at));
            let (now, later) = rest.split_at(rest.len().min(PAGE - offset));
            if now == &[0; PAGE][..] {
                self.pages.remove(&page);
            } else {
                let page = self.pages.entry(page).or_insert_with(|| vec![0; PAGE]);
                page[offset..offset + now.len()].copy_from_slice(now);
            }
            at += now.len() as u64;
            rest = later;
        }
        self.length = self.length.max(at);
    }

    /// Cuts what is behind this length, or grows by zeros.
    pub fn resize(&mut self, length: u64) {
        let first_gone = length.div_ceil(PAGE as u64);
        self.pages.split_off(&first_gone);
        if let Some(page) = self.pages.get_mut(&(length / PAGE as u64)) {
            page[inside(length)..].fill(0);
        }
        self.length = length;
    }

    /// Writes it to a new file, with holes.
    pub fn store(&self, file: &File) -> io::Result<()> {
        file.set_len(self.length)?;
        for (page, bytes) in &self.pages {
            let at = page * PAGE as u64;
            let there = usize::try_from(self.length - at).unwrap().min(PAGE);
            file.write_all_at(&bytes[..there], at)?;
        }
        Ok(())
    }

    /// Its length and what is not zero, for a digest.
    pub fn parts(&self) -> Vec<Vec<u8>> {
        let mut parts = vec![self.length.to_be_bytes().to_vec()];
        for (page, bytes) in self.pages.iter().filter(|(_, bytes)| **bytes != [0; PAGE]) {
            parts.push(page.to_be_bytes().to_vec());
            parts.push(bytes.clone());
        }
        parts
    }

    /// All of it.
    pub fn whole(&self) -> Vec<u8> {
        let mut whole = vec![0; usize::try_from(self.length).unwrap()];
        for (page, bytes) in &self.pages {
            let at = usize::try_from(page * PAGE as u64).unwrap();
            let there = (whole.len() - at).min(PAGE);
            whole[at..at + there].copy_from_slice(&bytes[..there]);
        }
        whole
    }
}

/// Where in its page a byte is.
fn inside(at: u64) -> usize {
    usize::try_from(at % PAGE as u64).unwrap()
}
