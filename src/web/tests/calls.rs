//! The page of calls, and its stream of events.

use super::*;
use crate::call::{self, Caller};
use crate::calls::{Leg, Outcome};
use crate::directory::merge::{Rules, merge_one};
use crate::directory::suppressed::Span;

const PERSON: &str = "text/html,*/*";

fn entry(national: u64, person: (u32, &str), company: (u32, &str)) -> Entry {
    Entry::example(Number::new(47, national).unwrap(), person, company)
}

impl Running {
    /// A server that knows some people more, and leads to their CRM.
    async fn with_people() -> Self {
        let crms = Arc::new([("crm".to_owned(), "https://crm.example.com/SuperOffice".to_owned())].into());
        let web = Self::start_with(None, |backend| backend.crms = crms).await;
        let fjord = (243, "Fjord Sjømat AS");
        let rules = Rules { keeps_hidden: true, ..Rules::default() };
        let people = [
            entry(22_334_455, (654, "Kari Nordmann"), fjord),
            entry(22_334_460, (31, "Ola Fjell"), fjord),
            entry(22_334_460, (32, "Eva Strand"), fjord),
            entry(22_777_777, (41, "<script>alert(1)</script>"), (0, "")),
            entry(22_777_777, (42, "Per \"><img src=x>\r\ndata: x"), (0, "")),
        ];
        web.backend.resolver.swap(merge_one(&rules, people));
        web
    }

    /// A call from these digits has its answer.
    fn call(&self, digits: &str) {
        let caller = Caller { number: digits, ..Caller::default() };
        let answer = call::answer(&self.backend.resolver, &self.backend.pbx, caller);
        let leg = Leg { channel: digits, number: digits, called: "21000000", ..Leg::default() };
        self.backend.calls.answered(&"pbx1".into(), &answer, leg);
    }

    async fn page(&self) -> String {
        let answer = self.get("/", &format!("Accept: {PERSON}\r\n")).await;
        assert_eq!(answer.status, 200);
        assert!(answer.head.contains("script-src 'self'"), "{}", answer.head);
        answer.body
    }

    /// An open stream that has told all after this event.
    async fn stream(&self, headers: &str) -> Stream {
        let mut stream = self.connect().await;
        let request = format!("GET /calls/events HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut stream = Stream { stream, text: String::new() };
        stream.until("retry: 1000").await;
        // The next stream of this page comes on another connection: this one keeps the place of a stream until it ends.
        assert!(stream.text.contains("connection: close\r\n"), "{}", stream.text);
        stream
    }
}

struct Stream {
    stream: TcpStream,
    text: String,
}

impl Stream {
    /// Reads until this has come. Returns all that has come so far.
    async fn until(&mut self, what: &str) -> &str {
        while !self.text.contains(what) {
            let mut bytes = [0; 4096];
            let read = tokio::time::timeout(Duration::from_secs(20), self.stream.read(&mut bytes));
            let read = read.await.unwrap_or_else(|_| panic!("{what} has not come: {}", self.text)).unwrap();
            assert_ne!(read, 0, "the stream has ended: {}", self.text);
            self.text.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        &self.text
    }
}

#[tokio::test]
async fn the_page_has_the_last_calls_the_newest_first() {
    let web = Running::with_people().await;
    assert!(web.page().await.contains("No calls yet."));
    for digits in ["22334455", "22999999", "", "22334460"] {
        web.call(digits);
    }
    web.backend.calls.unanswered(&"pbx1".into(), Outcome::Late, Leg { number: "22334455", ..Leg::default() });
    let page = web.page().await;
    let order = ["no answer in time", "Ola Fjell", "number withheld", "unknown", "Kari Nordmann"];
    let places: Vec<_> =
        order.iter().map(|text| page.find(text).unwrap_or_else(|| panic!("{text}"))).collect();
    assert!(places.is_sorted(), "{places:?}");
    for part in [
        "href=\"https://crm.example.com/SuperOffice/default.aspx?person.main?person_id=654\"",
        "href=\"https://crm.example.com/SuperOffice/default.aspx?contact.main?contact_id=243\"",
        "href=\"/find?q=%2B4722334455\"",
        ">22 33 44 55</a>",
        "21000000",
        "pbx1",
        // Two colleagues: the phone shows their company.
        "Also possible:",
        "Eva Strand (Fjord Sjømat AS)",
        "certain",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let norwegian = web.get("/", "Accept: text/html\r\nAccept-Language: nb\r\n").await.body;
    assert!(norwegian.contains("skjult nummer") && norwegian.contains("Oppringt nummer"), "{norwegian}");
}

#[tokio::test]
async fn names_and_numbers_are_text_on_the_page_and_in_events() {
    let web = Running::with_people().await;
    web.call("22777777");
    web.call("\"><script>alert(2)</script>");
    let page = web.page().await;
    assert!(!page.contains("<script>alert") && !page.contains("<img"), "{page}");
    assert!(page.contains("&#60;script&#62;alert(1)") && page.contains("alert(2)"), "{page}");
    let mut stream = web.stream("").await;
    let events = stream.until("alert(2)").await;
    assert!(!events.contains("<script>") && !events.contains("<img"), "{events}");
    // A line break in a name does not begin a line of the event.
    assert!(!events.contains("\ndata: x\n"), "{events}");
    assert!(
        events.lines().skip_while(|line| !line.starts_with("retry")).all(|line| {
            line.is_empty()
                || ["retry: ", "id: ", "event: call", "data: "].iter().any(|start| line.starts_with(start))
                || line.bytes().all(|byte| byte.is_ascii_hexdigit())
        }),
        "{events}"
    );
}

#[tokio::test]
async fn an_open_page_is_told_of_calls_and_a_page_that_comes_back_of_those_it_missed() {
    let web = Running::with_people().await;
    let epoch = web.backend.calls.epoch();
    web.call("22334455");
    let last = |change: u64| format!("Last-Event-ID: {epoch}-{change}\r\n");
    let mut stream = web.stream(&last(1)).await;
    web.call("22999999");
    let events = stream.until("22 99 99 99").await.to_owned();
    assert!(events.contains(&format!("id: {epoch}-2\nevent: call\ndata: <tr")), "{events}");
    assert!(!events.contains("Kari"), "the page has this call: {events}");
    web.backend.calls.became("pbx1", "22334455", Outcome::Late);
    let events = stream.until("no answer in time").await;
    assert!(events.contains(&format!("id: {epoch}-3")) && events.contains(&format!("id=\"call-{epoch}-1\"")));
    drop(stream);

    web.call("22334460");
    let mut again = web.stream(&last(3)).await;
    let events = again.until("Ola Fjell").await;
    assert!(!events.contains("22 99 99 99"), "{events}");
    // An id of before a restart hides nothing, however large.
    let mut restarted = web.stream("Last-Event-ID: 17-999\r\n").await;
    let events = restarted.until("Ola Fjell").await;
    assert!(events.contains("22 99 99 99") && events.contains("Kari"), "{events}");
    // Where the page can't send the header, it says so in its address.
    let mut asked = web.connect().await;
    let request = format!(
        "GET /calls/events?after={epoch}-3 HTTP/1.1\r\nHost: localhost\r\nAccept-Language: no\r\n\r\n"
    );
    asked.write_all(request.as_bytes()).await.unwrap();
    let mut asked = Stream { stream: asked, text: String::new() };
    let events = asked.until("Ola Fjell").await;
    assert!(events.contains("Også mulig:") && !events.contains("22 99 99 99"), "{events}");
}

#[tokio::test]
async fn a_number_that_is_forgotten_leaves_the_open_page() {
    let web = Running::with_people().await;
    web.call("22334455");
    let mut stream = web.stream("").await;
    stream.until("Kari").await;
    let suppressed = [Span::new("22334455", "NO".parse().unwrap()).unwrap()].into_iter().collect();
    web.backend.resolver.suppress(&suppressed);
    web.backend.calls.forget(&suppressed);
    stream.until("must not be named").await;
    assert!(!web.page().await.contains("Kari"));
}

#[tokio::test]
async fn fifty_streams_leave_room_for_lookups_and_end_with_the_server() {
    let web = Running::with_people().await;
    let mut streams = Vec::new();
    for _ in 0..50 {
        streams.push(web.stream("").await);
    }
    // Whoever says nothing keeps others from their lookups as little as before.
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS {
        silent.push(web.connect().await);
    }
    assert_eq!(web.get("/lookup?number=22334455", "").await.status, 200);
    web.call("22334455");
    for stream in &mut streams {
        stream.until("Kari").await;
    }
    // One address has a quarter of all connections for streams.
    let mut more = Vec::new();
    for _ in 50..CONNECTIONS / 4 {
        more.push(web.stream("").await);
    }
    assert_eq!(web.get("/calls/events", "").await.status, 503);
    drop(more.pop());
    // The server sees the end of a connection when it sends.
    web.call("22999999");
    web.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(3), web.server).await.unwrap().unwrap();
}

#[tokio::test]
async fn several_requests_go_on_one_connection() {
    let web = Running::with_people().await;
    let mut stream = web.connect().await;
    let request = "GET /lookup?number=22334455 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for _ in 0..3 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).await.unwrap();
        let answer = String::from_utf8_lossy(&bytes[..read]);
        assert!(answer.ends_with("Kari Nordmann (Fjord Sjømat AS)"), "{answer}");
    }
    // It rests, and is closed after a while, or at the shutdown.
    web.shutdown.cancel();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    web.server.await.unwrap();
}
