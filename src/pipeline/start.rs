//! The entry point: chosen, found in the tree, and its object looked for by the interpreter's own parser.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::application::{
    EntryChoice, EntryPoint, InstalledTree, Scripts, check_bound, find_module, locate, read_tree_file,
};
use crate::error::Error;
use crate::process::Child;
use crate::python::Interpreter;
use crate::surroundings::Surroundings;

use super::collect::Collected;

/// Lists the names that a module binds.
const DEFINES: &str = include_str!("../python/defines.py");

/// Chooses what is started.
pub(super) fn choose(choice: &EntryChoice, collected: &Collected, scripts: &Scripts) -> Result<EntryPoint, Error> {
    Ok(match (choice, &collected.script) {
        // A script is its own entry point.
        (EntryChoice::OnlyScript, Some(path)) => EntryPoint::PythonScript(path.clone()),
        (choice, _) => scripts.choose(choice, &collected.named)?,
    })
}

/// Makes sure that what is started is there, down to the name in its module.
pub(super) fn check(
    entry: &EntryPoint,
    world: &Surroundings,
    interpreter: &Interpreter,
    collected: &Collected,
    tree: &InstalledTree,
) -> Result<(), Error> {
    if let (Some((path, name)), EntryPoint::Object(object)) = (locate(entry, tree)?, entry) {
        let source = read_tree_file(&tree.files[path], &collected.wheels)?;
        let bound = bound_names(world, interpreter, source);
        let submodule = find_module(tree, &format!("{}.{name}", object.module)).is_some();
        check_bound(entry, path, &name, bound.as_ref(), submodule)?;
    }
    Ok(())
}

/// The names that a module's source binds; none where only running it would tell, or where this Python cannot say.
fn bound_names(world: &Surroundings, interpreter: &Interpreter, source: Vec<u8>) -> Option<BTreeSet<String>> {
    let child = Child::new(&interpreter.executable, &world.environment, &world.temporary, Duration::from_mins(1))
        .args(["-I", "-S", "-c", DEFINES])
        .input(source)
        .capture_stdout();
    let ended = child.run().ok().filter(crate::process::Ended::success)?;
    serde_json::from_slice::<Option<BTreeSet<String>>>(&ended.stdout).ok()?
}
