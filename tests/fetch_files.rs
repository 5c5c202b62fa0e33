//! Files are fetched whole and right, or not at all; the server is on this machine and misbehaves as told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pyzpack::digest::Sha256Digest;
use pyzpack::resolve::Location;
use pyzpack::status::{Explain, Status};
use pyzpack::surroundings::Surroundings;
use pyzpack::wheel::access::Access;
use pyzpack::wheel::fetch::{Client, Download, Fetched, Patience};
use pyzpack::wheel::fetch_error::FetchError;

mod server;

use server::{Server, answer};

fn client(environment: &[(&str, &str)], index: &[String], offline: bool) -> Client {
    let environment: BTreeMap<_, _> = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let surroundings = Surroundings { environment, temporary: PathBuf::new(), cache: PathBuf::new() };
    let patience = Patience { tries: 3, pause: Duration::from_millis(5), ..Patience::default() };
    Client::new(Access::read(&surroundings, index), offline).with_patience(patience)
}

fn fetch(client: &Client, url: &str, sha256: Option<Sha256Digest>, directory: &Path) -> Result<Fetched, FetchError> {
    let target = directory.join("deep/a-1-py3-none-any.whl");
    let download = Download { location: Location::from_url(url).unwrap(), sha256, size: None, target };
    client.fetch_all(&[download], &|_, _| {}).map(|mut fetched| fetched.remove(0))
}

fn files(directory: &Path) -> usize {
    walkdir::WalkDir::new(directory).into_iter().flatten().filter(|entry| entry.file_type().is_file()).count()
}

#[test]
fn fetches_many_in_parallel_and_tells_how_far_it_is() {
    let body = vec![7_u8; 300_000];
    let server = Server::new(vec![answer("200 OK", "", &body)]);
    let directory = tempfile::tempdir().unwrap();
    let downloads: Vec<Download> = (0..20)
        .map(|index| Download {
            location: Location::Url(format!("http://{}/{index}.whl", server.address)),
            sha256: Some(Sha256Digest::of(&body)),
            size: Some(300_000),
            target: directory.path().join(format!("{index}.whl")),
        })
        .collect();
    let (most, total) = (AtomicU64::new(0), AtomicU64::new(0));
    let progress = |bytes: u64, all: Option<u64>| {
        most.fetch_max(bytes, Ordering::Relaxed);
        total.fetch_max(all.unwrap(), Ordering::Relaxed);
    };
    let client = client(&[], &[], false);
    let fetched = client.fetch_all(&downloads, &progress).unwrap();
    assert!(fetched.iter().zip(&downloads).all(|(one, other)| one.path == other.target));
    assert_eq!((most.into_inner(), total.into_inner()), (6_000_000, 6_000_000));
    // What is there already is not asked for again.
    client.fetch_all(&downloads, &|_, _| {}).unwrap();
    assert_eq!(server.asked().len(), 20);
}

#[test]
fn refuses_another_file_naming_both_digests_and_keeps_nothing() {
    let server = Server::new(vec![answer("200 OK", "", b"other")]);
    let directory = tempfile::tempdir().unwrap();
    let url = format!("http://planted:pa55w0rd@{}/a.whl", server.address);
    let expected = Sha256Digest::of(b"this");
    let error = fetch(&client(&[], &[], false), &url, Some(expected), directory.path()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "wrong hash of `a-1-py3-none-any.whl` from http://****@{}/a.whl: expected sha256 {expected}, found {}",
            server.address,
            Sha256Digest::of(b"other")
        )
    );
    assert_eq!((error.status(), files(directory.path()), server.asked().len()), (Status::Refused, 0, 1));
}

#[test]
fn tries_again_after_truncation_and_server_errors() {
    let mut truncated = answer("200 OK", "", b"whole");
    truncated.truncate(truncated.len() - 2);
    for bad in [truncated, answer("503 Busy", "Retry-After: 0\r\n", b""), answer("429 Slow", "", b""), Vec::new()] {
        let server = Server::new(vec![bad.clone(), bad.clone(), answer("200 OK", "", b"whole")]);
        let directory = tempfile::tempdir().unwrap();
        let url = format!("http://{}/a.whl", server.address);
        let fetched = fetch(&client(&[], &[], false), &url, None, directory.path()).unwrap();
        assert_eq!(fetched.sha256, Some(Sha256Digest::of(b"whole")));
        assert_eq!(std::fs::read(&fetched.path).unwrap(), b"whole");
        let server = Server::new(vec![bad]);
        let url = format!("http://{}/a.whl", server.address);
        let directory = tempfile::tempdir().unwrap();
        let error = fetch(&client(&[], &[], false), &url, None, directory.path()).unwrap_err();
        assert!(matches!(error, FetchError::Network { tries: 3, .. }), "{error:?}");
        assert_eq!((error.status(), files(directory.path())), (Status::Machine, 0));
    }
}

#[test]
fn does_not_try_again_what_the_server_refuses() {
    let server = Server::new(vec![answer("404 Not Found", "", b"")]);
    let directory = tempfile::tempdir().unwrap();
    let url = format!("http://{}/a.whl", server.address);
    let error = fetch(&client(&[], &[], false), &url, None, directory.path()).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot fetch `a-1-py3-none-any.whl` from {url}: the server answered 404"));
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn ends_at_a_closed_port_and_in_a_circle_of_redirects() {
    let directory = tempfile::tempdir().unwrap();
    let error = fetch(&client(&[], &[], false), "http://127.0.0.1:9/a.whl", None, directory.path()).unwrap_err();
    assert_eq!(error.status(), Status::Machine);
    let server = Server::new(vec![answer("302 Found", "Location: /a.whl\r\n", b"")]);
    let url = format!("http://{}/a.whl", server.address);
    assert!(fetch(&client(&[], &[], false), &url, None, directory.path()).is_err());
    assert_eq!(files(directory.path()), 0);
}

#[test]
fn sends_the_credentials_of_the_index_to_its_host_and_through_a_redirect_to_no_other() {
    let other = Server::new(vec![answer("200 OK", "", b"x")]);
    let moved = format!("Location: http://{}/b.whl\r\n", other.address.replace("127.0.0.1", "localhost"));
    let server = Server::new(vec![answer("302 Found", &moved, b"")]);
    let directory = tempfile::tempdir().unwrap();
    let index = format!("http://user:pass@{}/simple/", server.address);
    let url = format!("http://{}/a.whl", server.address);
    fetch(&client(&[], &[index], false), &url, None, directory.path()).unwrap();
    assert_eq!(server.asked()[0].header("authorization"), Some("Basic dXNlcjpwYXNz"));
    assert_eq!(other.asked()[0].header("authorization"), None);
}

#[test]
fn goes_through_the_proxy_that_is_given_but_not_to_excepted_hosts() {
    let proxy = Server::new(vec![answer("200 OK", "", b"by proxy")]);
    let server = Server::new(vec![answer("200 OK", "", b"direct")]);
    let directory = tempfile::tempdir().unwrap();
    let given = format!("http://{}", proxy.address);
    let url = format!("http://{}/a.whl", server.address);
    let through = client(&[("http_proxy", &given)], &[], false);
    fetch(&through, "http://unreachable.invalid/a.whl", None, directory.path()).ok();
    assert!(proxy.asked()[0].head.starts_with("CONNECT unreachable.invalid:80 "), "{:?}", proxy.asked());
    let direct = client(&[("http_proxy", &given), ("NO_PROXY", "127.0.0.1")], &[], false);
    let fetched = fetch(&direct, &url, None, directory.path()).unwrap();
    assert_eq!(std::fs::read(fetched.path).unwrap(), b"direct");
}

#[test]
fn takes_files_of_this_machine_where_they_are_and_asks_nobody_offline() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a b.whl");
    std::fs::write(&path, "x").unwrap();
    let offline = client(&[], &[], true);
    let fetched = fetch(&offline, &pyzpack::urls::file_url(&path), None, directory.path()).unwrap();
    assert_eq!(fetched, Fetched { path, sha256: None });
    let error = fetch(&offline, "http://127.0.0.1:9/a.whl", None, directory.path()).unwrap_err();
    assert_eq!(error.to_string(), "cannot fetch `a-1-py3-none-any.whl` from http://127.0.0.1:9/a.whl with --offline");
    assert_eq!(files(directory.path()), 1);
}
