//! What touches the world: the clock, chance, the key folder, mail, objects. Nothing here knows a
//! rule, a table or a request.

pub mod chance;
pub mod clock;
pub mod keys;
pub mod mail;
pub mod objects;
pub mod personal;
pub mod tokens;

#[cfg(test)]
mod tests {
    use super::chance;
    use std::path::{Path, PathBuf};

    /// A new folder that is removed with this value.
    pub(in crate::outside) struct Folder(PathBuf);

    impl Folder {
        pub(in crate::outside) fn new() -> Self {
            let path = std::env::temp_dir().join(format!("defendable-test-{}", chance::uuid()));
            std::fs::create_dir(&path).expect("makes a folder");
            Self(path)
        }

        pub(in crate::outside) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
