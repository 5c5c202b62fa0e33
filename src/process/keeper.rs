//! What is kept of a child's messages.

use std::io::{self, Read, Write};

use super::redact::Secrets;

/// How much of the end of a child's messages is kept in memory.
const TAIL_LIMIT: usize = 256 * 1024;

/// Keeps messages: redacted, all in the log, their end in memory.
pub(super) struct Keeper {
    secrets: Secrets,
    tail: Vec<u8>,
    log: Option<std::fs::File>,
}

impl Keeper {
    pub(super) fn new(secrets: Secrets, log: Option<std::fs::File>) -> Self {
        Self { secrets, tail: Vec::new(), log }
    }

    /// Reads messages to their end, and gives the last of them.
    pub(super) fn keep(mut self, mut reader: impl Read) -> io::Result<String> {
        let mut buffer = [0_u8; 16 * 1024];
        let mut held: Vec<u8> = Vec::new();
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            held.extend_from_slice(&buffer[..read]);
            if let Some(cut) = held.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')) {
                let rest = held.split_off(cut + 1);
                self.take(&held)?;
                held = rest;
            } else if held.len() > TAIL_LIMIT.max(2 * self.secrets.longest()) {
                // A line without an end is cut; twice the longest secret stays, so that none is cut with it.
                let rest = held.split_off(held.len() - 2 * self.secrets.longest());
                self.take(&held)?;
                held = rest;
            }
        }
        self.take(&held)?;
        Ok(String::from_utf8_lossy(&self.tail).into_owned())
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let text = self.secrets.redact(&String::from_utf8_lossy(bytes));
        if let Some(log) = &mut self.log {
            log.write_all(text.as_bytes())?;
        }
        self.tail.extend_from_slice(text.as_bytes());
        if self.tail.len() > 2 * TAIL_LIMIT {
            self.tail.drain(..self.tail.len() - TAIL_LIMIT);
        }
        Ok(())
    }
}
