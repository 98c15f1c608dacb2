//! Lists that are read side by side, number by number.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use crate::entry::Entry;
use crate::number::Number;

/// The entries of a list, ordered by number, from memory or from disk.
pub type Entries<'a> = Box<dyn Iterator<Item = io::Result<Entry>> + 'a>;

/// An entry, and the position of its list.
pub type ListedEntry = (usize, Entry);

/// Reads lists side by side. `each` gets every number once, with its entries in the order of the lists. Only the next entry of each
/// list is in memory.
///
/// # Errors
/// If a list can't be read, or the error of `each`.
pub fn by_number<E: From<io::Error>>(
    lists: &mut [Entries<'_>],
    mut each: impl FnMut(Number, &[ListedEntry]) -> Result<(), E>,
) -> Result<(), E> {
    // The next entry of each list: the smallest number first, and for one number the first list.
    let mut heads: Vec<Option<Entry>> = Vec::new();
    let mut next = BinaryHeap::new();
    for (place, list) in lists.iter_mut().enumerate() {
        let head = list.next().transpose()?;
        next.extend(head.as_ref().map(|entry| Reverse((entry.number, place))));
        heads.push(head);
    }
    let mut entries = Vec::new();
    while let Some(&Reverse((number, _))) = next.peek() {
        entries.clear();
        while let Some(&Reverse((same, place))) = next.peek()
            && same == number
        {
            next.pop();
            let (Some(list), Some(head)) = (lists.get_mut(place), heads.get_mut(place)) else { break };
            while let Some(entry) = head.take_if(|entry| entry.number == number) {
                entries.push((place, entry));
                *head = list.next().transpose()?;
            }
            next.extend(head.as_ref().map(|entry| Reverse((entry.number, place))));
        }
        each(number, &entries)?;
    }
    Ok(())
}
