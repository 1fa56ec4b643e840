//! Functions over text, boundary by boundary.

use crate::functions::all;
use crate::support::{refused, run, typed};

#[test]
fn places() {
    all(&[
        ("indexof('abcdefg', 'cde')", "long 2"),
        ("indexof('abcdefg', 'cde', 1, 4)", "long 2"),
        ("indexof('abcdefg', 'cde', 1, 2)", "long -1"),
        ("indexof('abcdefg', 'cde', 3, 4)", "long -1"),
        ("indexof('abcdefg', 'cde', -5)", "long 2"),
        ("indexof(1234567, 5, 1, 4)", "long 4"),
        ("indexof('abcdefg', 'cde', 2, -1)", "long 2"),
        ("indexof('abcdefgabcdefg', 'cde', 1, 10, 2)", "long 9"),
        ("indexof('abcdefgabcdefg', 'cde', 1, -1, 3)", "long -1"),
        ("indexof('abc', 'a', 0, -2)", "long ∅"),
        ("indexof('abc', 'a', 0, -1, -1)", "long ∅"),
        ("indexof('abc', 'c', 3)", "long -1"),
        ("indexof('abc', 'a', 99)", "long -1"),
        ("indexof('abc', 'a', -99)", "long 0"),
        ("indexof('abc', '')", "long 0"),
        ("indexof('', 'a')", "long -1"),
        ("indexof('ünü', 'ü', 1)", "long 2"),
        ("indexof('ünü', 'n')", "long 1"),
        ("indexof('aaaa', 'aa', 0, -1, 2)", "long 1"),
        ("indexof_regex('abcabc', @'a.c')", "long 0"),
        ("indexof_regex('abcabcdefg', @'a.c', 0, 9, 2)", "long 3"),
        ("indexof_regex('abcabc', @'a.c', 1, -1, 2)", "long -1"),
        ("indexof_regex('ababaa', @'a.a', 0, -1, 2)", "long -1"),
        ("indexof_regex('abcabc', @'a|ab', -1)", "long ∅"),
        ("indexof_regex('ünü', 'ü$')", "long 2"),
        ("countof('aaa', 'a')", "long 3"),
        ("countof('aaaa', 'aa')", "long 3"),
        ("countof('ababa', 'ab', 'normal')", "long 2"),
        ("countof('ababa', 'aba')", "long 2"),
        ("countof('ababa', 'aba', 'regex')", "long 1"),
        ("countof('abcabc', 'a.c', 'regex')", "long 2"),
        ("countof('', 'a')", "long 0"),
        ("countof('aabaaab', 'aab')", "long 2"),
        ("has_any_index('this is an example', dynamic(['this', 'example']))", "long 0"),
        ("has_any_index('this is an example', dynamic(['not', 'example']))", "long 1"),
        ("has_any_index('this is an example', dynamic(['not', 'found']))", "long -1"),
        ("has_any_index('Example number 2', dynamic([1, 2, 3]))", "long 1"),
        ("has_any_index('this is an example', dynamic([]))", "long -1"),
        ("has_any_index('a', dynamic([null, 'a']))", "long 1"),
        ("has_any_index('THIS', dynamic(['this']))", "long 0"),
        ("strcmp('ABC', 'abc')", "long -1"),
        ("strcmp('abcde', 'abc')", "long 1"),
        ("strcmp(10, '10')", "long 0"),
    ]);
}

#[test]
fn matches() {
    all(&[
        (r"extract(@'-(\d{2})-', 1, '15-12-2024', typeof(int))", "int 12"),
        (r"extract(@'([\w.-]{1,64})@', 1, 'a.b@c')", "string a.b"),
        ("extract('x(y)?', 1, 'x')", "string "),
        ("extract('x(y)?', 2, 'x')", "string "),
        ("extract('x', 0, 'x', typeof(long))", "long ∅"),
        (r"extract_all(@'([\da-f]{2})', '82b8-e2')", r#"dynamic ["82","b8","e2"]"#),
        (
            r"extract_all(@'(\w)(\w+)(\w)', '82b8be2d-dfa7')",
            r#"dynamic [["8","2b8be2","d"],["d","fa","7"]]"#,
        ),
        (
            r"extract_all(@'(\w)(\w+)(\w)', dynamic([1, 3]), '82b8be2d-dfa7')",
            r#"dynamic [["8","d"],["d","7"]]"#,
        ),
        (
            r"extract_all(@'(?P<first>\w)(?P<middle>\w+)(?P<last>\w)', dynamic(['first', 2, 'last']), 'dfa7')",
            r#"dynamic [["d","fa","7"]]"#,
        ),
        (r"extract_all(@'(\w)(\d)', dynamic([2]), 'a1b2')", r#"dynamic ["1","2"]"#),
        (r"extract_all(@'(\w)(\d)', dynamic([3]), 'a1b2')", "dynamic ∅"),
        ("extract_all('(z)', 'abc')", "dynamic ∅"),
        ("extract_all('a(b)?', 'aab')", r#"dynamic ["","b"]"#),
        (r#"extract_json('$.name', '{"name": "John", "age": 30}', typeof(string))"#, "string John"),
        (r#"extract_json('$.age', '{"name": "John", "age": 30}')"#, "string 30"),
        (r#"extract_json('$.age', '{"name": "John", "age": 30}', typeof(int))"#, "int 30"),
        (r#"extract_json('$.no', '{"name": "John"}', typeof(int))"#, "int ∅"),
        (r#"extract_json('$.no', '{"name": "John"}')"#, "string "),
        (r#"extract_json('$.a[1].b', '{"a": [0, {"b": [1]}]}')"#, "string [1]"),
        (r#"extract_json("$['a b'][0]", '{"a b": [true]}')"#, "string true"),
        ("extract_json('$.a', 'no json')", "string "),
        (r#"extractjson('$', '{"a":1}')"#, r#"string {"a":1}"#),
    ]);
    let tables = typed();
    for (query, wanted) in [
        ("T | project extract_all('a', s)", "KQL003@24+3"),
        ("T | project extract_all('(', s)", "KQL003@24+3"),
        ("T | project countof(s, 'a', 'foo')", "KS140@28+5"),
        ("T | project countof(s, 'a', s2)", "KS131@28+2"),
        ("T | project extract_json(s, s)", "KS129@25+1"),
        ("T | project extract_json('$..a', s)", "KQL001@12+23"),
        ("T | project format_bytes(r, l)", "KS129@28+1"),
        ("T | project unicode_codepoints_to_string(s)", "KS136@41+1"),
        ("T | project has_any_index(l, d)", "KS141@26+1"),
        ("T | project hash(d)", "KS116@17+1"),
        ("T | project parse_user_agent(s, 'os')", "KQL001@12+16"),
        ("T | project hash_many(s, s)", "KQL001@12+9"),
    ] {
        assert_eq!(refused(&tables, query), [wanted], "{query}");
    }
}

#[test]
fn exchanges() {
    all(&[
        ("replace_string('a cat', 'cat', 'dog')", "string a dog"),
        ("replace_string('aaa', 'aa', 'b')", "string ba"),
        ("replace_string('aaa', '', 'b')", "string aaa"),
        ("replace_string('aaa', 'a', '')", "string "),
        (r"replace_regex('Number is 1', @'is (\d+)', @'was: \1')", "string Number was: 1"),
        (r"replace(@'is (\d+)', @'was: \1', 'Number is 1')", "string Number was: 1"),
        (r"replace_regex('ab', '(a)(b)', @'\2$1\0\\')", r"string b$1ab\"),
        ("replace_regex('abc', '', '-')", "string -a-b-c-"),
        (
            "replace_strings('a cat or a dog', dynamic(['cat', 'dog']), dynamic(['dog', 'pigeon']))",
            "string a dog or a pigeon",
        ),
        ("replace_strings('a turn', dynamic(['turn', ' ']), dynamic(['', '']))", "string a"),
        (
            "replace_strings('This is', dynamic(['This', 'is']), dynamic(['This', 'was']))",
            "string This was",
        ),
        (
            "replace_strings('This is', dynamic(['is', 'This']), dynamic(['was', 'This']))",
            "string Thwas was",
        ),
        (
            "replace_strings('This is', dynamic(['This', 'is']), dynamic([12345, 'was']))",
            "string This was",
        ),
        ("replace_strings('a.b', dynamic(['.', 1, '']), dynamic(['-', 'x', 'y']))", "string a-b"),
        ("replace_strings('abc', dynamic([]), dynamic([]))", "string abc"),
        ("translate('abc', 'x', 'abc')", "string xxx"),
        ("translate('abc', '', 'ab')", "string "),
        ("translate('krasp', 'otsku', 'spark')", "string kusto"),
        ("translate('ü', 'u', 'über')", "string uber"),
        ("translate('', 'x', 'abc')", "string abc"),
        ("strrep('ABC', 2)", "string ABCABC"),
        ("strrep(123, 3, '.')", "string 123.123.123"),
        ("strrep(3s, 2, ' ')", "string 00:00:03 00:00:03"),
        ("strrep('a', 0)", "string "),
        ("strrep('a', -1)", "string "),
        ("strlen(strrep('a', 2000))", "long 1024"),
        ("trim('--', '--https://bing.com--')", "string https://bing.com"),
        (r"trim(@'[^\w]+', '-  Te st1// $')", "string Te st1"),
        (r"trim_start(@'[^\w]+', '-  Te st1// $')", "string Te st1// $"),
        (r"trim_end(@'[^\w]+', '-  Te st1// $')", "string -  Te st1"),
        ("trim_end('.com', 'bing.com')", "string bing"),
        ("trim('a', '')", "string "),
        ("trim('a+', 'aaa')", "string "),
        ("reverse(54.321)", "string 123.45"),
        ("reverse('häß')", "string ßäh"),
        ("reverse('')", "string "),
        ("substring('123456', 1)", "string 23456"),
        ("substring('123456', 2, 2)", "string 34"),
        ("substring('ABCD', 0, 2)", "string AB"),
        ("substring('123456', -2, 2)", "string 56"),
        ("substring('123456', 9)", "string "),
        ("substring('abc', long(null))", "string "),
        ("substring('abc', 0, long(null))", "string "),
        ("substring('abc', 3)", "string "),
        ("substring('äöü', 1, 1)", "string ö"),
        ("strcat_array(dynamic([1, 2, 3]), '->')", "string 1->2->3"),
        ("strcat_array(dynamic([]), '->')", "string "),
        ("strcat_array(dynamic(null), '->')", "string "),
        ("strcat_array(dynamic(['a', null, [1]]), ',')", "string a,,[1]"),
        ("strcat_delim('-', 1, '2', 'A', 1s)", "string 1-2-A-00:00:01"),
        (
            r#"dynamic_to_json(dynamic({"b":1,"a":{"d":[1],"c":2}}))"#,
            r#"string {"a":{"c":2,"d":[1]},"b":1}"#,
        ),
        ("dynamic_to_json(1h)", "string 01:00:00"),
    ]);
}

#[test]
fn predicates() {
    all(&[
        ("'abc' has ''", "bool True"),
        ("'' has ''", "bool True"),
        ("'' has 'a'", "bool False"),
        ("'' !has 'a'", "bool True"),
        ("'North America' has 'america'", "bool True"),
        ("'North America' has_cs 'america'", "bool False"),
        ("'North America' !has 'amer'", "bool True"),
        ("'North America' hasprefix 'ame'", "bool True"),
        ("'North America' !hasprefix 'mer'", "bool True"),
        ("'North America' hassuffix 'ICA'", "bool True"),
        ("'North America' hassuffix_cs 'icA'", "bool False"),
        ("'abc-def' has '-def'", "bool True"),
        ("'abc-def' has 'bc-def'", "bool False"),
        ("'abc-def' has 'abc-de'", "bool False"),
        ("'größer als' has 'GRÖSSER'", "bool False"),
        ("'größer als' has 'GRÖßER'", "bool True"),
        ("'größer' has 'gr'", "bool False"),
        ("'a_b' has 'a'", "bool True"),
        ("dynamic(['a b', 'c']) has 'b'", "bool True"),
        ("'abc' has_any (dynamic([]))", "bool False"),
        ("'abc' has_all (dynamic([]))", "bool True"),
        ("'a b c' has_any ('x', 'B')", "bool True"),
        ("'a b c' has_all ('C', 'a')", "bool True"),
        ("'a b c' has_all ('C', 'x')", "bool False"),
        ("'abc' contains ''", "bool True"),
        ("'FabriKam' contains 'BRik'", "bool True"),
        ("'Fabrikam' !contains_cs 'Kam'", "bool True"),
        ("'abc' notcontains 'B'", "bool False"),
        ("'abc' notcontainscs 'B'", "bool True"),
        ("'abc' containscs 'B'", "bool False"),
        ("'abc' startswith ''", "bool True"),
        ("'' startswith 'a'", "bool False"),
        ("'Ärger' startswith 'äR'", "bool True"),
        ("'Fabrikam' !endswith_cs 'brik'", "bool True"),
        ("'Ä' =~ 'ä'", "bool True"),
        ("'Ä' in~ ('b', 'ä')", "bool True"),
        ("'Ä' !in~ ('b', 'ä')", "bool False"),
        ("'Fabrikam' matches regex 'b.*k'", "bool True"),
        ("'Fabrikam' matches regex 'B.*k'", "bool False"),
        ("'Fabrikam' matches regex '(?i)B.*k'", "bool True"),
        ("'abc' matches regex ''", "bool True"),
        ("'ü' matches regex '^.$'", "bool True"),
    ]);
}

#[test]
fn texts_that_grow_end() {
    let tables = typed();
    let mut query = "T | take 1 | project x = 'ab'".to_owned();
    for _ in 0..40 {
        query.push_str(
            " | extend x = strcat(x, x), y = replace_string(x, 'a', x), z = strrep(x, 1024, x)",
        );
    }
    let last = run(&tables, &format!("{query} | project strlen(x), strlen(y), strlen(z)"));
    assert_eq!(last, "strlen_x:long strlen_y:long strlen_z:long\n0|0|0");
}
