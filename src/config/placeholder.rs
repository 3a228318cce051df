//! `${NAME:default}` in files and arguments, as in zipkin's own file of settings.

use super::sources::EnvSource;

/// How deep a default may hold a further placeholder.
const DEPTH_MAX: usize = 8;

/// Replaces every placeholder by the environment variable it names, else by its default.
///
/// # Errors
/// Why it cannot be done: a variable that is not set and has no default, a brace that is missing.
pub(super) fn resolve(text: &str, env: &dyn EnvSource) -> Result<String, String> {
    resolve_within(text, env, DEPTH_MAX)
}

fn resolve_within(text: &str, env: &dyn EnvSource, depth: usize) -> Result<String, String> {
    if depth == 0 {
        return Err(format!("holds more than {DEPTH_MAX} placeholders within each other"));
    }
    let mut resolved = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        resolved.push_str(&rest[..start]);
        let body = &rest[start + 2..];
        let end = closing_brace(body).ok_or("holds a placeholder without its closing brace")?;
        let (name, default) = match body[..end].split_once(':') {
            Some((name, default)) => (name, Some(default)),
            None => (&body[..end], None),
        };
        match (env.get(name), default) {
            (Some(value), _) => resolved.push_str(&value),
            (None, Some(default)) => resolved.push_str(&resolve_within(default, env, depth - 1)?),
            (None, None) => return Err(format!("names the variable \"{name}\", which is not set")),
        }
        rest = &body[end + 1..];
    }
    resolved.push_str(rest);
    Ok(resolved)
}

/// Position of the brace that closes a placeholder whose inside starts at 0.
fn closing_brace(body: &str) -> Option<usize> {
    let mut open = 1;
    for (position, byte) in body.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(position);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn env() -> HashMap<String, String> {
        HashMap::from([("SET".to_owned(), "value".to_owned())])
    }

    #[test]
    fn a_placeholder_becomes_the_variable_or_its_default() {
        assert_eq!(resolve("a ${SET} b", &env()).unwrap(), "a value b");
        assert_eq!(resolve("${SET:other}", &env()).unwrap(), "value");
        assert_eq!(resolve("${MISSING:http://x:1}", &env()).unwrap(), "http://x:1");
        assert_eq!(resolve("${MISSING:}", &env()).unwrap(), "");
        assert_eq!(resolve("${MISSING:${SET:deep}}!", &env()).unwrap(), "value!");
    }

    #[test]
    fn a_placeholder_that_cannot_be_filled_is_told() {
        assert_eq!(resolve("${MISSING}", &env()).unwrap_err(), "names the variable \"MISSING\", which is not set");
        assert_eq!(resolve("${SET", &env()).unwrap_err(), "holds a placeholder without its closing brace");
        let deep = format!("{}x{}", "${A:".repeat(9), "}".repeat(9));
        assert_eq!(resolve(&deep, &env()).unwrap_err(), "holds more than 8 placeholders within each other");
    }
}
