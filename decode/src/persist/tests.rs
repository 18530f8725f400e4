use std::sync::Arc;

use neckar_proto::Rows;
use proptest::prelude::*;

use super::*;
use crate::{Config, Datagram, Decoder};

/// Templates 300 (data) and 400 (options), and an options record with rate 1000 for sampler 7.
const LEARN: &[u8] = &[
    0, 9, 0, 1, 0, 0, 0, 0, 0x65, 0x53, 0xf1, 0, 0, 0, 0, 1, 0, 0, 1, 0, //
    0, 0, 0, 16, 1, 44, 0, 2, 0, 7, 0, 2, 0, 48, 0, 1, //
    0, 1, 0, 22, 1, 144, 0, 4, 0, 8, 0, 1, 0, 4, 0, 48, 0, 1, 0, 34, 0, 4, //
    1, 144, 0, 13, 0, 0, 0, 0, 7, 0, 0, 3, 232,
];
/// A record of template 300: port 53, sampler 7.
const DATA: &[u8] =
    &[0, 9, 0, 1, 0, 0, 0, 0, 0x65, 0x53, 0xf1, 0, 0, 0, 0, 2, 0, 0, 1, 0, 1, 44, 0, 7, 0, 53, 7];

fn shared(config: &Config) -> (Arc<Shared>, Decoder) {
    let shared = Arc::new(Shared::new(config.clone()));
    (Arc::clone(&shared), Decoder::new(config.clone(), shared))
}

fn feed(decoder: &mut Decoder, last: u8, bytes: &[u8]) -> Vec<[Option<u64>; 2]> {
    let exporter = [192, 0, 2, last].into();
    let mut rows = Vec::new();
    let datagram = Datagram { exporter, port: 9, received_ns: 1_700_000_000_000_000_000, bytes };
    decoder.decode(datagram, &mut |lent: &mut Rows| {
        let fields = [neckar_proto::Field::SrcPort, neckar_proto::Field::SamplingRate];
        rows.extend(lent.as_slice().iter().map(|row| fields.map(|field| row.word(field))));
    });
    rows
}

#[test]
fn the_first_data_packet_after_a_restart_decodes() {
    let config = Config::default();
    let (before, mut decoder) = shared(&config);
    feed(&mut decoder, 1, LEARN);
    feed(&mut decoder, 2, LEARN);
    let bytes = before.export();

    let (after, mut decoder) = shared(&config);
    let revision = after.revision();
    let summary = after.import(&bytes).expect("our own bytes");
    assert_eq!(summary, Summary { exporters: 2, templates: 4, rates: 2, skipped: 0 });
    assert_eq!(summary.to_string(), "4 templates and 2 sampling rates of 2 exporters");
    assert_ne!(after.revision(), revision);
    assert_eq!(feed(&mut decoder, 1, DATA), [[Some(53), Some(1000)]]);
    assert_eq!(feed(&mut decoder, 2, DATA), [[Some(53), Some(1000)]]);
    assert_eq!(after.export(), bytes, "the same comes out again");
    // An identical announcement is still only a comparison.
    let revision = after.revision();
    feed(&mut decoder, 1, LEARN);
    assert_eq!(after.revision(), revision);
}

#[test]
fn bytes_that_are_not_ours_give_an_error_and_change_nothing() {
    let (before, mut decoder) = shared(&Config::default());
    feed(&mut decoder, 1, LEARN);
    let good = before.export();
    let (after, _) = shared(&Config::default());
    let revision = after.revision();
    assert_eq!(after.import(b""), Err(ImportError::NotOurs));
    assert_eq!(after.import(b"{\"templates\":[]}"), Err(ImportError::NotOurs));
    let mut newer = good.clone();
    newer[5] = 9;
    assert_eq!(after.import(&newer), Err(ImportError::Version(9)));
    for end in 6..good.len() {
        assert_eq!(after.import(&good[..end]), Err(ImportError::Damaged), "cut at {end}");
    }
    for at in 6..good.len() {
        let mut damaged = good.clone();
        damaged[at] ^= 0x10;
        assert_eq!(after.import(&damaged), Err(ImportError::Damaged), "flipped at {at}");
    }
    assert_eq!((after.revision(), after.exporter_count()), (revision, 0));
}

#[test]
fn what_the_bounds_leave_no_room_for_is_left_out() {
    let (before, mut decoder) = shared(&Config::default());
    feed(&mut decoder, 1, LEARN);
    feed(&mut decoder, 2, LEARN);
    let bytes = before.export();
    let import = |config: Config| shared(&config).0.import(&bytes).expect("our own bytes");
    let few = import(Config { exporters_max: 1, ..Config::default() });
    assert_eq!(few, Summary { exporters: 1, templates: 2, rates: 1, skipped: 2 });
    let few = import(Config { templates_per_exporter_max: 1, ..Config::default() });
    assert_eq!(few, Summary { exporters: 2, templates: 2, rates: 2, skipped: 2 });
    let few = import(Config { template_fields_max: 2, ..Config::default() });
    assert_eq!((few.templates, few.skipped), (2, 2));
}

/// `content` with magic, version and a checksum that fits.
fn sealed(content: &[u8]) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &VERSION.to_be_bytes(), content].concat();
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

proptest! {
    #[test]
    fn any_bytes_are_an_error_or_taken_in(content in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (shared, _) = shared(&Config::default());
        let _ = shared.import(&content);
        let _ = shared.import(&sealed(&content));
    }

    /// Our own bytes with one byte changed and a fitting checksum: as hostile as it gets.
    #[test]
    fn changed_bytes_never_panic(at in 6..400_usize, value in any::<u8>()) {
        let (before, mut decoder) = shared(&Config::default());
        feed(&mut decoder, 1, LEARN);
        let mut bytes = before.export();
        bytes.truncate(bytes.len() - CHECKSUM_BYTES);
        let at = at % bytes.len();
        bytes[at] = value;
        let (after, mut decoder) = shared(&Config::default());
        let _ = after.import(&sealed(&bytes[6..]));
        feed(&mut decoder, 1, DATA);
        let _ = after.export();
    }
}
