//! Which servers are trusted: those that a named file of certificates vouches for. Apart from the tests of downloads, since a
//! child process has the locks of partial files until it runs its program.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use pyzpack::resolve::Location;
use pyzpack::status::{Explain, Status};
use pyzpack::surroundings::Surroundings;
use pyzpack::wheel::access::Access;
use pyzpack::wheel::fetch::{Client, Download};
use pyzpack::wheel::fetch_error::FetchError;

fn fetch(environment: &[(&str, &str)], url: &str, directory: &Path) -> Result<(), FetchError> {
    let environment: BTreeMap<_, _> = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let surroundings = Surroundings { environment, temporary: PathBuf::new(), cache: PathBuf::new() };
    let target = directory.join("a-1-py3-none-any.whl");
    let download = Download { location: Location::from_url(url).unwrap(), sha256: None, size: None, target };
    Client::new(Access::read(&surroundings, &[]), false).fetch_all(&[download], &|_, _| {}).map(drop)
}

/// Runs a program to its end; whether it is there and succeeded.
fn runs(program: &str, arguments: &str, directory: &Path) -> bool {
    let mut command = std::process::Command::new(program);
    command.args(arguments.split(' ')).current_dir(directory);
    command.output().is_ok_and(|output| output.status.success())
}

/// An HTTPS server in Python: it serves its directory, says its port, and ends when its input does.
const HTTPS_SERVER: &str = "
import functools, http.server, ssl, sys, threading
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('server.pem', 'server.key')
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
";

#[test]
fn trusts_the_certificates_that_are_named_and_no_others() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    std::fs::write(here.join("san"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").unwrap();
    let made = [
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca",
        "req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -days 2 -subj /CN=other",
        "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=127.0.0.1",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile san",
    ];
    if !made.iter().all(|arguments| runs("openssl", arguments, here)) {
        println!("skipped: no program `openssl`");
        return;
    }
    std::fs::write(here.join("a.whl"), "x").unwrap();
    let mut server = std::process::Command::new("python3");
    server.args(["-c", HTTPS_SERVER]).current_dir(here).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut server) = server.stderr(Stdio::null()).spawn() else {
        println!("skipped: no program `python3`");
        return;
    };
    let mut port = String::new();
    std::io::BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let url = format!("https://127.0.0.1:{}/a.whl", port.trim());
    let own = here.join("ca.pem").to_str().unwrap().to_owned();
    let other = here.join("other.pem").to_str().unwrap().to_owned();
    for variable in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE"] {
        fetch(&[(variable, &own)], &url, &here.join(variable)).unwrap();
    }
    for environment in [vec![], vec![("SSL_CERT_FILE", other.as_str())]] {
        let error = fetch(&environment, &url, &here.join("none")).unwrap_err();
        let message = format!("cannot fetch `a-1-py3-none-any.whl` from {url}: the connection is refused: ");
        assert!(error.to_string().starts_with(&message), "{error}");
        assert_eq!(error.status(), Status::Refused);
        assert_eq!(error.hint().as_deref(), Some("name the certificates to trust with SSL_CERT_FILE, in PEM"));
    }
    drop(server.stdin.take());
    server.wait().unwrap();
}
