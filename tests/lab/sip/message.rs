//! A SIP message: read from a datagram, written to one.
//!
//! Bytes stay bytes. A test about a damaged or hostile name has to see exactly what travelled, so
//! nothing here insists on UTF-8 or on the grammar, and nothing panics: what cannot be read as a
//! message is `None`, what is missing is empty.

/// A message as it came.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The first line.
    pub start: Start,
    /// Names as they came (perhaps compact: `f`), values without the blanks around them; folded
    /// lines joined by one blank. In the order of the message.
    pub headers: Vec<(String, Vec<u8>)>,
    /// What follows the blank line.
    pub body: Vec<u8>,
}

/// What a message's first line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// `INVITE sip:100@host SIP/2.0`
    Request { method: String, uri: Vec<u8> },
    /// `486 Busy Here`
    Response { status: u16 },
}

impl Message {
    /// Reads one datagram. `None` for anything that is no SIP message (keep-alives included).
    pub(crate) fn parse(datagram: &[u8]) -> Option<Self> {
        let (head, body) = split_head(datagram);
        let mut lines =
            head.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let start = Start::parse(lines.next()?)?;
        let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
        for line in lines {
            if let (Some(b' ' | b'\t'), Some((_, value))) = (line.first(), headers.last_mut()) {
                value.push(b' ');
                value.extend_from_slice(line.trim_ascii());
            } else if let Some(colon) = line.iter().position(|&byte| byte == b':') {
                let name = String::from_utf8_lossy(line[..colon].trim_ascii()).into_owned();
                headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
            }
        }
        Some(Self { start, headers, body: body.to_vec() })
    }

    /// The first header of that name, whichever case or compact form it came in.
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        let is_named = |(found, _): &&(String, Vec<u8>)| long_name(found).eq_ignore_ascii_case(name);
        self.headers.iter().find(is_named).map(|(_, value)| value.as_slice())
    }

    /// Every header of that name, in order.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers
            .iter()
            .filter(move |(found, _)| long_name(found).eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    /// The first header of that name as text; what is not UTF-8 becomes U+FFFD, what is missing "".
    pub(crate) fn text(&self, name: &str) -> String {
        self.header(name).map(lossy).unwrap_or_default()
    }

    /// From, To, Contact or P-Asserted-Identity taken apart.
    pub(crate) fn address(&self, name: &str) -> Option<Address> {
        self.header(name).map(Address::parse)
    }

    /// P-Asserted-Identity as it travelled: the name and the number of the other end.
    pub(crate) fn asserted_identity(&self) -> Option<String> {
        self.header("P-Asserted-Identity").map(lossy)
    }

    /// The status of a response, or the method of a request.
    pub(crate) fn kind(&self) -> String {
        match &self.start {
            Start::Request { method, .. } => method.clone(),
            Start::Response { status } => status.to_string(),
        }
    }

    /// The user part of the request URI; "" for a response.
    pub(crate) fn dialled(&self) -> String {
        match &self.start {
            Start::Request { uri, .. } => user_of(uri),
            Start::Response { .. } => String::new(),
        }
    }

    /// The sequence number and the method of `CSeq`; `(0, "")` where it is missing.
    pub(crate) fn cseq(&self) -> (u32, String) {
        let text = self.text("CSeq");
        let mut words = text.split_ascii_whitespace();
        let number = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        (number, words.next().unwrap_or_default().to_owned())
    }
}

impl Start {
    fn parse(line: &[u8]) -> Option<Self> {
        let mut words = line.split(|&byte| byte == b' ');
        let first = words.next()?;
        if first == b"SIP/2.0" {
            let status = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
            return Some(Self::Response { status });
        }
        let uri = words.next()?.to_vec();
        let version = words.next_back()?;
        let is_method = !first.is_empty() && first.iter().all(u8::is_ascii_uppercase);
        (is_method && version == b"SIP/2.0").then(|| Self::Request { method: lossy(first), uri })
    }
}

/// `"Kari \"K\" Nordmann" <sip:+4722334455@host;user=phone>;tag=1` taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Address {
    /// The whole value as it travelled.
    pub raw: Vec<u8>,
    /// The display name without its quotes and escapes, as a phone would show it.
    pub display: Option<String>,
    /// The address between the angle brackets.
    pub uri: String,
    /// The address's user part (or a `tel:` number), without its parameters, percent-decoded.
    pub user: String,
    /// The dialog's tag.
    pub tag: Option<String>,
}

impl Address {
    /// Takes a header's value apart. Never fails: what is not there is empty.
    pub(crate) fn parse(value: &[u8]) -> Self {
        let (display, rest) = split_display(value.trim_ascii());
        let (uri, params) = match rest.iter().position(|&byte| byte == b'<') {
            Some(open) => {
                let inside = &rest[open + 1..];
                let close = inside.iter().position(|&b| b == b'>').unwrap_or(inside.len());
                inside.split_at(close)
            }
            // Without brackets, parameters belong to the header, not to the address (RFC 3261 §20.10).
            None => rest.split_at(rest.iter().position(|&b| b == b';').unwrap_or(rest.len())),
        };
        let tag = params
            .split(|&byte| byte == b';')
            .find_map(|param| param.trim_ascii().strip_prefix(b"tag="))
            .map(lossy);
        Self { raw: value.to_vec(), display, uri: lossy(uri), user: user_of(uri), tag }
    }
}

/// The user part of a `sip:`, `sips:` or `tel:` address, percent-decoded; "" where there is none.
pub(crate) fn user_of(uri: &[u8]) -> String {
    let Some(colon) = uri.iter().position(|&byte| byte == b':') else {
        return String::new();
    };
    let (scheme, rest) = (&uri[..colon], &uri[colon + 1..]);
    let user = match rest.iter().position(|&byte| byte == b'@') {
        Some(at) => &rest[..at],
        None if scheme.eq_ignore_ascii_case(b"tel") => rest,
        None => return String::new(),
    };
    let end = user.iter().position(|&byte| byte == b';').unwrap_or(user.len());
    lossy(&percent_decode(&user[..end]))
}

/// A message being written, line by line.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// A request: `line` without its version, as in `INVITE sip:100@host`.
    pub(crate) fn request(method: &str, uri: &[u8]) -> Self {
        let mut bytes = method.as_bytes().to_vec();
        bytes.push(b' ');
        bytes.extend_from_slice(uri);
        bytes.extend_from_slice(b" SIP/2.0\r\n");
        Self(bytes)
    }

    /// An answer to `request`, with the headers that RFC 3261 §8.2.6 wants copied. `tag` goes on To
    /// unless it has one already.
    pub(crate) fn response(request: &Message, status: u16, reason: &str, tag: Option<&str>) -> Self {
        let mut writer = Self(format!("SIP/2.0 {status} {reason}\r\n").into_bytes());
        for name in ["Via", "Record-Route", "From"] {
            for value in request.all(name) {
                writer = writer.header(name, value);
            }
        }
        let mut to = request.header("To").unwrap_or_default().to_vec();
        if let Some(tag) = tag.filter(|_| Address::parse(&to).tag.is_none()) {
            to.extend_from_slice(format!(";tag={tag}").as_bytes());
        }
        writer = writer.header("To", to);
        for name in ["Call-ID", "CSeq"] {
            writer = writer.header(name, request.header(name).unwrap_or_default());
        }
        writer
    }

    /// One more header. The value is written as it is, line breaks included.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        self.0.extend_from_slice(value.as_ref());
        self.0.extend_from_slice(b"\r\n");
        self
    }

    /// The datagram of a message without a body.
    pub(crate) fn finish(self) -> Vec<u8> {
        let mut message = self.header("Content-Length", "0");
        message.0.extend_from_slice(b"\r\n");
        message.0
    }

    /// The datagram of a message that offers or answers media.
    pub(crate) fn finish_with_sdp(self, sdp: &str) -> Vec<u8> {
        let mut message =
            self.header("Content-Type", "application/sdp").header("Content-Length", sdp.len().to_string());
        message.0.extend_from_slice(format!("\r\n{sdp}").as_bytes());
        message.0
    }
}

/// The one kind of media that every side here has: G.711 µ-law on `port` of 127.0.0.1.
pub(crate) fn sdp(port: u16) -> String {
    format!(
        "v=0\r\no=lab 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
    )
}

/// A display name in the quotes that RFC 3261 §25.1 gives it; all other bytes as they are.
pub(crate) fn quoted(name: &[u8]) -> Vec<u8> {
    let mut bytes = vec![b'"'];
    for &byte in name {
        if matches!(byte, b'"' | b'\\') {
            bytes.push(b'\\');
        }
        bytes.push(byte);
    }
    bytes.push(b'"');
    bytes
}

/// Bytes as text, for comparing and for messages of failed tests.
pub(crate) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn split_head(datagram: &[u8]) -> (&[u8], &[u8]) {
    for blank_line in [&b"\r\n\r\n"[..], b"\n\n"] {
        if let Some(at) = datagram.windows(blank_line.len()).position(|w| w == blank_line) {
            return (&datagram[..at], &datagram[at + blank_line.len()..]);
        }
    }
    (datagram, &[])
}

fn long_name(name: &str) -> &str {
    match name {
        "i" | "I" => "Call-ID",
        "m" | "M" => "Contact",
        "f" | "F" => "From",
        "t" | "T" => "To",
        "v" | "V" => "Via",
        "l" | "L" => "Content-Length",
        "c" | "C" => "Content-Type",
        other => other,
    }
}

/// Splits the display name off; `<` inside quotes belongs to the name.
fn split_display(value: &[u8]) -> (Option<String>, &[u8]) {
    if value.first() != Some(&b'"') {
        let open = value.iter().position(|&byte| byte == b'<').unwrap_or(0);
        let words = value[..open].trim_ascii();
        return ((!words.is_empty()).then(|| lossy(words)), &value[open..]);
    }
    let mut name = Vec::new();
    let mut at = 1;
    while at < value.len() && value[at] != b'"' {
        at += usize::from(value[at] == b'\\' && at + 1 < value.len());
        name.push(value[at]);
        at += 1;
    }
    (Some(lossy(&name)), &value[(at + 1).min(value.len())..])
}

fn percent_decode(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let code = (first == b'%').then(|| after.get(..2)).flatten();
        let code = code.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    bytes
}
