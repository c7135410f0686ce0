//! Rust source with everything blanked that is not code.
//!
//! Several checks ask whether a word stands in the *code*: `unsafe` in a comment is no unsafe block. Comments, strings
//! and characters become spaces; line breaks stay, so a line number means the same in both texts.

/// The source with comments, string literals and character literals replaced by spaces.
pub(crate) fn mask(source: &str) -> String {
    let mut scanner = Scanner {
        rest: source,
        masked: String::with_capacity(source.len()),
    };
    while let Some(character) = scanner.rest.chars().next() {
        let length = literal_or_comment_bytes(scanner.rest, scanner.after_word());
        if length > 0 {
            scanner.blank(length);
        } else {
            scanner.keep(character);
        }
    }
    scanner.masked
}

struct Scanner<'s> {
    rest: &'s str,
    masked: String,
}

impl Scanner<'_> {
    fn keep(&mut self, character: char) {
        self.masked.push(character);
        self.rest = &self.rest[character.len_utf8()..];
    }

    fn blank(&mut self, length: usize) {
        let (blanked, rest) = self.rest.split_at(length);
        self.masked.extend(
            blanked
                .chars()
                .map(|character| if character == '\n' { '\n' } else { ' ' }),
        );
        self.rest = rest;
    }

    /// True inside a word, where an `r` or a `b` does not begin a literal.
    fn after_word(&self) -> bool {
        self.masked
            .chars()
            .next_back()
            .is_some_and(|last| last.is_alphanumeric() || last == '_')
    }
}

/// How many bytes at the start of `rest` are one comment or literal; 0 where code stands.
fn literal_or_comment_bytes(rest: &str, after_word: bool) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment_bytes(rest);
    }
    if !after_word {
        for prefix in ["r", "br", "cr"] {
            let length = raw_string_bytes(rest, prefix);
            if length > 0 {
                return length;
            }
        }
    }
    if let Some(body) = rest.strip_prefix('"') {
        return 1 + quoted_bytes(body, '"');
    }
    if rest.starts_with('\'') {
        return character_bytes(rest);
    }
    0
}

fn block_comment_bytes(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => {
                depth += 1;
                at += 2;
            }
            b"*/" => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a raw string that begins with `prefix`, `#`s and a quote; 0 where none begins.
fn raw_string_bytes(rest: &str, prefix: &str) -> usize {
    let Some(after_prefix) = rest.strip_prefix(prefix) else {
        return 0;
    };
    let hashes = after_prefix
        .bytes()
        .take_while(|&byte| byte == b'#')
        .count();
    let Some(body) = after_prefix[hashes..].strip_prefix('"') else {
        return 0;
    };
    let end = format!("\"{}", "#".repeat(hashes));
    let opening = rest.len() - body.len();
    body.find(&end)
        .map_or(rest.len(), |at| opening + at + end.len())
}

/// The length of a body with escapes up to its closing `quote`, the quote included.
fn quoted_bytes(body: &str, quote: char) -> usize {
    let mut characters = body.char_indices();
    while let Some((at, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == quote {
            return at + quote.len_utf8();
        }
    }
    body.len()
}

/// The length of a character literal; 0 where the quote begins a lifetime.
fn character_bytes(rest: &str) -> usize {
    let body = &rest[1..];
    let mut characters = body.chars();
    match (characters.next(), characters.next()) {
        (Some('\\'), _) => 1 + quoted_bytes(body, '\''),
        (Some(one), Some('\'')) => 1 + one.len_utf8() + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_remains() {
        for (source, expected) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            ("/* never closed", "               "),
            (r#"f("x", 1)"#, "f(   , 1)"),
            (r#"f("\"x", 1)"#, "f(     , 1)"),
            ("r\"x\\\" y", "      y"),
            ("r#\"a \" b\"# c", "           c"),
            ("br##\"a\"# b\"## c", "              c"),
            ("bar\"x\"", "bar   "),
            ("r#type", "r#type"),
            ("'a' 'static '\\'' x", "    'static      x"),
            ("'é' x", "    x"),
            ("b'\"' x", "b    x"),
            ("&'a str", "&'a str"),
            ("\"a\nb\" c", "  \n   c"),
        ] {
            assert_eq!(mask(source), expected, "of {source}");
        }
    }

    #[test]
    fn line_numbers_stay() {
        let source = "//! one\nfn a() {\n    \"two\n three\"; /* four\n five */ b()\n}\n";
        assert_eq!(mask(source).lines().count(), source.lines().count());
    }
}
