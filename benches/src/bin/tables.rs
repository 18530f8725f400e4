//! Tables of labels for a daemon under measurement: `tables FOLDER` writes them there, with the
//! `neckard.toml` that names them, and prints nothing.
//!
//! The customers that the synthetic routers have, and a full table of 1.2 M IPv4 and 250 k IPv6
//! prefixes with an AS and a country each, which covers the addresses at their far side. No
//! randomness: the files are the same each time.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use neckar_enrich::synthetic;

const PREFIXES_V4: usize = 1_200_000;
const PREFIXES_V6: usize = 250_000;

fn main() -> io::Result<()> {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| io::Error::other("say where to write: tables FOLDER"))?;
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("customers.csv"), neckar_export::customers_csv())?;
    let (v4, v6) =
        (synthetic::full_table_v4(PREFIXES_V4, 1), synthetic::full_table_v6(PREFIXES_V6, 1));
    let routes = synthetic::csv(v4) + &synthetic::csv(v6);
    fs::write(folder.join("countries.csv"), countries(&routes))?;
    fs::write(folder.join("routes.csv"), routes)?;
    fs::write(folder.join("neckard.toml"), configuration(&folder.canonicalize()?))
}

/// Every holder sits in one of 200 countries.
fn countries(routes: &str) -> String {
    let mut text = String::from("prefix,country\n");
    for (prefix, holder) in routes.lines().filter_map(|row| row.split_once(',')) {
        let holder: u32 = holder.parse().expect("a number of ours");
        let [a, b] = [holder % 10, holder / 10 % 20].map(|digit| char::from(b'A' + digit as u8));
        let _ = writeln!(text, "{prefix},{a}{b}");
    }
    text
}

fn configuration(folder: &Path) -> String {
    let file = |name: &str| format!("{:?}", folder.join(name));
    format!(
        "[enrich]\ncustomers = {}\nas_prefixes = [{}]\nnetworks = [{}]\nsrc_as = \"table-first\"\n\
         dst_as = \"table-first\"\n",
        file("customers.csv"),
        file("routes.csv"),
        file("countries.csv"),
    )
}
