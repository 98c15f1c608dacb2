//! What a command waits for, and for how long.

use super::*;
use crate::lists::events::Event;
use crate::lists::status::ListStatus;
use crate::source::Progress;

#[tokio::test(start_paused = true)]
async fn a_service_that_hangs_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(path(folder.path())).unwrap();
    let asked = ask(folder.path(), &Request::Sources, |_: ListStatus| ());
    let error = asked.await.unwrap_err().to_string();
    assert_eq!(error, "it has not answered within 5 s: it is stopped, or hangs");

    let refresh = Request::Refresh { name: None, accept: false, progress: false };
    let error = ask(folder.path(), &refresh, |_: Event| ()).await.unwrap_err().to_string();
    assert_eq!(error, "it has said nothing for 10 s: it is stopped, or hangs");
    drop(listener);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_slow_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(path(folder.path())).unwrap();
    let service = async {
        let (read, write) = listener.accept().await.unwrap().0.into_split();
        let mut write = AnswerWriter(write);
        BufReader::new(read).read_line(&mut String::new()).await.unwrap();
        let (answer, refreshed) = tokio::sync::oneshot::channel();
        let slow = async {
            tokio::time::sleep(Duration::from_mins(10)).await;
            answer.send(RefreshResult::failed("crm".to_owned(), "too slow")).unwrap();
        };
        let ordered = vec![(ProgressWatch::new("crm".to_owned(), Progress::default()), refreshed)];
        tokio::join!(slow, write_events(ordered, false, &mut write)).1.unwrap();
    };
    let mut heard = Vec::new();
    let refresh = Request::Refresh { name: None, accept: false, progress: false };
    let (asked, ()) = tokio::join!(ask(folder.path(), &refresh, |news| heard.push(news)), service);
    assert_eq!(asked.unwrap(), Some(()));
    assert!(matches!(&heard[..], [Event::Refreshed(of), Event::Done {}] if of.list == "crm"), "{heard:?}");
}

#[tokio::test]
async fn who_does_not_take_an_answer_is_not_written_to_for_ever() {
    let (near, far) = UnixStream::pair().unwrap();
    let (_read, write) = near.into_split();
    let mut write = AnswerWriter(write);
    let line = vec![b'x'; 1 << 16];
    let written = timeout(WRITE_TIMEOUT * 6, async {
        loop {
            if let Err(error) = write.line(&line).await {
                return error.kind();
            }
        }
    });
    assert_eq!(written.await.unwrap(), io::ErrorKind::TimedOut);
    drop(far);
}
