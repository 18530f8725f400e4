//! Reads the files that `[enrich]` names, and only those again that have changed since.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hashbrown::HashMap;
use neckar_proto::encode::Profile;

use super::{Content, Enrich, Named};
use crate::error::LoadError;
use crate::sources::{Source, asn, interfaces, list};
use crate::tables::{Settings, Sources};

/// A file that does not load, and the key that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// For example `enrich.customers`.
    pub key: String,
    /// File, line, what stands there, what was expected.
    pub error: LoadError,
}

impl fmt::Display for SourceError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.key, self.error)
    }
}

impl std::error::Error for SourceError {}

/// What tells a file from its next edition. Its length and time alone do not: `rsync -t`, `cp -p`
/// and archives carry times along, and two editions may be written in one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    len: u64,
    /// Device and inode: another file in its place.
    place: (u64, u64),
    /// When its content was written: seconds, nanoseconds.
    modified: (i64, i64),
    /// When anything of it was changed, which nobody can set.
    changed: (i64, i64),
}

impl Stamp {
    /// Of the file that `path` leads to, over links too.
    ///
    /// # Errors
    /// It is not there, or not for us.
    pub fn of(path: &Path) -> io::Result<Self> {
        let of = fs::metadata(path)?;
        Ok(Self {
            len: of.len(),
            place: (of.dev(), of.ino()),
            modified: (of.mtime(), of.mtime_nsec()),
            changed: (of.ctime(), of.ctime_nsec()),
        })
    }
}

/// A file under its key: the same file may serve two keys.
type Place = (String, PathBuf);

/// Loads sources; remembers those of the last good load, so that a changed customer list does not
/// cost reading a whole routing table again.
#[derive(Default)]
pub struct Loader {
    kept: HashMap<Place, (Stamp, Arc<Source>)>,
}

impl Loader {
    /// Reads everything that `enrich` names, all or nothing. Exporter rules are the caller's to
    /// add. `profile` is the output's, whose numbers the labels are encoded with.
    ///
    /// # Errors
    /// The first file that does not load.
    pub fn load(
        &mut self,
        enrich: &Enrich,
        profile: &'static Profile,
    ) -> Result<Sources, SourceError> {
        let mut sources = Sources { settings: settings(enrich, profile), ..Sources::default() };
        let mut kept = HashMap::new();
        for named in enrich.named() {
            let told = |error| SourceError { key: named.key.clone(), error };
            let path = named.path;
            let fresh = match named.content {
                Content::AsNames => {
                    sources.as_names = asn::read_names(path).map_err(told)?;
                    continue;
                }
                Content::Interfaces => {
                    sources.interfaces = interfaces::read(path).map_err(told)?;
                    continue;
                }
                Content::Prefixes(read) => self.fresh(&named, || read(path)),
                Content::List(name) => self.fresh(&named, || list::read(path, name)),
            };
            let (stamp, source) = fresh.map_err(told)?;
            sources.prefixes.push(Arc::clone(&source));
            kept.insert(place(&named), (stamp, source));
        }
        if enrich.bogons {
            sources.prefixes.push(Arc::new(list::bogons()));
        }
        // Only now: a load that failed forgets nothing, and one that succeeded keeps no more than
        // is in force.
        self.kept = kept;
        Ok(sources)
    }

    /// What is kept of the file if it still is the same, else what `read` finds.
    fn fresh(
        &self,
        named: &Named<'_>,
        read: impl FnOnce() -> Result<Source, LoadError>,
    ) -> Result<(Stamp, Arc<Source>), LoadError> {
        // The stamp is older than what is read: a file that changes meanwhile is read once more.
        let stamp = stamp(named.path)?;
        match self.kept.get(&place(named)) {
            Some((known, source)) if *known == stamp => Ok((stamp, Arc::clone(source))),
            _ => Ok((stamp, Arc::new(read()?))),
        }
    }
}

fn place(named: &Named<'_>) -> Place {
    (named.key.clone(), named.path.to_path_buf())
}

fn stamp(path: &Path) -> Result<Stamp, LoadError> {
    Stamp::of(path)
        .map_err(|error| LoadError::new(path, format!("a file to read was expected: {error}")))
}

fn settings(enrich: &Enrich, profile: &'static Profile) -> Settings {
    Settings {
        profile,
        protocol_names: enrich.protocol_names,
        normalize: enrich.normalize,
        remote: enrich.remote,
        src_as: enrich.src_as,
        dst_as: enrich.dst_as,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use neckar_proto::encode::BWNETFLOW;

    use super::*;

    /// A folder of the test's own, with these files.
    fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("neckar-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for (file, text) in files {
            fs::write(folder.join(file), text).unwrap();
        }
        folder
    }

    #[test]
    fn only_what_changed_is_read_again_and_a_broken_file_changes_nothing() {
        let networks = "prefix,site\n10.0.0.0/8,Ulm\n";
        let files = [("c.csv", "10.0.0.0/8,1\n"), ("n.csv", networks), ("bad", "10.0.0.0/33\n")];
        let folder = folder("loader", &files);
        let enrich = Enrich {
            customers: folder.join("c.csv"),
            networks: vec![folder.join("n.csv")],
            lists: [("bad".to_string(), folder.join("bad"))].into(),
            ..Enrich::default()
        };
        let mut loader = Loader::default();
        // The message has the key that names the file.
        let error = loader.load(&enrich, &BWNETFLOW).err().unwrap();
        assert_eq!(error.key, "enrich.lists.bad");
        let enrich = Enrich { lists: Default::default(), ..enrich };
        let first = loader.load(&enrich, &BWNETFLOW).unwrap();
        fs::write(folder.join("c.csv"), "10.0.0.0/8,22\n").unwrap();
        let second = loader.load(&enrich, &BWNETFLOW).unwrap();
        assert!(!Arc::ptr_eq(&first.prefixes[0], &second.prefixes[0]));
        assert!(Arc::ptr_eq(&first.prefixes[1], &second.prefixes[1]));
        fs::write(folder.join("c.csv"), "10.0.0.0/8,22\nnonsense,3\n").unwrap();
        let error = loader.load(&enrich, &BWNETFLOW).err().unwrap();
        assert_eq!((error.key.as_str(), error.error.line), ("enrich.customers", Some(2)));
        fs::write(folder.join("c.csv"), "10.0.0.0/8,22\n").unwrap();
        let third = loader.load(&enrich, &BWNETFLOW).unwrap();
        assert!(Arc::ptr_eq(&first.prefixes[1], &third.prefixes[1]));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_edition_of_the_same_length_and_time_is_another() {
        let files = [("c.csv", "10.0.0.0/8,1\n"), ("new", "10.0.0.0/8,2\n")];
        let folder = folder("stamps", &files);
        let enrich = Enrich { customers: folder.join("c.csv"), ..Enrich::default() };
        let mut loader = Loader::default();
        let first = loader.load(&enrich, &BWNETFLOW).unwrap();
        let written = fs::metadata(folder.join("c.csv")).unwrap().modified().unwrap();
        let new = fs::File::options().write(true).open(folder.join("new")).unwrap();
        new.set_modified(written).unwrap();
        fs::rename(folder.join("new"), folder.join("c.csv")).unwrap();
        let second = loader.load(&enrich, &BWNETFLOW).unwrap();
        assert!(!Arc::ptr_eq(&first.prefixes[0], &second.prefixes[0]));
        fs::remove_dir_all(folder).unwrap();
    }
}
