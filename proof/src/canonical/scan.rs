//! Whether bytes are canonical, in one pass and without building anything.

use super::{CanonicalError, Departure, MAX_DEPTH, MAX_SAFE_INTEGER, text};

/// See [`super::check`].
pub(super) fn check(bytes: &[u8]) -> Result<(), CanonicalError> {
    let mut scan = Scan { bytes, at: 0, depth: 0 };
    let scanned = match std::str::from_utf8(bytes) {
        Err(error) => {
            scan.at = error.valid_up_to();
            Err(Departure::NotUtf8)
        }
        Ok(_) => scan.value().and_then(|()| match scan.peek() {
            None => Ok(()),
            Some(_) => Err(Departure::Expected("its end")),
        }),
    };
    scanned.map_err(|departure| CanonicalError { departure, place: format!("byte {}", scan.at) })
}

/// A reader whose position, once it has failed, is that of the failure.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How many arrays and objects are open.
    depth: usize,
}

type Scanned<T = ()> = Result<T, Departure>;

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Passes the byte if it comes next.
    fn pass(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    fn expect(&mut self, byte: u8, name: &'static str) -> Scanned {
        if self.pass(byte) { Ok(()) } else { Err(Departure::Expected(name)) }
    }

    /// Fails at an earlier place.
    fn fail<T>(&mut self, at: usize, departure: Departure) -> Scanned<T> {
        self.at = at;
        Err(departure)
    }

    fn value(&mut self) -> Scanned {
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.literal(),
        }
    }

    fn nested(&mut self, scan: fn(&mut Self) -> Scanned) -> Scanned {
        if self.depth == MAX_DEPTH {
            return Err(Departure::TooDeep);
        }
        self.depth += 1;
        self.at += 1;
        scan(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self) -> Scanned {
        if self.pass(b']') {
            return Ok(());
        }
        loop {
            self.value()?;
            if !self.pass(b',') {
                return self.expect(b']', "a comma or a closing bracket");
            }
        }
    }

    fn object(&mut self) -> Scanned {
        if self.pass(b'}') {
            return Ok(());
        }
        let mut before = None;
        loop {
            let start = self.at;
            let key = self.string()?;
            if !key.is_ascii() {
                return self.fail(start, Departure::Key);
            }
            match before.map(|before| in_order(before, key)) {
                Some(std::cmp::Ordering::Equal) => return self.fail(start, Departure::DuplicateKey),
                Some(std::cmp::Ordering::Greater) => return self.fail(start, Departure::Order),
                _ => before = Some(key),
            }
            self.expect(b':', "a colon")?;
            self.value()?;
            if !self.pass(b',') {
                return self.expect(b'}', "a comma or a closing brace");
            }
        }
    }

    /// What is between the quotation marks, still escaped.
    fn string(&mut self) -> Scanned<&'a [u8]> {
        self.expect(b'"', "a quotation mark")?;
        let inside = self.rest();
        let start = self.at;
        loop {
            let rest = self.rest();
            self.at += rest.iter().position(|byte| text::needs_escape(*byte)).unwrap_or(rest.len());
            match self.peek() {
                Some(b'"') => {
                    let length = self.at - start;
                    self.at += 1;
                    return Ok(inside.get(..length).unwrap_or_default());
                }
                Some(b'\\') => match unescape(self.rest()) {
                    Some((_, length)) => self.at += length,
                    None => return Err(Departure::Escape),
                },
                Some(_) => return Err(Departure::Escape),
                None => return Err(Departure::Expected("a quotation mark")),
            }
        }
    }

    fn number(&mut self) -> Scanned {
        let start = self.at;
        let negative = self.pass(b'-');
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let magnitude = self
            .rest()
            .iter()
            .take(digits)
            .try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
        let leading_zero = self.peek() == Some(b'0') && (digits > 1 || negative);
        self.at += digits;
        if matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return self.fail(start, Departure::Float);
        }
        if digits == 0 || leading_zero {
            return self.fail(start, Departure::Expected("an integer without leading zeros or minus zero"));
        }
        match magnitude {
            Some(0..=MAX_SAFE_INTEGER) => Ok(()),
            _ => self.fail(start, Departure::UnsafeInteger),
        }
    }

    fn literal(&mut self) -> Scanned {
        match [&b"true"[..], b"false", b"null"].into_iter().find(|word| self.rest().starts_with(word)) {
            Some(word) => {
                self.at += word.len();
                Ok(())
            }
            None => Err(Departure::Expected("a value")),
        }
    }
}

/// The byte that a canonical escape at the beginning of these bytes stands for, and the escape's
/// length.
fn unescape(bytes: &[u8]) -> Option<(u8, usize)> {
    match bytes {
        [b'\\', b'u', b'0', b'0', high @ (b'0' | b'1'), low @ (b'0'..=b'9' | b'a'..=b'f'), ..] => {
            let low = if low.is_ascii_digit() { low - b'0' } else { low - b'a' + 10 };
            let byte = (high - b'0') * 16 + low;
            text::short_escape(byte).is_none().then_some((byte, 6))
        }
        [b'\\', letter, ..] => {
            let escaped = *b"\"\\\x08\t\n\x0c\r";
            let byte = escaped.into_iter().find(|byte| text::short_escape(*byte) == Some(*letter))?;
            Some((byte, 2))
        }
        _ => None,
    }
}

/// The order of two keys, given as they are written.
fn in_order(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    if a.contains(&b'\\') || b.contains(&b'\\') { characters(a).cmp(characters(b)) } else { a.cmp(b) }
}

/// The characters of an ASCII key that is canonically written.
fn characters(mut written: &[u8]) -> impl Iterator<Item = u8> + '_ {
    std::iter::from_fn(move || {
        let (byte, length) = match written {
            [b'\\', ..] => unescape(written)?,
            [byte, ..] => (*byte, 1),
            [] => return None,
        };
        written = written.get(length..)?;
        Some(byte)
    })
}
