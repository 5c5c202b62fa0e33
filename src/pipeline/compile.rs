//! The bytecode that a build packs: which interpreters compile, what they compile, and where it goes.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use crate::application::{
    ApplicationOptions, ConflictPolicy, InstalledFile, InstalledTree, UnrecordedTree, find_pythons, read_tree_file,
};
use crate::archive::ArchivePath;
use crate::bytecode::{BytecodeError, BytecodeVersions, Compiler, Module, bytecode_path};
use crate::error::Error;
use crate::process::ScratchDir;
use crate::python::{Interpreter, PythonRequest, VersionRequest, find};
use crate::shown::count;
use crate::surroundings::Surroundings;
use crate::target::minors_text;

use super::Observer;
use super::collect::Collected;

/// How much source a child is given at once: about a second's work, against which its start counts for little.
const BATCH: u64 = 1 << 20;

/// How many modules that do not compile are named.
const NAMED: usize = 4;

/// The interpreters that compile, in the order of their versions: the one that builds where it is one of them, else the
/// first on `PATH`.
///
/// # Errors
/// When there is none of a version.
pub fn find_compilers(
    versions: &BytecodeVersions,
    interpreter: &Interpreter,
    world: &Surroundings,
) -> Result<Vec<Interpreter>, Error> {
    let directories = world.search_path();
    let find_one = |minor| {
        let version = VersionRequest::of_minor(minor);
        if version.is(interpreter) {
            return Ok(interpreter.clone());
        }
        let found = find(Some(&PythonRequest::Version(version)), &directories, None, &world.environment);
        found.map_err(|error| Box::new(BytecodeError::Interpreter { minor, error }).into())
    };
    versions.0.iter().copied().map(find_one).collect()
}

/// Makes sure that the file runs on the Pythons that it has bytecode for.
pub(super) fn check_supported(
    compilers: &[Interpreter],
    collected: &Collected,
    options: &ApplicationOptions,
) -> Result<(), Error> {
    if compilers.is_empty() {
        return Ok(());
    }
    let pythons = find_pythons(&collected.wheels, &collected.target, options)?;
    for minor in compilers.iter().map(|compiler| compiler.target.python) {
        let refused = pythons.refused.iter().find(|(refused, _)| *refused == minor);
        // Where it runs on none, all is said of it when the archive is planned.
        if let Some((_, reason)) = refused.filter(|_| !pythons.minors.is_empty()) {
            let (reason, runs_on) = (reason.to_string(), minors_text(&pythons.minors));
            return Err(Box::new(BytecodeError::Unsupported { minor, reason, runs_on }).into());
        }
    }
    Ok(())
}

/// The installed tree, with bytecode for every module that compiles.
pub(super) fn with_bytecode(
    compilers: &[Interpreter],
    collected: &Collected,
    policy: ConflictPolicy,
    world: &Surroundings,
    observer: &dyn Observer,
) -> Result<InstalledTree, Error> {
    let mut tree = UnrecordedTree::lay_out(&collected.wheels, &collected.loose, policy)?;
    let mut made = Vec::new();
    for interpreter in compilers {
        let scratch = ScratchDir::create(&world.temporary)?;
        let compiler = Compiler::new(interpreter, &world.environment, scratch.path());
        let (bytecode, failed) = compile_tree(&tree, collected, &compiler, observer)?;
        let number = bytecode.len() + failed.len();
        let mut line =
            format!("CPython {} compiled {} of {}", interpreter.full_version, bytecode.len(), count(number, "module"));
        if !failed.is_empty() {
            let named: Vec<String> = failed.iter().take(NAMED).map(|path| format!("`{path}`")).collect();
            let more = failed.len().saturating_sub(NAMED);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            let _ = write!(line, "; not {}{more}", named.join(", "));
        }
        observer.detail(&line);
        made.extend(bytecode.into_iter().map(|(of, bytes)| (of, bytes, interpreter.target.python)));
    }
    for (of, bytes, python) in made {
        // A name that would be too long has no bytecode, as on a file system.
        if let Some(path) = bytecode_path(of.as_str(), python).and_then(|path| ArchivePath::new(path).ok()) {
            tree.add_made(path, bytes, &of);
        }
    }
    Ok(tree.record(&collected.wheels)?)
}

type Compiled = (Vec<(ArchivePath, Vec<u8>)>, Vec<ArchivePath>);

/// The bytecode of the tree's modules, and those that have none.
fn compile_tree(
    tree: &UnrecordedTree,
    collected: &Collected,
    compiler: &Compiler<'_>,
    observer: &dyn Observer,
) -> Result<Compiled, Error> {
    let mut batches: Vec<Vec<_>> = Vec::new();
    let mut size = 0;
    for (path, file) in tree.modules() {
        if batches.is_empty() || size + file.size > BATCH {
            batches.push(Vec::new());
            size = 0;
        }
        size += file.size;
        batches.last_mut().expect("one was added").push((path, file));
    }
    let (done, total) = (AtomicU64::new(0), tree.modules().map(|(_, file)| file.size).sum());
    let results: Vec<Result<_, Error>> = batches
        .par_iter()
        .map(|batch| {
            let read = |(path, file): &(&ArchivePath, &InstalledFile)| {
                let source = read_tree_file(file, &collected.wheels)?;
                Ok(Module { path: path.to_string(), source })
            };
            let modules = batch.iter().map(read).collect::<Result<Vec<_>, Error>>()?;
            let bytecode = compiler.compile(&modules).map_err(Box::new)?;
            let size: u64 = batch.iter().map(|(_, file)| file.size).sum();
            observer.advance(done.fetch_add(size, Ordering::Relaxed) + size, Some(total));
            Ok(batch.iter().map(|(path, _)| (*path).clone()).zip(bytecode).collect::<Vec<_>>())
        })
        .collect();
    let (mut bytecode, mut failed) = (Vec::new(), Vec::new());
    for result in results {
        for (path, bytes) in result? {
            match bytes {
                Some(bytes) => bytecode.push((path, bytes)),
                None => failed.push(path),
            }
        }
    }
    Ok((bytecode, failed))
}
