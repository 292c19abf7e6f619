//! Numbers in bodies: text for whoever needs every digit, or JSON numbers for
//! whoever does not. Which field a number is decides its limits.

use std::fmt;
use std::marker::PhantomData;

use hashinsight_mining::{Exact, Field, Micro, Refusal};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};

/// Digits before or after the point.
const DIGITS_MAX: usize = 40;

/// A number as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount(String);

impl Amount {
    /// Within the limits of a field.
    pub fn read(&self, field: Field) -> Result<Exact, Refusal> {
        field.read(&self.0)
    }

    /// Within the limits of a field, with at most six decimals.
    pub fn read_micro(&self, field: Field) -> Result<Micro, Refusal> {
        field.read_micro(&self.0)
    }

    /// One.
    pub fn one() -> Self {
        Self("1".to_owned())
    }

    /// As it was sent.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AmountVisitor)
    }
}

struct AmountVisitor;

impl Visitor<'_> for AmountVisitor {
    type Value = Amount;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("a number, or a text of digits with one point at most")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
        if is_decimal(text) {
            return Ok(Amount(text.to_owned()));
        }
        Err(E::invalid_value(de::Unexpected::Str(&text.chars().take(40).collect::<String>()), &self))
    }

    fn visit_u64<E: de::Error>(self, whole: u64) -> Result<Amount, E> {
        Ok(Amount(whole.to_string()))
    }

    fn visit_i64<E: de::Error>(self, whole: i64) -> Result<Amount, E> {
        Ok(Amount(whole.to_string()))
    }

    /// The shortest decimal that is read back as the same double.
    fn visit_f64<E: de::Error>(self, double: f64) -> Result<Amount, E> {
        Ok(Amount(double.to_string()))
    }
}

/// `-12.5`, with digits on both sides of a point.
fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| (1..=DIGITS_MAX).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = text.split_once('.').map_or((text, None), |(whole, part)| (whole, Some(part)));
    digits(whole) && part.is_none_or(digits)
}

/// How a number of this field is documented where all is text.
fn text(field: Field) -> ObjectBuilder {
    let (least, most) = field.limits();
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(format!("^-?[0-9]{{1,{DIGITS_MAX}}}(\\.[0-9]{{1,{DIGITS_MAX}}})?$")))
        .description(Some(format!("`{}`, between {least} and {most}.", field.name())))
}

/// How a number of this field is documented.
fn schema(field: Field) -> Schema {
    let (least, most) = field.limits();
    let number = ObjectBuilder::new()
        .schema_type(Type::Number)
        .minimum(least.parse::<f64>().ok())
        .maximum(most.parse::<f64>().ok());
    let described = format!(
        "`{}`, between {least} and {most}; as a text every digit counts, as a number the shortest decimal of its double.",
        field.name()
    );
    OneOfBuilder::new().item(number).item(text(field)).description(Some(described)).into()
}

macro_rules! schemas {
    ($($name:ident: $field:ident,)*) => {
        /// Schemas by field, for documentation.
        pub mod of {
            use hashinsight_mining::Field;
            use utoipa::openapi::schema::Schema;
            $(
                #[doc = concat!("Of `", stringify!($field), "`.")]
                pub fn $name() -> Schema {
                    super::schema(Field::$field)
                }
            )*
        }

        /// The same in a query, where all is text.
        pub mod in_query {
            use hashinsight_mining::Field;
            use utoipa::openapi::schema::Schema;
            $(
                #[doc = concat!("Of `", stringify!($field), "`.")]
                pub fn $name() -> Schema {
                    super::text(Field::$field).into()
                }
            )*
        }
    };
}

schemas! {
    terahash: TerahashPerSecond,
    watts: Watts,
    difficulty: Difficulty,
    subsidy_btc: SubsidyBtc,
    fees_btc: FeesBtc,
    price_usd: PriceUsd,
    pool_fee: PoolFee,
    usd_per_kwh: UsdPerKwh,
    uptime: Uptime,
    meter_factor: MeterFactor,
    capex_usd: CapexUsd,
    other_usd_per_day: OtherUsdPerDay,
    growth_per_month: GrowthPerMonth,
    discount_per_year: DiscountPerYear,
    exahash: Exahash,
    standby_watts: StandbyWatts,
    wear_usd: WearUsd,
    usd_per_mwh: UsdPerMwh,
    usd_per_petahash_day: UsdPerPetahashDay,
}

/// A member that may be left out but not be null.
pub fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A list of at most so many: what is longer is refused before it is held.
pub fn at_most<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MOST: usize>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct List<T, const MOST: usize>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for List<T, MOST> {
        type Value = Vec<T>;

        fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
            write!(out, "a list of at most {MOST}")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(one) = list.next_element()? {
                if all.len() == MOST {
                    return Err(de::Error::invalid_length(MOST + 1, &self));
                }
                all.push(one);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_seq(List::<T, MOST>(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<String> {
        serde_json::from_str::<Amount>(json).ok().map(|amount| amount.text().to_owned())
    }

    #[test]
    fn numbers_and_texts_mean_the_same_digits() {
        for (json, text) in [
            ("0.06", "0.06"),
            ("\"0.06\"", "0.06"),
            ("-5", "-5"),
            ("1e20", "100000000000000000000"),
            ("0.1234567890123456", "0.1234567890123456"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            assert_eq!(read(json).as_deref(), Some(text), "{json}");
        }
        for json in ["\" 1\"", "\"1.\"", "\".5\"", "\"1e5\"", "\"\"", "\"NaN\"", "null", "true", "[]", "\"１\""] {
            assert_eq!(read(json), None, "{json}");
        }
        let refusal = serde_json::from_str::<Amount>("200").unwrap().read(Field::PoolFee).unwrap_err();
        assert_eq!(refusal.code(), "OutOfRange");
    }
}
