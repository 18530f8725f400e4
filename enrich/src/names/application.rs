//! Applications by port, as the suite's dashboards name them. The source port is asked first.

/// The name in `flow_bits` (consumer_prometheus); empty if no port says anything.
#[must_use]
pub fn application(src_port: u16, dst_port: u16) -> &'static str {
    match name(src_port) {
        "" => name(dst_port),
        found => found,
    }
}

fn name(port: u16) -> &'static str {
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
    fn every_port_of_the_dashboard() {
        for (port, expected) in [
            (80, "http"),
            (443, "https"),
            (20, "ftp"),
            (21, "ftp"),
            (22, "ssh"),
            (23, "telnet"),
            (53, "dns"),
            (25, "smtp"),
            (465, "smtp"),
            (110, "pop3"),
            (995, "pop3"),
            (143, "imap"),
            (993, "imap"),
            (0, ""),
            (65535, ""),
        ] {
            assert_eq!(application(port, 50_000), expected, "{port}");
            assert_eq!(application(50_000, port), expected, "{port}");
        }
        assert_eq!(application(22, 80), "ssh");
    }
}
