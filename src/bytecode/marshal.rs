//! Compiled code as Python's `marshal` writes it, read into values: what of it the compiling process left its mark on is
//! gone then.
//!
//! Marshal marks every object that had more than one reference when it was written, wherever that came from, and spells
//! strings by whether they happened to be interned. Here equal constants are one object, as the compiler makes them within
//! a module, and nothing else is kept of what was shared. Taken is what `CPython` 3.8 to 3.13 write of a module's code
//! (marshal version 4): lists, dicts, sets and every other type are refused, for no compiler puts them there.

use std::collections::HashMap;

use crate::digest::Sha256Digest;
use crate::target::PythonMinor;

/// The place of an object among those that were read.
pub(super) type Id = usize;

/// How deep objects may lie in each other. Python itself stops at 2000; no module in the wild comes near a tenth of this.
const DEEPEST: usize = 400;

/// Set where an object is referred to later.
pub(super) const FLAG_REF: u8 = 0x80;

/// An object. Equal ones have one [`Id`], code and NaN apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Object<'a> {
    /// None, True, False, Ellipsis or `StopIteration`: the type says all.
    Constant(u8),
    /// An integer of 32 bits.
    Int([u8; 4]),
    /// A longer one: sign and number of its digits, and these, as they are written.
    Long(&'a [u8]),
    /// A float, by its bits.
    Float([u8; 8]),
    /// A complex number, by the bits of both its parts.
    Complex([[u8; 8]; 2]),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A string, in UTF-8 that may hold surrogates.
    Text(&'a [u8]),
    /// A tuple.
    Tuple(Vec<Id>),
    /// A frozen set, in the order of its members' digests: the order of a set depends on addresses.
    FrozenSet(Vec<Id>),
    /// Code.
    Code(Box<Code>),
}

/// A code object: numbers and objects as [`Shape`] orders them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Code {
    pub(super) numbers: Vec<[u8; 4]>,
    pub(super) before_line: Vec<Id>,
    pub(super) first_line: [u8; 4],
    pub(super) after_line: Vec<Id>,
}

/// Which fields a code object has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Numbers at its beginning.
    numbers: usize,
    /// Objects after the number of the first line.
    after_line: usize,
    /// Those of the objects before it that are names, or tuples of names.
    pub(super) names: &'static [usize],
}

/// Objects before the number of the first line, in every version.
const BEFORE_LINE: usize = 8;

impl Shape {
    /// That of code which this Python compiles.
    pub(super) fn of(python: PythonMinor) -> Self {
        if python < PythonMinor::new(3, 11) {
            // bytecode, constants, *names, *variables, *free, *cells, file, *name; line table
            Self { numbers: 6, after_line: 1, names: &[2, 3, 4, 5, 7] }
        } else {
            // bytecode, constants, *names, *variables, their kinds, file, *name, *qualified name; line and exception tables
            Self { numbers: 5, after_line: 2, names: &[2, 3, 6, 7] }
        }
    }
}

/// Why bytes are not the code of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MarshalFault {
    /// They end too soon.
    #[error("it ends too soon")]
    Short,
    /// Something follows.
    #[error("bytes follow its end")]
    Trailing,
    /// A type that no compiler puts there.
    #[error("it has an object of type {0:#04x}")]
    Type(u8),
    /// A reference to what is not there, or not yet.
    #[error("a reference leads nowhere")]
    Reference,
    /// A length below zero.
    #[error("an object has a negative length")]
    Length,
    /// It is no code.
    #[error("it is no code object")]
    NoCode,
    /// Objects lie in each other deeper than is read.
    #[error("its objects lie in each other more than {DEEPEST} deep")]
    Deep,
}

/// The objects of a module, the module's own code last.
#[derive(Debug, Default)]
pub(super) struct Objects<'a> {
    pub(super) all: Vec<Object<'a>>,
    known: HashMap<Object<'a>, Id>,
    depths: Vec<usize>,
    digests: HashMap<Id, Sha256Digest>,
}

impl<'a> Objects<'a> {
    /// Reads the code of a module.
    pub(super) fn read(bytes: &'a [u8], shape: Shape) -> Result<(Self, Id), MarshalFault> {
        let mut reader = Reader { rest: bytes, shape, references: Vec::new(), objects: Self::default() };
        let root = reader.object(0)?;
        match (reader.rest, &reader.objects.all[root]) {
            ([], Object::Code(_)) => Ok((reader.objects, root)),
            ([], _) => Err(MarshalFault::NoCode),
            _ => Err(MarshalFault::Trailing),
        }
    }

    /// The objects that an object holds, in the order in which they are written.
    pub(super) fn held(&self, id: Id) -> Vec<Id> {
        match &self.all[id] {
            Object::Tuple(held) | Object::FrozenSet(held) => held.clone(),
            Object::Code(code) => code.before_line.iter().chain(&code.after_line).copied().collect(),
            _ => Vec::new(),
        }
    }

    /// The one object that is equal to this one. Two NaNs are none, for `in` tells them apart; nor are two code objects.
    fn add(&mut self, object: Object<'a>) -> Result<Id, MarshalFault> {
        let is_nan = |bits: &[u8; 8]| f64::from_le_bytes(*bits).is_nan();
        let single = match &object {
            Object::Float(bits) => is_nan(bits),
            Object::Complex(parts) => parts.iter().any(is_nan),
            Object::Code(_) => true,
            _ => false,
        };
        if let Some(id) = self.known.get(&object).filter(|_| !single) {
            return Ok(*id);
        }
        let id = self.all.len();
        if !single {
            self.known.insert(object.clone(), id);
        }
        self.all.push(object);
        let depth = self.held(id).into_iter().map(|held| self.depths[held] + 1).max().unwrap_or(0);
        self.depths.push(depth);
        // What is written walks this deep, however shallow the references were.
        if depth > DEEPEST { Err(MarshalFault::Deep) } else { Ok(id) }
    }

    /// What an object is, whatever its place.
    fn digest(&mut self, id: Id) -> Sha256Digest {
        if let Some(digest) = self.digests.get(&id) {
            return *digest;
        }
        let mut bytes = Vec::new();
        match &self.all[id] {
            Object::Constant(kind) => bytes.push(*kind),
            Object::Int(number) => bytes.extend([b"i", &number[..]].concat()),
            Object::Long(digits) => bytes.extend([b"l", *digits].concat()),
            Object::Float(bits) => bytes.extend([b"g", &bits[..]].concat()),
            Object::Complex(parts) => bytes.extend([b"y", &parts.concat()[..]].concat()),
            Object::Bytes(content) => bytes.extend([b"s", *content].concat()),
            Object::Text(content) => bytes.extend([b"u", *content].concat()),
            Object::Tuple(_) => bytes.push(b'('),
            Object::FrozenSet(_) => bytes.push(b'>'),
            Object::Code(code) => {
                bytes.push(b'c');
                code.numbers.iter().chain([&code.first_line]).for_each(|number| bytes.extend(number));
            }
        }
        for held in self.held(id) {
            bytes.extend(self.digest(held).as_bytes());
        }
        let digest = Sha256Digest::of(&bytes);
        self.digests.insert(id, digest);
        digest
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    shape: Shape,
    /// What can be referred to; none while it is being read.
    references: Vec<Option<Id>>,
    objects: Objects<'a>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], MarshalFault> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(MarshalFault::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], MarshalFault> {
        Ok(self.take(N)?.try_into().expect("as many as were asked for"))
    }

    fn length(&mut self) -> Result<usize, MarshalFault> {
        usize::try_from(i32::from_le_bytes(self.array()?)).map_err(|_| MarshalFault::Length)
    }

    fn short_length(&mut self) -> Result<usize, MarshalFault> {
        let [length] = self.array()?;
        Ok(length.into())
    }

    /// The objects of a sequence; nothing is allocated for what is not there.
    fn sequence(&mut self, count: usize, depth: usize) -> Result<Vec<Id>, MarshalFault> {
        if count > self.rest.len() {
            return Err(MarshalFault::Short);
        }
        (0..count).map(|_| self.object(depth + 1)).collect()
    }

    /// The bits of a float. What bits a NaN has depends on the processor that computed it.
    fn float(&mut self) -> Result<[u8; 8], MarshalFault> {
        let bits = self.array()?;
        Ok(if f64::from_le_bytes(bits).is_nan() { 0x7ff8_0000_0000_0000_u64.to_le_bytes() } else { bits })
    }

    fn object(&mut self, depth: usize) -> Result<Id, MarshalFault> {
        if depth > DEEPEST {
            return Err(MarshalFault::Deep);
        }
        let [first] = self.array()?;
        let kind = first & !FLAG_REF;
        if kind == b'r' {
            let index = self.length()?;
            return self.references.get(index).copied().flatten().ok_or(MarshalFault::Reference);
        }
        let reserved = (first & FLAG_REF != 0).then(|| {
            self.references.push(None);
            self.references.len() - 1
        });
        let object = self.content(kind, depth)?;
        let id = self.objects.add(object)?;
        if let Some(index) = reserved {
            self.references[index] = Some(id);
        }
        Ok(id)
    }

    fn content(&mut self, kind: u8, depth: usize) -> Result<Object<'a>, MarshalFault> {
        Ok(match kind {
            b'N' | b'T' | b'F' | b'.' | b'S' => Object::Constant(kind),
            b'i' => Object::Int(self.array()?),
            b'l' => {
                let whole = self.rest;
                let digits = i32::from_le_bytes(self.array()?).unsigned_abs() as usize;
                let size = digits.checked_mul(2).ok_or(MarshalFault::Short)?;
                self.take(size)?;
                Object::Long(&whole[..4 + size])
            }
            b'g' => Object::Float(self.float()?),
            b'y' => Object::Complex([self.float()?, self.float()?]),
            b's' => {
                let length = self.length()?;
                Object::Bytes(self.take(length)?)
            }
            b'a' | b'A' | b'u' | b't' => {
                let length = self.length()?;
                Object::Text(self.take(length)?)
            }
            b'z' | b'Z' => {
                let length = self.short_length()?;
                Object::Text(self.take(length)?)
            }
            b')' => {
                let count = self.short_length()?;
                Object::Tuple(self.sequence(count, depth)?)
            }
            b'(' => {
                let count = self.length()?;
                Object::Tuple(self.sequence(count, depth)?)
            }
            b'>' => {
                let count = self.length()?;
                let mut members = self.sequence(count, depth)?;
                members.sort_by_cached_key(|id| *self.objects.digest(*id).as_bytes());
                Object::FrozenSet(members)
            }
            b'c' => {
                let numbers = (0..self.shape.numbers).map(|_| self.array()).collect::<Result<_, _>>()?;
                let before_line = self.sequence(BEFORE_LINE, depth)?;
                let first_line = self.array()?;
                let after_line = self.sequence(self.shape.after_line, depth)?;
                Object::Code(Box::new(Code { numbers, before_line, first_line, after_line }))
            }
            unknown => return Err(MarshalFault::Type(unknown)),
        })
    }
}
