//! Numbers that have names by convention, as static tables.

mod application;
mod ethertype;
mod icmp;
mod protocol;

pub use application::{application, application_of_dashboard};
pub use ethertype::ethertype;
pub use icmp::{icmp, icmp_code, icmp6, icmp6_code};
pub use protocol::protocol;
