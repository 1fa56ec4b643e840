//! x
#[test] fn a() { let mut p = tree_sitter::Parser::new(); p.set_language(&tree_sitter_bicep::LANGUAGE.into()).unwrap(); 
let t = std::fs::read_to_string(std::env::var("B").unwrap()).unwrap();
let tree = p.parse(&t, None).unwrap(); println!("{}", tree.root_node().to_sexp()); }
