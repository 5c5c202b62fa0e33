//! The one encoder whose bytes are a part of format 1: `miniz_oxide`, pinned in Cargo.toml, level 6, raw deflate.
//!
//! Its output depends on the input alone, not on how the input was cut into pieces; a change of it is a new format.

use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::{MZFlush, MZStatus};

/// The level, in zlib's numbering.
const LEVEL: i32 = 6;
/// Negative window bits: a raw stream (RFC 1951) without zlib's frame.
const RAW: i32 = -15;

/// A deflate stream under way.
pub(crate) struct Deflater(Box<CompressorOxide>);

impl Default for Deflater {
    fn default() -> Self {
        Self(Box::new(CompressorOxide::new(create_comp_flags_from_zip_params(LEVEL, RAW, 0))))
    }
}

impl Deflater {
    /// Takes in `input` and appends what is ready of the stream to `output`.
    pub(crate) fn push(&mut self, input: &[u8], output: &mut Vec<u8>) {
        self.run(input, MZFlush::None, output);
    }

    /// Ends the stream, appending its rest to `output`, and makes ready for another.
    pub(crate) fn finish(&mut self, output: &mut Vec<u8>) {
        self.run(&[], MZFlush::Finish, output);
        self.0.reset();
    }

    fn run(&mut self, mut input: &[u8], flush: MZFlush, output: &mut Vec<u8>) {
        let mut buffer = [0; 16 * 1024];
        loop {
            let step = deflate(&mut self.0, input, &mut buffer, flush);
            output.extend_from_slice(&buffer[..step.bytes_written]);
            input = &input[step.bytes_consumed..];
            let ended = match flush {
                MZFlush::Finish => step.status == Ok(MZStatus::StreamEnd),
                _ => input.is_empty() && step.bytes_written < buffer.len(),
            };
            if ended {
                return;
            }
        }
    }
}

/// The deflate stream of `bytes`.
#[cfg(test)]
pub(crate) fn deflate_whole(bytes: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    let mut deflater = Deflater::default();
    deflater.push(bytes, &mut output);
    deflater.finish(&mut output);
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;

    /// Text-like bytes from a fixed linear congruential generator.
    fn sample(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let words: [&[u8]; 8] = [b"def ", b"return ", b"self.", b"import ", b"(x)\n", b"    ", b"None", b"\xff\x00"];
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bytes.extend_from_slice(words[(state >> 29) as usize]);
            if state & 0xff00 == 0 {
                bytes.extend_from_slice(&state.to_le_bytes());
            }
        }
        bytes.truncate(length);
        bytes
    }

    #[test]
    fn golden_digests_pin_the_encoder() {
        for (length, deflated, digest) in [
            (0, 2, "9b4fb24edd6d1d88"),
            (1, 3, "848c3317e2d9d9b7"),
            (1_000, 248, "fd6dcb7d44216929"),
            (100_000, 14_998, "9f7a5f1d6ad426a3"),
            (3_000_000, 447_006, "8a070ea479eab727"),
        ] {
            let stream = deflate_whole(&sample(length));
            assert_eq!((stream.len(), &Sha256Digest::of(&stream).to_string()[..16]), (deflated, digest), "{length}");
        }
    }

    #[test]
    fn the_stream_does_not_depend_on_how_the_input_is_cut() {
        let bytes = sample(700_001);
        let whole = deflate_whole(&bytes);
        let mut deflater = Deflater::default();
        // The second round shows that a used deflater is as good as a new one.
        for piece in [1_000, 65_536, 131_072, 699_999, 7, 32_768] {
            let mut output = Vec::new();
            bytes.chunks(piece).for_each(|input| deflater.push(input, &mut output));
            deflater.finish(&mut output);
            assert!(output == whole, "pieces of {piece} bytes");
        }
        assert_eq!(miniz_oxide::inflate::decompress_to_vec(&whole).unwrap(), bytes);
    }
}
