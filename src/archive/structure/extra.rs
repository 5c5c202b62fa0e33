//! Extra fields (4.5): all are walked, zip64's is read, and those that would mislead are refused.

use super::Fields;
use crate::archive::fault::ZipFault;

/// Walks the extra fields (4.5.1) and gives the zip64 one's contents.
pub(super) fn parse_extra_fields(mut rest: &[u8]) -> Result<Option<&[u8]>, ZipFault> {
    let mut zip64 = None;
    while !rest.is_empty() {
        if rest.len() < 4 {
            return Err(ZipFault::ExtraField("a field is cut off"));
        }
        let fields = Fields(rest);
        let end = 4 + usize::from(fields.u16(2));
        let contents = rest.get(4..end).ok_or(ZipFault::ExtraField("a field is cut off"))?;
        match fields.u16(0) {
            0x0001 if zip64.is_some() => return Err(ZipFault::ExtraField("two zip64 fields")),
            0x0001 => zip64 = Some(contents),
            0x7075 => return Err(ZipFault::ExtraField("another name (0x7075)")),
            0x9901 | 0x0017 | 0x0014 | 0x0015 | 0x0016 => {
                return Err(ZipFault::ExtraField("encryption or certificates"));
            }
            _ => {}
        }
        rest = &rest[end..];
    }
    Ok(zip64)
}

/// Puts the zip64 field's values where the short fields are all ones; every byte of the field must be used.
pub(super) fn take_zip64_values(zip64: Option<&[u8]>, wide: &mut [(&mut u64, u64, usize)]) -> Result<(), ZipFault> {
    let Some(mut rest) = zip64 else { return Ok(()) };
    for (value, sentinel, width) in wide {
        if **value != *sentinel {
            continue;
        }
        let (bytes, after) =
            rest.split_at_checked(*width).ok_or(ZipFault::Zip64("the extra field lacks a value that is due"))?;
        **value = if *width == 8 { Fields(bytes).u64(0) } else { Fields(bytes).u32(0).into() };
        rest = after;
    }
    if rest.is_empty() { Ok(()) } else { Err(ZipFault::Zip64("the extra field holds a value that is not due")) }
}

/// The zip64 field of a local header holds both sizes (4.5.3). Where the short fields hold true values too, as in protobuf's
/// wheels, the two must agree; a field with the values that are due alone passes as well.
pub(super) fn take_local_zip64_sizes(
    zip64: Option<&[u8]>,
    size: &mut u64,
    compressed_size: &mut u64,
) -> Result<(), ZipFault> {
    const ALL_ONES: u64 = 0xffff_ffff;
    let Some(both) = zip64.filter(|bytes| bytes.len() == 16).map(Fields) else {
        return take_zip64_values(zip64, &mut [(size, ALL_ONES, 8), (compressed_size, ALL_ONES, 8)]);
    };
    for (short, long) in [(size, both.u64(0)), (compressed_size, both.u64(8))] {
        if *short != ALL_ONES && *short != long {
            return Err(ZipFault::Zip64("the local extra field disagrees with the header"));
        }
        *short = long;
    }
    Ok(())
}
