//! Files are fetched whole and right, or not at all; the server is on this machine and misbehaves as told.

use std::collections::BTreeMap;
use std::io::Write;
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
    let target = target(directory);
    let download = Download { location: Location::from_url(url).unwrap(), sha256, size: None, target };
    client.fetch_all(&[download], &|_, _| {}).map(|mut fetched| fetched.remove(0))
}

/// The same for a file of which digest and size are known.
fn fetch_known(client: &Client, url: &str, body: &[u8], directory: &Path) -> Result<Fetched, FetchError> {
    let download = Download {
        location: Location::from_url(url).unwrap(),
        sha256: Some(Sha256Digest::of(body)),
        size: Some(body.len() as u64),
        target: target(directory),
    };
    client.fetch_all(&[download], &|_, _| {}).map(|mut fetched| fetched.remove(0))
}

fn target(directory: &Path) -> PathBuf {
    directory.join("deep/a-1-py3-none-any.whl")
}

fn partial(directory: &Path) -> PathBuf {
    directory.join("deep/a-1-py3-none-any.whl.part")
}

/// The part of a body from `start` on, as a server that knows ranges answers.
fn part(body: &[u8], start: usize, headers: &str) -> Vec<u8> {
    let range = format!("{headers}Content-Range: bytes {start}-{}/{}\r\n", body.len() - 1, body.len());
    answer("206 Partial Content", &range, &body[start..])
}

/// An answer that ends when so many bytes of its body were written.
fn cut(mut whole: Vec<u8>, body: usize) -> Vec<u8> {
    let head = whole.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    whole.truncate(head + body);
    whole
}

fn body() -> Vec<u8> {
    (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
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

#[cfg(unix)]
#[test]
fn marks_what_it_takes_from_the_cache_as_used() {
    let directory = tempfile::tempdir().unwrap();
    let file = target(directory.path());
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "x").unwrap();
    let then = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let times = std::fs::FileTimes::new().set_modified(then).set_accessed(then);
    for path in [&file, file.parent().unwrap()] {
        std::fs::File::open(path).unwrap().set_times(times).unwrap();
    }
    fetch_known(&client(&[], &[], true), "https://files.example/a.whl", b"x", directory.path()).unwrap();
    // The file's own time stays: somebody may be reading it.
    assert_eq!(file.metadata().unwrap().modified().unwrap(), then);
    assert!(file.parent().unwrap().metadata().unwrap().modified().unwrap() > then + Duration::from_secs(1_000_000));
}

#[test]
fn goes_on_where_a_server_died() {
    let body = body();
    for (validator, given) in [
        ("ETag: \"v1\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n", Some("\"v1\"")),
        ("ETag: W/\"v1\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n", Some("Sun, 06 Nov 1994 08:49:37 GMT")),
        ("", None),
    ] {
        let sent = body.clone();
        let server = Server::start(move |request, stream| match request.range_start() {
            Some(start) => stream.write_all(&part(&sent, start, validator)),
            None => stream.write_all(&cut(answer("200 OK", validator, &sent), 500_000)),
        });
        let directory = tempfile::tempdir().unwrap();
        let fetched = fetch_known(&client(&[], &[], false), &server.url("/a.whl"), &body, directory.path()).unwrap();
        assert_eq!(std::fs::read(fetched.path).unwrap(), body);
        let asked = server.asked();
        assert_eq!((asked.len(), asked[1].range_start(), asked[1].header("if-range")), (2, Some(500_000), given));
        assert_eq!((files(directory.path()), partial(directory.path()).exists()), (1, false));
    }
}

#[test]
fn goes_on_without_a_digest_only_where_the_server_says_that_it_is_the_same_file() {
    let body = body();
    for (validator, starts) in [("ETag: \"v1\"\r\n", [None, Some(100), Some(500_000)]), ("", [None, None, None])] {
        let sent = body.clone();
        // The second answer is the whole file again, as where it changed.
        let server = Server::start(move |request, stream| match (request.turn, request.range_start()) {
            (0, _) => stream.write_all(&cut(answer("200 OK", validator, &sent), 100)),
            (1, _) => stream.write_all(&cut(answer("200 OK", validator, &sent), 500_000)),
            (_, Some(start)) => stream.write_all(&part(&sent, start, validator)),
            (_, None) => stream.write_all(&answer("200 OK", validator, &sent)),
        });
        let directory = tempfile::tempdir().unwrap();
        let fetched = fetch(&client(&[], &[], false), &server.url("/a.whl"), None, directory.path()).unwrap();
        assert_eq!(std::fs::read(fetched.path).unwrap(), body);
        let asked: Vec<Option<usize>> = server.asked().iter().map(server::Request::range_start).collect();
        assert_eq!((asked.as_slice(), files(directory.path())), (&starts[..], 1));
    }
}

#[test]
fn goes_on_where_an_earlier_run_ended() {
    let (whole, directory) = (body(), tempfile::tempdir().unwrap());
    let dying = Server::new(vec![cut(answer("200 OK", "", &whole), 700_000), Vec::new()]);
    let error = fetch_known(&client(&[], &[], false), &dying.url("/a.whl"), &whole, directory.path()).unwrap_err();
    assert_eq!(error.status(), Status::Machine);
    assert_eq!(std::fs::read(partial(directory.path())).unwrap(), whole[..700_000]);
    assert!(!target(directory.path()).exists());
    let sent = whole.clone();
    let server =
        Server::start(move |request, stream| stream.write_all(&part(&sent, request.range_start().unwrap(), "")));
    let (most, total) = (AtomicU64::new(0), AtomicU64::new(0));
    let download = Download {
        location: Location::Url(server.url("/a.whl")),
        sha256: Some(Sha256Digest::of(&whole)),
        size: Some(whole.len() as u64),
        target: target(directory.path()),
    };
    let progress = |bytes: u64, all: Option<u64>| {
        most.fetch_max(bytes, Ordering::Relaxed);
        total.fetch_max(all.unwrap(), Ordering::Relaxed);
    };
    client(&[], &[], false).fetch_all(&[download], &progress).unwrap();
    assert_eq!(std::fs::read(target(directory.path())).unwrap(), whole);
    assert_eq!((most.into_inner(), total.into_inner()), (1_200_000, 1_200_000));
    assert_eq!((server.asked()[0].range_start(), files(directory.path())), (Some(700_000), 1));
    // The last byte was there, the name was not.
    std::fs::rename(target(directory.path()), partial(directory.path())).unwrap();
    fetch_known(&client(&[], &[], false), "http://127.0.0.1:9/a.whl", &whole, directory.path()).unwrap();
    assert_eq!(files(directory.path()), 1);
}

#[test]
fn starts_anew_where_a_server_does_not_go_on() {
    let whole = body();
    let other_part = answer("206 Partial Content", "Content-Range: bytes 0-1199999/1200000\r\n", &whole);
    let short_part = answer("206 Partial Content", "Content-Range: bytes 700000-800000/1200000\r\n", &whole[..100_001]);
    let other_bytes = part(&vec![0; whole.len()], 700_000, "");
    let ignored = answer("200 OK", "", &whole);
    let no_range = answer("416 Range Not Satisfiable", "Content-Range: bytes */1200000\r\n", b"");
    for (odd, tries) in [(other_part, 2), (short_part, 2), (other_bytes, 2), (no_range, 2), (ignored, 1)] {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("deep")).unwrap();
        std::fs::write(partial(directory.path()), &whole[..700_000]).unwrap();
        let sent = whole.clone();
        let server = Server::start(move |request, stream| match request.range_start() {
            Some(_) => stream.write_all(&odd),
            None => stream.write_all(&answer("200 OK", "", &sent)),
        });
        fetch_known(&client(&[], &[], false), &server.url("/a.whl"), &whole, directory.path()).unwrap();
        assert_eq!(std::fs::read(target(directory.path())).unwrap(), whole);
        assert_eq!((server.asked().len(), files(directory.path())), (tries, 1));
    }
}

#[test]
fn takes_a_wrong_part_of_an_earlier_run_for_no_file() {
    let (whole, directory) = (body(), tempfile::tempdir().unwrap());
    for left in [vec![1; 10], vec![1; whole.len()], vec![1; whole.len() + 1]] {
        let _ = std::fs::remove_dir_all(directory.path().join("deep"));
        std::fs::create_dir(directory.path().join("deep")).unwrap();
        std::fs::write(partial(directory.path()), left).unwrap();
        let sent = whole.clone();
        let server = Server::start(move |request, stream| match request.range_start() {
            Some(start) => stream.write_all(&part(&sent, start, "")),
            None => stream.write_all(&answer("200 OK", "", &sent)),
        });
        fetch_known(&client(&[], &[], false), &server.url("/a.whl"), &whole, directory.path()).unwrap();
        assert_eq!(std::fs::read(target(directory.path())).unwrap(), whole);
        assert_eq!(files(directory.path()), 1);
        // The same from a server that has another file: refused, and nothing kept.
        std::fs::remove_file(target(directory.path())).unwrap();
        std::fs::write(partial(directory.path()), [1; 10]).unwrap();
        let wrong = Server::start(move |request, stream| match request.range_start() {
            Some(start) => stream.write_all(&part(&[2; 1000], start, "")),
            None => stream.write_all(&answer("200 OK", "", &[2; 1000])),
        });
        let error = fetch_known(&client(&[], &[], false), &wrong.url("/a.whl"), &whole, directory.path()).unwrap_err();
        assert!(matches!(error, FetchError::WrongHash { .. }), "{error:?}");
        assert_eq!((files(directory.path()), wrong.asked().len()), (0, 2));
    }
}

#[test]
fn cuts_off_what_is_longer_than_was_promised() {
    let endless = || {
        Server::start(|_, stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            loop {
                stream.write_all(&[7; 1 << 14])?;
            }
        })
    };
    let announced = Server::new(vec![answer("200 OK", "", &[7; 2000])]);
    for server in [endless(), announced] {
        let directory = tempfile::tempdir().unwrap();
        let url = server.url("/a.whl");
        let error = fetch_known(&client(&[], &[], false), &url, &[7; 1000], directory.path()).unwrap_err();
        let message = format!(
            "cannot fetch `a-1-py3-none-any.whl` from {url}: it is longer than the 1000 bytes that were expected"
        );
        assert_eq!((error.to_string(), error.status()), (message, Status::Refused));
        assert_eq!((files(directory.path()), server.asked().len()), (0, 1));
    }
    // A body with no length that ends too early, and one whose length is a lie.
    for bad in [b"HTTP/1.1 200 OK\r\n\r\nshort".to_vec(), b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort".to_vec()]
    {
        let server = Server::new(vec![bad, answer("200 OK", "", b"whole....")]);
        let directory = tempfile::tempdir().unwrap();
        fetch_known(&client(&[], &[], false), &server.url("/a.whl"), b"whole....", directory.path()).unwrap();
        assert_eq!((files(directory.path()), server.asked().len()), (1, 2));
    }
}

#[test]
fn waits_neither_for_a_silent_server_nor_for_one_that_drips() {
    let silent = Server::start(|_, _| {
        std::thread::sleep(Duration::from_mins(1));
        Ok(())
    });
    let dripping = Server::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")?;
        loop {
            stream.write_all(b"x")?;
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let stalled = Server::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nxxxx")?;
        std::thread::sleep(Duration::from_mins(1));
        Ok(())
    });
    let patience = Patience {
        tries: 1,
        connect: Duration::from_millis(200),
        stall: Duration::from_millis(300),
        ..Patience::default()
    };
    let client = client(&[], &[], false).with_patience(patience);
    for (server, reason) in [
        (silent, "timeout: receive response"),
        (dripping, "it comes slower than 1024 bytes a second"),
        (stalled, "timeout: per read"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let url = server.url("/a.whl");
        let error = fetch(&client, &url, None, directory.path()).unwrap_err();
        let message = format!("cannot fetch `a-1-py3-none-any.whl` from {url} (1 tries): {reason}");
        assert_eq!((error.to_string(), error.status(), files(directory.path())), (message, Status::Machine, 0));
    }
}

#[test]
fn waits_as_long_as_a_server_asks() {
    let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:38 GMT\r\n";
    for headers in ["Retry-After: 1\r\n", date] {
        let server = Server::new(vec![answer("429 Slow", headers, b""), answer("200 OK", "", b"x")]);
        let directory = tempfile::tempdir().unwrap();
        let begun = std::time::Instant::now();
        fetch(&client(&[], &[], false), &server.url("/a.whl"), None, directory.path()).unwrap();
        assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    }
}

#[test]
fn tells_which_statuses_are_worth_another_try() {
    let tries = |status: &str| {
        let server = Server::new(vec![answer(status, "Retry-After: 0\r\n", b"")]);
        let directory = tempfile::tempdir().unwrap();
        fetch(&client(&[], &[], false), &server.url("/a.whl"), None, directory.path()).unwrap_err();
        server.asked().len()
    };
    for status in ["408 X", "425 X", "429 X", "500 X", "502 X", "503 X", "504 X"] {
        assert_eq!(tries(status), 3, "{status}");
    }
    for status in ["401 X", "403 X", "404 X", "410 X", "416 X", "206 X", "501 X", "304 X"] {
        assert_eq!(tries(status), 1, "{status}");
    }
}

#[test]
fn says_where_redirects_lead_that_are_not_followed() {
    let asked_for = |location: &str, reason: &str| {
        let server = Server::new(vec![answer("302 Found", location, b"")]);
        let (url, directory) = (server.url("/a.whl"), tempfile::tempdir().unwrap());
        let error = fetch(&client(&[], &[], false), &url, None, directory.path()).unwrap_err();
        let reason = reason.replace("ADDRESS", &server.address);
        assert_eq!(error.to_string(), format!("cannot fetch `a-1-py3-none-any.whl` from {url}: {reason}"));
        assert_eq!(error.status(), Status::Refused);
        server.asked().len()
    };
    assert_eq!(asked_for("Location: /a.whl\r\n", "it redirects in a circle, to http://ADDRESS/a.whl"), 1);
    assert_eq!(asked_for("", "it redirects, and does not say where"), 1);
    let to_file = "it redirects to file:x, which is neither http nor https";
    assert_eq!(asked_for("Location: file:///etc/x\r\n", to_file), 1);
    let ever_on = Server::start(|request, stream| {
        stream.write_all(&answer("302 Found", &format!("Location: {}x\r\n", request.path), b""))
    });
    let (url, directory) = (ever_on.url("/a"), tempfile::tempdir().unwrap());
    let error = fetch(&client(&[], &[], false), &url, None, directory.path()).unwrap_err();
    let reason = format!("it redirects more than 10 times, at last to {}", ever_on.url("/axxxxxxxxxxx"));
    assert_eq!(error.to_string(), format!("cannot fetch `a-1-py3-none-any.whl` from {url}: {reason}"));
}

#[test]
fn many_may_fetch_one_file_at_once() {
    let whole = body();
    let sent = whole.clone();
    let server = Server::start(move |_, stream| stream.write_all(&answer("200 OK", "", &sent)));
    let directory = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let url = server.url("/a.whl");
                fetch_known(&client(&[], &[], false), &url, &whole, directory.path()).unwrap();
                assert_eq!(std::fs::read(target(directory.path())).unwrap(), whole);
            });
        }
    });
    assert_eq!(files(directory.path()), 1);
}

#[test]
fn tells_a_file_of_certificates_from_another() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    std::fs::write(&path, "none").unwrap();
    let client = client(&[("SSL_CERT_FILE", path.to_str().unwrap())], &[], false);
    let error = fetch(&client, "https://127.0.0.1:9/a.whl", None, directory.path()).unwrap_err();
    let message = format!("cannot read the certificates in `{}`: there is none in it", path.display());
    assert_eq!((error.to_string(), error.status()), (message, Status::Usage));
}

#[test]
fn shows_no_credential_of_a_url_of_netrc_or_of_the_environment() {
    let server = Server::new(vec![answer("403 Forbidden", "", b"")]);
    let directory = tempfile::tempdir().unwrap();
    let netrc = directory.path().join("netrc");
    std::fs::write(&netrc, "machine 127.0.0.1 login me password netrcs3cret\n").unwrap();
    let index = format!("http://envuser:envs3cret@{}/simple", server.address);
    let direct = server.url("/a.whl").replace("http://", "http://me:urls3cret@");
    for (environment, url, sent) in [
        (vec![("NETRC", netrc.to_str().unwrap())], server.url("/a.whl"), "Basic bWU6bmV0cmNzM2NyZXQ="),
        (vec![("PIP_INDEX_URL", index.as_str())], server.url("/a.whl"), "Basic ZW52dXNlcjplbnZzM2NyZXQ="),
        (vec![], direct, "Basic bWU6dXJsczNjcmV0"),
    ] {
        let error = fetch(&client(&environment, &[], false), &url, None, directory.path()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        assert_eq!(server.asked().last().unwrap().header("authorization"), Some(sent));
    }
}
