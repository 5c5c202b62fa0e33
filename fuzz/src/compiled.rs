//! Compiled modules: what is written anew stays as it is when it is written anew again.

use pyzpack::bytecode::canonical_code;
use pyzpack::target::PythonMinor;

/// The code of a module, behind a byte that says which Python's.
pub fn bytecode(bytes: &[u8]) {
    let Some((version, code)) = bytes.split_first() else { return };
    let python = PythonMinor::new(3, 8 + version % 6);
    if let Ok(canonical) = canonical_code(code, python) {
        assert_eq!(canonical_code(&canonical, python).as_ref(), Ok(&canonical), "there is one spelling");
    }
}
