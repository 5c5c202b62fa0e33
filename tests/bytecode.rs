//! Compiled code in its one spelling, from bytes written by hand; what interpreters write is in `tests/e2e`.

use std::collections::BTreeMap;

use pyzpack::bytecode::{BytecodeVersions, MarshalFault, bytecode_path, canonical_code};
use pyzpack::target::PythonMinor;

const OLD: PythonMinor = PythonMinor::new(3, 8);
const NEW: PythonMinor = PythonMinor::new(3, 12);

/// Code as 3.8 writes it: with these constants, this tuple of names, and nothing else.
fn code(constants: &[u8], names: &[u8]) -> Vec<u8> {
    let numbers = [0_u8; 6 * 4];
    [b"c", &numbers[..], b"s\0\0\0\0", constants, names, b")\0)\0)\0z\x04m.pyZ\x01m\x01\0\0\0s\0\0\0\0"].concat()
}

/// What those constants become where no name is.
fn constants(constants: &[u8]) -> Result<Vec<u8>, MarshalFault> {
    let whole = canonical_code(&code(constants, b")\0"), OLD)?;
    let start = 1 + 6 * 4 + 5;
    // The empty bytes and the empty tuple come twice and more in each.
    assert_eq!(whole[start - 5], b's' | 0x80);
    let end = whole.len() - canonical_code(&code(b"N", b")\0"), OLD)?.len();
    Ok(whole[start..=start + end].to_vec())
}

#[test]
fn marks_what_is_referred_to_and_nothing_else() {
    // Marked for having been referred to by the process, and referred to.
    let tuple = |inner: &[u8]| [b")\x03", inner].concat();
    let marked = tuple(b"\xe9\x01\0\0\0\xfa\x03a bi\x02\0\0\0");
    let plain = tuple(b"i\x01\0\0\0z\x03a bi\x02\0\0\0");
    assert_eq!(constants(&marked), Ok(plain.clone()));
    assert_eq!(constants(&plain), Ok(plain));
    // The same string twice, as one object and as two. The empty bytes of the code have number 0.
    let once = tuple(b"\xfa\x03a bNr\0\0\0\0");
    let twice = tuple(b"z\x03a bNz\x03a b");
    let shared = tuple(b"\xfa\x03a bNr\x01\0\0\0");
    assert_eq!(constants(&once), Ok(shared.clone()));
    assert_eq!(constants(&twice), Ok(shared));
}

#[test]
fn keeps_apart_what_is_equal_and_not_the_same() {
    let floats = b")\x06g\0\0\0\0\0\0\0\0g\0\0\0\0\0\0\0\x80i\0\0\0\0Fi\x01\0\0\0T";
    assert_eq!(constants(floats), Ok(floats.to_vec()));
    // Two NaNs, of whatever bits: `in` tells them apart.
    let nans = b")\x02g\0\0\0\0\0\0\xf8\xffg\x01\0\0\0\0\0\xf8\x7f";
    assert_eq!(constants(nans), Ok(b")\x02g\0\0\0\0\0\0\xf8\x7fg\0\0\0\0\0\0\xf8\x7f".to_vec()));
    let one = b")\x02\xe7\0\0\0\0\0\0\xf8\xffr\0\0\0\0";
    assert_eq!(constants(one), Ok(b")\x02\xe7\0\0\0\0\0\0\xf8\x7fr\x01\0\0\0".to_vec()));
    let kinds = b")\x03s\x01\0\0\0az\x01a)\x01Z\x01a";
    assert_eq!(constants(kinds), Ok(b")\x03s\x01\0\0\0a\xda\x01a)\x01r\x01\0\0\0".to_vec()));
}

#[test]
fn orders_a_set_by_its_members() {
    let set = |members: &[&[u8]]| [b")\x01>\x04\0\0\0", &members.concat()[..]].concat();
    let members: [&[u8]; 4] = [b"N", b"z\x03a b", b"i\x07\0\0\0", b")\x01."];
    let first = constants(&set(&members)).unwrap();
    for turn in 1..4 {
        let mut turned = members;
        turned.rotate_left(turn);
        assert_eq!(constants(&set(&turned)), Ok(first.clone()));
    }
    assert_eq!(first.len(), set(&members).len());
}

#[test]
fn interns_names_and_what_looks_like_one() {
    let with = |constants: &[u8], names: &[u8]| canonical_code(&code(constants, names), OLD).unwrap();
    // Whatever the process had interned.
    assert_eq!(with(b")\x01z\x01(", b")\0"), with(b")\x01Z\x01(", b")\0"));
    assert_eq!(with(b")\x01t\x02\0\0\0\xc3\xa9", b")\0"), with(b")\x01u\x02\0\0\0\xc3\xa9", b")\0"));
    assert_eq!(constants(b")\x02z\x03a_1Z\x03a b"), Ok(b")\x02Z\x03a_1z\x03a b".to_vec()));
    let long = [&b"a\x00\x01\0\0"[..], &[b'x'; 256]].concat();
    let interned = [&b"A\x00\x01\0\0"[..], &[b'x'; 256]].concat();
    assert_eq!(constants(&[b")\x01", &long[..]].concat()), Ok([b")\x01", &interned[..]].concat()));
    // A name that is no ASCII.
    let named = with(b")\0", b")\x01u\x02\0\0\0\xc3\xa9");
    assert_eq!(named, with(b")\0", b")\x01t\x02\0\0\0\xc3\xa9"));
    assert!(named.windows(3).any(|part| part == b"t\x02\0"));
}

#[test]
fn takes_the_longest_forms_and_writes_the_shortest() {
    assert_eq!(constants(b"(\x01\0\0\0a\x01\0\0\0("), Ok(b")\x01z\x01(".to_vec()));
    let many = [&b"(\x00\x01\0\0"[..], &[b'N'; 256]].concat();
    assert_eq!(constants(&many), Ok(many.clone()));
    let long = b")\x01l\xfe\xff\xff\xff\x01\0\x02\0";
    assert_eq!(constants(long), Ok(long.to_vec()));
}

#[test]
fn refuses_what_no_compiler_writes() {
    for kind in [b'0', b'[', b'{', b'<', b'f', b'x', b'I', b'?', b':', 0x01] {
        assert_eq!(constants(&[b')', 1, kind, 0, 0, 0, 0]), Err(MarshalFault::Type(kind)), "{}", char::from(kind));
    }
    assert_eq!(constants(b")\x01r\x09\0\0\0"), Err(MarshalFault::Reference));
    // A tuple that holds itself.
    assert_eq!(constants(b"\xa9\x01r\0\0\0\0"), Err(MarshalFault::Reference));
    assert_eq!(constants(b"(\xff\xff\xff\xff"), Err(MarshalFault::Length));
    assert_eq!(constants(b"s\xff\xff\xff\x7f"), Err(MarshalFault::Short));
    assert_eq!(constants(b"(\xff\xff\xff\x7f"), Err(MarshalFault::Short));
    assert_eq!(constants(b"l\0\0\0\x80"), Err(MarshalFault::Short));
    assert_eq!(canonical_code(b"N", OLD), Err(MarshalFault::NoCode));
    assert_eq!(canonical_code(b"", OLD), Err(MarshalFault::Short));
    let whole = code(b")\0", b")\0");
    assert_eq!(canonical_code(&[&whole[..], b"N"].concat(), OLD), Err(MarshalFault::Trailing));
    for end in 0..whole.len() {
        assert_eq!(canonical_code(&whole[..end], OLD), Err(MarshalFault::Short), "{end} bytes");
    }
    // Another version has other fields.
    assert!(canonical_code(&whole, NEW).is_err());
}

#[test]
fn refuses_depth_however_it_is_made() {
    let nested = |depth: usize| [&b")\x01".repeat(depth)[..], b"N"].concat();
    assert!(constants(&nested(390)).is_ok());
    assert_eq!(constants(&nested(100_000)), Err(MarshalFault::Deep));
    // Each refers to the one before: shallow as bytes, and deep as an object.
    let chain = |length: u8| {
        let link = |at: u8| [&b"\xa9\x01r"[..], &[at, 0, 0, 0]].concat();
        let links: Vec<u8> = (0..length).flat_map(link).collect();
        [&[b')', length + 1][..], b"\xa9\x01N", &links].concat()
    };
    assert!(constants(&chain(200)).is_ok());
    let chains = [&b")\x02"[..], &nested(300)[..600], b"\xa9\x01N", b"N"].concat();
    assert!(constants(&chains).is_ok());
    // Doubled each time: 2^200 objects where each is written out.
    let doubled: Vec<u8> =
        (0..200_u8).flat_map(|at| [&b"\xa9\x02r"[..], &[at, 0, 0, 0, b'r', at, 0, 0, 0]].concat()).collect();
    let doubled = [&b")\xc9\xa9\x01N"[..], &doubled].concat();
    assert!(constants(&doubled).unwrap().len() < 3 * doubled.len());
    let sets: Vec<u8> =
        (0..200_u8).flat_map(|at| [&b"\xbe\x02\0\0\0r"[..], &[at, 0, 0, 0, b'r', at, 0, 0, 0]].concat()).collect();
    assert!(constants(&[&b")\xc9\xa9\x01N"[..], &sets].concat()).is_ok());
}

#[test]
fn knows_where_python_looks_for_bytecode() {
    let places = BTreeMap::from([
        ("mod.py", Some("__pycache__/mod.cpython-38.pyc")),
        ("pkg/__init__.py", Some("pkg/__pycache__/__init__.cpython-38.pyc")),
        ("a/b/dotted.name.py", Some("a/b/__pycache__/dotted.name.cpython-38.pyc")),
        (".py", None),
        ("a/.py", None),
        ("a/mod.pyi", None),
        ("py", None),
    ]);
    for (path, expected) in places {
        assert_eq!(bytecode_path(path, OLD).as_deref(), expected, "{path}");
    }
    assert_eq!(bytecode_path("mod.py", NEW).unwrap(), "__pycache__/mod.cpython-312.pyc");
}

#[test]
fn reads_versions() {
    let read = |text: &str| text.parse::<BytecodeVersions>().map_err(|error| error.to_string());
    assert_eq!(read("3.12,3.8, 3.12"), Ok(BytecodeVersions([OLD, NEW].into())));
    for (text, message) in [
        ("", "not a Python version of the form X.Y: ``"),
        ("3.12,", "not a Python version of the form X.Y: ``"),
        ("3.12.1", "not a Python version of the form X.Y: `3.12.1`"),
        ("python3.12", "not a Python version of the form X.Y: `python3.12`"),
        ("3.7", "the bytecode of Python 3.7 is not known, that of 3.8 to 3.13 is"),
        ("3.99", "the bytecode of Python 3.99 is not known, that of 3.8 to 3.13 is"),
    ] {
        assert_eq!(read(text), Err(message.to_owned()), "{text}");
    }
}
