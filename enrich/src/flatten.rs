//! All prefix sources laid over each other: per family, ranges whose value is everything that is said there.

use std::sync::Arc;

use hashbrown::HashMap;

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
}

/// Flattens the sources. `None` if there are more than [`LABEL_SETS_MAX`] sets of labels.
pub(crate) fn flatten(sources: &[Arc<Source>]) -> Option<Flat> {
    let mut flattener = Flattener::new(sources);
    let v4 = flattener.flatten(sources, |source| &source.v4)?;
    let v6 = flattener.flatten(sources, |source| &source.v6)?;
    Some(Flat { v4, v6, values: flattener.sets.into_vec(), texts: flattener.texts })
}

struct Flattener {
    texts: Texts,
    /// Each source's values, with text numbers of ours.
    values: Vec<Values>,
    /// What they add up to.
    sets: Values,
    /// Sets by the sources' value numbers.
    known: HashMap<Box<[u32]>, u32>,
}

impl Flattener {
    fn new(sources: &[Arc<Source>]) -> Self {
        let mut texts = Texts::default();
        let values = sources.iter().map(|source| translate(source, &mut texts)).collect();
        Self { texts, values, sets: Values::default(), known: HashMap::new() }
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
                cut(prefixes(source), |outer, own| {
                    if source.inherits && outer != 0 {
                        let [outer, own] =
                            [outer, own].map(|number| values.as_slice()[number as usize]);
                        values.intern(own.over(&outer))
                    } else {
                        own
                    }
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

    /// The set of what the sources say with these of their values: of each kind what the first of them says, but all list names.
    fn sum(&mut self, numbers: &[u32]) -> u32 {
        let mut sum = Value::default();
        for (number, values) in numbers.iter().zip(&self.values) {
            let next = values.as_slice()[*number as usize];
            let lists = [&sum, &next].map(|value| value.texts[Text::List as usize]);
            sum = sum.over(&next);
            if lists.iter().all(|list| *list != 0) && lists[0] != lists[1] {
                let names = lists.map(|list| self.texts.text(list)).join(",");
                sum = sum.with(Text::List, self.texts.intern(&names));
            }
        }
        self.sets.intern(sum)
    }
}

/// The source's values with the numbers that `texts` gives to their texts. Their own numbers stay, since different values stay different.
fn translate(source: &Source, texts: &mut Texts) -> Values {
    let mut values = Values::default();
    for value in source.values.as_slice() {
        let translated = value.texts.map(|number| texts.intern(source.texts.text(number)));
        values.intern(Value { texts: translated, ..*value });
    }
    values
}
