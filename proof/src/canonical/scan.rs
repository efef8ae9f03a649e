//! Whether bytes are canonical, in one pass and without building anything.

use super::{CanonicalError, Departure, MAX_DEPTH, MAX_SAFE_INTEGER, text};

/// See [`super::check`].
pub(super) fn check(bytes: &[u8]) -> Result<(), CanonicalError> {
    whole(bytes, Scan::value)
}

/// See [`super::members`].
pub(super) fn members<'a, const N: usize>(
    bytes: &'a [u8],
    names: [&str; N],
) -> Result<[Option<&'a [u8]>; N], CanonicalError> {
    let mut found = [None; N];
    whole(bytes, |scan| {
        if scan.peek() != Some(b'{') {
            return Err(Departure::Expected("an object"));
        }
        scan.nested(|scan| {
            scan.entries(|key, value| {
                for (name, place) in names.iter().zip(&mut found) {
                    if name.as_bytes() == key {
                        *place = Some(value);
                    }
                }
            })
        })
    })?;
    Ok(found)
}

/// Scans bytes that hold this and nothing else.
fn whole<'a>(bytes: &'a [u8], what: impl FnOnce(&mut Scan<'a>) -> Scanned) -> Result<(), CanonicalError> {
    let mut scan = Scan { bytes, at: 0, depth: 0 };
    let scanned = match std::str::from_utf8(bytes) {
        Err(error) => {
            scan.at = error.valid_up_to();
            Err(Departure::NotUtf8)
        }
        Ok(_) => what(&mut scan).and_then(|()| match scan.peek() {
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

/// A string as it is written.
#[derive(Clone, Copy)]
struct Written<'a> {
    /// What is between the quotation marks.
    inside: &'a [u8],
    /// Whether anything in it is escaped.
    escapes: bool,
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

    fn nested(&mut self, scan: impl FnOnce(&mut Self) -> Scanned) -> Scanned {
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
        self.entries(|_, _| {})
    }

    /// An object's entries, each shown as it is written: the key between its quotation marks, and the value.
    fn entries(&mut self, mut show: impl FnMut(&'a [u8], &'a [u8])) -> Scanned {
        if self.pass(b'}') {
            return Ok(());
        }
        let mut before = None;
        loop {
            let start = self.at;
            let key = self.string()?;
            if !key.inside.is_ascii() {
                return self.fail(start, Departure::Key);
            }
            match before.map(|before| in_order(before, key)) {
                Some(std::cmp::Ordering::Equal) => return self.fail(start, Departure::DuplicateKey),
                Some(std::cmp::Ordering::Greater) => return self.fail(start, Departure::Order),
                _ => before = Some(key),
            }
            self.expect(b':', "a colon")?;
            let value = self.rest();
            let start = self.at;
            self.value()?;
            show(key.inside, value.get(..self.at - start).unwrap_or_default());
            if !self.pass(b',') {
                return self.expect(b'}', "a comma or a closing brace");
            }
        }
    }

    fn string(&mut self) -> Scanned<Written<'a>> {
        self.expect(b'"', "a quotation mark")?;
        let inside = self.rest();
        let mut length = text::plain(inside);
        let mut escapes = false;
        while inside.get(length) == Some(&b'\\') {
            let rest = inside.get(length..).unwrap_or_default();
            let Some((_, escape)) = unescape(rest) else { return self.fail(self.at + length, Departure::Escape) };
            escapes = true;
            length += escape;
            length += text::plain(inside.get(length..).unwrap_or_default());
        }
        self.at += length;
        match inside.split_at_checked(length) {
            Some((inside, [b'"', ..])) => {
                self.at += 1;
                Ok(Written { inside, escapes })
            }
            Some((_, [_, ..])) => Err(Departure::Escape),
            _ => Err(Departure::Expected("a quotation mark")),
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
        self.at += match self.rest() {
            [b'n', b'u', b'l', b'l', ..] | [b't', b'r', b'u', b'e', ..] => 4,
            [b'f', b'a', b'l', b's', b'e', ..] => 5,
            _ => return Err(Departure::Expected("a value")),
        };
        Ok(())
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

/// The order of two keys.
fn in_order(a: Written<'_>, b: Written<'_>) -> std::cmp::Ordering {
    if a.escapes || b.escapes {
        return characters(a.inside).cmp(characters(b.inside));
    }
    // Most keys differ in their first letter already, which needs no comparison of slices.
    a.inside.first().cmp(&b.inside.first()).then_with(|| a.inside.cmp(b.inside))
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
