//! Code written in its one spelling: objects are marked that are referred to later, and no others, numbered in the order
//! in which they come first; whether a string is interned is decided by what it is.

use super::marshal::{FLAG_REF, Id, MarshalFault, Object, Objects, Shape};
use crate::target::PythonMinor;

/// The one spelling of the code of a module that this Python compiled: equal code gives equal bytes, whatever process
/// wrote it, and loads to an equal code object.
///
/// # Errors
/// When the bytes are not the code of a module.
pub fn canonical_code(marshalled: &[u8], python: PythonMinor) -> Result<Vec<u8>, MarshalFault> {
    let shape = Shape::of(python);
    let (objects, root) = Objects::read(marshalled, shape)?;
    let mut writer = Writer {
        names: names(&objects, shape),
        counts: vec![0; objects.all.len()],
        numbers: vec![None; objects.all.len()],
        next: 0,
        bytes: Vec::with_capacity(marshalled.len()),
        objects: &objects,
    };
    writer.count(root);
    writer.write(root);
    Ok(writer.bytes)
}

/// Which strings are names in code.
fn names(objects: &Objects<'_>, shape: Shape) -> Vec<bool> {
    let mut names = vec![false; objects.all.len()];
    for object in &objects.all {
        let Object::Code(code) = object else { continue };
        for id in shape.names.iter().map(|place| code.before_line[*place]) {
            match &objects.all[id] {
                Object::Tuple(held) => held.iter().for_each(|held| names[*held] = true),
                _ => names[id] = true,
            }
        }
    }
    names
}

struct Writer<'a> {
    objects: &'a Objects<'a>,
    names: Vec<bool>,
    /// How often an object is written or referred to.
    counts: Vec<usize>,
    /// The numbers of those that were written and marked.
    numbers: Vec<Option<u32>>,
    next: u32,
    bytes: Vec<u8>,
}

impl Writer<'_> {
    fn count(&mut self, id: Id) {
        self.counts[id] += 1;
        if self.counts[id] == 1 {
            for held in self.objects.held(id) {
                self.count(held);
            }
        }
    }

    fn write(&mut self, id: Id) {
        let object = &self.objects.all[id];
        if let Object::Constant(kind) = object {
            self.bytes.push(*kind);
            return;
        }
        if let Some(number) = self.numbers[id] {
            self.bytes.push(b'r');
            self.bytes.extend(number.to_le_bytes());
            return;
        }
        let mut flag = 0;
        if self.counts[id] > 1 {
            self.numbers[id] = Some(self.next);
            self.next += 1;
            flag = FLAG_REF;
        }
        match object {
            Object::Constant(_) => {}
            Object::Int(number) => self.put(b'i' | flag, number),
            Object::Long(digits) => self.put(b'l' | flag, digits),
            Object::Float(bits) => self.put(b'g' | flag, bits),
            Object::Complex(parts) => self.put(b'y' | flag, &parts.concat()),
            Object::Bytes(content) => self.put_sized(b's' | flag, content),
            Object::Text(content) => self.put_text(content, self.names[id], flag),
            Object::Tuple(held) => {
                match u8::try_from(held.len()) {
                    Ok(count) => self.put(b')' | flag, &[count]),
                    Err(_) => self.put(b'(' | flag, &length(held.len())),
                }
                self.write_all(held);
            }
            Object::FrozenSet(held) => {
                self.put(b'>' | flag, &length(held.len()));
                self.write_all(held);
            }
            Object::Code(code) => {
                self.put(b'c' | flag, &code.numbers.concat());
                self.write_all(&code.before_line);
                self.bytes.extend(code.first_line);
                self.write_all(&code.after_line);
            }
        }
    }

    fn write_all(&mut self, held: &[Id]) {
        for id in held {
            self.write(*id);
        }
    }

    fn put(&mut self, kind: u8, content: &[u8]) {
        self.bytes.push(kind);
        self.bytes.extend(content);
    }

    fn put_sized(&mut self, kind: u8, content: &[u8]) {
        self.put(kind, &length(content.len()));
        self.bytes.extend(content);
    }

    /// Interned are names, and what the compiler takes for one; whether another string is, such as a single letter that
    /// the process has one object of, depends on what the process did before.
    fn put_text(&mut self, content: &[u8], is_name: bool, flag: u8) {
        let interned = is_name || content.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if !content.is_ascii() {
            self.put_sized(if interned { b't' } else { b'u' } | flag, content);
        } else if let Ok(count) = u8::try_from(content.len()) {
            self.put(if interned { b'Z' } else { b'z' } | flag, &[count]);
            self.bytes.extend(content);
        } else {
            self.put_sized(if interned { b'A' } else { b'a' } | flag, content);
        }
    }
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("it was read with a length of 31 bits").to_le_bytes()
}
