//! A search for many things at once.

use std::collections::HashMap;

use super::spelling::{Kind, Secret, Spelling, spellings};

/// What is searched for, by its first four bytes, and where it was found.
pub struct Search {
    wanted: HashMap<[u8; 4], Vec<(String, Spelling)>>,
    pub found: Vec<String>,
}

/// No node keeps even the salted hash of a password in the clear.
const PASSWORD_HASH: &str = "$argon2";

impl Search {
    pub fn new(secrets: &[Secret]) -> Self {
        let mut wanted: HashMap<_, Vec<_>> = HashMap::new();
        let hash = Secret {
            name: "a password hash".to_owned(),
            bytes: PASSWORD_HASH.as_bytes().to_vec(),
            kind: Kind::Token,
        };
        for secret in secrets.iter().chain([&hash]) {
            for spelling in spellings(secret) {
                let first = spelling.bytes.first_chunk().copied().unwrap();
                wanted.entry(first).or_default().push((secret.name.clone(), spelling));
            }
        }
        Self { wanted, found: Vec::new() }
    }

    /// Searches one place for all of them.
    pub fn look(&mut self, place: &str, bytes: &[u8]) {
        for at in 0..bytes.len().saturating_sub(3) {
            let rest = &bytes[at..];
            let Some(candidates) = rest.first_chunk().and_then(|it| self.wanted.get(it)) else {
                continue;
            };
            for (name, spelling) in candidates {
                let there = rest.starts_with(&spelling.bytes);
                if there && (!spelling.alone || stands_alone(bytes, at, spelling.bytes.len())) {
                    self.found.push(format!("{name}, {}, in {place} at {at}", spelling.how));
                }
            }
        }
    }
}

fn stands_alone(bytes: &[u8], at: usize, length: usize) -> bool {
    let word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    !word(at.checked_sub(1).and_then(|at| bytes.get(at))) && !word(bytes.get(at + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str, text: &str, kind: Kind) -> Secret {
        Secret { name: name.to_owned(), bytes: text.as_bytes().to_vec(), kind }
    }

    /// Goal: a search that finds nothing has looked.
    #[test]
    fn every_spelling_of_every_secret_is_found_where_it_is_planted() {
        let secrets = [
            secret("password", "quiet-harbours", Kind::Password),
            secret("code", "402913", Kind::Code),
        ];
        for secret in &secrets {
            for Spelling { how, bytes, .. } in spellings(secret) {
                let planted = [b"\x00{\"", &bytes[..], b"\"}"].concat();
                let mut search = Search::new(&secrets);
                search.look("a file", &planted);
                let expected = format!("{}, {how}, in a file at 3", secret.name);
                assert!(search.found.contains(&expected), "{expected}: {:?}", search.found);
            }
        }
    }

    #[test]
    fn a_code_within_a_digest_or_a_time_is_chance() {
        let mut search = Search::new(&[secret("code", "402913", Kind::Code)]);
        search.look("a time", b"12:00:00.402913Z");
        search.look("a digest", b"ab402913cd");
        assert_eq!(search.found, [""; 0]);
        search.look("a sentence", b"the code 402913 is right");
        assert_eq!(search.found, ["code, plain, in a sentence at 9"]);
    }
}
