//! Interface names from a file: `exporter,ifindex,name,description,speed` with the speed in Mbit/s;
//! the last two may be left out. A header may put the columns in another order; SNMP's names for
//! the last three (`ifName`, `ifAlias`, `ifHighSpeed`) will do.

use std::net::IpAddr;
use std::path::Path;

use super::read_file;
use super::rows::{Row, each_row};
use crate::error::LoadError;
use crate::interfaces::{Interface, Interfaces};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Exporter,
    IfIndex,
    Name,
    Description,
    Speed,
}
use Column::{Description, Exporter, IfIndex, Name, Speed};

/// Without header.
const COLUMNS: [Column; 5] = [Exporter, IfIndex, Name, Description, Speed];

fn column(name: &str) -> Option<Column> {
    Some(match name {
        "exporter" => Exporter,
        "ifindex" => IfIndex,
        "name" | "ifname" => Name,
        "description" | "ifalias" => Description,
        "speed" | "ifhighspeed" => Speed,
        _ => return None,
    })
}

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
    let mut header = None;
    let mut first = true;
    each_row(file, bytes, |row| {
        if std::mem::take(&mut first) && is_header(row) {
            header = Some(read_header(file, row)?);
            return Ok(());
        }
        if let Some(columns) = &header {
            row.fits(file, columns.len())?;
        }
        let (exporter, if_index, interface) =
            read_row(file, row, header.as_deref().unwrap_or(&COLUMNS))?;
        if interfaces.interface(exporter, if_index).is_some_and(|known| *known != interface) {
            let expected = "another row says something else of this interface; remove one of them";
            return Err(row.error(file, expected));
        }
        interfaces.insert(exporter, if_index, interface);
        Ok(())
    })?;
    Ok(interfaces)
}

fn is_header(row: &Row) -> bool {
    row.cells.iter().any(|cell| cell.eq_ignore_ascii_case("exporter"))
}

fn read_header(file: &Path, row: &Row) -> Result<Vec<Column>, LoadError> {
    const EXPECTED: &str =
        "a header was expected: exporter, ifindex and any of name, description, speed";
    let columns = row.columns(file, column, EXPECTED)?;
    if !columns.contains(&IfIndex) {
        return Err(row.error(file, EXPECTED));
    }
    Ok(columns)
}

fn read_row(
    file: &Path,
    row: &Row,
    columns: &[Column],
) -> Result<(IpAddr, u32, Interface), LoadError> {
    let cell = |wanted: Column| {
        columns.iter().position(|column| *column == wanted).map_or("", |at| row.cell(at))
    };
    let wrong = |what: &str, wanted: Column| {
        row.error(file, format!("{what} was expected instead of `{}`", cell(wanted)))
    };
    let exporter = cell(Exporter).parse();
    let exporter = exporter.map_err(|_| wrong("an exporter's address", Exporter))?;
    let if_index = cell(IfIndex).parse().map_err(|_| wrong("an ifIndex", IfIndex))?;
    let speed_mbps = match cell(Speed) {
        "" => 0,
        speed => speed.parse().map_err(|_| wrong("a speed in Mbit/s", Speed))?,
    };
    let [name, description] = [Name, Description].map(|column| cell(column).to_owned());
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
    fn a_header_says_where_things_stand() {
        let text =
            "exporter,ifindex,description,name\n192.0.2.1,7,Transit,xe-0/0/7\n192.0.2.1,8,,lo0\n";
        let interfaces = parse(Path::new("if.csv"), text.as_bytes()).unwrap();
        let find = |if_index| interfaces.interface("192.0.2.1".parse().unwrap(), if_index).unwrap();
        assert_eq!((&*find(7).name, &*find(7).description), ("xe-0/0/7", "Transit"));
        assert_eq!((&*find(8).name, &*find(8).description), ("lo0", ""));
        let text = "ifHighSpeed,ifName,ifIndex,Exporter\n10000,xe-0/0/7,7,192.0.2.1\n";
        let interfaces = parse(Path::new("if.csv"), text.as_bytes()).unwrap();
        let expected =
            Interface { name: "xe-0/0/7".into(), speed_mbps: 10_000, ..Interface::default() };
        assert_eq!(interfaces.interface("192.0.2.1".parse().unwrap(), 7), Some(&expected));
    }

    #[test]
    fn bad_rows() {
        for (text, line, part) in [
            ("router1,7,x\n", 1, "an exporter's address"),
            ("192.0.2.1,xe-0,x\n", 1, "an ifIndex"),
            ("192.0.2.1,7,x,y,fast\n", 1, "a speed"),
            ("192.0.2.1,7\n", 1, "a name"),
            ("192.0.2.1,7,x\n192.0.2.1,7,y\n", 2, "another row"),
            ("exporter,name\n192.0.2.1,x\n", 1, "a header was expected"),
            ("exporter,ifindex,vlan\n192.0.2.1,7,x\n", 1, "`vlan` is none of them"),
            ("exporter,ifindex,name,ifname\n192.0.2.1,7,x,y\n", 1, "`ifname` repeats one of them"),
            ("exporter,ifindex,name\n192.0.2.1,7,x,y\n", 2, "at most 3 cells"),
        ] {
            let error = parse(Path::new("if.csv"), text.as_bytes()).unwrap_err();
            assert!(error.line == Some(line) && error.expected.contains(part), "{error}");
        }
    }
}
