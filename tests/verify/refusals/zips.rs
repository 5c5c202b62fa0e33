//! Zips that two readers may read as two.

use super::{Case, Change, DIGEST, command};
use crate::wheels::{Entry, Zip, Zip64, deflate, extra};

const fn zip(name: &'static str, code: &'static str, change: fn(&mut Zip)) -> Case {
    (name, code, Change::Zip(change))
}

/// An entry of a deflated file, changed.
fn deflated(zip: &mut Zip, change: fn(&mut Entry)) {
    let entry = zip.entry("demo/data.txt");
    let stream = deflate(&entry.data);
    *entry = entry.clone().with_stream(8, &stream);
    entry.both(|header| header.needed = 20);
    change(entry);
}

pub(super) const ZIPS: &[Case] = &[
    zip("a comment", "zip-end-record", |zip| zip.comment = b"x".to_vec()),
    zip("a second disk", "zip-end-record", |zip| zip.disk = 1),
    zip("fewer entries here", "zip-end-record", |zip| zip.entries_here = Some(1)),
    zip("a central directory of another size", "zip-end-record", |zip| zip.directory_size = Some(7)),
    zip("zip64", "zip-zip64", |zip| zip.zip64 = Some(Zip64::default())),
    zip("bytes behind the central directory", "zip-central-directory", |zip| zip.directory_rest = vec![0; 4]),
    zip("fewer entries", "zip-central-directory", |zip| zip.count = Some(2)),
    zip("bytes before the first entry", "zip-gap", |zip| zip.before = b"import evil\n".to_vec()),
    zip("bytes between entries", "zip-gap", |zip| zip.entries[1].gap = vec![0]),
    zip("bytes before the central directory", "zip-gap", |zip| zip.gap = vec![0]),
    zip("an entry that is not listed", "zip-gap", |zip| zip.entries[2].listed = false),
    zip("two entries at one place", "zip-overlap", |zip| {
        let start = u32::try_from(crate::good::SHEBANG.len()).unwrap();
        zip.entries[1].offset = Some(start);
    }),
    zip("an entry that reaches too far", "zip-overlap", |zip| {
        zip.entries.last_mut().unwrap().both(|header| (header.compressed_size, header.size) = (1 << 20, 1 << 20));
    }),
    zip("another checksum in the local header", "zip-local-header", |zip| zip.entries[1].local.crc32 ^= 1),
    zip("another name in the local header", "zip-local-header", |zip| zip.entries[1].local.name[0] ^= 1),
    zip("another method", "zip-method", |zip| zip.entries[1].both(|header| header.method = 12)),
    zip("a later version", "zip-version", |zip| zip.entries[1].both(|header| header.needed = 63)),
    zip("an encrypted entry", "zip-encrypted", |zip| zip.entries[1].both(|header| header.flags = 1)),
    zip("patch data", "zip-flags", |zip| zip.entries[1].both(|header| header.flags = 1 << 5)),
    zip("an entry on another disk", "zip-disk", |zip| zip.entries[1].disk = 1),
    zip("a second name", "zip-extra-field", |zip| {
        zip.entries[1].central.extra = extra(0x7075, b"\x01xxxxother");
    }),
    zip("a name that leaves", "zip-name", |zip| zip.entries[2].rename(b"../evil.py")),
    zip("a link", "zip-file-type", |zip| zip.entries[1].external = 0o120_777 << 16),
    zip("a name twice", "zip-duplicate", |zip| zip.entries.push(zip.entries[0].clone())),
    zip("names of one file", "zip-case-clash", |zip| zip.entries[0].rename(b"_PYZPACK/manifest.json")),
    zip("a file in a file", "zip-file-and-directory", |zip| zip.entries[0].rename(b"_pyzpack/manifest.json/x")),
    zip("another CRC-32", "zip-crc", |zip| zip.entries[0].both(|header| header.crc32 ^= 1)),
    zip("another size", "zip-size", |zip| zip.entries[0].both(|header| header.size = 1 << 31)),
    zip("bytes behind a stream", "zip-stream", |zip| {
        deflated(zip, |entry| *entry = entry.clone().with_stream(8, &[&entry.data[..], b"\0"].concat()));
    }),
    zip("a broken stream", "zip-stream", |zip| deflated(zip, |entry| entry.data[0] = 7)),
    zip("a bomb", "zip-limit", |zip| deflated(zip, |entry| entry.both(|header| header.size = 1 << 31))),
    zip("another order", "zip-not-canonical", |zip| zip.entries.swap(0, 1)),
    zip("a data descriptor", "zip-not-canonical", |zip| zip.entries[1].defer(true, false)),
    command("a data descriptor that lies", "zip-data-descriptor", DIGEST, |signed| {
        let mut zip = Zip::new(vec![Entry::file("__main__.py", b"print(1)\n")]);
        zip.entries[0].defer(true, false);
        zip.entries[0].descriptor[5] ^= 1;
        signed.place.write("demo.pyz", zip.to_bytes());
    }),
];
