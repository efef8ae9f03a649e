//! The tree cut into tiles (C2SP tlog-tiles): a tile of level `l` holds up to 256 hashes, each the root over 256^`l`
//! leaves. What is complete is never written again, so tiles can be kept anywhere and for ever.

use crate::{
    digest::Sha256Hex,
    merkle::{empty, join},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

/// How many hashes a full tile has, and how many entries a full bundle.
pub const WIDTH: u16 = 256;

/// How many bytes an entry may have.
pub const MAX_ENTRY: usize = u16::MAX as usize;

/// How many levels of the tree a tile spans.
const HEIGHT: u32 = 8;

/// A tile, however much of it there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// Its level: 0 holds the leaves' hashes. A tree has at most eight.
    pub level: u8,
    /// Its place within the level, from 0.
    pub index: u64,
}

impl TileId {
    /// The tile, and the place in it, of the node that is the root over 2^`level` leaves, the `index`-th of its level.
    /// Between the levels that tiles hold it is the root over several hashes, of which this is the first.
    fn holding(level: u32, index: u64) -> (Self, usize) {
        let first = index << (level % HEIGHT);
        (Self { level: (level / HEIGHT) as u8, index: first / u64::from(WIDTH) }, (first % u64::from(WIDTH)) as usize)
    }

    /// How many hashes it has in a tree of this size: 0 to 256.
    pub fn width(self, size: u64) -> u16 {
        let of_level = size.checked_shr(u32::from(self.level) * HEIGHT).unwrap_or(0);
        let before = self.index.saturating_mul(u64::from(WIDTH));
        of_level.saturating_sub(before).min(u64::from(WIDTH)) as u16
    }

    /// Where it lies in a tree of this size; nothing when it is empty there.
    pub fn path(self, size: u64) -> Option<TilePath> {
        let width = self.width(size);
        (width > 0).then_some(TilePath { kind: Kind::Hashes(self.level), index: self.index, width })
    }
}

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The hashes of a level, 0 to 63.
    Hashes(u8),
    /// The entries of the leaves.
    Entries,
}

/// The path of a tile below `<prefix>/tile/`, such as `0/x001/234.p/17` or `entries/000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    /// What it holds.
    pub kind: Kind,
    /// Its place within its level.
    pub index: u64,
    /// How many hashes or entries are asked for: 1 to 256.
    pub width: u16,
}

impl TilePath {
    /// The tile.
    pub fn id(&self) -> TileId {
        let level = match self.kind {
            Kind::Hashes(level) => level,
            Kind::Entries => 0,
        };
        TileId { level, index: self.index }
    }

    /// Whether a tree of this size has as much of it as is asked for.
    pub fn is_within(&self, size: u64) -> bool {
        self.id().width(size) >= self.width
    }
}

/// The greatest level that a path may name.
const MAX_LEVEL: u8 = 63;

/// A text that is no path of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a tile's path is its level (0 to 63) or `entries`, its number in groups of three digits, all but the last after an x, and of a partial one .p/ and its width (1 to 255): 0/x001/234.p/17"
)]
pub struct NotATilePath;

impl FromStr for TilePath {
    type Err = NotATilePath;

    fn from_str(path: &str) -> Result<Self, NotATilePath> {
        let (kind, rest) = path.split_once('/').ok_or(NotATilePath)?;
        let kind = match kind {
            "entries" => Kind::Entries,
            level => {
                Kind::Hashes(decimal(level).filter(|level| *level <= u64::from(MAX_LEVEL)).ok_or(NotATilePath)? as u8)
            }
        };
        let (index, width) = match rest.split_once(".p/") {
            None => (rest, WIDTH),
            Some((index, width)) => {
                let width = decimal(width).filter(|width| (1..u64::from(WIDTH)).contains(width));
                (index, width.ok_or(NotATilePath)? as u16)
            }
        };
        Ok(Self { kind, index: number(index).ok_or(NotATilePath)?, width })
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Hashes(level) => write!(out, "{level}/")?,
            Kind::Entries => out.write_str("entries/")?,
        }
        let mut scale = 1_000_u64;
        while self.index / scale >= 1_000 {
            scale *= 1_000;
        }
        while scale > 1 {
            if self.index >= scale {
                write!(out, "x{:03}/", self.index / scale % 1_000)?;
            }
            scale /= 1_000;
        }
        write!(out, "{:03}", self.index % 1_000)?;
        if self.width < WIDTH { write!(out, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// A number in decimal digits without leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && (text == "0" || !text.starts_with('0'))).then(|| text.parse().ok())?
}

/// A tile's number, in groups of three digits.
fn number(text: &str) -> Option<u64> {
    let mut groups = text.split('/').peekable();
    let mut number = 0_u64;
    while let Some(group) = groups.next() {
        let digits = if groups.peek().is_some() { group.strip_prefix('x')? } else { group };
        let is_group = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let value = is_group.then(|| digits.parse::<u64>().ok())??;
        // A number has one path: the first of several groups is not zero.
        if number == 0 && value == 0 && groups.peek().is_some() {
            return None;
        }
        number = number.checked_mul(1_000)?.checked_add(value)?;
    }
    Some(number)
}

/// Leaves of a tree, from the first up to the one before the second.
type Span = (u64, u64);

/// Where a span of more than one leaf is divided: after the largest power of two below its length.
fn middle((low, high): Span) -> u64 {
    let last = high - low - 1;
    low + (1 << last.checked_ilog2().unwrap_or(0))
}

/// The spans whose roots are the inclusion proof of a leaf, in its order.
fn inclusion(index: u64, size: u64) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut span = (0, size);
    while span.1 - span.0 > 1 && index < size {
        let middle = middle(span);
        let (here, sibling) =
            if index < middle { ((span.0, middle), (middle, span.1)) } else { ((middle, span.1), (span.0, middle)) };
        spans.push(sibling);
        span = here;
    }
    spans.reverse();
    spans
}

/// The spans whose roots are the consistency proof, in its order.
fn consistency(from: u64, to: u64) -> Vec<Span> {
    let mut spans = Vec::new();
    if from == 0 || from >= to {
        return spans;
    }
    let mut span = (0, to);
    while span.1 != from {
        let middle = middle(span);
        let (here, sibling) =
            if from <= middle { ((span.0, middle), (middle, span.1)) } else { ((middle, span.1), (span.0, middle)) };
        spans.push(sibling);
        span = here;
    }
    if span.0 > 0 {
        spans.push(span);
    }
    spans.reverse();
    spans
}

/// The complete subtrees of a span that a tree is divided into, from the left: level and number.
fn subtrees((low, high): Span) -> impl Iterator<Item = (u32, u64)> {
    let mut low = low;
    std::iter::from_fn(move || {
        let level = high.checked_sub(low)?.checked_ilog2()?.min(low.trailing_zeros());
        let index = low >> level;
        low += 1 << level;
        Some((level, index))
    })
}

fn tiles_of(spans: impl IntoIterator<Item = Span>) -> BTreeSet<TileId> {
    spans.into_iter().flat_map(subtrees).map(|(level, index)| TileId::holding(level, index).0).collect()
}

/// The tiles of which [`Tiles::inclusion`] makes its proof; none when the tree has no such leaf.
pub fn needed_for_inclusion(index: u64, size: u64) -> BTreeSet<TileId> {
    tiles_of(inclusion(index, size))
}

/// The tiles of which [`Tiles::consistency`] makes its proof; none when there is nothing to prove.
pub fn needed_for_consistency(from: u64, to: u64) -> BTreeSet<TileId> {
    tiles_of(consistency(from, to))
}

/// The tiles of which [`Tiles::root`] makes the root: of each level the one that is not full.
pub fn needed_for_root(size: u64) -> BTreeSet<TileId> {
    tiles_of([(0, size)])
}

/// The tiles that [`Tiles::append`] goes on with: the same ones.
pub fn needed_to_append(size: u64) -> BTreeSet<TileId> {
    needed_for_root(size)
}

/// What the tiles at hand do not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tile {index} of level {level} is needed with at least {width} hashes", index = tile.index, level = tile.level)]
pub struct Missing {
    /// The tile.
    pub tile: TileId,
    /// How many of its hashes are needed.
    pub width: u16,
}

impl Missing {
    /// The leaf that a tree must have for what is asked of it.
    fn leaf(index: u64) -> Self {
        let (tile, place) = TileId::holding(0, index);
        Self { tile, width: place as u16 + 1 }
    }
}

/// Some tiles of one tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tiles(BTreeMap<TileId, Vec<Sha256Hex>>);

impl Tiles {
    /// No tile.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a tile among them, in place of what there was of it. It may be wider than the tree that is asked for.
    pub fn insert(&mut self, tile: TileId, hashes: Vec<Sha256Hex>) {
        self.0.insert(tile, hashes);
    }

    /// A tile's hashes.
    pub fn get(&self, tile: TileId) -> Option<&[Sha256Hex]> {
        self.0.get(&tile).map(Vec::as_slice)
    }

    /// All of them, by level and number.
    pub fn iter(&self) -> impl Iterator<Item = (TileId, &[Sha256Hex])> {
        self.0.iter().map(|(tile, hashes)| (*tile, hashes.as_slice()))
    }

    /// The inclusion proof of a leaf in the tree of this size.
    ///
    /// # Errors
    /// A tile is missing or too narrow; where the tree has no such leaf, the leaf's.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Sha256Hex>, Missing> {
        if index >= size {
            return Err(Missing::leaf(index));
        }
        inclusion(index, size).into_iter().map(|span| self.hash(span)).collect()
    }

    /// The proof that the tree of `to` leaves continues the one of `from`; without hashes when `from` is 0 or `to`.
    ///
    /// # Errors
    /// A tile is missing or too narrow; where `from` is greater than `to`, that of the last leaf of `from`.
    pub fn consistency(&self, from: u64, to: u64) -> Result<Vec<Sha256Hex>, Missing> {
        if from > to {
            return Err(Missing::leaf(from - 1));
        }
        consistency(from, to).into_iter().map(|span| self.hash(span)).collect()
    }

    /// The root of the tree of this size.
    ///
    /// # Errors
    /// A tile is missing or too narrow.
    pub fn root(&self, size: u64) -> Result<Sha256Hex, Missing> {
        self.hash((0, size))
    }

    /// Makes the tree of `size` leaves grow by these leaves' hashes. Returns the tiles that have changed, all of which are
    /// then at hand.
    ///
    /// # Errors
    /// One of [`needed_to_append`] is missing or too narrow; nothing has changed then.
    pub fn append(&mut self, size: u64, leaves: &[Sha256Hex]) -> Result<BTreeSet<TileId>, Missing> {
        for tile in needed_to_append(size) {
            let width = tile.width(size);
            if self.get(tile).is_none_or(|hashes| hashes.len() < usize::from(width)) {
                return Err(Missing { tile, width });
            }
        }
        let mut changed = BTreeSet::new();
        let mut grown = leaves.to_vec();
        let mut level = 0_u8;
        // Each level hands what it has filled to the next one.
        while !grown.is_empty() {
            let before = size.checked_shr(u32::from(level) * HEIGHT).unwrap_or(0);
            let (mut tile, width) = (TileId { level, index: before / u64::from(WIDTH) }, before % u64::from(WIDTH));
            let mut room = usize::from(WIDTH) - width as usize;
            let mut rest = grown.as_slice();
            let mut filled = Vec::with_capacity(rest.len() / usize::from(WIDTH) + 1);
            while !rest.is_empty() {
                let (now, later) = rest.split_at(room.min(rest.len()));
                let hashes = self.0.entry(tile).or_default();
                hashes.truncate(usize::from(WIDTH) - room);
                hashes.extend_from_slice(now);
                changed.insert(tile);
                if now.len() == room {
                    filled.extend(reduce(hashes));
                }
                (rest, room, tile.index) = (later, usize::from(WIDTH), tile.index + 1);
            }
            (grown, level) = (filled, level + 1);
        }
        Ok(changed)
    }

    /// The root over some leaves.
    fn hash(&self, span: Span) -> Result<Sha256Hex, Missing> {
        let roots: Result<Vec<_>, _> = subtrees(span).map(|(level, index)| self.node(level, index)).collect();
        Ok(join(roots?.into_iter()).unwrap_or_else(empty))
    }

    /// The root over 2^`level` leaves, the `index`-th of its level.
    fn node(&self, level: u32, index: u64) -> Result<Sha256Hex, Missing> {
        let (tile, first) = TileId::holding(level, index);
        let end = first + (1 << (level % HEIGHT));
        let hashes = self.get(tile).and_then(|hashes| hashes.get(first..end));
        hashes.and_then(reduce).ok_or(Missing { tile, width: end as u16 })
    }
}

impl FromIterator<(TileId, Vec<Sha256Hex>)> for Tiles {
    fn from_iter<T: IntoIterator<Item = (TileId, Vec<Sha256Hex>)>>(tiles: T) -> Self {
        Self(tiles.into_iter().collect())
    }
}

/// The root over hashes of one level, at most a tile's, whose number is a power of two; nothing without any.
fn reduce(hashes: &[Sha256Hex]) -> Option<Sha256Hex> {
    let mut level = [Sha256Hex::ZERO; WIDTH as usize];
    let mut count = hashes.len();
    level.get_mut(..count)?.copy_from_slice(hashes);
    while count > 1 {
        count /= 2;
        for at in 0..count {
            level[at] = crate::merkle::node(&level[2 * at], &level[2 * at + 1]);
        }
    }
    (!hashes.is_empty()).then_some(level[0])
}

/// Bytes that are no tile of hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tile has 1 to 256 hashes of 32 bytes; these are {0} bytes")]
pub struct NotATile(pub usize);

/// A tile's bytes: its hashes one after another.
pub fn to_bytes(hashes: &[Sha256Hex]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// The hashes of a tile.
///
/// # Errors
/// The bytes are none.
pub fn from_bytes(bytes: &[u8]) -> Result<Vec<Sha256Hex>, NotATile> {
    match bytes.as_chunks() {
        (hashes, []) if (1..=usize::from(WIDTH)).contains(&hashes.len()) => {
            Ok(hashes.iter().map(|hash| Sha256Hex::from_bytes(*hash)).collect())
        }
        _ => Err(NotATile(bytes.len())),
    }
}

/// An entry with more than [`MAX_ENTRY`] bytes, and how many it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry has at most {MAX_ENTRY} bytes; this one has {0}")]
pub struct TooLong(pub usize);

/// The bytes of `entries/…`: each entry after its length in two bytes.
///
/// # Errors
/// An entry is too long.
pub fn entry_bundle<'a>(entries: impl Iterator<Item = &'a [u8]>) -> Result<Vec<u8>, TooLong> {
    let mut bundle = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| TooLong(entry.len()))?;
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// Bytes that are no entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the entries end within one, at byte {0}; each is its length in two bytes and as many bytes, at most 256 in all"
)]
pub struct NotEntries(pub usize);

/// The entries of a bundle.
///
/// # Errors
/// The bytes end within an entry, or are more than 256.
pub fn entries(bundle: &[u8]) -> Result<Vec<&[u8]>, NotEntries> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        let here = NotEntries(bundle.len() - rest.len());
        let (length, after) = rest.split_first_chunk().ok_or(here)?;
        let (entry, after) = after.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(here)?;
        if entries.len() == usize::from(WIDTH) {
            return Err(here);
        }
        entries.push(entry);
        rest = after;
    }
    Ok(entries)
}
