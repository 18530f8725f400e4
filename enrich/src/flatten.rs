//! All prefix sources laid over each other: per family, ranges whose value is everything that is
//! said there.

use std::sync::Arc;

use hashbrown::HashMap;
use neckar_proto::TEXT_BYTES_MAX;

use crate::ranges::{Address, Prefix, Range, cut, merge};
use crate::sources::Source;
use crate::tables::LABEL_SETS_MAX;
use crate::values::{Text, Texts, Value, Values};

/// The sources as one.
pub(crate) struct Flat {
    /// By address: index into `values`.
    pub(crate) v4: Vec<Range<u32>>,
    /// By address: index into `values`.
    pub(crate) v6: Vec<Range<u128>>,
    /// Different sets of labels; the first says nothing.
    pub(crate) values: Vec<Value>,
    /// What their texts are numbers of.
    pub(crate) texts: Texts,
    /// Names by AS number, as numbers of texts: of several the one of the first source, in it the
    /// first.
    pub(crate) as_names: HashMap<u32, u32>,
}

/// Flattens the sources. `None` if there are more than [`LABEL_SETS_MAX`] sets of labels.
pub(crate) fn flatten(sources: &[Arc<Source>]) -> Option<Flat> {
    let mut flattener = Flattener::new(sources);
    let v4 = flattener.flatten(sources, |source| &source.v4)?;
    let v6 = flattener.flatten(sources, |source| &source.v6)?;
    let Flattener { texts, as_names, sets, .. } = flattener;
    Some(Flat { v4, v6, values: sets.into_vec(), texts, as_names })
}

struct Flattener {
    texts: Texts,
    as_names: HashMap<u32, u32>,
    /// Each source's values by number, with text numbers of ours and without AS names, which
    /// follow from the AS number.
    values: Vec<Vec<Value>>,
    /// What they add up to.
    sets: Values,
    /// Sets by the sources' value numbers.
    known: HashMap<Box<[u32]>, u32>,
}

impl Flattener {
    fn new(sources: &[Arc<Source>]) -> Self {
        let mut flattener = Self {
            texts: Texts::default(),
            as_names: HashMap::new(),
            values: Vec::new(),
            sets: Values::default(),
            known: HashMap::new(),
        };
        for source in sources {
            let values = source.values.as_slice().iter();
            let values = values.map(|value| flattener.translate(source, value)).collect();
            flattener.values.push(values);
        }
        flattener
    }

    /// A source's value as ours. A name without AS number names nothing.
    fn translate(&mut self, source: &Source, value: &Value) -> Value {
        let texts = value.texts.map(|number| self.texts.intern(source.texts.text(number)));
        let name = texts[Text::AsName as usize];
        if value.asn != 0 && name != 0 {
            self.as_names.entry(value.asn).or_insert(name);
        }
        Value { texts, ..*value }.with(Text::AsName, 0)
    }

    fn flatten<A: Address>(
        &mut self,
        sources: &[Arc<Source>],
        prefixes: impl Fn(&Source) -> &[Prefix<A>],
    ) -> Option<Vec<Range<A>>> {
        let cuts: Vec<Vec<Range<A>>> = sources
            .iter()
            .zip(&mut self.values)
            .map(|(source, values)| {
                let mut known = HashMap::new();
                cut(prefixes(source), |outer, own| {
                    if !source.inherits || outer == 0 {
                        return own;
                    }
                    *known.entry((outer, own)).or_insert_with(|| {
                        values.push(values[own as usize].over(&values[outer as usize]));
                        (values.len() - 1) as u32
                    })
                })
            })
            .collect();
        let ranges = merge(&cuts, |numbers| match self.known.get(numbers) {
            Some(set) => *set,
            None => {
                let set = self.sum(numbers);
                self.known.insert(numbers.into(), set);
                set
            }
        });
        (self.sets.as_slice().len() <= LABEL_SETS_MAX).then_some(ranges)
    }

    /// The set of what the sources say with these of their values: of each kind what the first of
    /// them says, but all list names, as far as whole ones fit into a text: half a name would be
    /// that of another list.
    fn sum(&mut self, numbers: &[u32]) -> u32 {
        let mut sum = Value::default();
        for (number, values) in numbers.iter().zip(&self.values) {
            let next = values[*number as usize];
            let lists = [&sum, &next].map(|value| value.texts[Text::List as usize]);
            sum = sum.over(&next);
            if lists.iter().all(|list| *list != 0) && lists[0] != lists[1] {
                let names = lists.map(|list| self.texts.text(list)).join(",");
                if names.len() <= TEXT_BYTES_MAX {
                    sum = sum.with(Text::List, self.texts.intern(&names));
                }
            }
        }
        self.sets.intern(sum)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ranges::find;
    use crate::sources::list;

    /// What an address on all of these lists gets.
    fn on_lists(names: &[&str]) -> String {
        let list = |name: &&str| list::parse(Path::new("x"), name, b"192.0.2.1\n").unwrap();
        let sources: Vec<_> = names.iter().map(list).map(Arc::new).collect();
        let flat = flatten(&sources).unwrap();
        let value = flat.values[find(&flat.v4, 0xc000_0201) as usize];
        flat.texts.text(value.texts[Text::List as usize]).to_owned()
    }

    #[test]
    fn names_of_lists_are_whole_or_left_out() {
        let [long, half] = ["l".repeat(252), "h".repeat(127)];
        assert_eq!(on_lists(&["a", "b", "c"]), "a,b,c");
        // 255 bytes are the bound: 252 + 1 + 2 fit, 252 + 1 + 3 do not.
        assert_eq!(on_lists(&[&long, "xy"]), format!("{long},xy"));
        assert_eq!(on_lists(&[&long, "xyz"]), long);
        assert_eq!(
            on_lists(&[&half, &half.to_uppercase(), "z"]),
            format!("{half},{}", half.to_uppercase())
        );
        // A shorter one behind it may still have room.
        assert_eq!(on_lists(&[&long, "xyz", "z"]), format!("{long},z"));
    }
}
