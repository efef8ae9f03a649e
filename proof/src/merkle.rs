//! Merkle trees as RFC 6962 has them (section 2.1): SHA-256, leaves and inner nodes told apart by their first byte, and
//! the two proofs, that a leaf is in a tree and that one tree continues another.

use crate::digest::{Sha256Hex, sha256};
use sha2::{Digest, Sha256};

/// How many hashes the longest proof has.
pub const MAX_PROOF: usize = 64;

/// The root of the tree without leaves.
pub fn empty() -> Sha256Hex {
    sha256(b"")
}

/// The hash of a leaf, given its entry's bytes.
pub fn leaf(entry: &[u8]) -> Sha256Hex {
    Sha256Hex::from_bytes(Sha256::new().chain_update([0]).chain_update(entry).finalize().into())
}

/// The hash of an inner node, given those of its children.
pub fn node(left: &Sha256Hex, right: &Sha256Hex) -> Sha256Hex {
    let mut bytes = [1; 65];
    let (children, _) = bytes[1..].as_chunks_mut();
    for (child, hash) in children.iter_mut().zip([left, right]) {
        *child = *hash.as_bytes();
    }
    sha256(&bytes)
}

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is no such leaf in a tree of this size.
    #[error("a tree of {size} leaves has no leaf {index}; they count from 0")]
    Index {
        /// The leaf's index.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// The later tree is the smaller one.
    #[error("a tree of {to} leaves does not continue one of {from}")]
    Sizes {
        /// The earlier tree's size.
        from: u64,
        /// The later tree's size.
        to: u64,
    },
    /// The proof has more or fewer hashes than these sizes ask for.
    #[error("the proof has {found} hashes, expected {expected}")]
    Length {
        /// How many a proof has here.
        expected: usize,
        /// How many this one has.
        found: usize,
    },
    /// The proof leads to another root; of a consistency proof, the later one.
    #[error("the proof leads to the root {found}, expected {expected}")]
    Root {
        /// The tree's root.
        expected: Sha256Hex,
        /// Where the proof leads.
        found: Sha256Hex,
    },
    /// The consistency proof leads to another root of the earlier tree.
    #[error("the proof leads to the earlier root {found}, expected {expected}")]
    EarlierRoot {
        /// The earlier tree's root.
        expected: Sha256Hex,
        /// Where the proof leads.
        found: Sha256Hex,
    },
}

/// Whether the leaf with this hash is the `index`-th (from 0) of the tree with this size and root (RFC 9162, 2.1.3.2).
/// The proof's hashes go from the leaf's sibling up to the root's child.
///
/// # Errors
/// It is not, or the proof does not show it.
pub fn verify_inclusion(
    leaf: Sha256Hex,
    index: u64,
    size: u64,
    proof: &[Sha256Hex],
    root: Sha256Hex,
) -> Result<(), ProofError> {
    let Some(last) = size.checked_sub(1).filter(|last| index <= *last) else {
        return Err(ProofError::Index { index, size });
    };
    let path = Path::of(index, last);
    counted(path.length(), proof)?;
    let found = path.climb(leaf, proof, Climb::All);
    same(root, found, |expected, found| ProofError::Root { expected, found })
}

/// Whether the tree of `to` leaves begins with the `from` leaves of the other (RFC 9162, 2.1.4.2). Every tree continues
/// the empty one, by a proof without hashes.
///
/// # Errors
/// It does not, or the proof does not show it.
pub fn verify_consistency(
    from: u64,
    from_root: Sha256Hex,
    to: u64,
    to_root: Sha256Hex,
    proof: &[Sha256Hex],
) -> Result<(), ProofError> {
    let earlier = |expected, found| ProofError::EarlierRoot { expected, found };
    let later = |expected, found| ProofError::Root { expected, found };
    if from > to {
        return Err(ProofError::Sizes { from, to });
    }
    if from == 0 || from == to {
        counted(0, proof)?;
        if from == 0 {
            same(empty(), from_root, earlier)?;
        }
        return if from == to { same(from_root, to_root, later) } else { Ok(()) };
    }
    // The proof follows the way up from the earlier tree's last leaf, but begins at the largest complete subtree that
    // ends there. When that is the whole earlier tree, its root is known and the proof leaves it out.
    let path = Path::of(from - 1, to - 1).above(from.trailing_zeros());
    let begins = usize::from(!from.is_power_of_two());
    counted(path.length() + begins, proof)?;
    let (start, rest) = match proof.split_first() {
        Some((first, rest)) if begins == 1 => (*first, rest),
        _ => (from_root, proof),
    };
    same(from_root, path.climb(start, rest, Climb::LeftOnly), earlier)?;
    same(to_root, path.climb(start, rest, Climb::All), later)
}

fn counted(expected: usize, proof: &[Sha256Hex]) -> Result<(), ProofError> {
    if proof.len() == expected { Ok(()) } else { Err(ProofError::Length { expected, found: proof.len() }) }
}

fn same(
    expected: Sha256Hex,
    found: Sha256Hex,
    error: impl FnOnce(Sha256Hex, Sha256Hex) -> ProofError,
) -> Result<(), ProofError> {
    if expected == found { Ok(()) } else { Err(error(expected, found)) }
}

/// The way from a node up to the root. On its lower part each step has a sibling on the one side or the other; above,
/// where the way runs along the tree's right edge, only those on the left count.
struct Path {
    /// Whose bits say, from the lowest, on which side the way comes up: 1 from the right.
    index: u64,
    /// How many steps the lower part has.
    inner: u32,
    /// How many siblings the upper part has.
    border: u32,
}

/// Which siblings are taken on the way up.
#[derive(Clone, Copy, PartialEq)]
enum Climb {
    /// All of them: the way to the root of the whole tree.
    All,
    /// Only those on the left: the way to the root of the tree that ends at the node.
    LeftOnly,
}

impl Path {
    /// From the leaf `index` in the tree whose last leaf is `last`, which does not come before it.
    fn of(index: u64, last: u64) -> Self {
        // Above the highest bit in which the two differ they share their ancestors.
        let inner = u64::BITS - (index ^ last).leading_zeros();
        Self { index, inner, border: index.checked_shr(inner).unwrap_or(0).count_ones() }
    }

    /// The same way from `levels` further up, all of them in the lower part.
    fn above(self, levels: u32) -> Self {
        Self { index: self.index.checked_shr(levels).unwrap_or(0), inner: self.inner.saturating_sub(levels), ..self }
    }

    fn length(&self) -> usize {
        (self.inner + self.border) as usize
    }

    fn climb(&self, start: Sha256Hex, proof: &[Sha256Hex], which: Climb) -> Sha256Hex {
        let mut hash = start;
        for (level, sibling) in (0_u32..).zip(proof) {
            let from_right = level >= self.inner || self.index >> level & 1 == 1;
            if from_right {
                hash = node(sibling, &hash);
            } else if which == Climb::All {
                hash = node(&hash, sibling);
            }
        }
        hash
    }
}

/// The right edge of a tree: all that is needed to make it grow and to know its root, in constant memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    /// The roots of the largest complete subtrees, from the left, which are the largest, to the right: one for each bit
    /// of the size.
    peaks: Vec<Sha256Hex>,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree of which another frontier had this [`Self::size`] and these [`Self::peaks`]. Nothing when their number
    /// does not fit the size, or the size is beyond 2^63.
    pub fn resume(size: u64, peaks: Vec<Sha256Hex>) -> Option<Self> {
        let fits = size <= 1 << 63 && peaks.len() == size.count_ones() as usize;
        fits.then_some(Self { size, peaks })
    }

    /// Takes the next leaf's hash.
    pub fn push(&mut self, leaf: Sha256Hex) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of its largest complete subtrees, from the left: at most 64.
    pub fn peaks(&self) -> &[Sha256Hex] {
        &self.peaks
    }

    /// Its root.
    pub fn root(&self) -> Sha256Hex {
        join(self.peaks.iter().copied()).unwrap_or_else(empty)
    }
}

impl Extend<Sha256Hex> for Frontier {
    fn extend<T: IntoIterator<Item = Sha256Hex>>(&mut self, leaves: T) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}

impl FromIterator<Sha256Hex> for Frontier {
    fn from_iter<T: IntoIterator<Item = Sha256Hex>>(leaves: T) -> Self {
        let mut frontier = Self::new();
        frontier.extend(leaves);
        frontier
    }
}

/// The root over complete subtrees that become smaller from left to right; nothing without any.
pub(crate) fn join(peaks: impl DoubleEndedIterator<Item = Sha256Hex>) -> Option<Sha256Hex> {
    peaks.rev().reduce(|right, left| node(&left, &right))
}
