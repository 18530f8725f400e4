//! MaxMind DB files: country, city and AS databases of MaxMind, DB-IP, IPinfo and whoever uses
//! their layouts.
//!
//! What a record has is taken, by any of the names that the vendors use: `country.iso_code`,
//! `country_code` or a two-letter `country`; `city.names.en` or `city`; `autonomous_system_number`
//! or `asn`; `autonomous_system_organization`, `as_name` or `name`. What it lacks is absent. A
//! record that many networks share is decoded once.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use hashbrown::HashMap;
use ipnet::{IpNet, Ipv4Net};
use maxminddb::Reader;
use serde::Deserialize;

use super::asn::as_number;
use super::networks::country_code;
use super::{Builder, Source, read_file};
use crate::error::LoadError;
use crate::values::{Text, Value};

/// Reads a database.
///
/// # Errors
/// The file cannot be read or is no such database, or holds nothing that we know.
pub fn read(path: &Path) -> Result<Source, LoadError> {
    parse(path, read_file(path)?)
}

/// Reads a database from memory; `file` is its name in messages.
///
/// # Errors
/// As [`read`].
pub fn parse(file: &Path, bytes: Vec<u8>) -> Result<Source, LoadError> {
    let broken = |error| LoadError::new(file, format!("a MaxMind DB was expected: {error}"));
    let reader = Reader::from_source(bytes).map_err(broken)?;
    let mut builder = Builder::new(file);
    let mut known: HashMap<usize, u32> = HashMap::new();
    for found in reader.networks(Default::default()).map_err(broken)? {
        let found = found.map_err(broken)?;
        let offset = found.offset().unwrap_or(usize::MAX);
        let number = match known.get(&offset) {
            Some(number) => *number,
            None => {
                let record: Option<Record> = found.decode().map_err(broken)?;
                let value = record.map_or(Value::default(), |record| record.value(&mut builder));
                *known.entry(offset).insert(builder.value(value)).get()
            }
        };
        let network = found.network().map_err(broken)?;
        builder.add_value(net(network.ip(), network.prefix()), number, 0)?;
    }
    let kind = &reader.metadata().database_type;
    if known.values().all(|number| *number == 0) {
        let expected = "countries, cities or AS numbers were expected";
        return Err(LoadError::new(file, format!("{expected} in this database of type `{kind}`")));
    }
    builder.finish()
}

/// IPv4 networks stand at `::/96` in databases of both families.
fn net(address: IpAddr, len: u8) -> IpNet {
    if let IpAddr::V6(v6) = address
        && len >= 96
        && u128::from(v6) >> 32 == 0
        && let Ok(net) = Ipv4Net::new((u128::from(v6) as u32).into(), len - 96)
    {
        return IpNet::V4(net);
    }
    IpNet::new_assert(address, len)
}

/// All that we read of a record, under every name that it goes by.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Record {
    country: Option<Place>,
    country_code: Option<String>,
    city: Option<Place>,
    autonomous_system_number: Option<Number>,
    autonomous_system_organization: Option<String>,
    asn: Option<Number>,
    as_name: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Place {
    Text(String),
    Names {
        #[serde(default)]
        iso_code: Option<String>,
        #[serde(default)]
        names: BTreeMap<String, String>,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u32),
    Text(String),
}

impl Record {
    fn value(self, builder: &mut Builder) -> Value {
        let country = match self.country {
            Some(Place::Names { iso_code, .. }) => iso_code,
            Some(Place::Text(text)) => Some(text),
            None => None,
        };
        // Some vendors put the country's name here, or `A1` for a proxy.
        let mut codes = [self.country_code, country].into_iter().flatten();
        let country = codes.find_map(|code| country_code(&code));
        let city = match self.city {
            Some(Place::Names { mut names, .. }) => names.remove("en"),
            Some(Place::Text(text)) => Some(text),
            None => None,
        };
        let asn = match self.autonomous_system_number.or(self.asn) {
            Some(Number::Number(asn)) => asn,
            Some(Number::Text(text)) => as_number(&text).unwrap_or(0),
            None => 0,
        };
        // `name` is the AS's only where there is an AS.
        let name = self.name.filter(|_| asn != 0);
        let as_name = self.autonomous_system_organization.or(self.as_name).or(name);
        let mut text = |text: Option<String>| builder.text(&text.unwrap_or_default());
        Value { asn, ..Value::default() }
            .with(Text::Country, text(country))
            .with(Text::City, text(city))
            .with(Text::AsName, text(as_name))
    }
}

#[cfg(test)]
mod tests;
