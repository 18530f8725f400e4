//! Which end of a flow is ours and which is the far one.
//!
//! The old enricher took an exporter that sends no direction for one that sends "ingress". Here
//! absent is not ingress: without a usable direction the customer list decides, and if it does not
//! either (no customer, or two), nobody is remote.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Where it comes from.
    Src,
    /// Where it goes to.
    Dst,
}

impl Side {
    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Src => Self::Dst,
            Self::Dst => Self::Src,
        }
    }
}

/// How the far end is told, per exporter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RemotePolicy {
    /// The exporter stands at the border: what comes in comes from far away. Without direction as
    /// [`RemotePolicy::Customers`].
    #[default]
    Border,
    /// The exporter faces users: what comes in comes from them. Without direction as
    /// [`RemotePolicy::Customers`].
    User,
    /// The end that is no customer's, if exactly one is. The suite called it `cidr`.
    #[serde(alias = "cidr")]
    Customers,
    /// Nobody is remote, whatever the record says: no `RemoteAddr`, `RemoteCountry` or `Cid`.
    Clear,
}

impl RemotePolicy {
    /// The far end of a flow with this direction (IE 61: 0 ingress, 1 egress, RFC 5102) between
    /// these ends.
    #[inline]
    #[must_use]
    pub fn remote(
        self,
        direction: Option<u64>,
        src_is_customer: bool,
        dst_is_customer: bool,
    ) -> Option<Side> {
        match (self, direction) {
            (Self::Clear, _) => None,
            (Self::Border, Some(0)) | (Self::User, Some(1)) => Some(Side::Src),
            (Self::Border, Some(1)) | (Self::User, Some(0)) => Some(Side::Dst),
            _ => match (src_is_customer, dst_is_customer) {
                (true, false) => Some(Side::Dst),
                (false, true) => Some(Side::Src),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RemotePolicy::{Border, Clear, Customers, User};
    use Side::{Dst, Src};

    #[test]
    fn every_policy_and_direction() {
        for (policy, direction, customers, expected) in [
            (Border, Some(0), (true, false), Some(Src)),
            (Border, Some(1), (false, true), Some(Dst)),
            (Border, None, (false, false), None),
            (Border, None, (true, false), Some(Dst)),
            (Border, None, (false, true), Some(Src)),
            (Border, None, (true, true), None),
            (Border, Some(2), (false, true), Some(Src)),
            (User, Some(0), (false, false), Some(Dst)),
            (User, Some(1), (false, false), Some(Src)),
            (User, None, (false, true), Some(Src)),
            (Customers, Some(0), (true, false), Some(Dst)),
            (Customers, Some(0), (true, true), None),
            (Clear, Some(0), (true, false), None),
            (Clear, None, (false, true), None),
        ] {
            let found = policy.remote(direction, customers.0, customers.1);
            assert_eq!(found, expected, "{policy:?} {direction:?} {customers:?}");
        }
    }
}
