//! What both kinds of SBOM say of a distribution, taken from its METADATA, the manifest and the notes on its origin.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::licences::Licences;
use crate::evidence::{BuildRequirementNote, Distribution, Facts, IndexNote, ManifestWheel, purl};

/// A distribution, as SBOMs tell of it.
pub(super) struct Described<'a> {
    pub(super) wheel: &'a ManifestWheel,
    pub(super) distribution: &'a Distribution,
    pub(super) purl: String,
    pub(super) licences: Licences,
    pub(super) summary: Option<&'a str>,
    /// Where its file, or its source, is.
    pub(super) url: Option<String>,
    /// What it was built with.
    pub(super) built_with: &'a [BuildRequirementNote],
}

/// Where METADATA points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// A type of reference (`CycloneDX` 1.6).
    pub(super) kind: &'static str,
    pub(super) url: String,
    /// Its label, where it has one.
    pub(super) label: Option<String>,
}

/// Who wrote a distribution.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Author {
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
}

/// Every distribution, in the manifest's order.
pub(super) fn describe<'a>(facts: &'a Facts, index: &IndexNote) -> Vec<Described<'a>> {
    let inputs = purl::Inputs::of(&facts.manifest.recipe);
    let described = facts.wheels().map(|(wheel, distribution, note)| Described {
        wheel,
        distribution,
        purl: purl::of_wheel(wheel, note, &inputs, index),
        licences: Licences::of(wheel.name.as_str(), distribution),
        summary: distribution.all("summary").find(|text| is_said(text)),
        url: purl::url_of_wheel(wheel, note, &inputs).and_then(|url| web_url(&url)),
        built_with: note.map_or(&[][..], |note| &note.build_requirements),
    });
    described.collect()
}

/// Whether a field says something: old tools wrote `UNKNOWN` where nothing was known.
pub(super) fn is_said(text: &str) -> bool {
    !text.is_empty() && text != "UNKNOWN"
}

impl Distribution {
    /// Home page and project URLs, as far as they are absolute URLs of the web.
    pub(super) fn links(&self) -> Vec<Link> {
        let home = self.all("home-page").map(|url| ("website", url, None));
        let labelled = self.all("project-url").filter_map(|text| {
            let (label, url) = text.split_once(',')?;
            let label = label.trim();
            Some((kind_of(label), url.trim(), (!label.is_empty()).then(|| label.to_owned())))
        });
        let mut links: Vec<Link> = Vec::new();
        let mut known = BTreeSet::new();
        for (kind, url, label) in home.chain(labelled) {
            let Some(url) = web_url(url) else { continue };
            if known.insert((kind, url.clone())) {
                links.push(Link { kind, url, label });
            }
        }
        links
    }

    /// `Author`, and the names and addresses of `Author-email`.
    pub(super) fn authors(&self) -> Vec<Author> {
        let mut authors: Vec<Author> = self.all("author-email").flat_map(split_addresses).collect();
        let named = self.all("author").find(|text| is_said(text)).map(one_line);
        if let Some(name) = named.filter(|name| authors.iter().all(|author| author.name.as_ref() != Some(name))) {
            match authors.as_mut_slice() {
                // The address without a name is the author's.
                [only @ Author { name: None, .. }] => only.name = Some(name),
                _ => authors.insert(0, Author { name: Some(name), email: None }),
            }
        }
        let mut known = BTreeSet::new();
        authors.retain(|author| known.insert(author.clone()));
        authors
    }
}

/// The type of reference that a label stands for, among them the well-known ones of the packaging specifications.
fn kind_of(label: &str) -> &'static str {
    let label: String = label.chars().filter(|character| character.is_alphanumeric()).collect();
    match label.to_lowercase().as_str() {
        "homepage" | "home" | "website" => "website",
        "source" | "sourcecode" | "repository" | "code" | "github" | "gitlab" => "vcs",
        "changelog" | "changes" | "releasenotes" | "whatsnew" | "history" => "release-notes",
        "documentation" | "docs" => "documentation",
        "issues" | "issue" | "issuetracker" | "bugs" | "bug" | "bugtracker" | "tracker" => "issue-tracker",
        "chat" | "discord" | "gitter" => "chat",
        "security" => "security-contact",
        _ => "other",
    }
}

/// The text as an absolute URL that every reader takes for one (RFC 3986); none with credentials.
fn web_url(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let text = url.to_string();
    let escaped = text.match_indices('%').all(|(at, _)| {
        let digits = text.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=%".contains(&byte);
    let fragments = text.matches('#').count();
    (escaped && fragments < 2 && text.bytes().all(allowed)).then_some(text)
}

/// The names and addresses of a list as e-mail has them (RFC 5322, 3.4), as far as they are plain.
fn split_addresses(list: &str) -> Vec<Author> {
    let mut parts = vec![String::new()];
    let (mut quoted, mut bracketed) = (false, false);
    for character in list.chars() {
        match character {
            '"' => quoted = !quoted,
            '<' if !quoted => bracketed = true,
            '>' if !quoted => bracketed = false,
            _ => {}
        }
        match (character, parts.last_mut()) {
            (',', _) if !quoted && !bracketed => parts.push(String::new()),
            (_, Some(part)) => part.push(character),
            (_, None) => {}
        }
    }
    let read = parts.iter().map(|part| {
        let (name, email) = match part.rsplit_once('<') {
            Some((name, rest)) => (name, rest.trim_end().trim_end_matches('>')),
            None if part.contains('@') => ("", part.as_str()),
            None => (part.as_str(), ""),
        };
        let name = one_line(name.trim().trim_matches('"'));
        Author {
            name: is_said(&name).then_some(name),
            email: Some(email.trim()).filter(|email| is_plain_address(email)).map(str::to_owned),
        }
    });
    read.filter(|author| *author != Author::default()).collect()
}

fn is_plain_address(text: &str) -> bool {
    let words = |text: &str, also: &[u8]| {
        text.split('.').all(|word| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || also.contains(&byte))
        })
    };
    text.split_once('@').is_some_and(|(local, domain)| words(local, b"-_+") && words(domain, b"-"))
}

/// A text with its line breaks made blanks.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A path of the archive, or a file's name, as a relative reference (RFC 3986, 4.2).
pub(super) fn relative_reference(path: &str) -> String {
    // A colon would make the beginning a scheme.
    escape(path, b"-._~/!+")
}

/// A repository's URI, with what no URI may hold escaped.
pub(super) fn absolute_reference(uri: &str) -> String {
    escape(uri, b"-._~/!+:@%&=,;$'()*?")
}

/// Percent-encodes all but letters, digits and these.
fn escape(text: &str, kept: &[u8]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").expect("a `String` takes every text");
        }
    }
    escaped
}

/// Names that are made unique in the order in which they come.
#[derive(Default)]
pub(super) struct Unique(BTreeMap<String, u32>);

impl Unique {
    /// `name`, or where that is taken `name` with the first number that makes it another.
    pub(super) fn name(&mut self, name: &str, separator: &str) -> String {
        let mut free = name.to_owned();
        while self.0.contains_key(&free) {
            let number = self.0.entry(name.to_owned()).or_insert(1);
            *number += 1;
            free = format!("{name}{separator}{number}");
        }
        self.0.insert(free.clone(), 1);
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(fields: &[(&str, &str)]) -> Distribution {
        let metadata = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Distribution { metadata, sboms: Vec::new() }
    }

    #[test]
    fn links_are_absolute_urls_of_the_web() {
        let links = distribution(&[
            ("home-page", "https://a.example"),
            ("project-url", "Homepage, https://a.example/"),
            ("project-url", "Issue Tracker, https://a.example/i?q=a b"),
            ("project-url", "Fund me, http://a.example/[x]"),
            ("project-url", "Blog, https://a.example/%zz"),
            ("project-url", "Repository, https://me:token@a.example/r"),
            ("project-url", "Docs, a.example/docs"),
            ("project-url", "Local, file:///home/me"),
            ("project-url", "https://a.example/no-label"),
            ("project-url", "Donate,https://a.example/d,e"),
            ("home-page", "UNKNOWN"),
        ])
        .links();
        let link =
            |kind, url: &str, label: Option<&str>| Link { kind, url: url.into(), label: label.map(str::to_owned) };
        assert_eq!(
            links,
            [
                link("website", "https://a.example/", None),
                link("issue-tracker", "https://a.example/i?q=a%20b", Some("Issue Tracker")),
                link("other", "https://a.example/d,e", Some("Donate")),
            ]
        );
    }

    #[test]
    fn authors_have_names_and_plain_addresses() {
        let authors = |fields: &[(&str, &str)]| {
            let told = distribution(fields).authors().into_iter();
            told.map(|author| (author.name.unwrap_or_default(), author.email.unwrap_or_default())).collect::<Vec<_>>()
        };
        let pair = |name: &str, email: &str| (name.to_owned(), email.to_owned());
        assert_eq!(authors(&[("author", "A B"), ("author-email", "a@b.example")]), [pair("A B", "a@b.example")]);
        assert_eq!(
            authors(&[("author-email", "A <a@b.example>, \"B, C\" <b@c.example>, A <a@b.example>, x y@z, D")]),
            [pair("A", "a@b.example"), pair("B, C", "b@c.example"), pair("D", "")]
        );
        assert_eq!(authors(&[("author", "UNKNOWN"), ("author-email", "")]), []);
        assert_eq!(authors(&[("author", "A\nB"), ("author-email", "C <c@d>")]), [pair("A B", ""), pair("C", "c@d")]);
    }

    #[test]
    fn references_stay_relative_and_names_unique() {
        assert_eq!(relative_reference("a-1!2+c:d é/x"), "a-1!2+c%3Ad%20%C3%A9/x");
        let mut unique = Unique::default();
        let names = ["a", "a", "a-2", "a"].map(|name| unique.name(name, "-"));
        assert_eq!(names, ["a", "a-2", "a-2-2", "a-3"]);
    }
}
