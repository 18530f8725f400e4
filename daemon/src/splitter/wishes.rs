//! What single customers want otherwise, read from the configuration and judged: a mistake is told
//! at start, not met by a flow.

use neckar_filter::{Filter, Options};
use neckar_kafka::Framing;
use neckar_proto::Field;

use super::shape::Shape;
use crate::config::{Problem, ProfileName, Split, Tenant};
use crate::settings;

/// One customer's.
pub struct Wishes {
    pub(super) cid: u32,
    /// Empty for the usual one.
    pub(super) topic: String,
    pub(super) shape: Option<Box<Shape>>,
    pub(super) framing: Framing,
}

impl Wishes {
    /// Those of `[[split.tenant]]`.
    ///
    /// # Errors
    /// The key that is wrong: no filter, no field, no anonymiser, or flows that cannot be read back.
    pub fn read(split: &Split, profile: ProfileName) -> Result<Vec<Self>, Problem> {
        let tenants = split.tenant.iter().enumerate();
        tenants.map(|(index, tenant)| Self::of(index, tenant, profile)).collect()
    }

    fn of(index: usize, tenant: &Tenant, profile: ProfileName) -> Result<Self, Problem> {
        let key = |name: &str| format!("split.tenant[{index}].{name}");
        let shape = Shape {
            filter: filter(&key("filter"), &tenant.filter)?,
            removed: removed(&key("fields"), &tenant.fields)?,
            anonymizer: tenant.anonymize.build().map_err(|(name, why)| {
                let fix =
                    "none of his flows is written without it; mend it, or say method = \"none\"";
                Problem::new(&key(&format!("anonymize.{name}")), "", why, fix)
            })?,
        };
        let is_plain = shape.is_plain();
        if !is_plain && profile != ProfileName::Bwnetflow {
            let why = "filter, fields and anonymize read flows back, which only bwnetflow's can be";
            let fix = "say output.profile = \"bwnetflow\", or take them out";
            return Err(Problem::new(&key("cid"), tenant.cid, why, fix));
        }
        Ok(Self {
            cid: tenant.cid,
            topic: tenant.topic.clone(),
            shape: (!is_plain).then(|| Box::new(shape)),
            framing: settings::framing(tenant.framing),
        })
    }
}

fn filter(key: &str, text: &str) -> Result<Option<Filter>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    // It is asked of messages, which have no zeros: whoever wants ingress gets flows without a direction
    // too, or he would get none at all.
    let filter = Filter::parse(text, &Options::MESSAGE);
    filter.map(Some).map_err(|error| {
        let fix = "write it as filter/src/grammar.md has it";
        Problem::new(key, format!("{text:?}"), error, fix)
    })
}

/// Every field but those.
fn removed(key: &str, kept: &[String]) -> Result<Vec<Field>, Problem> {
    if kept.is_empty() {
        return Ok(Vec::new());
    }
    for name in kept {
        if !Field::all().any(|field| field.info().name == name) {
            let fix = "take a name of proto/flow.proto";
            return Err(Problem::new(key, format!("{name:?}"), "no such field", fix));
        }
    }
    let is_kept = |field: &Field| kept.iter().any(|name| field.info().name == name);
    Ok(Field::all().filter(|field| !is_kept(field)).collect())
}

#[cfg(test)]
mod tests {
    use neckar_proto::decode::decode;
    use neckar_proto::encode::BWNETFLOW;
    use neckar_proto::{Batch, Flow, Rows};

    use super::*;

    /// Ingress is 0, which proto3 does not write: nothing tells it from a direction that is absent.
    #[test]
    fn incoming_is_all_that_is_not_outgoing() {
        let mut batch = Batch::with_capacity(3, 1 << 12);
        for direction in [Some(0), Some(1), None] {
            let mut flow = Flow::default();
            flow.set(Field::Bytes, 1);
            direction.into_iter().for_each(|value| flow.set(Field::FlowDirection, value));
            assert!(batch.push(&BWNETFLOW, &flow, &[], &[]));
        }
        let mut rows = Rows::default();
        batch.flows().for_each(|flow| decode(flow, &mut rows).expect("our own bytes"));
        let matches = |text: &str| -> Vec<bool> {
            let filter = filter("", text).expect("a filter").expect("there is one");
            rows.as_slice().iter().map(|flow| filter.matches(flow, &rows)).collect()
        };
        assert_eq!(batch.flow(0), batch.flow(2), "the same bytes");
        assert_eq!(matches("incoming"), [true, false, true]);
        assert_eq!(matches("outgoing"), [false, true, false]);
    }

    fn wrong(tenant: Tenant, profile: ProfileName) -> String {
        let split = Split { tenant: vec![tenant], ..Split::default() };
        Wishes::read(&split, profile).err().expect("a mistake").to_string()
    }

    #[test]
    fn mistakes_are_told_by_key() {
        let of = |filter: &str, field: &str| Tenant {
            cid: 7,
            filter: filter.into(),
            fields: vec![field.into()],
            ..Tenant::default()
        };
        let told = wrong(of("prot tcp", "Bytes"), ProfileName::Bwnetflow);
        assert!(told.contains("split.tenant[0].filter") && told.contains("prot tcp"), "{told}");
        let told = wrong(of("", "Byte"), ProfileName::Bwnetflow);
        assert!(told.contains("split.tenant[0].fields") && told.contains("Byte"), "{told}");
        let told = wrong(of("", "Bytes"), ProfileName::Goflow2);
        assert!(told.contains("split.tenant[0].cid") && told.contains("bwnetflow"), "{told}");
    }

    #[test]
    fn who_wishes_nothing_has_no_shape() {
        let tenant = Tenant { cid: 7, topic: "his".into(), ..Tenant::default() };
        let split = Split { tenant: vec![tenant], ..Split::default() };
        let wishes = Wishes::read(&split, ProfileName::Goflow2).expect("good ones");
        assert!(wishes[0].shape.is_none());
        assert_eq!(wishes[0].topic, "his");
    }
}
