//! Applications by port, as the suite's dashboards name them. The source port is asked first.

/// The name in `flow_bits` (consumer_prometheus); empty if no port says anything.
#[must_use]
pub fn application(src_port: u16, dst_port: u16) -> &'static str {
    either(src_port, dst_port, |port| match port {
        80 => "http",
        443 => "https",
        20 | 21 => "ftp",
        23 => "telnet",
        other => mail_and_names(other),
    })
}

/// The name in `flow_number_total`, `flow_packets` and `flow_bytes` (the older dashboard); empty if
/// no port says anything.
#[must_use]
pub fn application_of_dashboard(src_port: u16, dst_port: u16) -> &'static str {
    either(src_port, dst_port, |port| match port {
        80 | 443 => "www",
        other => mail_and_names(other),
    })
}

/// Those that both have.
fn mail_and_names(port: u16) -> &'static str {
    match port {
        22 => "ssh",
        53 => "dns",
        25 | 465 => "smtp",
        110 | 995 => "pop3",
        143 | 993 => "imap",
        _ => "",
    }
}

fn either(src_port: u16, dst_port: u16, name: impl Fn(u16) -> &'static str) -> &'static str {
    match name(src_port) {
        "" => name(dst_port),
        found => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_of_both_dashboards() {
        for (port, new, old) in [
            (80, "http", "www"),
            (443, "https", "www"),
            (20, "ftp", ""),
            (21, "ftp", ""),
            (22, "ssh", "ssh"),
            (23, "telnet", ""),
            (53, "dns", "dns"),
            (25, "smtp", "smtp"),
            (465, "smtp", "smtp"),
            (110, "pop3", "pop3"),
            (995, "pop3", "pop3"),
            (143, "imap", "imap"),
            (993, "imap", "imap"),
            (0, "", ""),
            (65535, "", ""),
        ] {
            assert_eq!(
                (application(port, 50_000), application_of_dashboard(port, 50_000)),
                (new, old)
            );
            assert_eq!(
                (application(50_000, port), application_of_dashboard(50_000, port)),
                (new, old)
            );
        }
        assert_eq!(application(22, 80), "ssh");
    }
}
