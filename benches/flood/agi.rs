//! Asterisk as a client of FastAGI: a connection for each call.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::{IN_FLIGHT, PATIENCE, number};

/// Places so many calls.
pub(crate) async fn flood(port: u16, calls: usize) {
    let next = Arc::new(AtomicUsize::new(0));
    let one_after_another = || async {
        while next.fetch_add(1, Ordering::Relaxed) < calls {
            let answer = call(port).await.expect("an answer");
            assert!(answer.contains("FOUND:"), "{answer}");
        }
    };
    futures_util::future::join_all((0..IN_FLIGHT).map(|_| one_after_another())).await;
}

/// Waits until a call has a name.
pub(crate) async fn until_answered(port: u16) {
    let begun = Instant::now();
    while !call(port).await.is_ok_and(|answer| answer.contains("FOUND:") && !answer.contains("NOTFOUND")) {
        assert!(begun.elapsed() < PATIENCE, "no name: {:?}", call(port).await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// One call. Returns the command that sets the name.
async fn call(port: u16) -> io::Result<String> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    stream.write_all(block().as_bytes()).await?;
    let mut command = String::new();
    stream.read_line(&mut command).await?;
    stream.write_all(b"200 result=1\n").await?;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await?;
    Ok(command)
}

/// As Asterisk 22 sends it.
fn block() -> String {
    format!(
        "agi_network: yes\nagi_network_script: handoff\nagi_request: agi://127.0.0.1:4577/handoff\n\
         agi_channel: PJSIP/trunk-00000001\nagi_language: en\nagi_type: PJSIP\nagi_uniqueid: 1764410000.1\n\
         agi_version: 22.10.1\nagi_callerid: {}\nagi_calleridname: unknown\nagi_callingpres: 0\nagi_callingani2: 0\n\
         agi_callington: 0\nagi_callingtns: 0\nagi_dnid: 22000000\nagi_rdnis: unknown\nagi_context: nameplate\n\
         agi_extension: lookup-agi\nagi_priority: 7\nagi_enhanced: 0.0\nagi_accountcode: \nagi_threadid: 140000000000000\n\
         agi_arg_1: NO\nagi_arg_2: tags\nagi_arg_3: 22000000\n\n",
        number()
    )
}
