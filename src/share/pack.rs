//! A list's file → compressed and sealed chunks, and back. Takes long for a large list: for threads for blocking work.

use std::io::{self, ErrorKind, Read, Write};

use ring::digest::{Context, SHA256};

use super::manifest::{Manifest, place};
use super::seal::{Key, hex, sha256};
use super::version::Version;
use crate::directory::list::Collector;
use crate::directory::list::file::Header;
use crate::directory::list::transfer::{self, Content};

/// The longest chunk as it is stored, in bytes: small beside the buffers between a server and its replicas.
const CHUNK: usize = 1 << 20;
/// What the seal adds to a chunk, in bytes.
const SEAL: usize = 28;
/// How hard zstd works: its default.
const LEVEL: i32 = 3;

/// A chunk as it is stored.
pub struct Chunk {
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Where the chunks of a list belong.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// The key that seals them.
    pub key: &'a Key,
    /// The site.
    pub site: &'a str,
    /// The list's name.
    pub list: &'a str,
    /// The list's version.
    pub version: Version,
}

impl Owner<'_> {
    fn place(&self, chunk: usize) -> String {
        let Version { epoch, holder, sequence } = self.version;
        place(self.site, self.list, &format!("{epoch}.{holder}.{sequence}/{chunk}"))
    }
}

/// Packs a list; `put` takes its chunks in their order. Returns the manifest's part about its bytes.
///
/// # Errors
/// If the list can't be read, or `put` fails.
pub fn pack(
    owner: Owner<'_>,
    content: &Content,
    put: impl FnMut(Chunk) -> io::Result<()>,
) -> io::Result<Manifest> {
    let chunks = Chunks { owner, put, buffer: Vec::with_capacity(CHUNK), names: Vec::new() };
    let packing = zstd::stream::write::Encoder::new(chunks, LEVEL)?;
    let mut packing = Summing { out: packing, sum: Context::new(&SHA256), bytes: 0 };
    content.write_to(&mut packing)?;
    let Summing { out, sum, bytes } = packing;
    let mut chunks = out.finish()?;
    chunks.end()?;
    Ok(Manifest {
        version: owner.version,
        entries: content.header().count,
        bytes,
        sha256: hex(sum.finish().as_ref()),
        chunks: chunks.names,
        ..Manifest::default()
    })
}

/// Opens a chunk: its bytes must have its name.
///
/// # Errors
/// If they are damaged.
pub fn open(owner: Owner<'_>, manifest: &Manifest, number: usize, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    if manifest.chunks.get(number) != Some(&hex(&sha256(&bytes))) {
        return Err(damaged("a chunk is damaged"));
    }
    owner.key.open(&owner.place(number), bytes).map_err(|_| damaged("a chunk can't be opened"))
}

/// Unpacks the opened chunks of a list.
///
/// # Errors
/// If the whole is not what the manifest says.
pub fn unpack(manifest: &Manifest, opened: Vec<Vec<u8>>) -> io::Result<(Header, Collector)> {
    let packed = Joined { chunks: opened.into_iter(), now: io::Cursor::default() };
    // A list is never longer than it says.
    let bytes = zstd::stream::read::Decoder::new(packed)?.take(manifest.bytes);
    let mut bytes = Reading { bytes, sum: Context::new(&SHA256) };
    let list = transfer::read(io::BufReader::with_capacity(1 << 16, &mut bytes))?;
    if hex(bytes.sum.finish().as_ref()) != manifest.sha256 || list.0.count != manifest.entries {
        return Err(damaged("it is not what was published"));
    }
    Ok(list)
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// Cuts what is written into sealed chunks.
struct Chunks<'a, P> {
    owner: Owner<'a>,
    put: P,
    buffer: Vec<u8>,
    names: Vec<String>,
}

impl<P: FnMut(Chunk) -> io::Result<()>> Chunks<'_, P> {
    fn end(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK));
        let place = self.owner.place(self.names.len());
        let bytes = self.owner.key.seal(&place, bytes).map_err(|_| io::Error::other("it can't be sealed"))?;
        let name = hex(&sha256(&bytes));
        self.names.push(name.clone());
        (self.put)(Chunk { name, bytes })
    }
}

impl<P: FnMut(Chunk) -> io::Result<()>> Write for Chunks<'_, P> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(CHUNK - SEAL - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        if self.buffer.len() == CHUNK - SEAL {
            self.end()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sums up what is written.
struct Summing<W> {
    out: W,
    sum: Context,
    bytes: u64,
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.sum.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Sums up what is read.
struct Reading<R> {
    bytes: R,
    sum: Context,
}

impl<R: Read> Read for Reading<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        self.sum.update(&buffer[..count]);
        Ok(count)
    }
}

/// Chunks one after the other. Each is dropped when it was read.
struct Joined {
    chunks: std::vec::IntoIter<Vec<u8>>,
    now: io::Cursor<Vec<u8>>,
}

impl Read for Joined {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.now.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(next) = self.chunks.next() else { return Ok(0) };
            self.now = io::Cursor::new(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::directory::list::List;
    use crate::entry::Entry;
    use crate::number::Number;
    use crate::secret::Secret;
    use crate::share::version::ReplicaId;

    #[test]
    fn what_is_packed_is_unpacked_and_damage_is_found() {
        let key = Key::read(&Secret::Given("07".repeat(32).into())).unwrap();
        let version = Version { epoch: 1, holder: ReplicaId(1), sequence: 1 };
        let owner = Owner { key: &key, site: "oslo", list: "crm", version };
        // Texts that do not become smaller, so that there are several chunks.
        let random = fastrand::Rng::with_seed(7);
        let text = |mut random: fastrand::Rng| (0..60).map(|_| random.alphanumeric()).collect::<String>();
        let list: List = (1..=40_000)
            .map(|national| {
                let mut own = random.clone();
                own.seed(national);
                Entry::example(Number::new(47, national).unwrap(), (1, &text(own)), (2, "Fjord Sjømat AS"))
            })
            .collect();
        let header = Header { count: 40_000, hash: "abc".into(), ..Header::default() };
        let mut chunks = Vec::new();
        let manifest = pack(owner, &Content::InMemory(header.clone(), Arc::new(list)), |chunk| {
            chunks.push(chunk);
            Ok(())
        });
        let manifest = manifest.unwrap();
        assert!(
            chunks.len() > 1 && chunks.iter().all(|chunk| chunk.bytes.len() <= CHUNK),
            "{}",
            chunks.len()
        );
        assert_eq!(manifest.chunks, chunks.iter().map(|chunk| chunk.name.clone()).collect::<Vec<_>>());
        let stored: Vec<Vec<u8>> = chunks.into_iter().map(|chunk| chunk.bytes).collect();
        let opened = |stored: &[Vec<u8>]| -> io::Result<Vec<Vec<u8>>> {
            stored
                .iter()
                .enumerate()
                .map(|(place, bytes)| open(owner, &manifest, place, bytes.clone()))
                .collect()
        };
        let (read, entries) = unpack(&manifest, opened(&stored).unwrap()).unwrap();
        assert_eq!((read, entries.len()), (header, 40_000));

        let mut damaged = stored.clone();
        damaged[1][1_000] ^= 1;
        assert_eq!(opened(&damaged).unwrap_err().to_string(), "a chunk is damaged");
        let turned: Vec<_> = stored.iter().rev().cloned().collect();
        assert!(opened(&turned).is_err());
        let whole = opened(&stored).unwrap();
        assert!(unpack(&manifest, whole[..whole.len() - 1].to_vec()).is_err());
        let shorter = Manifest { bytes: manifest.bytes - 1, ..manifest.clone() };
        assert!(unpack(&shorter, whole.clone()).is_err());
        let another = Manifest { sha256: "00".into(), ..manifest.clone() };
        assert_eq!(
            unpack(&another, whole).map(|_| ()).unwrap_err().to_string(),
            "it is not what was published"
        );
    }
}
