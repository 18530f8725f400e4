//! Published pseudonyms, the algorithm written down plainly as a twin, and what becomes of a flow.

#![allow(clippy::unwrap_used, reason = "a panic is what a test is for")]

use aes::cipher::{Array, BlockCipherEncrypt as _, KeyInit as _};
use neckar_proto::Rows;
use proptest::prelude::*;

use super::*;

/// The key of the reference implementation's sample.
const KEY: [u8; 32] = [
    21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16, 216, 152, 143, 131, 121,
    121, 101, 39, 98, 87, 76, 45, 42, 132, 34, 2,
];

/// Pairs from the sample trace that comes with the reference implementation.
const PUBLISHED: [(&str, &str); 12] = [
    ("128.11.68.132", "135.242.180.132"),
    ("129.118.74.4", "134.136.186.123"),
    ("130.132.252.244", "133.68.164.234"),
    ("141.223.7.43", "141.167.8.160"),
    ("141.233.145.108", "141.129.237.235"),
    ("152.163.225.39", "151.140.114.167"),
    ("156.29.3.236", "147.225.12.42"),
    ("165.247.96.84", "162.9.99.234"),
    ("192.102.249.13", "252.138.62.131"),
    ("24.0.250.221", "100.15.198.226"),
    ("38.15.67.68", "64.3.66.187"),
    ("64.39.15.238", "0.219.7.41"),
];

/// Pairs that implementations with IPv6 publish for the same key.
const PUBLISHED_V6: [(&str, &str); 4] = [
    ("::1", "78ff:f001:9fc0:20df:8380:b1f1:704:ed"),
    ("::2", "78ff:f001:9fc0:20df:8380:b1f1:704:ef"),
    ("::ffff", "78ff:f001:9fc0:20df:8380:b1f1:704:f838"),
    ("2001:db8::1", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e"),
];

#[test]
fn published_pseudonyms() {
    let pan = CryptoPan::new(&Key(KEY));
    for (address, pseudonym) in PUBLISHED.into_iter().chain(PUBLISHED_V6) {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(pan.address(address), pseudonym.parse::<IpAddr>().unwrap(), "{address}");
    }
}

/// The paper's definition, one bit and one block at a time.
fn twin(key: &[u8; 32], address: &[u8]) -> Vec<u8> {
    let cipher = aes::Aes128::new(&Array::try_from(&key[..16]).unwrap());
    let mut pad = aes::Block::try_from(&key[16..]).unwrap();
    cipher.encrypt_block(&mut pad);
    let bit = |bytes: &[u8], at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
    let mut out = address.to_vec();
    for position in 0..8 * address.len() {
        let mut block = aes::Block::default();
        for at in 0..128 {
            let from = if at < position { bit(address, at) } else { bit(&pad, at) };
            block[at / 8] |= from << (7 - at % 8);
        }
        cipher.encrypt_block(&mut block);
        out[position / 8] ^= bit(&block, 0) << (7 - position % 8);
    }
    out
}

fn bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().into(),
        IpAddr::V6(v6) => v6.octets().into(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn equals_the_definition(key in any::<[u8; 32]>(), v4 in any::<u32>(), v6 in any::<u128>()) {
        let pan = CryptoPan::new(&Key(key));
        for address in [IpAddr::V4(v4.into()), IpAddr::V6(v6.into())] {
            prop_assert_eq!(bytes(pan.address(address)), twin(&key, &bytes(address)));
        }
    }

    #[test]
    fn shared_prefixes_stay_shared(one in any::<u32>(), shared in 0..32_u32, rest in any::<u32>()) {
        let pan = CryptoPan::new(&Key(KEY));
        let other = one ^ (1 << 31 >> shared) ^ (rest & (u32::MAX >> shared >> 1));
        let [one, other] = [one, other].map(|address| match pan.address(IpAddr::V4(address.into())) {
            IpAddr::V4(v4) => u32::from(v4),
            IpAddr::V6(_) => unreachable!("families stay"),
        });
        prop_assert_eq!((one ^ other).leading_zeros(), shared);
    }
}

const ADDRESSES: [Field; 7] = [
    Field::SrcAddr,
    Field::DstAddr,
    Field::SamplerAddress,
    Field::NextHop,
    Field::BgpNextHop,
    Field::PostNatSrcAddr,
    Field::PostNatDstAddr,
];

fn full_row() -> Rows {
    let mut rows = Rows::default();
    let flow = rows.push();
    for field in ADDRESSES {
        flow.set_v4(field, [192, 0, 2, 77]);
    }
    flow.set_v6(Field::DstAddr, [0x20; 16]);
    flow.set(Field::SrcAddrPreservedLen, 99);
    for text in [Field::SourceIP, Field::DestinationIP, Field::SrcHostName, Field::SamplerIP] {
        rows.set_text(0, text, b"192.0.2.77");
    }
    rows
}

#[test]
fn every_address_of_the_row_is_known_here() {
    let addresses: Vec<Field> = Field::all().filter(|field| field.is_address()).collect();
    assert_eq!(addresses.len(), TARGETS.len());
    assert!(addresses.iter().all(|field| TARGETS.iter().any(|target| target.field == *field)));
}

#[test]
fn flags_lengths_and_texts() {
    let kept = Kept { v4: 24, v6: 64 };
    for (method, kind, lens) in [
        (Method::CryptoPan(Key(KEY)), 1, None),
        (Method::Truncate(kept), 2, Some((24, 64))),
        (Method::Both(Key(KEY), kept), 3, Some((24, 64))),
    ] {
        let anonymizer = Anonymizer::new(method).unwrap();
        let mut rows = full_row();
        let flow = &mut rows.as_mut_slice()[0];
        anonymizer.anonymize(flow);
        for field in ADDRESSES {
            assert!(!flow.address(field).unwrap().ends_with(&[77]), "{field:?}");
        }
        for flag in [Field::SrcAddrAnon, Field::DstAddrAnon, Field::SamplerAddrAnon] {
            assert_eq!(flow.word(flag), Some(kind));
        }
        assert_eq!(flow.word(Field::SrcAddrPreservedLen), lens.map(|(v4, _)| v4));
        assert_eq!(flow.word(Field::DstAddrPreservedLen), lens.map(|(_, v6)| v6));
        assert_eq!(flow.presence().texts, 0);
    }
}

/// The output's method and then a tenant's, as the splitter has it.
#[test]
fn whoever_comes_second_says_what_the_first_has_done() {
    let truncate = |v4, v6| Method::Truncate(Kept { v4, v6 });
    let pan = || Method::CryptoPan(Key(KEY));
    for (first, second, kind, lens) in [
        (truncate(16, 48), pan(), 3, Some((16, 48))),
        (pan(), truncate(16, 48), 3, Some((16, 48))),
        (truncate(16, 64), truncate(24, 48), 2, Some((16, 48))),
        (truncate(0, 0), Method::Both(Key(KEY), Kept { v4: 24, v6: 48 }), 3, Some((0, 0))),
        (pan(), pan(), 1, None),
    ] {
        let mut rows = full_row();
        let flow = &mut rows.as_mut_slice()[0];
        for method in [first, second] {
            Anonymizer::new(method).unwrap().anonymize(flow);
        }
        for flag in [Field::SrcAddrAnon, Field::DstAddrAnon, Field::SamplerAddrAnon] {
            assert_eq!(flow.word(flag), Some(kind), "{flag:?}");
        }
        assert_eq!(flow.word(Field::SrcAddrPreservedLen), lens.map(|(v4, _)| v4));
        assert_eq!(flow.word(Field::DstAddrPreservedLen), lens.map(|(_, v6)| v6));
    }
}

#[test]
fn truncation_value_by_value() {
    let cases = [
        ("192.0.2.77", (24, 64), "192.0.2.0"),
        ("192.0.2.77", (0, 0), "0.0.0.0"),
        ("192.0.2.77", (32, 128), "192.0.2.77"),
        ("2001:db8:1:2:3:4:5:6", (24, 64), "2001:db8:1:2::"),
        ("2001:db8:1:2:3:4:5:6", (24, 0), "::"),
        ("2001:db8:1:2:3:4:5:6", (24, 128), "2001:db8:1:2:3:4:5:6"),
    ];
    for (address, (v4, v6), expected) in cases {
        let anonymizer = Anonymizer::new(Method::Truncate(Kept { v4, v6 })).unwrap();
        let expected: IpAddr = expected.parse().unwrap();
        assert_eq!(anonymizer.address(address.parse().unwrap()), expected);
    }
    // Truncated and under a key: the pseudonym's prefix, and nothing behind it.
    let both = Anonymizer::new(Method::Both(Key(KEY), Kept { v4: 24, v6: 64 })).unwrap();
    assert_eq!(
        both.address("24.0.250.221".parse().unwrap()),
        "100.15.198.0".parse::<IpAddr>().unwrap()
    );
}

#[test]
fn only_the_named_fields_and_never_an_unknown_one() {
    let method = || Method::Truncate(Kept { v4: 8, v6: 8 });
    let anonymizer = Anonymizer::for_fields(method(), ["SrcAddr"]).unwrap();
    let mut rows = full_row();
    let flow = &mut rows.as_mut_slice()[0];
    anonymizer.anonymize(flow);
    assert_eq!(flow.address(Field::SrcAddr), Some(&[192, 0, 0, 0][..]));
    assert_eq!(flow.address(Field::NextHop), Some(&[192, 0, 2, 77][..]));
    assert_eq!(flow.word(Field::DstAddrAnon), None);

    let refused = |names: &[&str]| Anonymizer::for_fields(method(), names.iter().copied()).err();
    assert_eq!(
        refused(&["SrcAddr", "SrcAddress"]),
        Some(AnonymizeError::UnknownField("SrcAddress".into()))
    );
    assert_eq!(refused(&["Bytes"]), Some(AnonymizeError::UnknownField("Bytes".into())));
    assert_eq!(refused(&[]), Some(AnonymizeError::NoField));
    let kept = Kept { v4: 33, v6: 0 };
    assert_eq!(
        Anonymizer::new(Method::Truncate(kept)).err(),
        Some(AnonymizeError::KeptTooLong(kept))
    );
}
