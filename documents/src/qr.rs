//! A QR code as what a page needs to draw it.

use qrcode::{EcLevel, QrCode};
use serde::Serialize;

/// The dark modules of a QR code, joined along its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Drawing {
    /// Modules along a side.
    size: usize,
    /// Column, row and width of each dark run.
    runs: Vec<(usize, usize, usize)>,
}

/// The drawing of a text; none when it is too long for any QR code (2,331 bytes at this level of correction).
pub(crate) fn drawing(text: &str) -> Option<Drawing> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let size = code.width();
    let colors = code.into_colors();
    let mut runs: Vec<(usize, usize, usize)> = vec![];
    for (place, _) in colors.iter().enumerate().filter(|(_, color)| **color == qrcode::Color::Dark) {
        let (column, row) = (place % size, place / size);
        match runs.last_mut() {
            Some((start, on, width)) if *on == row && *start + *width == column => *width += 1,
            _ => runs.push((column, row, 1)),
        }
    }
    Some(Drawing { size, runs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runs_cover_the_dark_modules_and_nothing_else() {
        let text = "https://example.org/share/a1B2c3D4e5F6g7H8i9J0k1L2";
        let drawing = drawing(text).unwrap();
        let code = QrCode::with_error_correction_level(text, EcLevel::M).unwrap();
        let mut dark = vec![qrcode::Color::Light; drawing.size * drawing.size];
        for (column, row, width) in drawing.runs {
            for module in &mut dark[row * drawing.size + column..][..width] {
                assert_eq!(*module, qrcode::Color::Light, "drawn once");
                *module = qrcode::Color::Dark;
            }
        }
        assert_eq!(dark, code.to_colors());
    }

    #[test]
    fn a_text_that_is_too_long_has_none() {
        assert_eq!(drawing(&"x".repeat(5000)), None);
    }
}
