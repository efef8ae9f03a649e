//! Personal data as events carry it: encrypted under the person's own key, so that dropping the
//! key erases the data and leaves every hash as it was.

use crate::ids::UserId;
use serde::{Deserialize, Serialize};

/// A personal value, encrypted (XChaCha20-Poly1305) under the key of the person whom it is about.
/// Only the service can open it, and nobody once the key is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Whom the value is about.
    pub person: UserId,
    /// The 24 bytes of the nonce, in hexadecimal.
    pub nonce: String,
    /// Ciphertext and tag, in hexadecimal.
    pub ciphertext: String,
}
