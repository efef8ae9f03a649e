//! Strings and integers as RFC 8785 writes them (sections 3.2.2.2 and 3.2.2.3).

/// Writes a string in quotation marks. Only the quotation mark, the backslash and the control
/// characters below U+0020 are escaped, each in the shortest of its forms.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    out.push(b'"');
    loop {
        let (before, after) = rest.split_at(plain(rest));
        out.extend_from_slice(before);
        let Some((byte, after)) = after.split_first() else { break };
        escape(out, *byte);
        rest = after;
    }
    out.push(b'"');
}

/// How many bytes come before the first one that a string may hold only escaped. Eight at a time: most of what is
/// hashed and verified is text.
pub(crate) fn plain(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((eight, after)) = rest.split_first_chunk::<8>() {
        let marks = escapes(u64::from_le_bytes(*eight));
        if marks != 0 {
            return bytes.len() - rest.len() + (marks.trailing_zeros() / 8) as usize;
        }
        rest = after;
    }
    bytes.len() - rest.len() + rest.iter().position(|byte| needs_escape(*byte)).unwrap_or(rest.len())
}

/// The highest bit of each byte that needs an escape. A borrow can mark a byte above one that needs it, never below,
/// so the lowest mark is right.
const fn escapes(eight: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGHEST: u64 = u64::from_le_bytes([0x80; 8]);
    const fn below(eight: u64, least: u8) -> u64 {
        eight.wrapping_sub(ONES * least as u64) & !eight
    }
    let quotation = below(eight ^ (ONES * b'"' as u64), 1);
    let backslash = below(eight ^ (ONES * b'\\' as u64), 1);
    (below(eight, 0x20) | quotation | backslash) & HIGHEST
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
    let start = out.len();
    integer(out, number);
    let zeros = (start + width).saturating_sub(out.len());
    out.resize(out.len() + zeros, b'0');
    if let Some(digits) = out.get_mut(start..) {
        digits.rotate_right(zeros);
    }
}

/// Writes bytes as lowercase hexadecimal digits.
pub(crate) fn digits(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 0x0f)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_byte_that_needs_an_escape_is_found(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x1e_u8..=0x23, 0x5b_u8..=0x5d, 0x7f_u8..=0xa3], 0..40)
        ) {
            let first = bytes.iter().position(|byte| needs_escape(*byte)).unwrap_or(bytes.len());
            prop_assert_eq!(plain(&bytes), first);
        }

        #[test]
        fn behind_plain_bytes_too(before in "[a-zé]{0,30}", byte: u8, after in "[ -~]{0,20}") {
            let bytes = [before.as_bytes(), &[byte], after.as_bytes()].concat();
            let first = bytes.iter().position(|byte| needs_escape(*byte)).unwrap_or(bytes.len());
            prop_assert_eq!(plain(&bytes), first);
        }
    }
}
