//! Prefix-preserving pseudonyms.

use std::net::IpAddr;

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt as _, KeyInit as _};

use super::Key;

type Block = aes::Block;

/// Bits whose flips are worked out at start.
const KNOWN_BITS: u32 = 16;

/// Crypto-PAn under one key.
pub struct CryptoPan {
    cipher: Aes128,
    pad: u128,
    /// By the first 16 bits of an address: which of them are flipped.
    known: Box<[u16]>,
}

impl CryptoPan {
    /// Takes the first half of the key for AES, and the second, encrypted, as padding.
    #[must_use]
    pub fn new(key: &Key) -> Self {
        let (aes_key, pad) = key.0.split_at(16);
        let aes_key: [u8; 16] = aes_key.try_into().expect("half of 32");
        let cipher = Aes128::new(&Array::from(aes_key));
        let mut block: Block = Array::try_from(pad).expect("half of 32");
        cipher.encrypt_block(&mut block);
        let pad = u128::from_be_bytes(block.into());
        let mut pan = Self { cipher, pad, known: Box::default() };
        pan.known = pan.known_flips();
        pan
    }

    /// The pseudonym of `address`.
    #[must_use]
    pub fn address(&self, address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(v4) => {
                let bits = u128::from(u32::from(v4)) << 96;
                IpAddr::V4((((bits ^ self.flips::<16>(bits)) >> 96) as u32).into())
            }
            IpAddr::V6(v6) => {
                let bits = u128::from(v6);
                IpAddr::V6((bits ^ self.flips::<112>(bits)).into())
            }
        }
    }

    /// Which bits of `address`, left-aligned, are flipped: the known first 16, and the `REST`
    /// behind them.
    fn flips<const REST: usize>(&self, address: u128) -> u128 {
        let mut blocks = [Block::default(); REST];
        for (position, block) in (KNOWN_BITS..).zip(&mut blocks) {
            *block = self.block(address, position);
        }
        self.cipher.encrypt_blocks(&mut blocks);
        let known = u128::from(self.known[(address >> (128 - KNOWN_BITS)) as usize]);
        (KNOWN_BITS..).zip(&blocks).fold(known << (128 - KNOWN_BITS), |flips, (position, block)| {
            flips | flip(block, position)
        })
    }

    /// What is encrypted for the bit at `position`: the bits before it, then padding.
    fn block(&self, address: u128, position: u32) -> Block {
        let behind = u128::MAX >> position;
        (address & !behind | self.pad & behind).to_be_bytes().into()
    }

    /// The flips of every first 16 bits. Those of a position depend on the bits before it only, so
    /// 65535 blocks are enough.
    fn known_flips(&self) -> Box<[u16]> {
        let mut flips: Vec<u16> = vec![0; 1 << KNOWN_BITS];
        for position in 0..KNOWN_BITS {
            let mut blocks: Vec<Block> = (0..1_u128 << position)
                .map(|prefix| self.block(prefix.checked_shl(128 - position).unwrap_or(0), position))
                .collect();
            self.cipher.encrypt_blocks(&mut blocks);
            for (address, flips) in flips.iter_mut().enumerate() {
                let block = &blocks[address >> (KNOWN_BITS - position)];
                *flips |= (flip(block, position) >> (128 - KNOWN_BITS)) as u16;
            }
        }
        flips.into()
    }
}

/// The first bit of an encrypted block, moved to `position`.
fn flip(block: &Block, position: u32) -> u128 {
    u128::from(block[0] >> 7) << (127 - position)
}
