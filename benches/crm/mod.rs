//! A SuperOffice of any size, for benchmarks.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Norwegian mobile numbers: 40000000 and on, then 90000000 and on; beyond, lengths that are possible.
pub(crate) fn number(place: u64) -> u64 {
    if place < 10_000_000 { 40_000_000 + place } else { 80_000_000 + place }
}

/// A CRM that writes its answer while it is read. In another epoch everybody has another name.
pub(crate) struct Crm {
    pub(crate) address: SocketAddr,
    pub(crate) epoch: Arc<AtomicU64>,
}

impl Crm {
    pub(crate) fn start(size: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("its address");
        let epoch = Arc::new(AtomicU64::new(0));
        let shared = Arc::clone(&epoch);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // At the end the CRM is silent: what is known comes from disk.
                let epoch = shared.load(Ordering::SeqCst);
                if epoch == u64::MAX {
                    thread::sleep(Duration::from_millis(50));
                } else {
                    answer(stream, size, epoch);
                }
            }
        });
        Self { address, epoch }
    }
}

fn answer(mut stream: TcpStream, size: u64, epoch: u64) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request);
    let mut text = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{{\"CallerIDHash\":\"e{epoch}\",\"CallerIDs\":["
    );
    for place in 0..size {
        let separator = if place > 0 { "," } else { "" };
        let company = place / 4;
        let _ = write!(
            text,
            "{separator}{{\"PhoneNumber\":{},\"DialInPrefix\":47,\"PersonId\":{},\"PersonName\":\"Person {epoch} Number {place}\",\
             \"Mrmrs\":\"Mrs\",\"ContactId\":{},\"ContactName\":\"Company {company} AS\"}}",
            number(place),
            place + 1,
            company + 1
        );
        if text.len() > 1 << 16 {
            if stream.write_all(text.as_bytes()).is_err() {
                return;
            }
            text.clear();
        }
    }
    text.push_str("]}");
    let _ = stream.write_all(text.as_bytes());
}
