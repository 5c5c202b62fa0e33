//! The way back: what a `find.py` was rendered from. Only what renders to the very same bytes counts as read, so it
//! does not matter how much more than our own Python the reader would take.

use std::collections::BTreeMap;

use super::{Bootstrap, Entry, Layout, Payload, Reach, RefusedPatches, render_find};

/// What the [`FIND_PATH`](super::FIND_PATH) with these bytes was rendered from; none where this version renders no such file.
pub fn read_find(main: &[u8]) -> Option<Bootstrap> {
    let text = std::str::from_utf8(main).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("APP = "))?;
    let mut reader = Reader { rest: line, depth: 0 };
    let app = reader.value()?;
    let bootstrap = to_bootstrap(&app).filter(|_| reader.rest.is_empty())?;
    (render_find(&bootstrap) == main).then_some(bootstrap)
}

/// A literal of Python, as far as constants have them.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Literal {
    None,
    Number(u16),
    Text(String),
    Tuple(Vec<Literal>),
    Dictionary(Vec<(Literal, Literal)>),
}

impl Literal {
    fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn items(&self) -> Option<&[Self]> {
        if let Self::Tuple(items) = self { Some(items) } else { None }
    }

    fn entries(&self) -> Option<&[(Self, Self)]> {
        if let Self::Dictionary(entries) = self { Some(entries) } else { None }
    }

    fn number<N: TryFrom<u16>>(&self) -> Option<N> {
        if let Self::Number(number) = self { N::try_from(*number).ok() } else { None }
    }

    fn version(&self) -> Option<(u8, u8)> {
        let [major, minor] = self.items()? else { return None };
        Some((major.number()?, minor.number()?))
    }
}

/// How deep tuples and dictionaries of the constants lie in each other.
const DEEPEST: usize = 6;

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn value(&mut self) -> Option<Literal> {
        if self.take("None") {
            return Some(Literal::None);
        }
        if self.take("\"") {
            return self.text();
        }
        if self.depth == DEEPEST {
            return None;
        }
        self.depth += 1;
        let value = if self.take("(") {
            self.items(")", Self::value).map(Literal::Tuple)
        } else if self.take("{") {
            let entry = |reader: &mut Self| {
                let key = reader.value()?;
                reader.take(": ").then_some(())?;
                Some((key, reader.value()?))
            };
            self.items("}", entry).map(Literal::Dictionary)
        } else {
            let end = self.rest.find(|next: char| !next.is_ascii_digit()).unwrap_or(self.rest.len());
            let (digits, rest) = self.rest.split_at(end);
            self.rest = rest;
            digits.parse().ok().map(Literal::Number)
        };
        self.depth -= 1;
        value
    }

    fn items<T>(&mut self, close: &str, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = Vec::new();
        while !self.take(close) {
            items.push(item(self)?);
            // A tuple of one has a comma behind it.
            let _ = self.take(", ") || self.take(",");
        }
        Some(items)
    }

    fn text(&mut self) -> Option<Literal> {
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Some(Literal::Text(text));
                }
                '\\' => {
                    let (_, escape) = characters.next()?;
                    let digits = match escape {
                        'n' => {
                            text.push('\n');
                            continue;
                        }
                        'u' => 4,
                        'U' => 8,
                        other => {
                            text.push(other);
                            continue;
                        }
                    };
                    let mut code = 0;
                    for _ in 0..digits {
                        code = code << 4 | characters.next()?.1.to_digit(16)?;
                    }
                    text.push(char::from_u32(code)?);
                }
                other => text.push(other),
            }
        }
        None
    }
}

fn to_bootstrap(app: &Literal) -> Option<Bootstrap> {
    let entries = app.entries()?;
    let find = |key: &str| entries.iter().find(|(found, _)| found.text() == Some(key)).map(|(_, value)| value);
    let text = |key: &str| find(key).and_then(Literal::text).map(str::to_owned);
    let payloads = find("payloads")?.items()?.iter().map(to_payload).collect::<Option<Vec<_>>>()?;
    let newest = find("newest")?.version();
    let scripts = find("scripts")?.entries()?.iter();
    let mut refused_patches = BTreeMap::new();
    for (version, refused) in find("refused").and_then(Literal::entries).unwrap_or_default() {
        let [patches, needs] = refused.items()? else { return None };
        let patches = patches.items()?.iter().map(Literal::number).collect::<Option<_>>()?;
        refused_patches.insert(version.version()?, RefusedPatches { patches, needs: needs.text()?.to_owned() });
    }
    Some(Bootstrap {
        name: text("name")?,
        version: text("version")?,
        requires_python: text("requires_python"),
        pythons: find("pythons")?.items()?.iter().map(Literal::version).collect::<Option<_>>()?,
        refused_patches,
        open_ended: newest.is_some(),
        // Where later versions are not taken, it is not written.
        newest_known: newest.unwrap_or_default(),
        platform: match find("platform")? {
            Literal::None => "any".to_owned(),
            platform => platform.items()?.first()?.text()?.to_owned(),
        },
        layout: match find("tree")? {
            Literal::None if payloads.is_empty() => Layout::Zip,
            tree => Layout::Extract { payloads, tree: to_digest(tree)? },
        },
        entry: to_entry(find("entry")?)?,
        console_scripts: scripts
            .map(|(name, entry)| Some((name.text()?.to_owned(), to_entry(entry)?)))
            .collect::<Option<_>>()?,
        pth: find("pth")?.items()?.iter().map(|name| name.text().map(str::to_owned)).collect::<Option<_>>()?,
        reach: if find("export_path").is_some() { Reach::Children } else { Reach::Program },
    })
}

fn to_entry(entry: &Literal) -> Option<Entry> {
    let parts = entry.items()?.iter().map(Literal::text).collect::<Option<Vec<_>>>()?;
    Some(match parts[..] {
        ["object", module, attr] => Entry::Object { module: module.to_owned(), attr: attr.to_owned() },
        ["module", module] => Entry::Module { module: module.to_owned() },
        ["script", path] => Entry::PythonScript { path: path.to_owned() },
        ["executable", path] => Entry::Executable { path: path.to_owned() },
        _ => return None,
    })
}

fn to_payload(payload: &Literal) -> Option<Payload> {
    let [name, digest] = payload.items()? else { return None };
    Some(Payload { name: name.text()?.to_owned(), sha256: to_digest(digest)? })
}

fn to_digest(digits: &Literal) -> Option<[u8; 32]> {
    let digits = digits.text()?;
    let mut sha256 = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (index, byte) in sha256.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(sha256)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::tests::sample;

    #[test]
    fn reads_what_was_rendered() {
        let closed = Bootstrap {
            requires_python: None,
            refused_patches: BTreeMap::new(),
            open_ended: false,
            newest_known: (0, 0),
            platform: "any".into(),
            layout: Layout::Zip,
            entry: Entry::Module { module: "tool".into() },
            console_scripts: BTreeMap::new(),
            pth: Vec::new(),
            reach: Reach::Program,
            ..sample()
        };
        for bootstrap in [sample(), closed] {
            let find = render_find(&bootstrap);
            let mut expected = bootstrap;
            expected.pythons.sort_unstable();
            assert_eq!(read_find(&find), Some(expected));
        }
    }

    #[test]
    fn reads_nothing_that_it_would_not_have_rendered() {
        let find = String::from_utf8(render_find(&sample())).unwrap();
        for (old, new) in [
            ("import os\n", "import  os\n"),
            ("\"name\": \"tool\"", "\"name\": \"\\tool\""),
            ("APP = {", "APP = {\"more\": None, "),
            ("\"pth\": (\"a.pth\",),", "\"pth\": (\"a.pth\"),"),
            ("\"export_path\": 1}", "\"export_path\": 0}"),
            ("\"export_path\": 1}", "\"export_path\": 1}; import evil"),
            ("\"pth\": (", "\"pth\": (((((((((("),
            ("\"tool\", \"version\"", "\"tool, \"version\""),
        ] {
            assert!(find.contains(old), "{old}");
            assert_eq!(read_find(find.replacen(old, new, 1).as_bytes()), None, "{new}");
        }
        assert_eq!(read_find(format!("{find}import evil\n").as_bytes()), None);
        assert_eq!(read_find(b"\xff"), None);
    }
}
