//! The page as it is embedded: whole, linked to what exists, and light.

use std::fs;
use std::path::Path;

use super::*;

fn demo() -> Demo {
    Demo::in_mode(Mode::Development).expect("development has a page")
}

fn ask(
    demo: &Demo,
    method: &str,
    path: &str,
    known: Option<&str>,
) -> Option<Result<Answer, Denial>> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(known) = known {
        request = request.header(IF_NONE_MATCH, known);
    }
    demo.show(&request.body(()).unwrap())
}

fn field<'a>(answer: &'a Answer, name: &HeaderName) -> &'a str {
    answer.headers()[name].to_str().unwrap()
}

#[test]
fn every_file_of_the_folder_is_embedded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/demo/page");
    let entries = fs::read_dir(folder).unwrap();
    let mut there: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    there.retain(|name| name != "index.html");
    there.sort();
    assert_eq!(FILES.map(|file| file.name.to_owned()).to_vec(), there);
}

#[test]
fn every_link_of_the_page_and_every_import_leads_to_a_file() {
    let demo = demo();
    let index = str::from_utf8(&demo.index).unwrap();
    let (folder, mut links) = (&demo.folder[1..], 0);
    assert!(!index.contains(FOLDER), "a link still names the folder of the source");
    for link in index.split(['"', '\'']).filter_map(|text| text.strip_prefix(folder)) {
        let answer = ask(&demo, "GET", &format!("/{folder}{link}"), None);
        assert_eq!(answer.unwrap().unwrap().status(), 200, "{link}");
        links += 1;
    }
    assert!(links >= 3, "a style, a script and an icon");
    let scripts = || FILES.iter().filter(|file| content_type(file.name).contains("javascript"));
    assert!(scripts().count() > 10);
    for script in scripts() {
        let text = str::from_utf8(script.body).unwrap();
        for import in text.split(" from './").skip(1) {
            let name = import.split('\'').next().unwrap();
            assert!(FILES.iter().any(|file| file.name == name), "{} imports {name}", script.name);
        }
    }
}

#[test]
fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    for inline in ["style=", "<style", " onclick", " onload", "javascript:", "//"] {
        assert!(!INDEX.contains(inline), "{inline}");
    }
    assert_eq!(
        INDEX.matches("<script").count(),
        INDEX.matches("<script type=\"module\" src").count()
    );
}

#[test]
fn another_build_has_another_folder_and_the_same_one_the_same() {
    assert_eq!(demo().folder, demo().folder);
    let hashes = [&["a", "b"][..], &["ab", "c"], &["b", "a"], &[]];
    let hashes = hashes.map(|pieces| hash(pieces.iter().map(|piece| piece.as_bytes())));
    for (at, one) in hashes.iter().enumerate() {
        assert!(hashes[at + 1..].iter().all(|other| other != one));
    }
    // the published values of FNV-1a
    assert_eq!(hash([&b"foobar"[..]].into_iter()), 0x8594_4171_f739_67e8);
}

#[test]
fn a_browser_that_has_the_page_or_a_file_gets_it_no_more() {
    let demo = demo();
    let tag = demo.tag.to_str().unwrap().to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        let answer = ask(&demo, "GET", "/", Some(&known)).unwrap().unwrap();
        assert_eq!(answer.status(), 304, "{known}");
        assert_eq!((field(&answer, &ETAG), field(&answer, &CACHE_CONTROL)), (&*tag, "no-cache"));
    }
    let script = format!("{}main.js", demo.folder);
    let answer = ask(&demo, "GET", &script, Some(&tag)).unwrap().unwrap();
    assert_eq!((answer.status().as_u16(), field(&answer, &ETAG)), (304, &*tag));
    assert!(field(&answer, &CACHE_CONTROL).ends_with("immutable"));
    for unknown in ["\"x\"", "x", ""] {
        assert_eq!(ask(&demo, "GET", "/", Some(unknown)).unwrap().unwrap().status(), 200);
    }
}

#[test]
fn other_paths_are_not_the_pages() {
    let demo = demo();
    let folder = &demo.folder;
    for path in
        ["/x", "/index.html", "/page.css", "/mercury-0/page.css", folder, &format!("{folder}x")]
    {
        assert!(ask(&demo, "GET", path, None).is_none(), "{path}");
    }
    assert!(Demo::in_mode(Mode::Production).is_none());
}
