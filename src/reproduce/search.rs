//! Which of many conditions it takes together: found by halving, not by trying every set.

/// The smallest set of which `is_trouble` holds, in the order of `all`, where it holds of `all` and of no single one: each
/// of its members is needed. That more conditions make no trouble go away is taken for granted; what is found was tried
/// in any case. Of `n` conditions, `k` of which it takes, it asks `k * log2(n) + k` times at most.
pub(super) fn smallest<T: Copy + Ord, E>(
    all: &[T],
    mut is_trouble: impl FnMut(&[T]) -> Result<bool, E>,
) -> Result<Vec<T>, E> {
    let mut ask = |needed: &[T], more: &[T]| {
        let mut set = [needed, more].concat();
        set.sort_unstable();
        if set.len() < 2 { Ok(false) } else { is_trouble(&set) }
    };
    let mut left = all.to_vec();
    let mut needed: Vec<T> = Vec::new();
    // There is trouble with what is needed and all that is left, and it was tried.
    while !left.is_empty() && !ask(&needed, &[])? {
        let (mut few, mut enough) = (0, left.len());
        while enough - few > 1 {
            let middle = usize::midpoint(few, enough);
            if ask(&needed, &left[..middle])? {
                enough = middle;
            } else {
                few = middle;
            }
        }
        // Without this one of those up to it there is none.
        needed.push(left[enough - 1]);
        left.truncate(enough - 1);
    }
    needed.sort_unstable();
    Ok(needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(wanted: &[usize]) -> (Vec<usize>, usize) {
        let all: Vec<usize> = (0..16).collect();
        let mut asked = 0;
        let found = smallest(&all, |set| {
            asked += 1;
            Ok::<_, ()>(wanted.iter().all(|one| set.contains(one)))
        });
        (found.unwrap(), asked)
    }

    #[test]
    fn finds_every_pair_and_every_triple_in_few_questions() {
        for one in 0..16 {
            for other in 0..one {
                let (found, asked) = find(&[other, one]);
                assert_eq!(found, [other, one]);
                assert!(asked <= 2 * 4 + 2, "{asked} builds for {found:?}");
                for third in 0..other {
                    let (found, asked) = find(&[third, other, one]);
                    assert_eq!(found, [third, other, one]);
                    assert!(asked <= 3 * 4 + 3, "{asked} builds for {found:?}");
                }
            }
        }
    }

    #[test]
    fn finds_all_of_them_and_ends_where_more_conditions_take_trouble_away() {
        let all: Vec<usize> = (0..16).collect();
        let (found, asked) = find(&all);
        assert_eq!(found, all);
        assert!(asked <= 16 * 4 + 16, "{asked} builds");
        // Only of an even number, and of all.
        let found = smallest(&all, |set| Ok::<_, ()>(set.len() == 16 || (set.len() % 4 == 2 && set.contains(&3))));
        assert!(found.unwrap().len() > 1);
    }
}
