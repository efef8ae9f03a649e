//! What a failed statement says of the database under it.

use sqlx::{Error, sqlite::SqliteError};

/// Why the database did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Its disk is full.
    Full,
    /// It cannot be reached, or cannot read or write its files, for now.
    Away,
    /// A key is taken.
    Taken,
    /// The statement itself is at fault.
    Other,
}

impl Trouble {
    /// The kind of an error.
    pub fn of(error: &Error) -> Self {
        let error = match error {
            Error::Io(_)
            | Error::Tls(_)
            | Error::Protocol(_)
            | Error::PoolTimedOut
            | Error::PoolClosed
            | Error::WorkerCrashed => return Self::Away,
            Error::Database(error) => error,
            _ => return Self::Other,
        };
        let code = error.code().unwrap_or_default();
        if error.try_downcast_ref::<SqliteError>().is_some() {
            return Self::of_sqlite(code.parse().unwrap_or_default());
        }
        match code.as_ref() {
            "53100" => Self::Full,
            // Shutting down, crashed, starting up, too many connections, in recovery.
            "57P01" | "57P02" | "57P03" | "53300" | "25006" => Self::Away,
            // Connection exceptions; input/output errors.
            code if code.starts_with("08") || code == "58030" => Self::Away,
            "23505" => Self::Taken,
            _ => Self::Other,
        }
    }

    /// Of SQLite's extended codes, the low byte says what sort of error it is.
    fn of_sqlite(code: u32) -> Self {
        match (code, code & 0xff) {
            (1555 | 2067, _) => Self::Taken,
            (_, 13) => Self::Full,
            // Busy, read-only, input/output, cannot open.
            (_, 5 | 8 | 10 | 14) => Self::Away,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_errors_are_known_by_their_sort() {
        for (code, expected) in [
            (13, Trouble::Full),
            // IOERR and its READ, WRITE, FSYNC, SHMSIZE; BUSY_SNAPSHOT; CANTOPEN; READONLY_DBMOVED.
            (10, Trouble::Away),
            (266, Trouble::Away),
            (778, Trouble::Away),
            (1034, Trouble::Away),
            (4874, Trouble::Away),
            (517, Trouble::Away),
            (14, Trouble::Away),
            (1032, Trouble::Away),
            // CONSTRAINT_PRIMARYKEY, _UNIQUE; _TRIGGER, _NOTNULL; ERROR; CORRUPT.
            (1555, Trouble::Taken),
            (2067, Trouble::Taken),
            (1811, Trouble::Other),
            (1299, Trouble::Other),
            (1, Trouble::Other),
            (11, Trouble::Other),
        ] {
            assert_eq!(Trouble::of_sqlite(code), expected, "{code}");
        }
    }
}
