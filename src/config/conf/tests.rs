//! Perl literals as a configuration has them, and Perl that is more than that.

use super::*;

/// A short form: texts in quotes, lists in brackets, hashes in braces.
fn shown(node: &Node) -> String {
    match &node.literal {
        Literal::Undefined => "undef".to_owned(),
        Literal::Text(text) => format!("{text:?}"),
        Literal::List(nodes) => {
            format!("[{}]", nodes.iter().map(shown).collect::<Vec<_>>().join(" "))
        }
        Literal::Hash(pairs) => {
            let pair = |(key, node): &(String, Node)| format!("{key}:{}", shown(node));
            format!("{{{}}}", pairs.iter().map(pair).collect::<Vec<_>>().join(" "))
        }
    }
}

#[test]
fn plain_literals_are_read() {
    for (perl, expected) in [
        ("{}", "{}"),
        ("# c\n{ a => 'b', } ; # d", r#"{a:"b"}"#),
        ("{ 'a', \"b\" , c=>[1, -2, 1_000,],}", r#"{a:"b" c:["1" "-2" "1000"]}"#),
        (r"{ a => 'it\'s \n \\' }", r#"{a:"it's \\n \\"}"#),
        (r#"{ a => "x\n\"\@\$y" }"#, r#"{a:"x\n\"@$y"}"#),
        ("[q{a{b}c}, q(d), q <e>, qq/f/, q'g', q#h#]", r#"["a{b}c" "d" "e" "f" "g" "h"]"#),
        ("[ qw( a b\n c ), qw[], 'd' ]", r#"["a" "b" "c" "d"]"#),
        ("{ qw(a b), q => undef, undef => 1, 3 => undef }", r#"{a:"b" q:undef undef:"1" 3:undef}"#),
        ("{ broker => { listen => ['http://*:3000'] } }", r#"{broker:{listen:["http://*:3000"]}}"#),
        ("'ü'", r#""ü""#),
    ] {
        assert_eq!(
            read(perl.as_bytes()).map(|node| shown(&node)),
            Ok(expected.to_owned()),
            "{perl}"
        );
    }
}

#[test]
fn what_is_no_plain_literal_is_an_error_at_its_place() {
    let deep = "[".repeat(100);
    for (perl, error) in [
        ("", "1:1: the file ends where a text, a number, [ or { is expected"),
        ("{\n a => foo() }", "2:10: '(' stands where a comma or } is expected"),
        ("{ a => foo }", "1:8: foo is a word that only Perl understands"),
        ("{ a => $x }", "1:8: '$' stands where a text, a number, [ or { is expected"),
        ("{ a => 'b' . 'c' }", "1:12: '.' stands where a comma or } is expected"),
        ("{ a => \"$x\" }", "1:9: '$' is a variable in a double-quoted text"),
        ("{ a => \"a@b\" }", "1:10: '@' is a variable in a double-quoted text"),
        (r#"{ a => "\x41" }"#, "1:9: an escape that only Perl understands"),
        ("{ a => 'b }", "1:9: the text that starts here has no '"),
        ("{ a => q{b{ }", "1:10: the text that starts here has no }"),
        ("{ a => 1.5 }", "1:8: is not a whole number"),
        ("{ a => 010 }", "1:8: is not a whole number"),
        ("{ a => 0x10 }", "1:8: is not a whole number"),
        ("{ a => - 1 }", "1:8: is not a whole number"),
        ("{ a = 1 }", "1:5: '=' is not =>"),
        ("{ a }", "1:3: a is a word that only Perl understands"),
        ("{ 'a' }", "1:3: the key 'a' has no value"),
        ("{ a => 1, a => 2 }", "1:11: the key 'a' stands twice in the hash"),
        ("{ [] => 1 }", "1:3: is no key"),
        ("{ a => 1", "1:9: the file ends where a comma or } is expected"),
        ("{ a => 1,, }", "1:10: ',' stands where a text, a number, [ or { is expected"),
        ("{} {}", "1:4: expected the end of the file behind the configuration"),
        ("use strict; {}", "1:1: use is a word that only Perl understands"),
        ("qw(a)", "1:1: qw is a list of its own, and one value is expected"),
        ("[q]", "1:4: the text that starts here has no ]"),
        ("[q a]", "1:2: q quotes nothing"),
        ("[q #a#]", "1:2: q quotes nothing"),
        (&deep, "1:34: more than 32 lists in one another"),
    ] {
        assert_eq!(read(perl.as_bytes()).unwrap_err().to_string(), error, "{perl}");
    }
    assert_eq!(read(b"{\n a\xff").unwrap_err().to_string(), "2:3: is not UTF-8");
}
