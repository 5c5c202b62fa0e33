//! One way to run a program: a complete environment, a process group of its own, a deadline, and its output kept
//! without credentials.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::interrupt::Registry;
use super::keeper::Keeper;
use super::redact::Secrets;
use crate::status::{Explain, Status};

/// How much of a captured standard output is kept; more is an error.
const CAPTURE_LIMIT: u64 = 256 * 1024 * 1024;

/// How long to wait for the end of the output of a child that ended: a daemon that it left may hold the pipe open.
const DRAIN: Duration = Duration::from_secs(1);

/// How long a child past its deadline may take to end by itself.
const GRACE: Duration = Duration::from_secs(2);

/// A program to run.
#[derive(Debug, Clone)]
pub struct Child<'a> {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: &'a BTreeMap<OsString, OsString>,
    directory: &'a Path,
    timeout: Duration,
    input: Option<Vec<u8>>,
    capture: bool,
    log: Option<PathBuf>,
    secrets: Secrets,
}

/// How a program ended.
#[derive(Debug)]
#[must_use]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output, as it was; empty unless asked for.
    pub stdout: Vec<u8>,
    /// The end of its messages (standard error; standard output too, unless that was captured), without credentials.
    pub messages: String,
}

impl Ended {
    /// Whether its exit status is 0.
    pub fn success(&self) -> bool {
        self.status.success()
    }

    /// The exit status in words: `exit status 1`, `signal 9`.
    pub fn describe_status(&self) -> String {
        #[cfg(unix)]
        if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&self.status) {
            return format!("signal {signal}");
        }
        self.status.code().map_or_else(|| "no exit status".to_owned(), |code| format!("exit status {code}"))
    }
}

/// Why a program could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It did not start.
    #[error("cannot run `{}`", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its output or its end could not be had, or its log not written.
    #[error("lost `{}` while it ran", program.display())]
    Lost {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The time limit passed; it was killed with all its children.
    #[error("`{}` did not end within {} s and was stopped", program.display(), limit.as_secs_f64())]
    TimedOut {
        /// The program.
        program: PathBuf,
        /// The limit.
        limit: Duration,
        /// The end of its messages until then, without credentials.
        messages: String,
    },
    /// It wrote more than is taken.
    #[error("`{}` wrote more than {limit} bytes to its standard output", program.display())]
    TooMuch {
        /// The program.
        program: PathBuf,
        /// The limit.
        limit: u64,
    },
}

impl Explain for ProcessError {
    fn status(&self) -> Status {
        match self {
            Self::Start { .. } | Self::Lost { .. } => Status::Machine,
            Self::TimedOut { .. } | Self::TooMuch { .. } => Status::Refused,
        }
    }
}

impl<'a> Child<'a> {
    /// A program that will see exactly `environment`, in `directory`, for at most `timeout`; its input is empty.
    pub fn new(
        program: &Path,
        environment: &'a BTreeMap<OsString, OsString>,
        directory: &'a Path,
        timeout: Duration,
    ) -> Self {
        Self {
            program: program.to_owned(),
            arguments: Vec::new(),
            environment,
            directory,
            timeout,
            input: None,
            capture: false,
            log: None,
            secrets: Secrets::default(),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Gives it these bytes on its standard input.
    #[must_use]
    pub fn input(mut self, bytes: Vec<u8>) -> Self {
        self.input = Some(bytes);
        self
    }

    /// Keeps its standard output apart from its messages, and whole.
    #[must_use]
    pub fn capture_stdout(mut self) -> Self {
        self.capture = true;
        self
    }

    /// Adds its messages to the end of this file, without credentials.
    #[must_use]
    pub fn log(mut self, path: &Path) -> Self {
        self.log = Some(path.to_owned());
        self
    }

    /// Credentials that no log and no message may hold.
    #[must_use]
    pub fn secrets(mut self, secrets: &Secrets) -> Self {
        self.secrets = secrets.clone();
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// It does not start, runs longer than it may, or cannot be followed. An exit status is no error.
    pub fn run(self) -> Result<Ended, ProcessError> {
        let lost = |source| ProcessError::Lost { program: self.program.clone(), source };
        let log = match &self.log {
            Some(path) => Some(std::fs::OpenOptions::new().create(true).append(true).open(path).map_err(lost)?),
            None => None,
        };
        let (message_reader, message_writer) = io::pipe().map_err(lost)?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(self.environment).current_dir(self.directory);
        command.stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() });
        let capture = if self.capture {
            let (reader, writer) = io::pipe().map_err(lost)?;
            command.stdout(writer);
            Some(reader)
        } else {
            command.stdout(message_writer.try_clone().map_err(lost)?);
            None
        };
        command.stderr(message_writer);
        let started = Instant::now();
        let mut running = RunningChild::spawn(&mut command)
            .map_err(|source| ProcessError::Start { program: self.program.clone(), source })?;
        // The parent's ends of the pipes have to go, or their readers would never see an end.
        drop(command);
        if let (Some(bytes), Some(mut stdin)) = (self.input.clone(), running.child.stdin.take()) {
            // A child that does not read all of it closes the pipe: no matter.
            std::thread::spawn(move || drop(stdin.write_all(&bytes)));
        }
        let (done, ended) = mpsc::channel::<()>();
        let keeper = Keeper::new(self.secrets.clone(), log);
        let messages = spawn_reader(done.clone(), move || keeper.keep(message_reader));
        let stdout = capture.map(|reader| spawn_reader(done.clone(), move || read_bounded(reader)));
        drop(done);

        let status = loop {
            if let Some(status) = running.try_wait().map_err(lost)? {
                break status;
            }
            let left = self.timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                running.end();
                let messages = join_within(messages, DRAIN).and_then(Result::ok).unwrap_or_default();
                return Err(ProcessError::TimedOut { program: self.program, limit: self.timeout, messages });
            }
            match ended.recv_timeout(left.min(Duration::from_millis(20))) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                // All output ended; the exit follows at once.
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        let messages = match join_within(messages, DRAIN) {
            Some(kept) => kept.map_err(lost)?,
            None => String::new(),
        };
        let stdout = match stdout {
            None => Vec::new(),
            Some(reader) => match join_within(reader, DRAIN) {
                Some(Ok(bytes)) if bytes.len() as u64 > CAPTURE_LIMIT => {
                    return Err(ProcessError::TooMuch { program: self.program, limit: CAPTURE_LIMIT });
                }
                Some(Ok(bytes)) => bytes,
                Some(Err(source)) => return Err(lost(source)),
                None => return Err(lost(io::Error::other("its standard output was left open by another process"))),
            },
        };
        Ok(Ended { status, stdout, messages })
    }
}

/// A child that runs, known to the registry; killed with its process group when dropped before its end.
struct RunningChild {
    child: std::process::Child,
    key: Option<u64>,
}

impl RunningChild {
    /// Starts it under the registry's lock: after a signal nothing new can start.
    fn spawn(command: &mut Command) -> io::Result<Self> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let mut registry = Registry::lock();
        let child = command.spawn()?;
        let key = Some(registry.add_group(child.id()));
        Ok(Self { child, key })
    }

    /// The exit status, if it ended. Reaping happens under the registry's lock, so that nobody kills a process id that
    /// was given to another process meanwhile.
    fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let mut registry = Registry::lock();
        #[cfg(unix)]
        if self.key.is_some() && has_ended(self.child.id()) {
            // What it left running in its group is of no use any more, and may hold the pipes open.
            super::interrupt::end_groups(&[self.child.id()], Duration::ZERO);
        }
        let status = self.child.try_wait()?;
        if status.is_some()
            && let Some(key) = self.key.take()
        {
            registry.forget_group(key);
        }
        Ok(status)
    }

    /// Ends it and its group.
    fn end(&mut self) {
        let mut registry = Registry::lock();
        let Some(key) = self.key.take() else { return };
        #[cfg(unix)]
        super::interrupt::end_groups(&[self.child.id()], GRACE);
        let _ = self.child.kill();
        let _ = self.child.wait();
        registry.forget_group(key);
    }
}

impl Drop for RunningChild {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether a child that nobody reaped yet has ended.
#[cfg(unix)]
fn has_ended(process: u32) -> bool {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| matches!(waitid(WaitId::Pid(pid), options), Ok(Some(_))))
}

fn spawn_reader<T: Send + 'static>(done: mpsc::Sender<()>, read: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    std::thread::spawn(move || {
        let result = read();
        let _ = done.send(());
        result
    })
}

fn join_within<T>(handle: JoinHandle<T>, limit: Duration) -> Option<T> {
    let started = Instant::now();
    while !handle.is_finished() {
        if started.elapsed() > limit {
            return None;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    handle.join().ok()
}

fn read_bounded(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(CAPTURE_LIMIT + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell<'a>(script: &str, environment: &'a BTreeMap<OsString, OsString>, seconds: u64) -> Child<'a> {
        Child::new(Path::new("/bin/sh"), environment, Path::new("/"), Duration::from_secs(seconds)).args(["-c", script])
    }

    #[test]
    fn gives_exactly_the_environment_and_the_input() {
        let environment = BTreeMap::from([("ONLY".into(), "this".into())]);
        let ended = shell("/usr/bin/env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= ; cat; exit 7", &environment, 10)
            .input(b"from stdin\n".to_vec())
            .run()
            .unwrap();
        assert_eq!(ended.messages, "ONLY=this\nfrom stdin\n");
        assert_eq!(ended.describe_status(), "exit status 7");
    }

    #[test]
    fn masks_credentials_in_log_and_memory() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut secrets = Secrets::default();
        secrets.add("hunter2");
        let environment = BTreeMap::new();
        let script = "printf 'hun'; sleep 0.05; printf 'ter2 x\\n' >&2; echo https://a:b@h/";
        let ended = shell(script, &environment, 10).secrets(&secrets).log(&log).run().unwrap();
        assert_eq!(ended.messages, "**** x\nhttps://****@h/\n");
        assert_eq!(std::fs::read_to_string(log).unwrap(), ended.messages);
    }

    #[test]
    fn kills_the_whole_group_at_the_deadline_and_does_not_wait_for_daemons() {
        let environment = BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]);
        let directory = tempfile::tempdir().unwrap();
        let note = directory.path().join("note");
        let script = format!("(sleep 3; echo late > {}) & echo begun; sleep 30", note.display());
        let error = Child::new(Path::new("/bin/sh"), &environment, Path::new("/"), Duration::from_millis(300))
            .args(["-c", &script])
            .run()
            .unwrap_err();
        assert_eq!(error.to_string(), "`/bin/sh` did not end within 0.3 s and was stopped");
        assert!(matches!(error, ProcessError::TimedOut { messages, .. } if messages == "begun\n"));
        let started = Instant::now();
        let ended = shell("sleep 20 & echo done", &environment, 10).run().unwrap();
        assert_eq!(ended.messages, "done\n");
        assert!(started.elapsed() < Duration::from_secs(5));
        assert!(!note.exists());
    }
}
