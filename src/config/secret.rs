//! What must never be shown.

use std::fmt;

/// A text that only its user may read: `Debug` and `Display` print `***`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Addresses (one, or several with commas) without their passwords: between user and host, and in parameters.
pub(super) fn without_passwords(text: &str) -> String {
    text.split(',').map(one_without_passwords).collect::<Vec<_>>().join(",")
}

fn one_without_passwords(address: &str) -> String {
    let start = address.find("://").map_or(0, |position| position + 3);
    let end = address[start..].find(['/', '?']).map_or(address.len(), |position| start + position);
    // The last @ ends what stands before the host, so a password may hold one.
    let (user, host) = match address[start..end].rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, &address[start..end]),
    };
    let mut shown = address[..start].to_owned();
    if let Some(user) = user {
        let name = user.split_once(':').map_or(user, |(name, _)| name);
        let hidden = if name.len() < user.len() { ":***" } else { "" };
        shown.push_str(&format!("{name}{hidden}@"));
    }
    shown.push_str(host);
    let (path, query) = address[end..].split_once('?').unwrap_or((&address[end..], ""));
    shown.push_str(path);
    let parameters: Vec<String> = query.split('&').map(parameter_without_password).collect();
    if !query.is_empty() {
        shown.push_str(&format!("?{}", parameters.join("&")));
    }
    shown
}

fn parameter_without_password(parameter: &str) -> String {
    match parameter.split_once('=') {
        Some((name, _)) if is_secret_name(name) => format!("{name}=***"),
        _ => parameter.to_owned(),
    }
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["pass", "secret", "token"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_stars() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn passwords_in_addresses_are_hidden() {
        for (text, shown) in [
            ("amqp://user:p@ss@host:5672/v", "amqp://user:***@host:5672/v"),
            ("amqp://user@host", "amqp://user@host"),
            ("jdbc:mysql://h/db?user=u&password=p&useSSL=true", "jdbc:mysql://h/db?user=u&password=***&useSSL=true"),
            ("http://a:9200,https://u:p@b:9200", "http://a:9200,https://u:***@b:9200"),
            ("host:9200", "host:9200"),
            ("", ""),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
    }
}
