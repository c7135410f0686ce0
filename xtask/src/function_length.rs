//! How long functions are, in lines, by matching braces in code without comments and literals.

use crate::source_file::SourceFile;

/// One function and its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FunctionLength {
    /// The file, named from the root.
    pub(crate) path: String,
    /// The line of `fn`, counted from 1.
    pub(crate) line: usize,
    /// The function's name.
    pub(crate) name: String,
    /// From the line of `fn` to that of the closing brace, both counted.
    pub(crate) line_count: usize,
}

/// The functions of a file that have a body, in order; an inner function counts for itself and for the outer one.
pub(crate) fn function_lengths(file: &SourceFile) -> Vec<FunctionLength> {
    let code = file.code.as_str();
    code.match_indices("fn ")
        .filter(|(at, _)| {
            let before = code[..*at].chars().next_back();
            !before.is_some_and(|before| before.is_alphanumeric() || before == '_')
        })
        .filter_map(|(at, keyword)| {
            let signature = &code[at + keyword.len()..];
            let name: String = signature
                .trim_start()
                .chars()
                .take_while(|character| character.is_alphanumeric() || *character == '_')
                .collect();
            let body_bytes = body_end(signature)?;
            let line = 1 + code[..at].matches('\n').count();
            let line_count = 1 + signature[..body_bytes].matches('\n').count();
            (!name.is_empty()).then(|| FunctionLength {
                path: file.path.clone(),
                line,
                name,
                line_count,
            })
        })
        .collect()
}

/// Where the body ends that follows a signature; `None` where a semicolon ends it without one.
fn body_end(signature: &str) -> Option<usize> {
    let mut nested = 0_usize;
    let mut braces = 0_usize;
    for (at, byte) in signature.bytes().enumerate() {
        match byte {
            b'(' | b'[' => nested += 1,
            b')' | b']' => nested = nested.saturating_sub(1),
            b';' if nested == 0 && braces == 0 => return None,
            b'{' => braces += 1,
            b'}' => {
                braces = braces.checked_sub(1)?;
                if braces == 0 && nested == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(text: &str) -> Vec<(String, usize, usize)> {
        function_lengths(&SourceFile::new("crates/a/src/b.rs", text.to_owned()))
            .into_iter()
            .map(|function| (function.name, function.line, function.line_count))
            .collect()
    }

    #[test]
    fn functions_are_measured_by_their_braces() {
        let text = "\
//! fn not_this() {}
fn one() {}
trait T {
    fn without_body(&self, array: [u8; 4]) -> u8;
    fn with_body(&self, array: [u8; 4]) -> u8 {
        let text = \"}\";
        if true { 1 } else { 2 }
    }
}
type Pointer = fn (u8) -> u8;
";
        assert_eq!(
            lengths(text),
            [("one".to_owned(), 2, 1), ("with_body".to_owned(), 5, 4)]
        );
    }

    #[test]
    fn an_unclosed_body_is_not_measured() {
        assert_eq!(lengths("fn broken() {\n"), []);
    }
}
