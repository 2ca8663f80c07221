//! Header fields: where they lie in a head, and which of them mean something to a proxy.
//!
//! Sources: spec 60 §3.2, RFC 9110 §7.6.1.

use std::ops::Range;

/// A range of a head; heads are bounded far below 4 GiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The span of `part` inside `whole`; empty when it is not inside.
    pub fn of(part: &[u8], whole: &[u8]) -> Span {
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        match start.checked_add(part.len()) {
            Some(end) if end <= whole.len() => Span { start: start as u32, end: end as u32 },
            _ => Span::default(),
        }
    }

    /// The bytes that it names in the head it was made for.
    pub fn of_head<'h>(&self, head: &'h [u8]) -> &'h [u8] {
        head.get(self.range()).unwrap_or_default()
    }

    /// As a range.
    pub fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One header field of a parsed head.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name as received.
    pub name: Span,
    /// Its value without surrounding white space.
    pub value: Span,
    /// What the name means here.
    pub known: FieldName,
}

macro_rules! field_names {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// The field names that a proxy acts on; all others are [`FieldName::Other`] and pass through.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum FieldName {
            $($(#[$doc])* $variant,)*
            /// Any other name.
            Other,
        }

        impl FieldName {
            /// Recognises a name, in any case.
            pub fn of(name: &[u8]) -> FieldName {
                match name.len() {
                    $(n if n == $text.len() && name.eq_ignore_ascii_case($text.as_bytes()) => FieldName::$variant,)*
                    _ => FieldName::Other,
                }
            }
        }
    };
}

field_names! {
    /// `Accept-Encoding`
    AcceptEncoding = "accept-encoding",
    /// `Connection`
    Connection = "connection",
    /// `Content-Encoding`
    ContentEncoding = "content-encoding",
    /// `Content-Length`
    ContentLength = "content-length",
    /// `Content-Type`
    ContentType = "content-type",
    /// `Date`
    Date = "date",
    /// `Expect`
    Expect = "expect",
    /// `Forwarded`
    Forwarded = "forwarded",
    /// `Host`
    Host = "host",
    /// `Keep-Alive`
    KeepAlive = "keep-alive",
    /// `Proxy-Authenticate`
    ProxyAuthenticate = "proxy-authenticate",
    /// `Proxy-Authorization`
    ProxyAuthorization = "proxy-authorization",
    /// `Proxy-Connection`
    ProxyConnection = "proxy-connection",
    /// `Te`
    Te = "te",
    /// `Traceparent`
    Traceparent = "traceparent",
    /// `Tracestate`
    Tracestate = "tracestate",
    /// `Trailer`
    Trailer = "trailer",
    /// `Transfer-Encoding`
    TransferEncoding = "transfer-encoding",
    /// `Upgrade`
    Upgrade = "upgrade",
    /// `X-Forwarded-For`
    XForwardedFor = "x-forwarded-for",
    /// `X-Forwarded-Host`
    XForwardedHost = "x-forwarded-host",
    /// `X-Forwarded-Proto`
    XForwardedProto = "x-forwarded-proto",
    /// `X-Request-Id`
    XRequestId = "x-request-id",
}

impl FieldName {
    /// Whether it belongs to one connection and must not be passed on (spec 60 §3.2).
    pub fn is_hop_by_hop(self) -> bool {
        matches!(
            self,
            FieldName::Connection
                | FieldName::KeepAlive
                | FieldName::ProxyAuthenticate
                | FieldName::ProxyAuthorization
                | FieldName::ProxyConnection
                | FieldName::Te
                | FieldName::Trailer
                | FieldName::TransferEncoding
                | FieldName::Upgrade
        )
    }

    /// Whether it claims where a request came from; the proxy removes such claims and adds none.
    pub fn is_forwarding_claim(self) -> bool {
        matches!(
            self,
            FieldName::Forwarded | FieldName::XForwardedFor | FieldName::XForwardedHost | FieldName::XForwardedProto
        )
    }
}

/// The comma-separated tokens of a field value, trimmed, empty ones left out.
pub fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognised_in_any_case() {
        assert_eq!(FieldName::of(b"content-LENGTH"), FieldName::ContentLength);
        assert_eq!(FieldName::of(b"TE"), FieldName::Te);
        assert_eq!(FieldName::of(b"x-request-id"), FieldName::XRequestId);
        assert_eq!(FieldName::of(b"content-lengt"), FieldName::Other);
        assert_eq!(FieldName::of(b""), FieldName::Other);
    }

    #[test]
    fn tokens_are_trimmed_and_blanks_dropped() {
        let all: Vec<_> = tokens(b" keep-alive ,, X-A\t, ").collect();
        assert_eq!(all, [&b"keep-alive"[..], b"X-A"]);
    }

    #[test]
    fn a_span_outside_its_head_is_empty() {
        let head = b"abc".to_vec();
        let other = b"abc".to_vec();
        assert_eq!(Span::of(&head[1..], &head).of_head(&head), b"bc");
        assert_eq!(Span::of(&other[..0], &head), Span::default());
        assert_eq!(Span { start: 2, end: 9 }.of_head(&head), b"");
    }
}
