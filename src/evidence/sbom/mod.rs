//! The SBOM of a finished `.pyz`: `CycloneDX` 1.6, and SPDX 2.3 on request. What is told is the manifest, the METADATA of
//! the distributions, and the notes on their origin; the name of the file is not, so that renaming it changes nothing.

mod check;
mod cyclonedx;
mod describe;
mod edges;
mod licences;
mod spdx;

pub use check::{SBOM_LIMIT, SbomFault, check_sbom};
pub use cyclonedx::cyclonedx;
pub use spdx::spdx;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// The namespace of URLs (RFC 9562, 6.6).
const URLS: [u8; 16] = [0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];

/// The UUID, version 5, of a document's content: the same content has the same one.
fn uuid_of(content: &[u8]) -> String {
    let bytes = uuid_v5(&uuid_v5(&URLS, b"https://pyzpack.dev/sbom/v1"), content);
    let digits = format!("{:032x}", u128::from_be_bytes(bytes));
    let [one, two, three, four, five] = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &digits[range]);
    format!("{one}-{two}-{three}-{four}-{five}")
}

/// A name-based UUID (RFC 9562, 5.5).
fn uuid_v5(namespace: &[u8; 16], name: &[u8]) -> [u8; 16] {
    let hashed = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[namespace, name].concat());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hashed.as_ref()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

#[cfg(test)]
mod tests;
