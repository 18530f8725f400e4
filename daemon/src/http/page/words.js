// What the daemon's names mean, in words.

/** By cause: what was lost, and where to look. */
const CAUSES = {
  missed: ["Missed before us", "lost on the way here, by the exporters' own sequence numbers: records of v5 and IPFIX, datagrams of v9 and sFlow"],
  kernel_drops: ["Dropped by the kernel", "a socket's buffer was full: receive.buffer_bytes, more workers"],
  shed: ["Shed", "every batch was still waiting for the output: see the output, or add a spool"],
  output_failed: ["Given up by the output", "Kafka refused for good: see the error names in /metrics"],
  spool_given_up: ["Given up by the spool", "the disk's share is full: spool.bytes_max"],
  spool_damaged: ["Damaged on disk", "records of the spool that cannot be read any more"],
  splitter_missed: ["Not seen by the splitter", "its queue was full: split.queue_batches"],
  traffic_missed: ["Delivered, not counted", "the queue of what counts traffic was full: traffic.queue_batches"],
  splitter_refused: ["Refused for a customer", "no room for the customer's topic"],
  splitter_failed: ["Failed for a customer", "Kafka refused the customer's topic for good"],
  splitter_unserved: ["Customers not served", "beyond split.tenants_max"],
  set_template_missing: ["No template", "its template never came while the data was held"],
  datagram_version_unknown: ["Not a flow protocol", "datagrams that no protocol starts like"],
  datagram_exporter_denied: ["Exporter not allowed", "not among decode.allow"],
  datagram_exporter_table_full: ["Too many exporters", "decode.exporters_max are known"],
};

/** A cause's name for people; the metric's own words where there are none. */
export const causeName = (cause) => CAUSES[cause]?.[0] ?? sentence(cause);
export const causeHint = (cause) => CAUSES[cause]?.[1] ?? "";

const sentence = (name) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");

const PROTOCOLS = { netflow_v5: "NetFlow v5", netflow_v9: "NetFlow v9", ipfix: "IPFIX", sflow: "sFlow" };
export const protocolName = (name) => PROTOCOLS[name] ?? name;

/** What traffic can be counted by. */
export const DIMENSIONS = [
  ["src_host", "source hosts"],
  ["dst_host", "destination hosts"],
  ["pair", "pairs of hosts"],
  ["src_as", "source AS"],
  ["dst_as", "destination AS"],
  ["src_prefix", "source prefixes"],
  ["dst_prefix", "destination prefixes"],
  ["port", "ports"],
  ["protocol", "protocols"],
  ["country", "countries"],
  ["interface", "interfaces"],
  ["tenant", "tenants"],
  ["exporter", "exporters"],
  ["target", "targets"],
];

/** The charts beside the talkers. */
export const SHARES = [
  ["protocol", "Protocols"],
  ["port", "Ports"],
  ["country", "Countries"],
  ["src_as", "Source AS"],
  ["interface", "Interfaces"],
  ["tenant", "Tenants"],
];

/** What is kept of each customer apart. */
export const OF_TENANTS = ["src_host", "dst_host", "pair", "port", "country"];
