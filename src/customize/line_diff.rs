//! The difference of two lists of lines.

/// A line that only one of two lists has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Only SOAR has it.
    Removed(String),
    /// Only the import file has it.
    Added(String),
}

/// So many pairs of lines are compared at most; it takes as many bytes, twice.
const MOST_PAIRS: usize = 4_000_000;

/// The lines that differ, in their order, along a longest common subsequence. Of lists that are too long, all lines.
pub(super) fn differing<T: AsRef<str>>(old: &[T], new: &[T]) -> Vec<Line> {
    let same = |(a, b): &(&T, &T)| a.as_ref() == b.as_ref();
    let before = old.iter().zip(new).take_while(same).count();
    let (old, new) = (&old[before..], &new[before..]);
    let after = old.iter().rev().zip(new.iter().rev()).take_while(same).count();
    let (old, new) = (&old[..old.len() - after], &new[..new.len() - after]);
    let removed = |line: &T| Line::Removed(line.as_ref().to_owned());
    let added = |line: &T| Line::Added(line.as_ref().to_owned());
    if old.len().saturating_mul(new.len()) > MOST_PAIRS {
        return old.iter().map(removed).chain(new.iter().map(added)).collect();
    }
    // The length of the longest common subsequence of what follows two places.
    let mut lengths = vec![vec![0_u16; new.len() + 1]; old.len() + 1];
    for (i, one) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            lengths[i][j] = if one.as_ref() == other.as_ref() {
                lengths[i + 1][j + 1].saturating_add(1)
            } else {
                lengths[i + 1][j].max(lengths[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    loop {
        match (old.get(i), new.get(j)) {
            (Some(one), Some(other)) if one.as_ref() == other.as_ref() => (i, j) = (i + 1, j + 1),
            (Some(one), other) if other.is_none() || lengths[i + 1][j] >= lengths[i][j + 1] => {
                lines.push(removed(one));
                i += 1;
            }
            (_, Some(other)) => {
                lines.push(added(other));
                j += 1;
            }
            (_, None) => return lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, differing};

    fn shown(old: &str, new: &str) -> String {
        let (old, new): (Vec<_>, Vec<_>) = (old.split(' ').collect(), new.split(' ').collect());
        let lines = differing(&old, &new).into_iter().map(|line| match line {
            Line::Removed(line) => format!("-{line}"),
            Line::Added(line) => format!("+{line}"),
        });
        lines.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_differing_lines_are_shown_in_order() {
        for (old, new, expected) in [
            ("a b c", "a b c", ""),
            ("a b c", "a x c", "-b +x"),
            ("a c", "a b c", "+b"),
            ("a b c", "a c", "-b"),
            ("a b c d", "b c d e", "-a +e"),
            ("a b a b", "b a b a", "-a +a"),
            ("x", "y z", "-x +y +z"),
        ] {
            assert_eq!(shown(old, new), expected, "{old} to {new}");
        }
    }

    #[test]
    fn long_lists_are_shown_whole() {
        let (old, new) = (vec!["a"; 3000], vec!["b"; 3000]);
        assert_eq!(differing(&old, &new).len(), 6000);
    }
}
