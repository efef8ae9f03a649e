//! Canonical bytes of any value that serde can serialise, written straight into one buffer.

use super::{CanonicalError, Departure, MAX_DEPTH, MAX_SAFE_INTEGER, key::Key, text};
use serde::ser::{self, Serialize, Serializer};
use std::{borrow::Cow, fmt};

/// See [`super::to_vec`].
pub(super) fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let mut writer = Writer { out: Vec::with_capacity(1024), keys: Vec::new(), depth: 0 };
    match value.serialize(&mut writer) {
        Ok(()) => Ok(writer.out),
        Err(Failure { departure, path }) => Err(CanonicalError { departure, place: place(&path) }),
    }
}

/// The output, and what is needed to sort the entries of the objects that are open.
struct Writer {
    out: Vec<u8>,
    /// Of each entry of each open object, its key and where in the output the entry begins.
    keys: Vec<(Cow<'static, str>, usize)>,
    depth: usize,
}

impl Writer {
    fn open(&mut self, bracket: u8) -> Result<(), Failure> {
        if self.depth == MAX_DEPTH {
            return Err(Departure::TooDeep.into());
        }
        self.depth += 1;
        self.out.push(bracket);
        Ok(())
    }

    fn close(&mut self, bracket: u8) {
        self.depth -= 1;
        self.out.push(bracket);
    }

    fn object(&mut self) -> Result<Object<'_>, Failure> {
        self.open(b'{')?;
        Ok(Object { first: self.keys.len(), writer: self, variant: false })
    }

    fn array(&mut self) -> Result<Array<'_>, Failure> {
        self.open(b'[')?;
        Ok(Array { writer: self, length: 0, variant: false })
    }

    /// Opens the object that holds a variant's content under its name.
    fn variant(&mut self, name: &'static str) -> Result<(), Failure> {
        self.open(b'{')?;
        if !name.is_ascii() {
            return Err(Failure::from(Departure::Key).within(Step::Key(name.to_owned())));
        }
        text::string(&mut self.out, name);
        self.out.push(b':');
        Ok(())
    }

    fn integer(&mut self, value: i128) -> Result<(), Failure> {
        match u64::try_from(value.unsigned_abs()) {
            Ok(magnitude @ 0..=MAX_SAFE_INTEGER) => {
                if value < 0 {
                    self.out.push(b'-');
                }
                text::integer(&mut self.out, magnitude);
                Ok(())
            }
            _ => Err(Departure::UnsafeInteger.into()),
        }
    }
}

/// A departure, and the way from it up to the value that is being written.
#[derive(Debug)]
pub(super) struct Failure {
    departure: Departure,
    path: Vec<Step>,
}

#[derive(Debug)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl Failure {
    fn within(mut self, step: Step) -> Self {
        self.path.push(step);
        self
    }
}

impl From<Departure> for Failure {
    fn from(departure: Departure) -> Self {
        Self { departure, path: Vec::new() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.departure.fmt(out)
    }
}

impl std::error::Error for Failure {}

impl ser::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Departure::Value(message.to_string()).into()
    }
}

/// The path from the top, written as `checks[2].severity`.
fn place(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path.iter().rev() {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.extend([".", key]),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    if text.is_empty() { "the top".to_owned() } else { text }
}

/// An array that is open.
struct Array<'a> {
    writer: &'a mut Writer,
    length: usize,
    /// Whether an object around it, which holds a variant, closes with it.
    variant: bool,
}

impl Array<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        if self.length > 0 {
            self.writer.out.push(b',');
        }
        value.serialize(&mut *self.writer).map_err(|failure| failure.within(Step::Index(self.length)))?;
        self.length += 1;
        Ok(())
    }

    fn close(self) -> Result<(), Failure> {
        self.writer.close(b']');
        if self.variant {
            self.writer.close(b'}');
        }
        Ok(())
    }
}

/// An object that is open. Its entries are written as they come, each with a comma before it, and
/// put in order when it closes; fields that come in order, as most do, are moved only by that comma.
struct Object<'a> {
    writer: &'a mut Writer,
    /// Where its entries begin among the writer's keys.
    first: usize,
    /// Whether an object around it, which holds a variant, closes with it.
    variant: bool,
}

impl Object<'_> {
    fn key(&mut self, key: Cow<'static, str>) -> Result<(), Failure> {
        if !key.is_ascii() {
            return Err(Failure::from(Departure::Key).within(Step::Key(key.into_owned())));
        }
        if self.writer.keys.len() > self.first {
            self.writer.out.push(b',');
        }
        let start = self.writer.out.len();
        text::string(&mut self.writer.out, &key);
        self.writer.out.push(b':');
        self.writer.keys.push((key, start));
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        let own = self.writer.keys.len();
        value.serialize(&mut *self.writer).map_err(|failure| {
            // The objects that failed deeper down have left their keys behind this one.
            let key = own.checked_sub(1).and_then(|own| self.writer.keys.get(own));
            failure.within(Step::Key(key.map(|(key, _)| key.to_string()).unwrap_or_default()))
        })
    }

    fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Failure> {
        self.key(Cow::Borrowed(key))?;
        self.value(value)
    }

    fn close(self) -> Result<(), Failure> {
        let Writer { out, keys, .. } = &mut *self.writer;
        let entries = keys.get_mut(self.first..).unwrap_or_default();
        if !entries.is_sorted_by(|(before, _), (after, _)| before < after) {
            sort(out, entries)?;
        }
        keys.truncate(self.first);
        self.writer.close(b'}');
        if self.variant {
            self.writer.close(b'}');
        }
        Ok(())
    }
}

/// Puts the entries, with which the output ends, in the order of their keys.
fn sort(out: &mut Vec<u8>, entries: &mut [(Cow<'static, str>, usize)]) -> Result<(), Failure> {
    let Some((_, first)) = entries.first() else { return Ok(()) };
    let (first, written) = (*first, out.split_off(*first));
    let ends = entries.iter().skip(1).map(|(_, next)| next - first - 1).chain([written.len()]);
    let mut spans: Vec<_> = entries.iter().zip(ends).map(|((key, start), end)| (key, *start - first..end)).collect();
    spans.sort_by_key(|(key, _)| *key);
    let twice = spans.iter().zip(spans.iter().skip(1)).find(|((a, _), (b, _))| a == b);
    if let Some(((key, _), _)) = twice {
        return Err(Failure::from(Departure::DuplicateKey).within(Step::Key(key.to_string())));
    }
    for (index, (_, span)) in spans.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(written.get(span).unwrap_or_default());
    }
    Ok(())
}

/// The names by which serde_json hands over JSON that was never read.
const RAW: [&str; 2] = ["$serde_json::private::RawValue", "$serde_json::private::Number"];

macro_rules! integers {
    ($($method:ident($type:ty);)*) => {$(
        fn $method(self, value: $type) -> Result<(), Failure> {
            self.integer(value.into())
        }
    )*};
}

impl<'a> Serializer for &'a mut Writer {
    type Ok = ();
    type Error = Failure;
    type SerializeSeq = Array<'a>;
    type SerializeTuple = Array<'a>;
    type SerializeTupleStruct = Array<'a>;
    type SerializeTupleVariant = Array<'a>;
    type SerializeMap = Object<'a>;
    type SerializeStruct = Object<'a>;
    type SerializeStructVariant = Object<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Failure> {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    integers! {
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
    }

    fn serialize_u128(self, value: u128) -> Result<(), Failure> {
        self.integer(i128::try_from(value).map_err(|_| Departure::UnsafeInteger)?)
    }

    fn serialize_f32(self, _: f32) -> Result<(), Failure> {
        Err(Departure::Float.into())
    }

    fn serialize_f64(self, _: f64) -> Result<(), Failure> {
        Err(Departure::Float.into())
    }

    fn serialize_char(self, value: char) -> Result<(), Failure> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Failure> {
        text::string(&mut self.out, value);
        Ok(())
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Failure> {
        Err(Departure::Raw.into())
    }

    fn serialize_none(self) -> Result<(), Failure> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failure> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Failure> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Failure> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Failure> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Failure> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Failure> {
        self.variant(variant)?;
        value.serialize(&mut *self).map_err(|failure| failure.within(Step::Key(variant.to_owned())))?;
        self.close(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Array<'a>, Failure> {
        self.array()
    }

    fn serialize_tuple(self, _: usize) -> Result<Array<'a>, Failure> {
        self.array()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Array<'a>, Failure> {
        self.array()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Array<'a>, Failure> {
        self.variant(variant)?;
        Ok(Array { variant: true, ..self.array()? })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Object<'a>, Failure> {
        self.object()
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Object<'a>, Failure> {
        if RAW.contains(&name) {
            return Err(Departure::Raw.into());
        }
        self.object()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Object<'a>, Failure> {
        self.variant(variant)?;
        Ok(Object { variant: true, ..self.object()? })
    }
}

macro_rules! arrays {
    ($($trait:ident::$method:ident,)*) => {$(
        impl ser::$trait for Array<'_> {
            type Ok = ();
            type Error = Failure;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
                self.item(value)
            }

            fn end(self) -> Result<(), Failure> {
                self.close()
            }
        }
    )*};
}

arrays! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

macro_rules! objects {
    ($($trait:ident,)*) => {$(
        impl ser::$trait for Object<'_> {
            type Ok = ();
            type Error = Failure;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Failure> {
                self.field(key, value)
            }

            fn end(self) -> Result<(), Failure> {
                self.close()
            }
        }
    )*};
}

objects! {
    SerializeStruct,
    SerializeStructVariant,
}

impl ser::SerializeMap for Object<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failure> {
        let key = key.serialize(Key)?;
        self.key(Cow::Owned(key))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.value(value)
    }

    fn end(self) -> Result<(), Failure> {
        self.close()
    }
}
