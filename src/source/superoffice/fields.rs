//! The fields of a JSON object: a record, a hit of a search, an error.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::json::Came;
use crate::number::CrmValue;

/// The values of an object.
pub(super) struct Fields<const N: usize> {
    /// In the order of the requested keys.
    pub(super) values: [Scalar; N],
    /// Whether a key is there twice with different values, so that neither can be trusted.
    pub(super) is_twice: bool,
}

/// The values of these keys in an object. None if the JSON is broken; a value other than an object has no fields.
pub(super) fn read<const N: usize>(json: &[u8], came: Came, keys: &[&str; N]) -> Option<Fields<N>> {
    if json.first() != Some(&b'{') {
        return scalar(json, came).map(|_| Fields::none());
    }
    let mut json = serde_json::Deserializer::from_slice(json);
    let fields = json.deserialize_map(FieldsVisitor { keys }).ok().filter(|_| json.end().is_ok());
    fields.filter(|_| !came.is_broken)
}

/// The value, where it is a number or a text.
pub(super) fn scalar(json: &[u8], came: Came) -> Option<Scalar> {
    serde_json::from_slice(json).ok().filter(|_| !came.is_broken)
}

impl<const N: usize> Fields<N> {
    fn none() -> Self {
        Self { values: std::array::from_fn(|_| Scalar::Missing), is_twice: false }
    }
}

struct FieldsVisitor<'a, const N: usize> {
    keys: &'a [&'a str; N],
}

impl<'de, const N: usize> Visitor<'de> for FieldsVisitor<'_, N> {
    type Value = Fields<N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<N>, A::Error> {
        let mut fields = Fields::none();
        while let Some(place) = map.next_key_seed(Key { keys: self.keys })? {
            let Some(value) = place.and_then(|place| fields.values.get_mut(place)) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            match map.next_value()? {
                Scalar::Missing => {}
                found => {
                    fields.is_twice |= !matches!(value, Scalar::Missing) && *value != found;
                    *value = found;
                }
            }
        }
        Ok(fields)
    }
}

/// The position of a key among the requested ones.
struct Key<'a, const N: usize> {
    keys: &'a [&'a str; N],
}

impl<'de, const N: usize> DeserializeSeed<'de> for Key<'_, N> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<const N: usize> Visitor<'_> for Key<'_, N> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, found: &str) -> Result<Option<usize>, E> {
        Ok(self.keys.iter().position(|key| *key == found))
    }
}

/// A JSON number or text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Scalar {
    /// Absent, `null`, or a value of another type.
    #[default]
    Missing,
    Integer(i64),
    Float(f64),
    Text(String),
}

impl Scalar {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Missing => String::new(),
            Self::Integer(integer) => integer.to_string(),
            Self::Float(float) => float.to_string(),
            Self::Text(text) => text.trim().to_owned(),
        }
    }

    /// The value as a whole number; none if it is absent or another value.
    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Self::Missing => None,
            Self::Integer(integer) => Some(*integer),
            // Below 2^53 every whole float is exact; ids and prefixes are much smaller.
            #[allow(clippy::cast_possible_truncation)]
            Self::Float(float) => (float.fract() == 0.0 && float.abs() < 9e15).then_some(*float as i64),
            Self::Text(text) => text.trim().parse().ok(),
        }
    }

    /// An id of the CRM, an int32; 0 for none.
    pub(super) fn id(&self) -> u32 {
        self.integer().and_then(|id| u32::try_from(id).ok()).unwrap_or(0)
    }

    pub(super) fn stored(&self) -> CrmValue<'_> {
        match self {
            Self::Missing => CrmValue::Missing,
            Self::Integer(integer) => CrmValue::from(*integer),
            Self::Float(float) => CrmValue::from(*float),
            Self::Text(text) => CrmValue::from_text(text),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("nothing"),
            Self::Integer(integer) => write!(f, "{integer}"),
            Self::Float(float) => write!(f, "{float}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Scalar, E> {
        Ok(Scalar::Missing)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Scalar, E> {
        Ok(Scalar::Missing)
    }

    fn visit_i64<E: Error>(self, integer: i64) -> Result<Scalar, E> {
        Ok(Scalar::Integer(integer))
    }

    fn visit_u64<E: Error>(self, integer: u64) -> Result<Scalar, E> {
        // A number beyond i64 is no telephone number; as a text it is reported as too long.
        Ok(i64::try_from(integer).map_or_else(|_| Scalar::Text(integer.to_string()), Scalar::Integer))
    }

    fn visit_f64<E: Error>(self, float: f64) -> Result<Scalar, E> {
        Ok(Scalar::Float(float))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Missing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Missing)
    }
}
