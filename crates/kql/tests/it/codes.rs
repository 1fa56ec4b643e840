//! Functions that write texts in another way, or take texts of a known form apart.

use crate::functions::all;

#[test]
fn codes() {
    all(&[
        ("string_size('hello')", "long 5"),
        ("string_size('⒦⒰⒮⒯⒪')", "long 15"),
        ("strlen('⒦⒰⒮⒯⒪')", "long 5"),
        ("strlen('C\u{327}edilla')", "long 8"),
        ("strlen('😀')", "long 1"),
        ("unicode_codepoints_from_string('⒦⒰')", "dynamic [9382,9392]"),
        ("unicode_codepoints_from_string('')", "dynamic []"),
        ("to_utf8('aß')", "dynamic [97,223]"),
        ("unicode_codepoints_to_string(75, 117, 115, 116, 111)", "string Kusto"),
        ("unicode_codepoints_to_string(dynamic([75, 117, 115]), 116, 111)", "string Kusto"),
        ("unicode_codepoints_to_string(75, -1)", "string "),
        ("unicode_codepoints_to_string(55296)", "string "),
        ("make_string(223)", "string ß"),
        ("tohex(256)", "string 100"),
        ("tohex(-256)", "string ffffffffffffff00"),
        ("tohex(toint(-256), 8)", "string ffffff00"),
        ("tohex(256, 8)", "string 00000100"),
        ("tohex(256, 2)", "string 100"),
        ("tohex(1, 99)", "string 0000000000000001"),
        ("tohex(long(null))", "string "),
        ("format_bytes(564)", "string 564 Bytes"),
        ("format_bytes(10332, 1)", "string 10.1 KB"),
        ("format_bytes(20010332)", "string 19 MB"),
        ("format_bytes(20010332, 2)", "string 19.08 MB"),
        ("format_bytes(20010332, 0, 'KB')", "string 19541 KB"),
        ("format_bytes(1024)", "string 1 KB"),
        ("format_bytes(1023)", "string 1023 Bytes"),
        ("format_bytes(real(null))", "string "),
        ("regex_quote('(so$me.Te^xt)')", r"string \(so\$me\.Te\^xt\)"),
        (
            "url_encode('https://www.bing.com/hello world')",
            "string https%3a%2f%2fwww.bing.com%2fhello+world",
        ),
        (
            "url_encode_component('https://www.bing.com/hello world/')",
            "string https%3a%2f%2fwww.bing.com%2fhello%20world%2f",
        ),
        ("url_encode('ü')", "string %c3%bc"),
        ("url_decode('https%3a%2f%2Fwww.bing.com%2f')", "string https://www.bing.com/"),
        ("url_decode('a+b%20c%zz%')", "string a b c%zz%"),
        ("url_decode('%c3%bc')", "string ü"),
        ("base64_encode_tostring('Kusto')", "string S3VzdG8="),
        ("base64_encode_tostring('')", "string "),
        ("base64_decode_tostring('S3VzdG8=')", "string Kusto"),
        ("base64_decode_tostring('U3RyaW5n0KHR0tGA0L7Rh9C60LA=')", "string "),
        ("base64_decode_tostring('S3VzdG8')", "string "),
        ("base64_decode_tostring('====')", "string "),
        ("base64_decode_toarray('S3VzdG8=')", "dynamic [75,117,115,116,111]"),
        ("base64_decode_toarray('x0x0x0')", "dynamic ∅"),
        ("base64_encode_fromarray(dynamic([75, 117, 115, 116, 111]))", "string S3VzdG8="),
        ("base64_encode_fromarray(dynamic([256]))", "string "),
        (
            "base64_encode_fromguid(guid(ae3133f2-6e22-49ae-b06a-16e6a9b212eb))",
            "string 8jMxriJurkmwahbmqbIS6w==",
        ),
        (
            "base64_decode_toguid('8jMxriJurkmwahbmqbIS6w==')",
            "guid ae3133f2-6e22-49ae-b06a-16e6a9b212eb",
        ),
        ("base64_decode_toguid('abcd1231')", "guid ∅"),
        ("punycode_from_string('académie-française')", "string acadmie-franaise-npb1a"),
        ("punycode_from_string('艺术')", "string cqv902d"),
        ("punycode_to_string('acadmie-franaise-npb1a')", "string académie-française"),
        ("punycode_to_string('é')", "string "),
        ("punycode_domain_from_string('xn--Ge-mia.Bulg.edu')", "string Gáe.Bulg.edu"),
        (
            "punycode_domain_from_string('xn--Ry-lja8c.xn--Jng-uta63a.xn--Bng-9ka.com')",
            "string Rúyì.Jīngū.Bàng.com",
        ),
        (
            "punycode_domain_to_string('Lê Lợi。Thuận Thiên。com')",
            "string xn--L Li-gpa4517b.xn--Thun Thin-s4a7194f.com",
        ),
        (
            "gzip_decompress_from_base64_string('H4sIAAAAAAAA/wEUAOv/MTIzNDU2Nzg5MHF3ZXJ0eXVpb3A6m7f2FAAAAA==')",
            "string 1234567890qwertyuiop",
        ),
        ("gzip_decompress_from_base64_string('x0x0x0')", "string "),
        (
            "zlib_decompress_from_base64_string('eJwLSS0uUSguKcrMS1cwNDIGACxqBQ4=')",
            "string Test string 123",
        ),
        (
            "strlen(zlib_decompress_from_base64_string('eNrtk7kVwkAMRFtRa7qnSDIa4wuKIHEAfra1o7mc0SFpK+S7rq4YdzffWreSrKZK7WuRHWNr1S1jtHZzbEK8sR25vDfTysus1mbU4FjenWusbDU7bsZwpWVYe8Sdq44cftmWwI8UgM3yvO90+aanbrupQJ31zvKO6M7thHEpj/ZEbSm2TT7bnjX5BYKRISecNbDssZ6Z6DuH6A3IT2ww0tMWaji488SrNkNZGbvWBsGos6lHMIkYAWOaPtyCAqbGFNvZ3dxbFLYsYtB7x4R4HsPkdBtaII9F2RjmsNUtEhp2svl3oLCnMT1KnieGTSIGhJQDd8u7uSrCENNbfvxIwA1K+BuXGrEpVRgCoSYpApOzlO0/DBxB2RmJB+HQA77PwHHqgjvkjRckQTzE0nlFwf5dClHU5UIJv0O8A1A3ipe89ot+2WwIIEF2mTnRN5ZBXFxR9I2/IoX+M4q11BRG8GJ74j/6znV0XebarLpu0lcGSNqp3aIwGd5rB5zoMmXBZBoRACQF2IFNOT2xS+FatmdYsoX2Ya5IayDO/ApDqEigkiixmdG9zg9HIYYaYIgUOAo1+EAqS9vo3EWR1ztMgVw4vX6+wecbfL7Bv36D79cHJgeE6A=='))",
            "long 1801",
        ),
        ("zlib_decompress_from_base64_string('eJwLSS0uUSguKcrMS1cwNDIGACxqBQ8=')", "string "),
        ("zlib_decompress_from_base64_string('')", "string "),
        (
            "gzip_compress_to_base64_string('1234567890qwertyuiop')",
            "string H4sIAAAAAAAA/wEUAOv/MTIzNDU2Nzg5MHF3ZXJ0eXVpb3A6m7f2FAAAAA==",
        ),
        (
            "zlib_compress_to_base64_string('1234567890qwertyuiop')",
            "string eAEBFADr/zEyMzQ1Njc4OTBxd2VydHl1aW9wOAkGdw==",
        ),
        (
            "gzip_decompress_from_base64_string(gzip_compress_to_base64_string(strrep('ab', 40)))",
            "string abababababababababababababababababababababababababababababababababababababababab",
        ),
        ("tolower('ÄΣ')", "string äσ"),
        ("toupper('straße')", "string STRAßE"),
        ("'ΑΣ' contains 'Σ'", "bool True"),
        ("isascii('abc')", "bool True"),
        ("isascii('ä')", "bool False"),
        ("isutf8('some string')", "bool True"),
    ]);
}

#[test]
fn hashes() {
    all(&[
        ("hash('World')", "long 1846988464401551951"),
        ("hash('World', 100)", "long 51"),
        ("hash(datetime('2015-01-01'))", "long 1380966698541616202"),
        ("hash_xxhash64('Hello')", "long 753694413698530628"),
        ("hash('World', 0)", "long ∅"),
        ("hash_md5('World')", "string f5a7924e621e84c9280a9a27e1bcb7f6"),
        ("hash_md5(datetime(2020-01-01))", "string 786c530672d1f8db31fee25ea8a9390b"),
        ("hash_sha1('World')", "string 70c07ec18ef89c5309bbb0937f3a6342411e1fdd"),
        ("hash_sha1(datetime(2020-01-01))", "string e903e533f4d636b4fc0dcf3cf81e7b7f330de776"),
        (
            "hash_sha256('World')",
            "string 78ae647dc5544d227130a0682a51e30bc7777fbb6d8a8f17007463a3ecd1d524",
        ),
        (
            "hash_sha256(datetime(2020-01-01))",
            "string ba666752dc1a20eb750b0eb64e780cc4c968bc9fb8813461c1d7e750f302d71d",
        ),
    ]);
}

#[test]
fn parts() {
    all(&[
        ("split('aa_bb', '_')", r#"dynamic ["aa","bb"]"#),
        ("split('aaa_bbb_ccc', '_', 1)", r#"dynamic ["bbb"]"#),
        ("split('', '_')", r#"dynamic [""]"#),
        ("split('a__b', '_')", r#"dynamic ["a","","b"]"#),
        ("split('aabbcc', 'bb')", r#"dynamic ["aa","cc"]"#),
        (
            "parse_url('scheme://username:password@host:1234/this/is/a/path?k1=v1&k2=v2#fragment')",
            r#"dynamic {"Scheme":"scheme","Host":"host","Port":"1234","Path":"/this/is/a/path","Username":"username","Password":"password","Query Parameters":{"k1":"v1","k2":"v2"},"Fragment":"fragment"}"#,
        ),
        (
            "parse_url('https://[::1]/')",
            r#"dynamic {"Scheme":"https","Host":"[::1]","Port":"","Path":"","Username":"","Password":"","Query Parameters":{},"Fragment":""}"#,
        ),
        (
            "parse_urlquery('k1=v1&k2=v2&k3=v3')",
            r#"dynamic {"Query Parameters":{"k1":"v1","k2":"v2","k3":"v3"}}"#,
        ),
        ("parse_urlquery('a=1').['Query Parameters'].[strcat('', 'a')]", "dynamic 1"),
        ("parse_urlquery('')", r#"dynamic {"Query Parameters":{}}"#),
        (
            r"parse_path(@'C:\temp\file.txt')",
            r#"dynamic {"Scheme":"","RootPath":"C:","DirectoryPath":"C:\\temp","DirectoryName":"temp","Filename":"file.txt","Extension":"txt","AlternateDataStreamName":""}"#,
        ),
        (
            r"parse_path(@'temp\file.txt')",
            r#"dynamic {"Scheme":"","RootPath":"","DirectoryPath":"temp","DirectoryName":"temp","Filename":"file.txt","Extension":"txt","AlternateDataStreamName":""}"#,
        ),
        (
            "parse_path('file://C:/temp/file.txt:some.exe')",
            r#"dynamic {"Scheme":"file","RootPath":"C:","DirectoryPath":"C:/temp","DirectoryName":"temp","Filename":"file.txt","Extension":"txt","AlternateDataStreamName":"some.exe"}"#,
        ),
        (
            r"parse_path(@'\\shared\users\temp\file.txt.gz')",
            r#"dynamic {"Scheme":"","RootPath":"","DirectoryPath":"\\\\shared\\users\\temp","DirectoryName":"temp","Filename":"file.txt.gz","Extension":"gz","AlternateDataStreamName":""}"#,
        ),
        (
            "parse_path('/usr/lib/temp/file.txt')",
            r#"dynamic {"Scheme":"","RootPath":"","DirectoryPath":"/usr/lib/temp","DirectoryName":"temp","Filename":"file.txt","Extension":"txt","AlternateDataStreamName":""}"#,
        ),
        (
            r#"parse_csv('aa,"b,b,b",cc,"Escaping quotes: ""Title""","line1\nline2"')"#,
            r#"dynamic ["aa","b,b,b","cc","Escaping quotes: \"Title\"","line1\nline2"]"#,
        ),
        (r"parse_csv('record1,a,b,c\nrecord2,x,y,z')", r#"dynamic ["record1","a","b","c"]"#),
        ("parse_csv('a,,')", r#"dynamic ["a","",""]"#),
        ("parse_version('0.0.0.5')", "decimal 5"),
        ("parse_version('0.0.7.0')", "decimal 700000000"),
        ("parse_version('0.2')", "decimal 20000000000000000"),
        ("parse_version('1.2.3.4')", "decimal 1000000020000000300000004"),
        ("parse_version('1')", "decimal 1000000000000000000000000"),
        ("parse_version('1.2.3.4.5')", "decimal ∅"),
        ("parse_version('1.x')", "decimal ∅"),
        ("parse_version('123456789')", "decimal ∅"),
        ("parse_version('')", "decimal ∅"),
        (
            r#"parse_command_line("echo \"hello world!\"", "windows")"#,
            r#"dynamic ["echo","hello world!"]"#,
        ),
        (
            r#"parse_command_line(@'"C:\a b\c.exe" d\\e "f\"g"  h', 'windows')"#,
            r#"dynamic ["C:\\a b\\c.exe","d\\\\e","f\"g","h"]"#,
        ),
        ("parse_command_line('a b', 'unix')", "dynamic ∅"),
    ]);
}

#[test]
fn xml() {
    all(&[
        ("parse_xml('<e/>')", r#"dynamic {"e":null}"#),
        ("parse_xml('<e>text</e>')", r#"dynamic {"e":"text"}"#),
        (r#"parse_xml('<e name="value" />')"#, r#"dynamic {"e":{"@name":"value"}}"#),
        (
            r#"parse_xml('<e name="value">text</e>')"#,
            r##"dynamic {"e":{"@name":"value","#text":"text"}}"##,
        ),
        (
            "parse_xml('<e> <a>text</a> <b>text</b> </e>')",
            r#"dynamic {"e":{"a":"text","b":"text"}}"#,
        ),
        ("parse_xml('<e> <a>text</a> <a>text</a> </e>')", r#"dynamic {"e":{"a":["text","text"]}}"#),
        (
            "parse_xml('<e> text <a>text</a> </e>')",
            r##"dynamic {"e":{"#text":"text","a":"text"}}"##,
        ),
        (
            "parse_xml('<?xml version=\"1.0\"?><!-- c --><e><![CDATA[<&]]>&lt;&#65;&#x42;</e>')",
            r#"dynamic {"e":"<&<AB"}"#,
        ),
        ("parse_xml('<e><a/><a/><a/></e>')", r#"dynamic {"e":{"a":[null,null,null]}}"#),
        ("parse_xml('<e>')", "dynamic ∅"),
        ("parse_xml('<a></b>')", "dynamic ∅"),
        ("parse_xml('<a/><b/>')", "dynamic ∅"),
        ("parse_xml('text')", "dynamic ∅"),
        ("parse_xml('<a b=c/>')", "dynamic ∅"),
        ("parse_xml('&')", "dynamic ∅"),
        ("parse_xml('')", "dynamic ∅"),
    ]);
}
