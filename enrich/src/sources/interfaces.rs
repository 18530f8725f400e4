//! Interface names from a file: `exporter,ifindex,name,description,speed` with the speed in Mbit/s;
//! the last two may be left out.

use std::net::IpAddr;
use std::path::Path;

use super::read_file;
use super::rows::{Row, each_row};
use crate::error::LoadError;
use crate::interfaces::{Interface, Interfaces};

/// Reads a file of interfaces.
///
/// # Errors
/// The file cannot be read, or has a bad row, or two rows are about the same interface.
pub fn read(path: &Path) -> Result<Interfaces, LoadError> {
    parse(path, &read_file(path)?)
}

/// Reads interfaces from memory; `file` is its name in messages.
///
/// # Errors
/// As [`read`].
pub fn parse(file: &Path, bytes: &[u8]) -> Result<Interfaces, LoadError> {
    let mut interfaces = Interfaces::default();
    let mut first = true;
    each_row(file, bytes, |row| {
        if std::mem::take(&mut first) && row.cell(0).eq_ignore_ascii_case("exporter") {
            return Ok(());
        }
        let (exporter, if_index, interface) = read_row(file, row)?;
        if interfaces.interface(exporter, if_index).is_some_and(|known| *known != interface) {
            let expected = "another row says something else of this interface; remove one of them";
            return Err(row.error(file, expected));
        }
        interfaces.insert(exporter, if_index, interface);
        Ok(())
    })?;
    Ok(interfaces)
}

fn read_row(file: &Path, row: &Row) -> Result<(IpAddr, u32, Interface), LoadError> {
    let exporter = row.cell(0).parse();
    let exporter =
        exporter.map_err(|_| row.error(file, "an exporter's address was expected first"))?;
    let if_index = row.cell(1).parse();
    let if_index =
        if_index.map_err(|_| row.error(file, "an ifIndex behind the exporter was expected"))?;
    let speed_mbps = match row.cell(4) {
        "" => 0,
        speed => {
            speed.parse().map_err(|_| row.error(file, "a speed in Mbit/s was expected last"))?
        }
    };
    let [name, description] = [2, 3].map(|cell| row.cell(cell).to_owned());
    if name.is_empty() && description.is_empty() {
        return Err(row.error(file, "a name or a description was expected"));
    }
    Ok((exporter, if_index, Interface { name, description, speed_mbps }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use super::*;

    #[test]
    fn rows_with_and_without_speed() {
        let text = "exporter,ifindex,name,description,speed\n192.0.2.1,7,xe-0/0/7,\"Transit, DE-CIX\",100000\n::ffff:192.0.2.1,8,lo0\n2001:db8::1,7,,uplink,\n";
        let interfaces = parse(Path::new("if.csv"), text.as_bytes()).unwrap();
        let find = |exporter: &str, if_index| {
            let interface = interfaces.interface(exporter.parse().unwrap(), if_index)?;
            Some((interface.name.as_str(), interface.description.as_str(), interface.speed_mbps))
        };
        assert_eq!(find("192.0.2.1", 7), Some(("xe-0/0/7", "Transit, DE-CIX", 100_000)));
        assert_eq!(find("192.0.2.1", 8), Some(("lo0", "", 0)));
        assert_eq!(find("2001:db8::1", 7), Some(("", "uplink", 0)));
        assert_eq!(find("192.0.2.2", 7), None);
        assert_eq!(interfaces.counts(), (2, 3));
    }

    #[test]
    fn bad_rows() {
        for (text, line, part) in [
            ("router1,7,x\n", 1, "an exporter's address"),
            ("192.0.2.1,xe-0,x\n", 1, "an ifIndex"),
            ("192.0.2.1,7,x,y,fast\n", 1, "a speed"),
            ("192.0.2.1,7\n", 1, "a name"),
            ("192.0.2.1,7,x\n192.0.2.1,7,y\n", 2, "another row"),
        ] {
            let error = parse(Path::new("if.csv"), text.as_bytes()).unwrap_err();
            assert!(error.line == Some(line) && error.expected.contains(part), "{error}");
        }
    }
}
