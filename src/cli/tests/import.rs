//! The original's file: refused at the start, and translated.

use super::*;

const THEIRS: &str = "{ broker => { allow_origin => 'example.com' } }";

fn imported(perl: &str) -> Result<String, Exit> {
    match parse_with("mercury config import x.conf", &[], &[("x.conf", perl)])? {
        Invocation::Print(text) => Ok(text),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nobody_starts_with_the_originals_file_unread() {
    let advice = |path: &str, word: &str| {
        format!(
            "{path} is the Perl broker's and not read, and without its allow_origin everybody may \
             connect; convert it: mercury config import {word} > mercury.toml"
        )
    };
    let lies = ("mercury.conf", THEIRS);
    let named = ("MOJO_CONFIG", "/etc/it's mine.conf");
    for (variables, files, expected) in [
        (&[][..], &[lies][..], advice("mercury.conf", "mercury.conf")),
        // what a shell leaves when the command failed that was to fill it
        (&[], &[lies, ("mercury.toml", "")], advice("mercury.conf", "mercury.conf")),
        (&[named], &[], advice(named.1, "'/etc/it'\\''s mine.conf'")),
        (&[named], &[lies], advice(named.1, "'/etc/it'\\''s mine.conf'")),
    ] {
        for command in ["broker", "config check", "config show"] {
            let exit = parse_with(&format!("mercury {command}"), variables, files).unwrap_err();
            assert_eq!((exit.message.as_str(), exit.status), (&*expected, 1), "{command}");
        }
    }
    for (line, variables, files) in [
        ("broker", &[named][..], &[lies, ("mercury.toml", "# mine")][..]),
        ("broker --config a", &[named], &[lies, ("a", "")]),
        ("broker", &[("MOJO_CONFIG", "")], &[]),
        ("config example", &[named], &[lies]),
        ("help", &[named], &[lies]),
    ] {
        assert!(parse_with(&format!("mercury {line}"), variables, files).is_ok(), "{line}");
    }
}

#[test]
fn what_the_original_means_is_written_anew() {
    for (perl, lines) in [
        (THEIRS, &["allow_origin = [\"example.com\"]"][..]),
        (
            "# c\n{ broker => { listen => ['http://*:1', \"http://[::1]:2\"],\n allow_origin => \
             [qw(a.example *.b.example)], }, };",
            &[
                "listen = [\"http://*:1\", \"http://[::1]:2\"]",
                "allow_origin = [\"a.example\", \"*.b.example\"]",
            ],
        ),
        ("{ broker => { allow_origin => [] } }", &["allow_origin = []"]),
        (
            "{ hypnotoad => { workers => 1 },\n broker => { x => 1, listen => '' } }",
            &[
                "# \"hypnotoad\" on line 1 is nothing that the broker looks at",
                "# \"x\" on line 2 is nothing that the broker looks at",
                "# listen on line 2 sets nothing",
            ],
        ),
        ("{}", &[]),
    ] {
        let text = imported(perl).unwrap();
        let head = "# Made from \"x.conf\" by mercury config import.";
        assert_eq!(text.lines().collect::<Vec<_>>(), [&[head], lines].concat(), "{perl}");
        configured("", &text).unwrap_or_else(|exit| panic!("{text}: {}", exit.message));
    }
}

#[test]
fn what_cannot_be_meant_here_is_an_error_with_its_place() {
    for (perl, message) in [
        ("[]", "1:1: a hash is expected, { ... }"),
        ("{ broker => 1 }", "1:13: a hash is expected, { ... }"),
        ("{ broker => { listen => [] } }", "1:25: listen is an empty list"),
        ("{ broker => { listen => {} } }", "1:25: listen: a text is expected"),
        ("{ broker => { listen => [[]] } }", "1:26: listen: a text is expected"),
        (
            "{ broker => {\n listen => ['http://*', 'ftp://*'] } }",
            "2:25: listen: 'ftp://*' has the unknown scheme 'ftp', say http, https or http+unix",
        ),
        (
            "{ broker => { allow_origin => 'http://a/' } }",
            "1:31: allow_origin: 'http://a/' has '/' behind the host, where an Origin has nothing",
        ),
        (
            "{ broker => { allow_origin => $a } }",
            "1:31: '$' stands where a text, a number, [ or { is expected",
        ),
        ("{", "1:2: the file ends where a text, a number, [ or { is expected"),
    ] {
        let exit = imported(perl).unwrap_err();
        assert_eq!((exit.message, exit.status), (format!("x.conf:{message}"), 1), "{perl}");
    }
    let exit = parse_line("mercury config import x.conf", &[]).unwrap_err();
    assert_eq!((&*exit.message, exit.status), ("cannot read x.conf: entity not found", 1));
    assert_eq!(parse_line("mercury config import", &[]).unwrap_err().status, 2);
}
