//! Applications as the suite's boards name them, by port.

/// An application, by its place in [`NAMES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Application(u8);

const NAMES: [&str; 10] =
    ["", "ftp", "ssh", "telnet", "smtp", "dns", "http", "pop3", "imap", "https"];

/// Ports, each with the place of its name.
const PORTS: [(usize, u8); 13] = [
    (20, 1),
    (21, 1),
    (22, 2),
    (23, 3),
    (25, 4),
    (465, 4),
    (53, 5),
    (80, 6),
    (110, 7),
    (995, 7),
    (143, 8),
    (993, 8),
    (443, 9),
];

const BY_PORT: [u8; 1024] = by_port();

const fn by_port() -> [u8; 1024] {
    let mut table = [0; 1024];
    let mut at = 0;
    while at < PORTS.len() {
        table[PORTS[at].0] = PORTS[at].1;
        at += 1;
    }
    table
}

impl Application {
    #[inline]
    fn of(port: u32) -> u8 {
        BY_PORT.get(port as usize).copied().unwrap_or(0)
    }

    pub(crate) fn number(self) -> u8 {
        self.0
    }

    pub(crate) fn name(self) -> &'static str {
        NAMES[usize::from(self.0)]
    }
}

/// The application of a flow between these ports, the source's first.
#[inline]
#[must_use]
pub(crate) fn application(source: u32, destination: u32) -> Application {
    match Application::of(source) {
        0 => Application(Application::of(destination)),
        known => Application(known),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_port_goes_first() {
        assert_eq!(application(443, 80).name(), "https");
        assert_eq!(application(50_000, 993).name(), "imap");
        assert_eq!(application(50_000, 50_001).name(), "");
        assert_eq!(application(u32::MAX, 21).name(), "ftp");
    }
}
