//! The interpreter that compiles: a child without anything of the machine's, that reads sources and writes `.pyc` files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::canonical::canonical_code;
use super::marshal::MarshalFault;
use crate::process::{Child, ProcessError};
use crate::python::{FindError, Interpreter, looked_at_lines};
use crate::status::{Explain, Status};
use crate::target::PythonMinor;

/// How long a child may take for the modules that it is given: a second's work, on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(2);

/// What stands before the code in a `.pyc`: magic number, flags, the source's hash (PEP 552).
const HEADER: usize = 16;

/// "The source's hash is there, and is not compared" (PEP 552).
const UNCHECKED_HASH: [u8; 4] = [1, 0, 0, 0];

const COMPILE: &str = include_str!("compile.py");

/// A module to compile.
#[derive(Debug, Clone)]
pub struct Module {
    /// Its path in the tree, which tracebacks show where the tree's own is not known.
    pub path: String,
    /// Its source, as it is.
    pub source: Vec<u8>,
}

/// An interpreter that compiles.
#[derive(Debug)]
pub struct Compiler<'a> {
    interpreter: &'a Interpreter,
    environment: BTreeMap<OsString, OsString>,
    directory: &'a Path,
    patience: Duration,
}

/// Why there is no bytecode.
#[derive(Debug, thiserror::Error)]
pub enum BytecodeError {
    /// There is no such Python.
    #[error("no Python {minor} is on PATH, to compile for `--bytecode`{}", looked_at_lines(&.error.looked_at))]
    Interpreter {
        /// The version that was asked for.
        minor: PythonMinor,
        /// What was looked at instead.
        error: FindError,
    },
    /// The file will not run there.
    #[error("bytecode for CPython {minor}, on which the file does not run: {reason}")]
    Unsupported {
        /// The version that was asked for.
        minor: PythonMinor,
        /// Why it does not.
        reason: String,
        /// On what it does.
        runs_on: String,
    },
    /// The interpreter crashed, or hung.
    #[error("CPython {python} cannot compile `{path}`: {reason}")]
    Failed {
        /// The exact version.
        python: String,
        /// The module.
        path: String,
        /// What happened.
        reason: String,
    },
    /// The interpreter did not start, or was lost.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// What it wrote is not what was asked for.
    #[error("CPython {python} did not answer as it was asked when it compiled `{path}`")]
    Answer {
        /// The exact version.
        python: String,
        /// The module.
        path: String,
    },
    /// Code that is not known.
    #[error("CPython {python} compiled `{path}` to code that is not known: {fault}")]
    Code {
        /// The exact version.
        python: String,
        /// The module.
        path: String,
        /// What is not known.
        fault: MarshalFault,
    },
}

impl Explain for BytecodeError {
    fn status(&self) -> Status {
        match self {
            Self::Interpreter { error, .. } => error.status(),
            Self::Unsupported { .. } => Status::Usage,
            Self::Failed { .. } | Self::Code { .. } => Status::Refused,
            Self::Process(error) => error.status(),
            Self::Answer { .. } => Status::Machine,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Interpreter { minor, .. } => {
                format!("put such a Python on PATH as `python{minor}`, or leave {minor} out of --bytecode")
            }
            Self::Unsupported { runs_on, .. } => format!("name versions that it runs on: {runs_on}"),
            Self::Failed { .. } | Self::Code { .. } => {
                "leave this version out of --bytecode, or the distribution out of the file".to_owned()
            }
            Self::Process(error) => return error.hint(),
            Self::Answer { .. } => "name another interpreter with --python".to_owned(),
        })
    }
}

impl<'a> Compiler<'a> {
    /// Compiles with `interpreter`, in an empty directory.
    pub fn new(interpreter: &'a Interpreter, environment: &BTreeMap<OsString, OsString>, directory: &'a Path) -> Self {
        Self { interpreter, environment: environment_of(environment), directory, patience: PATIENCE }
    }

    /// The `.pyc` of each module, in their order; none for one that does not compile.
    ///
    /// # Errors
    /// The interpreter cannot be run, crashes or hangs; then the module that it does so for is named.
    pub fn compile(&self, modules: &[Module]) -> Result<Vec<Option<Vec<u8>>>, BytecodeError> {
        match (self.run(modules), modules) {
            (Ok(compiled), _) => Ok(compiled),
            // Which of them it was shows when each has a child of its own.
            (Err(BytecodeError::Failed { .. }), [_, _, ..]) => {
                let mut compiled = Vec::new();
                for module in modules {
                    compiled.extend(self.run(std::slice::from_ref(module))?);
                }
                Ok(compiled)
            }
            (Err(error), _) => Err(error),
        }
    }

    fn run(&self, modules: &[Module]) -> Result<Vec<Option<Vec<u8>>>, BytecodeError> {
        let python = || self.interpreter.full_version.clone();
        let first = || modules.first().map(|module| module.path.clone()).unwrap_or_default();
        let failed = |reason: String| BytecodeError::Failed { python: python(), path: first(), reason };
        let mut input = Vec::new();
        for module in modules {
            for part in [module.path.as_bytes(), &module.source] {
                let length = u32::try_from(part.len()).map_err(|_| failed("it is larger than 4 GiB".to_owned()))?;
                input.extend(length.to_le_bytes());
                input.extend(part);
            }
        }
        // Not -I nor -E, which would shut out the hash seed too; the environment holds nothing else.
        let child = Child::new(&self.interpreter.executable, &self.environment, self.directory, self.patience)
            .args(["-s", "-S", "-B", "-W", "ignore", "-c", COMPILE])
            .input(input)
            .capture_stdout();
        let ended = match child.run() {
            Err(ProcessError::TimedOut { limit, .. }) => {
                return Err(failed(format!("it did not end within {} s", limit.as_secs_f64())));
            }
            ended => ended?,
        };
        if !ended.success() {
            return Err(failed(ended.describe_status()));
        }
        let answers = read_answers(&ended.stdout, modules.len());
        let answers = answers.ok_or_else(|| BytecodeError::Answer { python: python(), path: first() })?;
        modules.iter().zip(answers).map(|(module, pyc)| self.normalise(module, pyc)).collect()
    }

    /// The one spelling of a `.pyc`.
    fn normalise(&self, module: &Module, pyc: &[u8]) -> Result<Option<Vec<u8>>, BytecodeError> {
        if pyc.is_empty() {
            return Ok(None);
        }
        let (python, path) = (self.interpreter.full_version.clone(), module.path.clone());
        match pyc.split_at_checked(HEADER) {
            Some((header, code)) if header[4..8] == UNCHECKED_HASH => {
                match canonical_code(code, self.interpreter.target.python) {
                    Ok(code) => Ok(Some([header, &code].concat())),
                    // Of no use to anybody, and the same for everyone.
                    Err(MarshalFault::Deep) => Ok(None),
                    Err(fault) => Err(BytecodeError::Code { python, path, fault }),
                }
            }
            _ => Err(BytecodeError::Answer { python, path }),
        }
    }
}

/// What a child sees of the machine's environment: where shared libraries are, without which some do not start.
fn environment_of(machine: &BTreeMap<OsString, OsString>) -> BTreeMap<OsString, OsString> {
    let kept = machine.iter().filter(|(name, _)| *name == "LD_LIBRARY_PATH" || *name == "SYSTEMROOT");
    let kept = kept.map(|(name, value)| (name.clone(), value.clone()));
    // Sets that a compiler goes through are in the order of their members' hashes.
    kept.chain([("PYTHONHASHSEED".into(), "0".into())]).collect()
}

/// The answers to `count` questions: each a length, and as many bytes.
fn read_answers(mut bytes: &[u8], count: usize) -> Option<Vec<&[u8]>> {
    let mut answers = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, rest) = bytes.split_first_chunk()?;
        let (answer, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        answers.push(answer);
        bytes = rest;
    }
    bytes.is_empty().then_some(answers)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::python::VenvTools;
    use crate::target::{MarkerEnvironment, PythonAbi, Target};

    /// What comes of two modules where a shell's commands stand for Python.
    fn compile(commands: &str) -> Result<Vec<Option<Vec<u8>>>, String> {
        let place = tempfile::tempdir().unwrap();
        let executable = place.path().join("python");
        std::fs::write(&executable, format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{commands}\n")).unwrap();
        std::fs::set_permissions(&executable, std::fs::Permissions::from_mode(0o755)).unwrap();
        let text = String::new;
        let environment = MarkerEnvironment {
            implementation_name: text(),
            implementation_version: text(),
            os_name: text(),
            platform_machine: text(),
            platform_python_implementation: text(),
            platform_release: text(),
            platform_system: text(),
            platform_version: text(),
            python_full_version: text(),
            python_version: text(),
            sys_platform: text(),
        };
        let platform = "manylinux_2_28_x86_64".parse().unwrap();
        let interpreter = Interpreter {
            executable,
            full_version: "3.12.1".to_owned(),
            target: Target::new(PythonMinor::new(3, 12), PythonAbi::default(), environment, platform),
            externally_managed: false,
            tools: VenvTools { venv: false, ensurepip: false, pip: false },
        };
        let mut compiler = Compiler::new(&interpreter, &BTreeMap::new(), place.path());
        compiler.patience = Duration::from_millis(500);
        let module = |path: &str, source: &str| Module { path: path.to_owned(), source: source.into() };
        compiler.compile(&[module("good.py", "pass"), module("evil.py", "evil")]).map_err(|error| {
            assert_eq!(
                error.status(),
                if error.to_string().contains("answer") { Status::Machine } else { Status::Refused }
            );
            error.to_string()
        })
    }

    #[test]
    fn names_the_module_that_a_python_crashes_on() {
        let only_evil = "case $(cat | tr -d '\\0') in *evil*) kill -SEGV $$;; esac; printf '\\0\\0\\0\\0'";
        assert_eq!(compile(only_evil), Err("CPython 3.12.1 cannot compile `evil.py`: signal 11".to_owned()));
        assert_eq!(compile("exit 7"), Err("CPython 3.12.1 cannot compile `good.py`: exit status 7".to_owned()));
    }

    #[test]
    fn names_the_module_that_a_python_hangs_on() {
        let only_evil = "case $(cat | tr -d '\\0') in *evil*) sleep 60;; esac; printf '\\0\\0\\0\\0'";
        assert_eq!(
            compile(only_evil),
            Err("CPython 3.12.1 cannot compile `evil.py`: it did not end within 0.5 s".to_owned())
        );
    }

    #[test]
    fn takes_each_by_itself_what_fails_together() {
        // As where all of a batch took too long.
        let alone = "case $(cat | tr -d '\\0') in *good*evil*) exit 1;; esac; printf '\\0\\0\\0\\0'";
        assert_eq!(compile(alone), Ok(vec![None, None]));
    }

    #[test]
    fn refuses_answers_that_were_not_asked_for() {
        let wrong =
            |path: &str| Err(format!("CPython 3.12.1 did not answer as it was asked when it compiled `{path}`"));
        assert_eq!(compile("cat >/dev/null; echo hello"), wrong("good.py"));
        assert_eq!(compile("cat >/dev/null; printf '\\0\\0\\0\\0'"), wrong("good.py"));
        // A .pyc whose source is looked at.
        let timestamp = "cat >/dev/null; printf '\\0\\0\\0\\0\\021\\0\\0\\0MAGI\\0\\0\\0\\0source..N'";
        assert_eq!(compile(timestamp), wrong("evil.py"));
        let no_code = timestamp.replace("MAGI\\0", "MAGI\\01");
        let unknown = "CPython 3.12.1 compiled `evil.py` to code that is not known: it is no code object";
        assert_eq!(compile(&no_code), Err(unknown.to_owned()));
        assert_eq!(
            compile(&no_code.replace("..N", "..[")),
            Err(unknown.replace("it is no code object", "it has an object of type 0x5b"))
        );
    }

    #[test]
    fn sees_nothing_of_the_machine() {
        let given = BTreeMap::from([("PYTHONPATH", "x"), ("HOME", "x"), ("LD_LIBRARY_PATH", "/lib")]);
        let given = given.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let kept = environment_of(&given);
        let expected = [("LD_LIBRARY_PATH", "/lib"), ("PYTHONHASHSEED", "0")];
        assert_eq!(kept, expected.map(|(name, value)| (name.into(), value.into())).into());
    }
}
