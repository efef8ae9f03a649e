//! Flight sheets: rulebooks that an agent's work is graded against.

pub mod bands;
pub mod flight_sheet;
pub mod formula;
pub mod path;
pub mod policy;
pub mod sheet;
pub mod version;
pub mod vocabulary;
