//! What a log needs of an engine: one ordered table of records.

use std::ops::ControlFlow;
use std::path::PathBuf;

use super::error::StoreError;
use super::record::Record;

/// Looks at one record, key and value, and says whether to go on.
pub(super) type Visitor<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError> + 'a;

/// An ordered table of records, read by many and written by one.
pub(super) trait Table: Send + Sync {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The greatest key below this one.
    fn before(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Visits the records from one key on, below another, in order of their keys.
    fn scan(&self, from: &[u8], to: &[u8], visit: &mut Visitor<'_>) -> Result<(), StoreError>;

    /// Writes records, all or none, and makes them durable. After an error it is
    /// unknown which of the two, and this must not be called again.
    fn commit(&self, records: Vec<Record>) -> Result<(), StoreError>;

    /// Refuses if there is no room for so many bytes and what the engine needs besides.
    /// Touches nothing.
    fn room(&self, bytes: u64) -> Result<(), StoreError>;

    /// Bytes on disk.
    fn disk_bytes(&self) -> u64;

    /// Where it is, for messages.
    fn place(&self) -> PathBuf;
}
