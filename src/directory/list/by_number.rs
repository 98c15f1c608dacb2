//! Lists that are read side by side, number by number.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io;

use super::Record;
use crate::entry::Entry;
use crate::number::Number;

/// The records of a list, ordered by number, from memory or from disk.
pub type Records<'a> = Box<dyn Iterator<Item = io::Result<Record<'a>>> + 'a>;

/// An entry, and the position of its list.
pub type ListedEntry<'e> = (usize, Entry<&'e str>);

/// Reads lists side by side. `each` gets every number once, with its entries in the order of the lists. Only the next record of each
/// list is in memory.
///
/// # Errors
/// If a list can't be read, or the error of `each`.
pub fn by_number<E: From<io::Error>>(
    lists: &mut [Records<'_>],
    mut each: impl FnMut(Number, &[ListedEntry<'_>]) -> Result<(), E>,
) -> Result<(), E> {
    // The next entry of each list: the smallest number first, and for one number the first list.
    let mut heads: Vec<Option<Record<'_>>> = Vec::new();
    let mut next = BinaryHeap::new();
    for (place, list) in lists.iter_mut().enumerate() {
        let head = list.next().transpose()?;
        next.extend(head.as_ref().map(|record| Reverse((record.number(), place))));
        heads.push(head);
    }
    let mut records = Vec::new();
    while let Some(&Reverse((number, _))) = next.peek() {
        records.clear();
        while let Some(mut first) = next.peek_mut()
            && first.0.0 == number
        {
            let place = first.0.1;
            let (Some(list), Some(head)) = (lists.get_mut(place), heads.get_mut(place)) else { break };
            while let Some(record) = head.take_if(|record| record.number() == number) {
                records.push((place, record));
                *head = list.next().transpose()?;
            }
            match head {
                Some(record) => first.0.0 = record.number(),
                None => drop(PeekMut::pop(first)),
            }
        }
        if let [(place, record)] = records.as_slice() {
            // Most numbers. Without an allocation.
            each(number, &[(*place, record.entry()?)])?;
            continue;
        }
        let entries = records.iter().map(|(place, record)| Ok((*place, record.entry()?)));
        let entries = entries.collect::<io::Result<Vec<_>>>()?;
        each(number, &entries)?;
    }
    Ok(())
}
