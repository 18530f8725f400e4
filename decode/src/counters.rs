//! What a decoder counts. Plain integers of one worker; somebody else publishes them.

use crate::template::Protocol;

macro_rules! causes {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)+) => {
        /// Why something that arrived did not become a flow. The name says what is counted: whole datagrams, sets or records.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Cause { $($(#[$doc])* $variant,)+ }

        impl Cause {
            /// Every cause.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in `--stats` and the label in metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

causes! {
    /// Shorter than the header of its protocol.
    DatagramTruncated => "datagram_truncated",
    /// No protocol that we know starts like this.
    DatagramVersionUnknown => "datagram_version_unknown",
    /// NetFlow v1.
    DatagramNetflowV1 => "datagram_netflow_v1",
    /// NetFlow v7.
    DatagramNetflowV7 => "datagram_netflow_v7",
    /// NetFlow v8.
    DatagramNetflowV8 => "datagram_netflow_v8",
    /// An sFlow version other than 5.
    DatagramSflowVersion => "datagram_sflow_version",
    /// The exporter is not among the configured ones.
    DatagramExporterDenied => "datagram_exporter_denied",
    /// The table of exporters is full and this one is not in it.
    DatagramExporterTableFull => "datagram_exporter_table_full",
    /// The exporter has more observation domains than are remembered.
    DatagramDomainTableFull => "datagram_domain_table_full",
    /// An IPFIX message that says it is shorter than its own header.
    DatagramLengthInvalid => "datagram_length_invalid",
    /// A NetFlow v5 header that counts more records than the protocol allows and the datagram holds.
    DatagramCountInvalid => "datagram_count_invalid",
    /// A set or sFlow sample whose length is impossible; what follows in the datagram cannot be found.
    SetLengthInvalid => "set_length_invalid",
    /// A set id that the protocol reserves.
    SetIdReserved => "set_id_reserved",
    /// A template set that does not parse.
    SetTemplateMalformed => "set_template_malformed",
    /// A template set with a template whose records could take no bytes.
    SetTemplateZeroLength => "set_template_zero_length",
    /// A template set with a template that the bounds on fields, templates or their bytes leave no room for.
    SetTemplateOverLimit => "set_template_over_limit",
    /// A data set whose template never came while it was held, or that there was no room to hold.
    SetTemplateMissing => "set_template_missing",
    /// A data set shorter than one record of its template.
    SetTruncated => "set_truncated",
    /// A data set that ends in the middle of a record of variable length. The whole records before it stand.
    SetRecordOverrun => "set_record_overrun",
    /// An sFlow flow sample that does not parse.
    RecordSampleMalformed => "record_sample_malformed",
    /// A NetFlow v5 record that the header counts and the datagram does not hold.
    RecordTruncated => "record_truncated",
}

/// Everything a decoder has counted since it was made. `records + reverse_flows = flows + dropped
/// records`, always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams given to the decoder.
    pub datagrams: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Those that begin like a protocol that we decode, in the order of [`Protocol::ALL`].
    pub protocols: [u64; Protocol::ALL.len()],
    /// Data records seen, options records apart; for sFlow, flow samples.
    pub records: u64,
    /// Second flows made from records with a reverse direction (RFC 5103).
    pub reverse_flows: u64,
    /// Rows lent to the sink.
    pub flows: u64,
    /// Template records, refreshes included.
    pub templates: u64,
    /// Options template records, refreshes included.
    pub options_templates: u64,
    /// Options data records.
    pub options_records: u64,
    /// sFlow counter samples.
    pub counter_samples: u64,
    /// sFlow discarded-packet notifications.
    pub discard_samples: u64,
    /// sFlow samples of formats that we do not know, skipped by their length.
    pub unknown_samples: u64,
    /// Records inside sFlow flow samples that are shorter than their format. The flow does without
    /// them.
    pub parts_malformed: u64,
    /// Data sets held because their template was not there yet (some are decoded later, some
    /// dropped).
    pub held: u64,
    /// Held sets decoded after all.
    pub released: u64,
    /// Template withdrawals (RFC 7011 section 8.1).
    pub withdrawals: u64,
    /// Records, flows or datagrams (by protocol) that sequence numbers jumped over:
    /// `missed - recovered` were lost on the way here.
    pub missed: u64,
    /// Units that were missed and came late. May be counted by another worker than the one that missed
    /// them.
    pub recovered: u64,
    /// Datagrams that came after a later one of the same exporter and domain.
    pub reordered: u64,
    /// Sequence numbers that started anew: the exporter restarted.
    pub resets: u64,
    /// Flows whose sampling rate is not known.
    pub rate_unknown: u64,
    /// Integers cut because their destination is narrower than their value.
    pub values_cut: u64,
    /// IPFIX times taken as Unix although RFC 7011 says NTP.
    pub times_unix: u64,
    /// By [`Cause`]: what did not become a flow.
    pub dropped: [u64; Cause::ALL.len()],
}

impl Counters {
    /// Counts `count` things under `cause`.
    #[inline]
    pub fn drop(&mut self, cause: Cause, count: u64) {
        self.dropped[cause as usize] += count;
    }

    /// How many were counted under `cause`.
    #[must_use]
    pub fn dropped(&self, cause: Cause) -> u64 {
        self.dropped[cause as usize]
    }
}
