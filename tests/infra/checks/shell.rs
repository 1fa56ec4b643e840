//! Commands as a shell and PowerShell take them apart: enough to see that quotes are closed, and what an option's value is.

/// The words of a POSIX shell's command, quotes taken away.
pub(crate) fn words(command: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err("a single quote is not closed".to_owned()),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => word.extend(chars.next()),
                        Some(c) => word.push(c),
                        None => return Err("a double quote is not closed".to_owned()),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c if c.is_whitespace() => words.extend(word.take()),
            '`' | '!' | '*' | '?' | '#' => {
                return Err(format!("`{c}` means something to the shell"));
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// The tokens of a PowerShell command: parentheses and commas on their own, quotes taken away.
pub(crate) fn tokens(command: &str) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut token: Option<String> = None;
    let mut depth = 0_i32;
    let mut chars = command.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let token = token.get_or_insert_default();
                loop {
                    match chars.next() {
                        // Two stand for one.
                        Some('\'') if chars.next_if_eq(&'\'').is_some() => token.push('\''),
                        Some('\'') => break,
                        Some(c) => token.push(c),
                        None => return Err("a single quote is not closed".to_owned()),
                    }
                }
            }
            '(' | ')' | ',' => {
                tokens.extend(token.take());
                tokens.push(c.to_string());
                depth += i32::from(c == '(') - i32::from(c == ')');
                if depth < 0 {
                    return Err("a parenthesis is closed that was not opened".to_owned());
                }
            }
            c if c.is_whitespace() => tokens.extend(token.take()),
            c => token.get_or_insert_default().push(c),
        }
    }
    if depth != 0 {
        return Err("a parenthesis is not closed".to_owned());
    }
    tokens.extend(token);
    Ok(tokens)
}

/// The word after an option.
pub(crate) fn option<'w>(words: &'w [String], name: &str) -> Option<&'w str> {
    let at = words.iter().position(|word| word == name)?;
    words.get(at + 1).map(String::as_str)
}

#[test]
fn words_are_those_of_a_shell() {
    let command = r#"az x --a 'it'\''s' --b "two words" --c='{"k":1}' d\ e"#;
    assert_eq!(
        words(command).expect("words"),
        ["az", "x", "--a", "it's", "--b", "two words", "--c={\"k\":1}", "d e"]
    );
    assert!(words("az 'x").is_err() && words("az \"x").is_err() && words("az x*").is_err());
    let command = "New-AzX -A 'it''s' -B @((Y -C d), (Z)) | Out-Null";
    let expected = [
        "New-AzX", "-A", "it's", "-B", "@", "(", "(", "Y", "-C", "d", ")", ",", "(", "Z", ")", ")",
        "|", "Out-Null",
    ];
    assert_eq!(tokens(command).expect("tokens"), expected);
    assert!(tokens("X 'a").is_err() && tokens("X (").is_err() && tokens("X )").is_err());
    assert_eq!(option(&tokens(command).expect("tokens"), "-A"), Some("it's"));
}
