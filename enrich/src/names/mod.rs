//! Numbers that have names by convention, as static tables. Those of IP protocols are in
//! [`neckar_proto::ip_protocol`], since lines of flows show them too.

mod application;
mod ethertype;
mod icmp;

pub use application::application;
pub use ethertype::ethertype;
pub use icmp::{icmp, icmp_code, icmp6, icmp6_code};
