//! uv workspaces, as far as their lock is looked for: the root's `[tool.uv.workspace]` says which directories below it
//! are members.

use std::path::{Path, PathBuf};

/// The root of the workspace that has `directory` as a member; none for the root itself.
///
/// Directories above are looked at up to the repository's root, and no further than the first workspace: uv has no
/// nested ones.
pub(in crate::project) fn find_root(directory: &Path) -> Option<PathBuf> {
    let start = directory.canonicalize().ok()?;
    let top = start.ancestors().find(|ancestor| ancestor.join(".git").symlink_metadata().is_ok());
    if top == Some(start.as_path()) || workspace_of(&start).is_some() {
        return None;
    }
    for ancestor in start.ancestors().skip(1) {
        if let Some(workspace) = workspace_of(ancestor) {
            let below = start.strip_prefix(ancestor).ok()?;
            let names: Option<Vec<&str>> = below.iter().map(std::ffi::OsStr::to_str).collect();
            let names = names?;
            let listed = |key: &str| {
                let globs = workspace.get(key).and_then(toml::Value::as_array).into_iter().flatten();
                globs.filter_map(toml::Value::as_str).any(|glob| matches_path(glob, &names))
            };
            return (listed("members") && !listed("exclude")).then(|| ancestor.to_owned());
        }
        if top == Some(ancestor) {
            return None;
        }
    }
    None
}

/// `[tool.uv.workspace]` of a directory's `pyproject.toml`.
fn workspace_of(directory: &Path) -> Option<toml::Table> {
    let text = std::fs::read_to_string(directory.join("pyproject.toml")).ok()?;
    let document: toml::Table = text.parse().ok()?;
    document.get("tool")?.get("uv")?.get("workspace")?.as_table().cloned()
}

/// Whether a glob means the path of these names: `*`, `?` and `[...]` within a name, `**` for any number of names.
fn matches_path(glob: &str, names: &[&str]) -> bool {
    let parts: Vec<&str> = glob.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    matches_parts(&parts, names)
}

fn matches_parts(parts: &[&str], names: &[&str]) -> bool {
    match (parts.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => (0..=names.len()).any(|skipped| matches_parts(rest, &names[skipped..])),
        (Some((part, rest)), Some((name, names))) => matches_name(&tokens(part), name) && matches_parts(rest, names),
        _ => false,
    }
}

/// A part of a glob within one name.
enum Token {
    /// `*`
    Any,
    /// `?`
    One,
    /// `[a-z]`, `[!a-z]`, or one character.
    Class { negated: bool, ranges: Vec<(char, char)> },
}

fn tokens(glob: &str) -> Vec<Token> {
    let characters: Vec<char> = glob.chars().collect();
    let mut rest = characters.as_slice();
    let mut tokens = Vec::new();
    while let [first, tail @ ..] = rest {
        // A `]` at the beginning of a class belongs to it.
        let end = tail.iter().skip(1).position(|one| *one == ']').filter(|_| *first == '[');
        rest = end.map_or(tail, |end| &tail[end + 2..]);
        tokens.push(match (first, end) {
            ('*', _) => Token::Any,
            ('?', _) => Token::One,
            (_, Some(end)) => class(&tail[..=end]),
            (one, None) => Token::Class { negated: false, ranges: vec![(*one, *one)] },
        });
    }
    tokens
}

fn class(text: &[char]) -> Token {
    let (negated, mut rest) = match text {
        ['!' | '^', rest @ ..] => (true, rest),
        text => (false, text),
    };
    let mut ranges = Vec::new();
    while let [first, tail @ ..] = rest {
        let (last, tail) = match tail {
            ['-', last, tail @ ..] => (last, tail),
            tail => (first, tail),
        };
        ranges.push((*first, *last));
        rest = tail;
    }
    Token::Class { negated, ranges }
}

/// Follows all ways to match at once, so that no glob takes long.
fn matches_name(tokens: &[Token], name: &str) -> bool {
    let skip_any = |mut at: usize, reached: &mut Vec<bool>| {
        reached[at] = true;
        while matches!(tokens.get(at), Some(Token::Any)) {
            at += 1;
            reached[at] = true;
        }
    };
    let mut reached = vec![false; tokens.len() + 1];
    skip_any(0, &mut reached);
    for character in name.chars() {
        let mut next = vec![false; tokens.len() + 1];
        for (at, token) in tokens.iter().enumerate().filter(|(at, _)| reached[*at]) {
            match token {
                Token::Any => skip_any(at, &mut next),
                Token::One => skip_any(at + 1, &mut next),
                Token::Class { negated, ranges } => {
                    let within = ranges.iter().any(|(first, last)| (*first..=*last).contains(&character));
                    if within != *negated {
                        skip_any(at + 1, &mut next);
                    }
                }
            }
        }
        reached = next;
    }
    reached[tokens.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_means_directories() {
        for (glob, path, means) in [
            ("packages/*", "packages/a", true),
            ("packages/*", "packages/a/b", false),
            ("packages/*", "other/a", false),
            ("./libs/**", "libs/a/b", true),
            ("**/x", "a/b/x", true),
            ("**/x", "x", true),
            ("lib-?", "lib-a", true),
            ("lib-?", "lib-ab", false),
            ("lib-[a-c]*", "lib-bee", true),
            ("lib-[!a-c]*", "lib-bee", false),
            ("lib-[x", "lib-[x", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXbY", false),
        ] {
            assert_eq!(matches_path(glob, &path.split('/').collect::<Vec<_>>()), means, "{glob} {path}");
        }
    }

    #[test]
    fn finds_the_root_that_lists_the_member() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        let member = root.join("repository/packages/a");
        std::fs::create_dir_all(&member).unwrap();
        let write = |name: &str, text: &str| std::fs::write(root.join(name), text).unwrap();
        let workspace = "[tool.uv.workspace]\nmembers = [\"packages/*\"]\n";
        write("repository/packages/a/pyproject.toml", "[project]\nname = \"a\"\n");
        assert_eq!(find_root(&member), None);
        write("repository/pyproject.toml", workspace);
        assert_eq!(find_root(&member), Some(root.join("repository")));
        assert_eq!(find_root(&root.join("repository")), None);
        write("repository/pyproject.toml", &format!("{workspace}exclude = [\"packages/a\"]\n"));
        assert_eq!(find_root(&member), None);
        write("repository/pyproject.toml", &workspace.replace("packages", "libs"));
        assert_eq!(find_root(&member), None);
        // Above the repository's root nothing belongs to the project.
        std::fs::remove_file(root.join("repository/pyproject.toml")).unwrap();
        write("pyproject.toml", &workspace.replace("packages", "repository/packages"));
        assert_eq!(find_root(&member), Some(root.clone()));
        std::fs::create_dir(root.join("repository/.git")).unwrap();
        assert_eq!(find_root(&member), None);
    }
}
