//! Which cores the workers run on.

use core_affinity::CoreId;

/// The cores of a list like `2-5,8`; `None` for `auto`.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_cores(text: &str) -> Result<Option<Vec<usize>>, String> {
    if text.trim() == "auto" {
        return Ok(None);
    }
    let mut cores = Vec::new();
    for part in text.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<usize>().ok();
        let (Some(first), Some(last)) = (number(first), number(last)) else {
            return Err(format!("{part:?} is neither a core nor a range of cores"));
        };
        if first > last || last >= 1024 {
            return Err(format!("{part:?} is not a rising range below 1024"));
        }
        cores.extend(first..=last);
    }
    cores.sort_unstable();
    cores.dedup();
    Ok(Some(cores))
}

/// The cores to pin workers to: those wished for, or all that this process may use.
///
/// # Errors
/// A core that is wished for and not ours to use.
pub fn choose_cores(wished: &str) -> Result<Vec<CoreId>, String> {
    let allowed = core_affinity::get_core_ids().unwrap_or_default();
    match parse_cores(wished)? {
        None if allowed.is_empty() => Ok(vec![CoreId { id: 0 }]),
        None => Ok(allowed),
        Some(ids) => ids
            .into_iter()
            .map(|id| {
                let found = allowed.iter().find(|core| core.id == id).copied();
                found.ok_or_else(|| format!("core {id} is not one this process may use"))
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges() {
        assert_eq!(parse_cores("auto"), Ok(None));
        assert_eq!(parse_cores("2-5,8"), Ok(Some(vec![2, 3, 4, 5, 8])));
        assert_eq!(parse_cores("3, 1-2, 3"), Ok(Some(vec![1, 2, 3])));
        for wrong in ["", "a", "5-2", "1-", "0-4096"] {
            assert!(parse_cores(wrong).is_err(), "{wrong:?} was taken");
        }
    }
}
