//! A second, strict reader of HTTP/1 heads and of their framing (RFC 9112, spec 20 §9), in one piece and by hand.
//!
//! It accepts what exactly one reading exists for. It knows nothing of limits and of `Host`.

/// A head: its start line, and its fields with their values trimmed.
#[derive(Debug)]
pub(crate) struct Message<'h> {
    pub(crate) start: [&'h [u8]; 3],
    pub(crate) fields: Fields<'h>,
}

/// Names and values.
pub(crate) type Fields<'h> = Vec<(&'h [u8], &'h [u8])>;

/// Where a body ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Known(u64),
    Chunked,
    Unsaid,
}

impl<'h> Message<'h> {
    /// Reads a head that ends in an empty line, as a request.
    pub(crate) fn request(head: &'h [u8]) -> Option<Message<'h>> {
        let (line, fields) = lines(head)?;
        let mut words = line.split(|&byte| byte == b' ');
        let start = [words.next()?, words.next()?, words.next()?];
        let [method, target, version] = start;
        let well_formed = words.next().is_none()
            && is_token(method)
            && !target.is_empty()
            && target.iter().all(|&byte| byte > b' ' && byte != 0x7f)
            && is_version(version);
        well_formed.then_some(Message { start, fields })
    }

    /// Reads a head that ends in an empty line, as a response. The reason phrase may be missing with its blank.
    pub(crate) fn response(head: &'h [u8]) -> Option<Message<'h>> {
        let (line, fields) = lines(head)?;
        let (version, rest) = (line.get(..8)?, line.get(8..)?.strip_prefix(b" ")?);
        let (status, rest) = (rest.get(..3)?, rest.get(3..)?);
        let reason = if rest.is_empty() { rest } else { rest.strip_prefix(b" ")? };
        let well_formed =
            is_version(version) && status.iter().all(u8::is_ascii_digit) && status[0] != b'0' && is_text(reason);
        well_formed.then_some(Message { start: [version, status, reason], fields })
    }

    pub(crate) fn values(&self, name: &str) -> Vec<&'h [u8]> {
        let named = self.fields.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()));
        named.map(|(_, value)| *value).collect()
    }

    /// The framing that the fields state; `None` when they can be read in two ways.
    pub(crate) fn length(&self, is_http_1_0: bool) -> Option<Length> {
        let (lengths, codings) = (self.values("Content-Length"), self.values("Transfer-Encoding"));
        match (lengths.as_slice(), codings.as_slice()) {
            ([], []) => Some(Length::Unsaid),
            ([], [coding]) => (coding.eq_ignore_ascii_case(b"chunked") && !is_http_1_0).then_some(Length::Chunked),
            ([digits], []) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
                let length: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
                u64::try_from(length).ok().map(Length::Known)
            }
            (_, _) => None,
        }
    }

    /// The names that `Connection` lists, in lower case.
    pub(crate) fn connection_options(&self) -> Vec<Vec<u8>> {
        let listed = self.values("Connection").into_iter().flat_map(|value| value.split(|&byte| byte == b','));
        listed.map(|name| name.trim_ascii().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect()
    }
}

/// The start line and the fields. Every line ends in CR LF, and no other CR or LF is there.
fn lines(head: &[u8]) -> Option<(&[u8], Fields<'_>)> {
    let mut rest = head.strip_suffix(b"\r\n\r\n")?;
    let mut all = Vec::new();
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        all.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    all.push(rest);
    if all.iter().any(|line| line.is_empty() || line.contains(&b'\r') || line.contains(&b'\n')) {
        return None;
    }
    let fields = all[1..].iter().map(|line| field(line)).collect::<Option<Vec<_>>>()?;
    Some((all[0], fields))
}

/// Name and value of a field line.
pub(crate) fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, mut value) = (&line[..colon], &line[colon + 1..]);
    while let [b' ' | b'\t', inner @ ..] | [inner @ .., b' ' | b'\t'] = value {
        value = inner;
    }
    (is_token(name) && is_text(value)).then_some((name, value))
}

fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn is_text(text: &[u8]) -> bool {
    text.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
}

fn is_version(text: &[u8]) -> bool {
    text == b"HTTP/1.0" || text == b"HTTP/1.1"
}
