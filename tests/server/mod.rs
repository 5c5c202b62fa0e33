//! An HTTP server on this machine that answers as a test says, lies included, and remembers what it was asked.

#![allow(dead_code, unreachable_pub, reason = "every test file uses a part of it")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What the server was asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// The path and the query.
    pub path: String,
    /// The request's line and its headers.
    pub head: String,
    /// How often this path was asked for before.
    pub turn: usize,
}

impl Request {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    /// The first byte that is asked for.
    pub fn range_start(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// A running server; its threads end with the process.
pub struct Server {
    /// `127.0.0.1:PORT`.
    pub address: String,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// One that writes what `answer` says; each connection is closed after one answer.
    pub fn start(answer: impl Fn(&Request, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (seen, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let Ok(copy) = stream.try_clone() else { return };
                    let (mut head, mut reader) = (String::new(), BufReader::new(copy));
                    while reader.read_line(&mut head).unwrap_or(0) > 2 {}
                    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    let mut seen = seen.lock().unwrap();
                    let turn = seen.iter().filter(|request| request.path == path).count();
                    let request = Request { path, head, turn };
                    seen.push(request.clone());
                    drop(seen);
                    let _ = answer(&request, &mut stream);
                });
            }
        });
        Self { address, asked }
    }

    /// One that gives these answers in turn, the last one again and again.
    pub fn new(answers: Vec<Vec<u8>>) -> Self {
        let turn = AtomicUsize::new(0);
        Self::start(move |_, stream| {
            let index = turn.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
            stream.write_all(&answers[index])
        })
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it was asked until now.
    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

/// A whole answer; headers end with `\r\n` each.
pub fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}
