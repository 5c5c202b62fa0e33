//! What indexes have: their pages in each form, from a server on this machine.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use pyzpack::names::PackageName;
use pyzpack::status::{Explain, Status};
use pyzpack::surroundings::Surroundings;
use pyzpack::wheel::access::Access;
use pyzpack::wheel::fetch::{Client, Patience};
use pyzpack::wheel::fetch_error::FetchError;
use pyzpack::wheel::index::{IndexFile, list_directories};

mod server;

use server::{Server, answer};

const JSON: &str = "Content-Type: application/vnd.pypi.simple.v1+json\r\n";
const HTML: &str = "Content-Type: text/html; charset=utf-8\r\n";

fn client(environment: &[(&str, &str)], offline: bool) -> Client {
    let environment: BTreeMap<_, _> = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let surroundings = Surroundings { environment, temporary: PathBuf::new(), cache: PathBuf::new() };
    let patience = Patience { tries: 3, pause: Duration::from_millis(5), ..Patience::default() };
    Client::new(Access::read(&surroundings, &[]), offline).with_patience(patience)
}

fn name(text: &str) -> PackageName {
    text.parse().unwrap()
}

fn list(server: &Server) -> Result<Option<Vec<IndexFile>>, FetchError> {
    client(&[], false).list_files(&server.url("/simple"), &name("A.b"))
}

fn page(headers: &str, body: &str) -> Server {
    Server::new(vec![answer("200 OK", headers, body.as_bytes())])
}

fn plain(filename: &str, url: String) -> IndexFile {
    IndexFile { filename: filename.to_owned(), url, sha256: None, requires_python: None, yanked: None, size: None }
}

#[test]
fn reads_a_page_in_html() {
    let digest = "ab".repeat(32);
    let body = format!(
        "<!DOCTYPE html><html><head><meta name=\"pypi:repository-version\" content=\"1.1\"></head><body>\
         <a href=\"../../files/a_b-1-py3-none-any.whl#sha256={digest}\" data-requires-python=\"&gt;=3.8\">x</a>\
         <a href=\"https://files.example/a%2Bb.tar.gz?t=1#md5=00\" data-yanked=\"broken\">x</a>\
         <a href=\"//other.example/a_b-2.zip\" data-yanked data-requires-python=\"&gt;=3.6.*\">x</a>\
         <a href=\"file:///etc/passwd\">x</a><a href=\"mailto:x\">x</a><a href=\"/dir/\">x</a><a name=x>x</a>\
         <a href=\"/x/..%2Fup.whl\">x</a>"
    );
    let server = page(HTML, &body);
    let files = list(&server).unwrap().unwrap();
    let expected = [
        IndexFile {
            sha256: Some(digest.parse().unwrap()),
            requires_python: Some(">=3.8".parse().unwrap()),
            ..plain("a_b-1-py3-none-any.whl", server.url("/files/a_b-1-py3-none-any.whl"))
        },
        IndexFile {
            yanked: Some("broken".to_owned()),
            ..plain("a+b.tar.gz", "https://files.example/a%2Bb.tar.gz?t=1".to_owned())
        },
        IndexFile { yanked: Some(String::new()), ..plain("a_b-2.zip", "http://other.example/a_b-2.zip".to_owned()) },
    ];
    assert_eq!(files, expected);
    let asked = server.asked();
    assert_eq!((asked.len(), asked[0].path.as_str()), (1, "/simple/a-b/"));
    assert_eq!(
        asked[0].header("accept"),
        Some("application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01")
    );
}

#[test]
fn reads_a_page_in_json() {
    let digest = "cd".repeat(32);
    let body = format!(
        r#"{{"meta": {{"api-version": "1.4", "new": 1}}, "name": "a-b", "versions": ["1"], "files": [
        {{"filename": "a.whl", "url": "../a.whl", "hashes": {{"sha256": "{digest}", "md5": "x"}}, "size": 12,
          "requires-python": ">=3.9", "yanked": false, "core-metadata": {{"sha256": "x"}}, "upload-time": "x"}},
        {{"filename": "b.whl", "url": "https://files.example/b.whl#x", "hashes": {{}}, "yanked": true}},
        {{"filename": "c.whl", "url": "/c.whl", "hashes": {{"sha256": "short"}}, "yanked": "why", "requires-python": null}},
        {{"filename": "../up.whl", "url": "/up.whl", "hashes": {{}}}},
        {{"filename": "d.whl", "url": "ftp://files.example/d.whl", "hashes": {{}}}}]}}"#
    );
    let server = page(JSON, &body);
    let expected = [
        IndexFile {
            sha256: Some(digest.parse().unwrap()),
            requires_python: Some(">=3.9".parse().unwrap()),
            size: Some(12),
            ..plain("a.whl", server.url("/simple/a.whl"))
        },
        IndexFile { yanked: Some(String::new()), ..plain("b.whl", "https://files.example/b.whl".to_owned()) },
        IndexFile { yanked: Some("why".to_owned()), ..plain("c.whl", server.url("/c.whl")) },
    ];
    assert_eq!(list(&server).unwrap().unwrap(), expected);
}

#[test]
fn joins_links_to_the_base_of_the_page_and_to_where_a_redirect_led() {
    let other = page(HTML, "<base href=\"/files/\"><a href=one.whl></a><base href=\"https://no.example/\">");
    let moved = format!("Location: {}\r\n", other.url("/elsewhere/"));
    let server = Server::new(vec![answer("301 Moved", &moved, b"")]);
    assert_eq!(list(&server).unwrap().unwrap(), [plain("one.whl", other.url("/files/one.whl"))]);
}

#[test]
fn reads_a_page_that_is_packed_and_one_without_an_end() {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(b"<a href=/a.whl>").unwrap();
    let headers = format!("{HTML}Content-Encoding: gzip\r\n");
    let server = Server::new(vec![answer("200 OK", &headers, &packer.finish().unwrap())]);
    assert_eq!(list(&server).unwrap().unwrap().len(), 1);
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..65 {
        bomb.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let bomb = Server::new(vec![answer("200 OK", &headers, &bomb.finish().unwrap())]);
    let endless = Server::start(|_, stream| {
        stream.write_all(format!("HTTP/1.1 200 OK\r\n{HTML}\r\n").as_bytes())?;
        loop {
            stream.write_all(&[b' '; 1 << 14])?;
        }
    });
    for server in [bomb, endless] {
        let url = server.url("/simple/a-b/");
        let error = list(&server).unwrap_err();
        let message = format!("cannot fetch `a-b` from {url}: it is longer than the 67108864 bytes that were expected");
        assert_eq!((error.to_string(), error.status()), (message, Status::Refused));
    }
}

#[test]
fn tells_what_an_index_does_not_have_from_what_goes_wrong() {
    for status in ["404 Not Found", "410 Gone"] {
        assert_eq!(list(&Server::new(vec![answer(status, HTML, b"")])).unwrap(), None);
    }
    assert_eq!(list(&page(HTML, "")).unwrap(), Some(Vec::new()));
    let json = |body: &str| page(JSON, body);
    for (server, reason) in [
        (Server::new(vec![answer("403 No", HTML, b"")]), "the server answered 403"),
        (
            page("Content-Type: application/json\r\n", "{}"),
            "it is no index page: its content type is `application/json`",
        ),
        (page("", "<a href=x>"), "it is no index page: its content type is ``"),
        (page(&format!("{HTML}Content-Encoding: br\r\n"), ""), "it is no index page: its encoding is `br`"),
        (json(r#"{"meta": {"api-version": "2.0"}, "files": 1}"#), "it is no index page: its version is `2.0`, not 1.x"),
        (json(r#"{"meta": {}}"#), "it is no index page: missing field `api-version` at line 1 column 11"),
        (json("{"), "it is no index page: EOF while parsing an object at line 1 column 1"),
        (
            page(HTML, "<meta name=\"pypi:repository-version\" content=\"2.0\">"),
            "it is no index page: its version is `2.0`, not 1.x",
        ),
    ] {
        let error = list(&server).unwrap_err();
        let url = server.url("/simple/a-b/");
        assert_eq!(error.to_string(), format!("cannot fetch `a-b` from {url}: {reason}"));
        assert_eq!((error.status(), server.asked().len()), (Status::Refused, 1));
    }
    let busy = Server::new(vec![answer("503 Busy", "", b""), answer("200 OK", HTML, b"<a href=a.whl>")]);
    assert_eq!(list(&busy).unwrap().unwrap().len(), 1);
}

#[test]
fn asks_once_a_run_and_many_at_a_time() {
    let server = Server::start(|request, stream| {
        let body = format!("<a href=x-{}.whl>", request.path.split('/').nth(2).unwrap_or_default());
        stream.write_all(&answer("200 OK", HTML, body.as_bytes()))
    });
    let client = client(&[], false);
    let (index, names) = (server.url("/simple/"), ["c", "a", "b"].map(name));
    let pages: Vec<(&str, &PackageName)> = names.iter().map(|name| (index.as_str(), name)).collect();
    let listed = client.list_all(&pages).unwrap();
    let names: Vec<String> = listed.into_iter().flatten().flatten().map(|file| file.filename).collect();
    assert_eq!(names, ["x-c.whl", "x-a.whl", "x-b.whl"]);
    client.list_all(&pages).unwrap();
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn uses_the_credentials_of_an_index_for_its_server_alone() {
    let other = page(HTML, "<a href=x.whl>");
    let there = other.url("/there/").replace("127.0.0.1", "localhost");
    let moved = format!("Location: {there}\r\n");
    let server = Server::start(move |request, stream| match request.path.as_str() {
        "/simple/a/" => stream.write_all(&answer("302 Found", "Location: ?again\r\n", b"")),
        _ => stream.write_all(&answer("302 Found", &moved, b"")),
    });
    let index = server.url("/simple/").replace("127", "planted:pa55w0rd@127");
    let files = client(&[], false).list_files(&index, &name("a")).unwrap().unwrap();
    assert_eq!(files, [plain("x.whl", other.url("/there/x.whl").replace("127.0.0.1", "localhost"))]);
    let sent: Vec<Option<String>> =
        server.asked().iter().map(|request| request.header("authorization").map(str::to_owned)).collect();
    assert_eq!(sent, vec![Some("Basic cGxhbnRlZDpwYTU1dzByZA==".to_owned()); 2]);
    assert!(other.asked().iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn asks_nobody_offline_but_reads_a_mirror_on_this_machine() {
    let offline = client(&[], true);
    let error = offline.list_files("https://u:p@index.example/simple", &name("a")).unwrap_err();
    assert_eq!(error.to_string(), "cannot fetch `a` from https://****@index.example/simple/a/ with --offline");
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("a")).unwrap();
    std::fs::write(directory.path().join("a/index.html"), "<a href=\"../a-1.whl\">").unwrap();
    let index = pyzpack::urls::file_url(directory.path());
    let url = pyzpack::urls::file_url(&directory.path().join("a-1.whl"));
    assert_eq!(offline.list_files(&index, &name("a")).unwrap().unwrap(), [plain("a-1.whl", url)]);
    assert_eq!(offline.list_files(&index, &name("b")).unwrap(), None);
    let error = offline.list_files("ftp://index.example/", &name("a")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot fetch `a` from ftp://index.example/: the URL cannot be asked: its scheme is neither http, https nor file"
    );
}

#[test]
fn lists_directories_as_an_index_would() {
    let root = tempfile::tempdir().unwrap();
    let directories = ["one", "two"].map(|name| root.path().join(name));
    for directory in &directories {
        std::fs::create_dir(directory).unwrap();
    }
    for file in ["A_b-1-py3-none-any.whl", "a.b-1.tar.gz", "a_b-1-py3-none-any.txt", "c-1-py3-none-any.whl", "a_b.whl"]
    {
        std::fs::write(directories[0].join(file), "").unwrap();
    }
    for file in ["A_b-1-py3-none-any.whl", "a-b-2.zip"] {
        std::fs::write(directories[1].join(file), "").unwrap();
    }
    let file = |directory: usize, name: &str| plain(name, pyzpack::urls::file_url(&directories[directory].join(name)));
    let expected = [file(0, "A_b-1-py3-none-any.whl"), file(1, "a-b-2.zip"), file(0, "a.b-1.tar.gz")];
    assert_eq!(list_directories(&directories, &name("a-b")).unwrap(), expected);
    assert!(list_directories(&[root.path().join("none")], &name("a")).is_err());
}

#[test]
fn passes_over_hosts_in_another_script_however_they_are_written() {
    let body = "<a href='https://\u{e9}.example/a-1.zip'>x</a><a href='//X\u{d7}Y.example/a-1.zip'>x</a>\
                <base href='https://X\u{d7}Y.example/'><a href='https://x.example/a-1.zip'>x</a>";
    let server = page(HTML, body);
    assert_eq!(list(&server).unwrap().unwrap(), [plain("a-1.zip", "https://x.example/a-1.zip".to_owned())]);
}
