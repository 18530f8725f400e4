//! Interface names from everywhere: over those of the file what exporters say in options data, over
//! that what they answered when they were asked. What one leaves empty, the next one says.

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashMap;
use neckar_decode::{InterfaceName, Shared};
use neckar_enrich::{Interface, Interfaces};

/// All that is known beside the file.
pub(super) struct InterfaceNames {
    /// By exporter, what was learnt by asking. Bounded by whoever asks, who says what he forgets.
    learnt: HashMap<IpAddr, Vec<(u32, Interface)>>,
    /// Who knows what exporters say of their interfaces themselves.
    shared: Arc<Shared>,
    /// The edition of that which is in force.
    revision: u64,
}

impl InterfaceNames {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { learnt: HashMap::new(), shared, revision: 0 }
    }

    /// Replaces what was learnt of an exporter; nothing learnt lets it go.
    pub(super) fn learn(&mut self, exporter: IpAddr, interfaces: Vec<(u32, Interface)>) {
        if interfaces.is_empty() {
            self.learnt.remove(&exporter);
        } else {
            self.learnt.insert(exporter, interfaces);
        }
    }

    /// Do exporters say something else than what is in force?
    pub(super) fn have_changed(&self) -> bool {
        self.revision != self.shared.interface_revision()
    }

    /// What exporters say now is about to come into force; what they say from here on is news.
    pub(super) fn settle(&mut self) {
        self.revision = self.shared.interface_revision();
    }

    /// Those of the file, with all the others over them.
    pub(super) fn over(&self, of_file: &Interfaces) -> Interfaces {
        let mut all = of_file.clone();
        for (exporter, interfaces) in self.shared.interface_names() {
            for (if_index, InterfaceName { name, description }) in interfaces.iter() {
                let (name, description) = (name.clone(), description.clone());
                lay(&mut all, exporter, *if_index, Interface { name, description, speed_mbps: 0 });
            }
        }
        for (exporter, interfaces) in &self.learnt {
            for (if_index, interface) in interfaces {
                lay(&mut all, *exporter, *if_index, interface.clone());
            }
        }
        all
    }
}

/// Lays what is `said` of an interface over what is known of it.
fn lay(all: &mut Interfaces, exporter: IpAddr, if_index: u32, said: Interface) {
    let interface = match all.interface(exporter, if_index) {
        Some(known) => said.over(known),
        None => said,
    };
    all.insert(exporter, if_index, interface);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn names() -> InterfaceNames {
        InterfaceNames::new(Arc::new(Shared::new(neckar_decode::Config::default())))
    }

    fn interface(name: &str, description: &str, speed_mbps: u32) -> Interface {
        Interface { name: name.into(), description: description.into(), speed_mbps }
    }

    #[test]
    fn what_an_answer_leaves_empty_the_file_says() {
        let mut of_file = Interfaces::default();
        of_file.insert(ROUTER, 1, interface("one", "to Ulm", 10));
        let mut names = names();
        names.learn(ROUTER, vec![(1, interface("ge-0/0/1", "", 0)), (2, interface("", "x", 1))]);
        let all = names.over(&of_file);
        assert_eq!(all.interface(ROUTER, 1), Some(&interface("ge-0/0/1", "to Ulm", 10)));
        assert_eq!(all.interface(ROUTER, 2), Some(&interface("", "x", 1)));
    }

    #[test]
    fn nothing_learnt_lets_an_exporter_go() {
        let mut names = names();
        names.learn(ROUTER, vec![(1, interface("ge-0/0/1", "", 0))]);
        assert_eq!(names.over(&Interfaces::default()).counts(), (1, 1));
        names.learn(ROUTER, Vec::new());
        assert_eq!(names.over(&Interfaces::default()).counts(), (0, 0));
        assert!(names.learnt.is_empty());
    }
}
