//! Documents for people: pages laid out by Typst and written as tagged PDF.
//!
//! A document is a template of ours (`src/pages/`) and a JSON value. The value reaches the template as data, never as
//! source, so that nothing in it can be read as markup. Nothing here touches the network, the file system, the clock or
//! chance: the same value gives the same bytes, in any process.

mod fonts;
mod qr;
pub mod receipt;
mod text;
mod typeset;

pub use typeset::Unwritable;
