//! The keys of maps: strings, and what serde writes as one.

use super::{Departure, write::Failure};
use serde::ser::{Impossible, Serialize, Serializer};

/// Takes the text of a key.
pub(super) struct Key;

/// Values that are no keys.
macro_rules! refused {
    ($($method:ident($($type:ty),*);)*) => {$(
        fn $method(self, $(_: $type),*) -> Result<String, Failure> {
            Err(Departure::Key.into())
        }
    )*};
}

/// Compound values, which are no keys either.
macro_rules! refused_compounds {
    ($($method:ident($($type:ty),*) -> $compound:ident;)*) => {$(
        fn $method(self, $(_: $type),*) -> Result<Self::$compound, Failure> {
            Err(Departure::Key.into())
        }
    )*};
}

type Nothing = Impossible<String, Failure>;

impl Serializer for Key {
    type Ok = String;
    type Error = Failure;
    type SerializeSeq = Nothing;
    type SerializeTuple = Nothing;
    type SerializeTupleStruct = Nothing;
    type SerializeTupleVariant = Nothing;
    type SerializeMap = Nothing;
    type SerializeStruct = Nothing;
    type SerializeStructVariant = Nothing;

    fn serialize_str(self, key: &str) -> Result<String, Failure> {
        Ok(key.to_owned())
    }

    fn serialize_char(self, key: char) -> Result<String, Failure> {
        Ok(key.to_string())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<String, Failure> {
        Ok(variant.to_owned())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, key: &T) -> Result<String, Failure> {
        key.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<String, Failure> {
        Err(Departure::Key.into())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<String, Failure> {
        Err(Departure::Key.into())
    }

    refused! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
    }

    refused_compounds! {
        serialize_seq(Option<usize>) -> SerializeSeq;
        serialize_tuple(usize) -> SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant;
        serialize_map(Option<usize>) -> SerializeMap;
        serialize_struct(&'static str, usize) -> SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant;
    }
}
