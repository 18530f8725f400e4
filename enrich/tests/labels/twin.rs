//! What labelling means, said as simply as possible: every table searched from end to end, every
//! field written by name.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;
use neckar_enrich::sources::{asn, customers, list, networks};
use neckar_enrich::{
    AsOrder, ExporterRule, Interface, Interfaces, RemotePolicy, Settings, Sources,
};
use neckar_proto::{Field, ip_protocol};

/// A flow: fields that are present, as text.
pub(crate) type Row = BTreeMap<Field, String>;

/// What is said of an address. Empty and 0 say nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) cid: u32,
    pub(crate) customer: String,
    pub(crate) asn: u32,
    pub(crate) as_name: String,
    pub(crate) country: String,
    pub(crate) site: String,
    pub(crate) list: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Customers,
    Networks,
    Routes,
    List,
}

/// One file.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    kind: Kind,
    name: &'static str,
    rows: Vec<(IpNet, Said)>,
}

impl Table {
    fn new(
        kind: Kind,
        name: &'static str,
        rows: Vec<(&str, Said)>,
        kept: impl Fn(Said) -> Said,
    ) -> Self {
        let rows = rows.into_iter().map(|(net, said)| (net.parse().unwrap(), kept(said))).collect();
        Self { kind, name, rows }
    }

    pub(crate) fn customers(rows: Vec<(&str, Said)>) -> Self {
        Self::new(Kind::Customers, "customers", rows, |said| Said {
            cid: said.cid,
            customer: said.customer,
            ..Said::default()
        })
    }

    pub(crate) fn networks(rows: Vec<(&str, Said)>) -> Self {
        Self::new(Kind::Networks, "networks", rows, |said| Said {
            asn: said.asn,
            country: said.country,
            site: said.site,
            ..Said::default()
        })
    }

    pub(crate) fn routes(rows: Vec<(&str, Said)>) -> Self {
        Self::new(Kind::Routes, "routes", rows, |said| Said {
            asn: said.asn,
            as_name: said.as_name,
            ..Said::default()
        })
    }

    pub(crate) fn list(name: &'static str, rows: Vec<(&str, Said)>) -> Self {
        Self::new(Kind::List, name, rows, |_| Said { list: name.to_owned(), ..Said::default() })
    }

    /// The file's text.
    fn text(&self) -> String {
        let header = if self.kind == Kind::Networks { "prefix,asn,country,site\n" } else { "" };
        let row = |(net, said): &(IpNet, Said)| match self.kind {
            Kind::Customers if said.customer.is_empty() => format!("{net},{}\n", said.cid),
            Kind::Customers => format!("{net},{}\n", said.customer),
            Kind::Networks => format!("{net},{},{},{}\n", said.asn, said.country, said.site),
            Kind::Routes => format!("{net},{},{}\n", said.asn, said.as_name),
            Kind::List => format!("{net}\n"),
        };
        header.to_owned() + &self.rows.iter().map(row).collect::<String>()
    }

    /// Would a file of it load? Only a list may be empty.
    fn loads(&self) -> bool {
        self.kind == Kind::List || !self.rows.is_empty()
    }

    fn said(&self, address: IpAddr) -> Said {
        let mut around: Vec<_> =
            self.rows.iter().filter(|(net, _)| net.contains(&address)).collect();
        around.sort_by_key(|(net, _)| std::cmp::Reverse(net.prefix_len()));
        let mut around = around.into_iter().map(|(_, said)| said.clone());
        match self.kind {
            Kind::Networks => around.fold(Said::default(), Said::or),
            _ => around.next().unwrap_or_default(),
        }
    }
}

fn or(own: String, other: String) -> String {
    if own.is_empty() { other } else { own }
}

impl Said {
    /// What this says, and where it says nothing, what `other` says; list names add up.
    fn or(self, other: Self) -> Self {
        let mut list = vec![self.list, other.list];
        list.retain(|name| !name.is_empty());
        Self {
            cid: if self.cid == 0 { other.cid } else { self.cid },
            customer: or(self.customer, other.customer),
            asn: if self.asn == 0 { other.asn } else { self.asn },
            as_name: String::new(),
            country: or(self.country, other.country),
            site: or(self.site, other.site),
            list: list.join(","),
        }
    }

    fn is_customer(&self) -> bool {
        self.cid != 0 || !self.customer.is_empty()
    }
}

/// Everything that labelling depends on but the flow.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) tables: Vec<Table>,
    pub(crate) as_names: HashMap<u32, String>,
    pub(crate) exporters: Vec<ExporterRule>,
    pub(crate) interfaces: Vec<(IpAddr, u32, Interface)>,
    pub(crate) settings: Settings,
}

impl std::fmt::Debug for World {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for table in &self.tables {
            writeln!(out, "{}:\n{}", table.name, table.text())?;
        }
        let Settings { protocol_names, normalize, remote, src_as, dst_as, .. } = self.settings;
        writeln!(out, "{:?}\n{:?}", self.as_names, self.exporters)?;
        write!(out, "{protocol_names} {normalize} {remote:?} {src_as:?} {dst_as:?}")
    }
}

impl World {
    /// The same for the real thing, through the files' readers.
    pub(crate) fn sources(&self) -> Sources {
        let parse = |table: &Table| {
            let (file, text) = (Path::new(table.name), table.text());
            let source = match table.kind {
                Kind::Customers => customers::parse(file, text.as_bytes()),
                Kind::Networks => networks::parse(file, text.as_bytes()),
                Kind::Routes => asn::parse(file, text.as_bytes()),
                Kind::List => list::parse(file, table.name, text.as_bytes()),
            };
            Arc::new(source.unwrap())
        };
        let mut interfaces = Interfaces::default();
        for (exporter, if_index, interface) in &self.interfaces {
            interfaces.insert(*exporter, *if_index, interface.clone());
        }
        Sources {
            prefixes: self.tables.iter().filter(|table| table.loads()).map(parse).collect(),
            as_names: self.as_names.clone().into_iter().collect(),
            exporters: self.exporters.clone(),
            interfaces,
            settings: self.settings,
        }
    }

    /// The row as it should be after labelling.
    pub(crate) fn label(&self, row: &Row) -> Row {
        let mut out = row.clone();
        self.clear(&mut out);
        let said = |field: Field| match row.get(&field) {
            Some(address) => {
                let address = canonical(address);
                let all = self.tables.iter().map(|table| table.said(address));
                all.fold(Said::default(), Said::or)
            }
            None => Said::default(),
        };
        let [src, dst] = [Field::SrcAddr, Field::DstAddr].map(said);
        put_number(&mut out, Field::SrcCid, src.cid.into());
        put_number(&mut out, Field::DstCid, dst.cid.into());
        put(&mut out, Field::SrcCidString, &src.customer);
        put(&mut out, Field::DstCidString, &dst.customer);
        put(&mut out, Field::SrcCountry, &src.country);
        put(&mut out, Field::DstCountry, &dst.country);
        put(&mut out, Field::SrcNetSite, &src.site);
        put(&mut out, Field::DstNetSite, &dst.site);
        put(&mut out, Field::SrcList, &src.list);
        put(&mut out, Field::DstList, &dst.list);
        self.label_remote(row, &src, &dst, &mut out);
        self.label_as(&src, &dst, &mut out);
        if self.settings.protocol_names
            && let Some(name) = number(row, Field::Proto).and_then(ip_protocol::name)
        {
            put(&mut out, Field::ProtoName, name);
        }
        self.label_exporter(row, &mut out);
        self.normalize(row, &mut out);
        out
    }

    /// What some source speaks of is taken out before it is said anew.
    fn clear(&self, out: &mut Row) {
        let speaks = |of: &dyn Fn(&Said) -> bool| {
            self.tables.iter().flat_map(|table| &table.rows).any(|(_, said)| of(said))
        };
        let mut clear = |really: bool, fields: &[Field]| {
            out.retain(|field, _| !(really && fields.contains(field)));
        };
        clear(true, &[Field::RemoteAddr]);
        clear(self.settings.protocol_names, &[Field::ProtoName]);
        let customers = [
            Field::Cid,
            Field::CidString,
            Field::SrcCid,
            Field::DstCid,
            Field::SrcCidString,
            Field::DstCidString,
        ];
        clear(speaks(&Said::is_customer), &customers);
        let countries = [Field::SrcCountry, Field::DstCountry, Field::RemoteCountry];
        clear(speaks(&|said| !said.country.is_empty()), &countries);
        let names =
            !self.as_names.is_empty() || speaks(&|said| said.asn != 0 && !said.as_name.is_empty());
        clear(names, &[Field::SrcASName, Field::DstASName, Field::NextHopASName]);
    }

    /// For each attribute the rule of the longest prefix that has it.
    fn rule<T>(&self, row: &Row, attribute: impl Fn(&ExporterRule) -> Option<T>) -> Option<T> {
        let exporter = canonical(row.get(&Field::SamplerAddress)?);
        let mut rules: Vec<_> =
            self.exporters.iter().filter(|rule| rule.prefix.contains(&exporter)).collect();
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.prefix.prefix_len()));
        rules.into_iter().find_map(attribute)
    }

    fn label_remote(&self, row: &Row, src: &Said, dst: &Said, out: &mut Row) {
        let policy = self.rule(row, |rule| rule.remote).unwrap_or(self.settings.remote);
        let by_customers = match (src.is_customer(), dst.is_customer()) {
            (true, false) => "2",
            (false, true) => "1",
            _ => "",
        };
        let remote = match (policy, number(row, Field::FlowDirection)) {
            (RemotePolicy::Clear, _) => "",
            (RemotePolicy::Border, Some(0)) | (RemotePolicy::User, Some(1)) => "1",
            (RemotePolicy::Border, Some(1)) | (RemotePolicy::User, Some(0)) => "2",
            _ => by_customers,
        };
        put(out, Field::RemoteAddr, remote);
        let (far, near) = match remote {
            "1" => (src, dst),
            "2" => (dst, src),
            _ => return,
        };
        put(out, Field::RemoteCountry, &far.country);
        put_number(out, Field::Cid, near.cid.into());
        put(out, Field::CidString, &near.customer);
    }

    fn label_as(&self, src: &Said, dst: &Said, out: &mut Row) {
        for (field, order, table) in [
            (Field::SrcAS, self.settings.src_as, src.asn),
            (Field::DstAS, self.settings.dst_as, dst.asn),
        ] {
            let record = number(out, field).unwrap_or(0);
            let table = u64::from(table);
            let settled = match order {
                AsOrder::RecordFirst => {
                    if record != 0 {
                        record
                    } else {
                        table
                    }
                }
                AsOrder::TableFirst => {
                    if table != 0 {
                        table
                    } else {
                        record
                    }
                }
                AsOrder::RecordOnly => record,
                AsOrder::TableOnly => table,
            };
            if order == AsOrder::TableOnly {
                out.remove(&field);
            }
            put_number(out, field, settled);
        }
        for (field, name) in [
            (Field::SrcAS, Field::SrcASName),
            (Field::DstAS, Field::DstASName),
            (Field::NextHopAS, Field::NextHopASName),
        ] {
            put(out, name, &self.as_name(number(out, field).unwrap_or(0) as u32));
        }
    }

    /// The name given, else the first that a table has for the number.
    fn as_name(&self, asn: u32) -> String {
        let rows = self.tables.iter().flat_map(|table| &table.rows).map(|(_, said)| said);
        let named = rows.filter(|said| said.asn == asn && !said.as_name.is_empty());
        let of_tables = named.map(|said| &said.as_name).next();
        let name = self.as_names.get(&asn).or(of_tables).filter(|_| asn != 0);
        name.cloned().unwrap_or_default()
    }

    fn label_exporter(&self, row: &Row, out: &mut Row) {
        put(
            out,
            Field::SamplerHostName,
            &self.rule(row, |rule| rule.name.clone()).unwrap_or_default(),
        );
        put(out, Field::Tenant, &self.rule(row, |rule| rule.tenant.clone()).unwrap_or_default());
        for (index, name, description, speed) in [
            (Field::InIf, Field::SrcIfName, Field::SrcIfDesc, Field::SrcIfSpeed),
            (Field::OutIf, Field::DstIfName, Field::DstIfDesc, Field::DstIfSpeed),
        ] {
            let interface = self.interfaces.iter().find(|(exporter, if_index, _)| {
                row.get(&Field::SamplerAddress).is_some_and(|one| canonical(one) == *exporter)
                    && row.get(&index) == Some(&if_index.to_string())
            });
            if let Some((_, _, interface)) = interface {
                put(out, name, &interface.name);
                put(out, description, &interface.description);
                put_number(out, speed, interface.speed_mbps.into());
            }
        }
    }

    fn normalize(&self, row: &Row, out: &mut Row) {
        let already = number(row, Field::Normalized).unwrap_or(0) != 0;
        let said = number(row, Field::SamplingRate).unwrap_or(0);
        let rate =
            if said != 0 { said } else { self.rule(row, |rule| rule.sampling_rate).unwrap_or(0) };
        if !self.settings.normalize || already || rate == 0 {
            return;
        }
        for field in [Field::Bytes, Field::Packets] {
            if let Some(count) = number(row, field) {
                out.insert(field, count.saturating_mul(rate).to_string());
            }
        }
        out.insert(Field::SamplingRate, rate.to_string());
        out.insert(Field::Normalized, "1".to_owned());
    }
}

/// An address; IPv4 as IPv4.
fn canonical(address: &str) -> IpAddr {
    address.parse::<IpAddr>().unwrap().to_canonical()
}

fn number(row: &Row, field: Field) -> Option<u64> {
    row.get(&field).map(|text| text.parse().unwrap())
}

fn put(row: &mut Row, field: Field, text: &str) {
    if !text.is_empty() {
        row.insert(field, text.to_owned());
    }
}

fn put_number(row: &mut Row, field: Field, number: u64) {
    if number != 0 {
        row.insert(field, number.to_string());
    }
}
