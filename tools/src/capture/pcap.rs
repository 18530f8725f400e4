//! Captures: pcap and pcapng, any byte order, microseconds or nanoseconds.
//!
//! The blocks come from the crate pcap-parser, which reads them in place from one buffer of
//! [`BUFFER_BYTES`]; it grows only for a block that needs it, to [`BLOCK_BYTES_MAX`].

use pcap_parser::pcapng::{Block, InterfaceDescriptionBlock, OptionCode};
use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{LegacyPcapReader, PcapBlockOwned, PcapError, PcapHeader, PcapNGReader};

use super::found::{Fault, Found, read_failed};
use super::frame::Frames;
use super::input::{Input, LastError};

/// Room for some hundred packets.
const BUFFER_BYTES: usize = 256 << 10;
/// No packet is longer; a block of pcapng with more in it is broken, or nothing that we need.
const BLOCK_BYTES_MAX: usize = 16 << 20;
/// Interfaces in one section of a pcapng file.
const INTERFACES_MAX: usize = 4096;
/// Sections of a pcapng file start with this, in either byte order.
const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// Is this the start of a capture?
pub(super) fn is_capture(prefix: &[u8]) -> bool {
    is_pcapng(prefix)
        || matches!(
            prefix.first_chunk(),
            Some([0xa1, 0xb2, 0xc3, 0xd4] | [0xd4, 0xc3, 0xb2, 0xa1])
                | Some([0xa1, 0xb2, 0x3c, 0x4d] | [0x4d, 0x3c, 0xb2, 0xa1])
                | Some([0x34, 0xcd, 0xb2, 0xa1])
        )
}

fn is_pcapng(prefix: &[u8]) -> bool {
    prefix.starts_with(&SECTION_HEADER)
}

/// A capture being read.
pub(super) struct Pcap {
    reader: Box<dyn PcapReaderIterator>,
    last_error: LastError,
    capacity: usize,
    /// Length of the block that was read last; it is done with when the next is asked for.
    done: usize,
    /// By number, in the current section. A pcap file has one.
    interfaces: Vec<Interface>,
    big_endian: bool,
    /// For blocks without a time.
    last_ns: u64,
    frames: Frames,
}

/// What must be known of an interface to read its packets.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: i32,
    units: Units,
    offset_s: i64,
}

/// How long a tick of the timestamp is.
#[derive(Clone, Copy, Debug)]
enum Units {
    /// This many make a second, as a power of ten.
    Decimal(u8),
    /// This many make a second, as a power of two.
    Binary(u8),
}

/// What to do after looking at a block.
enum Step {
    Packet,
    Skip,
    Refill,
    Grow,
    End,
}

impl Pcap {
    pub(super) fn open(input: Input) -> Result<Self, Fault> {
        let last_error = input.last_error();
        let ng = is_pcapng(input.prefix());
        let reader: Result<Box<dyn PcapReaderIterator>, _> = if ng {
            PcapNGReader::new(BUFFER_BYTES, input).map(|reader| Box::new(reader) as _)
        } else {
            LegacyPcapReader::new(BUFFER_BYTES, input).map(|reader| Box::new(reader) as _)
        };
        let reader = reader.map_err(|error| match error {
            PcapError::Incomplete(_) => Fault::at(0, "the file ends inside its first header"),
            _ => Fault::at(0, "the first header is malformed"),
        })?;
        Ok(Self {
            reader,
            last_error,
            capacity: BUFFER_BYTES,
            done: 0,
            interfaces: Vec::new(),
            big_endian: false,
            last_ns: 0,
            frames: Frames::default(),
        })
    }

    /// What the capture held beside UDP datagrams, so far.
    pub(super) fn frames(&self) -> &Frames {
        &self.frames
    }

    /// Finds the next UDP datagram; `false` at the end.
    pub(super) fn advance(&mut self, found: &mut Found) -> Result<bool, Fault> {
        loop {
            self.reader.consume(std::mem::take(&mut self.done));
            match self.step(found)? {
                Step::Packet => return Ok(true),
                Step::Skip => {}
                Step::End => return self.end().map(|()| false),
                Step::Grow => self.grow()?,
                Step::Refill => {
                    if self.reader.refill().is_err() {
                        return Err(self.read_fault());
                    }
                }
            }
        }
    }

    /// A capture in which nothing could be looked into would pass for an empty one.
    fn end(&self) -> Result<(), Fault> {
        match self.frames.link_unknown {
            Some((link, count)) if count == self.frames.frames => {
                Err(Fault::of(format!("no UDP can be found in frames of link type {link}")))
            }
            _ => Ok(()),
        }
    }

    fn step(&mut self, found: &mut Found) -> Result<Step, Fault> {
        let offset = self.reader.consumed() as u64;
        match self.reader.next() {
            Ok((len, block)) => {
                self.done = len;
                let mut section = Section {
                    interfaces: &mut self.interfaces,
                    big_endian: &mut self.big_endian,
                    last_ns: &mut self.last_ns,
                    frames: &mut self.frames,
                };
                let is_packet =
                    section.read(&block, found).map_err(|what| Fault::at(offset, what))?;
                Ok(if is_packet { Step::Packet } else { Step::Skip })
            }
            Err(PcapError::Eof) => Ok(Step::End),
            Err(PcapError::Incomplete(_)) => Ok(Step::Refill),
            Err(PcapError::BufferTooSmall) => Ok(Step::Grow),
            Err(PcapError::UnexpectedEof) => Err(Fault::at(
                offset,
                "the file ends inside a packet; everything before it has been read",
            )),
            Err(_) => Err(Fault::at(offset, "malformed block; everything before it has been read")),
        }
    }

    fn grow(&mut self) -> Result<(), Fault> {
        let offset = self.reader.consumed() as u64;
        if self.capacity >= BLOCK_BYTES_MAX {
            return Err(Fault::at(offset, "a block of more than 16 MiB: the file is damaged here"));
        }
        self.capacity *= 2;
        self.reader.grow(self.capacity);
        // Without new bytes the reader would only say again that it has too few.
        if self.reader.refill().is_err() {
            return Err(self.read_fault());
        }
        Ok(())
    }

    fn read_fault(&self) -> Fault {
        let offset = self.reader.consumed() as u64;
        Fault::at(offset, read_failed(self.last_error.take().as_ref()))
    }
}

/// What blocks change, apart from the reader that lends them.
struct Section<'a> {
    interfaces: &'a mut Vec<Interface>,
    big_endian: &'a mut bool,
    last_ns: &'a mut u64,
    frames: &'a mut Frames,
}

impl Section<'_> {
    /// Is there a UDP datagram in this block?
    fn read(&mut self, block: &PcapBlockOwned<'_>, found: &mut Found) -> Result<bool, String> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                self.add_interface(legacy_interface(header))?;
                Ok(false)
            }
            PcapBlockOwned::Legacy(packet) => {
                let ticks = u128::from(packet.ts_usec);
                let time =
                    |interface: &Interface| interface.units.time_ns(ticks, packet.ts_sec.into());
                self.packet(0, packet.data, time, found)
            }
            PcapBlockOwned::NG(Block::SectionHeader(header)) => {
                self.interfaces.clear();
                *self.big_endian = header.big_endian();
                Ok(false)
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(block)) => {
                self.add_interface(ng_interface(block, *self.big_endian))?;
                Ok(false)
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let ticks = u128::from(packet.ts_high) << 32 | u128::from(packet.ts_low);
                let time = |interface: &Interface| {
                    interface.units.time_ns(ticks, interface.offset_s.into())
                };
                let index = packet.if_id as usize;
                self.packet(index, packet.packet_data(), time, found)
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                let last_ns = *self.last_ns;
                self.packet(0, packet.packet_data(), |_| last_ns, found)
            }
            PcapBlockOwned::NG(_) => Ok(false),
        }
    }

    fn packet(
        &mut self,
        interface: usize,
        data: &[u8],
        time: impl FnOnce(&Interface) -> u64,
        found: &mut Found,
    ) -> Result<bool, String> {
        let Some(interface) = self.interfaces.get(interface) else {
            return Err(format!("a packet of interface {interface}, which is not described"));
        };
        *self.last_ns = time(interface);
        found.time_ns = *self.last_ns;
        Ok(self.frames.find(interface.link, data, found))
    }

    fn add_interface(&mut self, interface: Interface) -> Result<(), String> {
        if self.interfaces.len() >= INTERFACES_MAX {
            return Err(format!("more than {INTERFACES_MAX} interfaces: the file is damaged here"));
        }
        self.interfaces.push(interface);
        Ok(())
    }
}

fn legacy_interface(header: &PcapHeader) -> Interface {
    let units = Units::Decimal(if header.is_nanosecond_precision() { 9 } else { 6 });
    // The upper bits say how long the frame check sequence is, which IP's own lengths leave out
    // anyway.
    Interface { link: header.network.0 & 0xffff, units, offset_s: 0 }
}

fn ng_interface(block: &InterfaceDescriptionBlock<'_>, big_endian: bool) -> Interface {
    let resolution = block.if_tsresol;
    let units = match resolution & 0x80 {
        0 => Units::Decimal(resolution),
        _ => Units::Binary(resolution & 0x7f),
    };
    // Read here because pcap-parser takes it for little-endian in every section.
    let option = block.options.iter().find(|option| option.code == OptionCode::IfTsoffset);
    let bytes = option.and_then(|option| option.value.first_chunk::<8>());
    let offset_s = bytes.map_or(0, |bytes| match big_endian {
        true => i64::from_be_bytes(*bytes),
        false => i64::from_le_bytes(*bytes),
    });
    Interface { link: block.linktype.0, units, offset_s }
}

impl Units {
    /// Unix nanoseconds; what is before 1970 or after 2554 becomes the nearest of these.
    fn time_ns(self, ticks: u128, offset_s: i128) -> u64 {
        const SECOND: u128 = 1_000_000_000;
        let ns = match self {
            // 64 bits of ticks times 10^9 fit 128 bits.
            Self::Decimal(power) if power <= 9 => ticks * 10_u128.pow(9 - u32::from(power)),
            Self::Decimal(power) => {
                10_u128.checked_pow(u32::from(power) - 9).map_or(0, |divisor| ticks / divisor)
            }
            Self::Binary(power) => (ticks * SECOND).checked_shr(power.into()).unwrap_or(0),
        };
        let sum = i128::try_from(ns).unwrap_or(i128::MAX).saturating_add(offset_s * SECOND as i128);
        u64::try_from(sum.max(0)).unwrap_or(u64::MAX)
    }
}
