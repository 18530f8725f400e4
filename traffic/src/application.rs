//! Applications as the suite's boards name them, by port.

/// The name that the boards have for a flow between these ports, the source's first; empty if none.
#[must_use]
pub(crate) fn application(source: u32, destination: u32) -> &'static str {
    match by_port(source) {
        "" => by_port(destination),
        name => name,
    }
}

fn by_port(port: u32) -> &'static str {
    match port {
        20 | 21 => "ftp",
        22 => "ssh",
        23 => "telnet",
        25 | 465 => "smtp",
        53 => "dns",
        80 => "http",
        110 | 995 => "pop3",
        143 | 993 => "imap",
        443 => "https",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_port_goes_first() {
        assert_eq!(application(443, 80), "https");
        assert_eq!(application(50_000, 993), "imap");
        assert_eq!(application(50_000, 50_001), "");
    }
}
