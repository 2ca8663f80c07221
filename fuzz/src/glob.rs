//! The glob dialect (spec 20 §3).

use sockguard::policy::Glob;

/// The input is `pattern NUL subject`; both kinds of globs are held against a plain matcher.
pub fn glob(data: &[u8]) {
    let (pattern, subject) = super::split_once(data, 0);
    // The plain matcher takes the product of both lengths.
    let (Ok(pattern), true) = (std::str::from_utf8(pattern), data.len() <= 2048) else { return };
    let tokens = tokens(pattern.as_bytes());
    // By itself it stands for every path, the empty one included.
    let tokens = if pattern == "/**" { vec![Token::Any] } else { tokens };
    for crosses_line_feeds in [true, false] {
        let glob = if crosses_line_feeds { Glob::new(pattern) } else { Glob::new_lf_strict(pattern) };
        assert_eq!(
            glob.matches(subject),
            matches(&tokens, subject, crosses_line_feeds),
            "{pattern:?} on {}, across line feeds: {crosses_line_feeds}",
            subject.escape_ascii()
        );
    }
    assert!(pattern.contains('*') || Glob::new(pattern).matches(pattern.as_bytes()));
}

enum Token {
    Below,
    Any,
    Segment,
    Byte(u8),
}

fn tokens(pattern: &[u8]) -> Vec<Token> {
    let (mut tokens, mut rest) = (Vec::new(), pattern);
    loop {
        let (token, behind) = match rest {
            [] => return tokens,
            [b'/', b'*', b'*', behind @ ..] => (Token::Below, behind),
            [b'*', b'*', behind @ ..] => (Token::Any, behind),
            [b'*', behind @ ..] => (Token::Segment, behind),
            [byte, behind @ ..] => (Token::Byte(*byte), behind),
        };
        tokens.push(token);
        rest = behind;
    }
}

/// For each token in turn, at which places of the subject it can have ended.
fn matches(tokens: &[Token], subject: &[u8], crosses_line_feeds: bool) -> bool {
    let mut reached = vec![false; subject.len() + 1];
    reached[0] = true;
    for token in tokens {
        let mut next = vec![false; subject.len() + 1];
        // Whether a wildcard that began somewhere before has come as far as here.
        let mut is_open = false;
        for (at, is_reached) in reached.iter().copied().enumerate() {
            let taken = at.checked_sub(1).map(|before| subject[before]);
            let may_pass = |byte: u8| crosses_line_feeds || byte != b'\n';
            match token {
                Token::Byte(byte) => next[at] = taken == Some(*byte) && reached[at - 1],
                Token::Segment => {
                    is_open = is_reached || (is_open && taken != Some(b'/'));
                    next[at] = is_open;
                }
                Token::Any => {
                    is_open = is_reached || (is_open && taken.is_some_and(may_pass));
                    next[at] = is_open;
                }
                Token::Below => {
                    let begins = taken == Some(b'/') && reached[at - 1];
                    is_open = begins || (is_open && taken.is_some_and(may_pass));
                    next[at] = is_reached || is_open;
                }
            }
        }
        reached = next;
    }
    reached[subject.len()]
}
