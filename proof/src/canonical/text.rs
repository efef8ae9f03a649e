//! Strings and integers as RFC 8785 writes them (sections 3.2.2.2 and 3.2.2.3).

/// Writes a string in quotation marks. Only the quotation mark, the backslash and the control
/// characters below U+0020 are escaped, each in the shortest of its forms.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    out.push(b'"');
    while let Some(plain) = rest.iter().position(|byte| needs_escape(*byte)) {
        let (before, after) = rest.split_at(plain);
        out.extend_from_slice(before);
        if let Some((byte, after)) = after.split_first() {
            escape(out, *byte);
            rest = after;
        }
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Whether a string may hold the byte only escaped.
pub(crate) const fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The letter that follows the backslash in the two-character escape of a byte, where there is one.
pub(crate) const fn short_escape(byte: u8) -> Option<u8> {
    match byte {
        b'"' | b'\\' => Some(byte),
        0x08 => Some(b'b'),
        b'\t' => Some(b't'),
        b'\n' => Some(b'n'),
        0x0c => Some(b'f'),
        b'\r' => Some(b'r'),
        _ => None,
    }
}

/// Writes the escape of a byte that needs one.
fn escape(out: &mut Vec<u8>, byte: u8) {
    match short_escape(byte) {
        Some(letter) => out.extend_from_slice(&[b'\\', letter]),
        None => {
            let low = byte & 0x0f;
            let digit = if low < 10 { b'0' + low } else { b'a' + (low - 10) };
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), digit]);
        }
    }
}

/// Writes an integer in decimal digits, without leading zeros.
pub(crate) fn integer(out: &mut Vec<u8>, mut number: u64) {
    let start = out.len();
    loop {
        out.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

/// Writes an integer in exactly `width` digits, with leading zeros; a longer one keeps its digits.
pub(crate) fn padded(out: &mut Vec<u8>, number: u64, width: usize) {
    let mut digits = Vec::with_capacity(20);
    integer(&mut digits, number);
    out.resize(out.len() + width.saturating_sub(digits.len()), b'0');
    out.extend_from_slice(&digits);
}
