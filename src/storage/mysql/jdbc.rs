//! Addresses as zipkin-server takes them: those of MariaDB's driver for Java.

use std::str::FromStr;

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};

/// Reads `jdbc:mysql://host:port/database?user=u&password=p&useSSL=true`, the same with `jdbc:mariadb:`, and `mysql://...`.
///
/// Parameters about user, password and encryption count; others tune the Java driver and are left out.
pub(super) fn parse(url: &str) -> Result<MySqlConnectOptions, String> {
    let Some(address) = url.strip_prefix("jdbc:") else {
        if !(url.starts_with("mysql://") || url.starts_with("mariadb://")) {
            return Err("does not begin with jdbc:mysql://, jdbc:mariadb:// or mysql://".to_owned());
        }
        return MySqlConnectOptions::from_str(url).map_err(|error| format!("is not understood: {error}"));
    };
    let rest = address.strip_prefix("mysql://").or_else(|| address.strip_prefix("mariadb://"));
    let rest = rest.ok_or("is neither jdbc:mysql:// nor jdbc:mariadb://")?;
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, database) = place.split_once('/').unwrap_or((place, ""));
    if host.contains([',', '(']) {
        return Err("names several hosts, which is not understood: put a balancer before them".to_owned());
    }
    let (host, port) = split_port(host)?;
    let mut options = MySqlConnectOptions::new().host(host).port(port).ssl_mode(MySqlSslMode::Disabled);
    if !database.is_empty() {
        options = options.database(database);
    }
    for (name, value) in form_urlencoded::parse(parameters.as_bytes()) {
        options = match (&*name, &*value) {
            ("user", user) => options.username(user),
            ("password", password) => options.password(password),
            ("useSsl" | "useSSL" | "requireSSL", "true") => options.ssl_mode(MySqlSslMode::Required),
            ("sslMode", "trust" | "REQUIRED") => options.ssl_mode(MySqlSslMode::Required),
            ("sslMode", "verify-ca" | "VERIFY_CA") => options.ssl_mode(MySqlSslMode::VerifyCa),
            ("sslMode", "verify-full" | "VERIFY_IDENTITY") => options.ssl_mode(MySqlSslMode::VerifyIdentity),
            _ => options,
        };
    }
    Ok(options)
}

fn split_port(host: &str) -> Result<(&str, u16), String> {
    let after_brackets = host.rfind(']').map_or(0, |end| end + 1);
    let Some(colon) = host[after_brackets..].rfind(':').map(|colon| after_brackets + colon) else {
        return Ok((bare(host), 3306));
    };
    let port = host[colon + 1..].parse().map_err(|_| format!("has no port in {:?}", &host[colon + 1..]))?;
    Ok((bare(&host[..colon]), port))
}

/// An IPv6 address without its brackets; nobody means a host without a name.
fn bare(host: &str) -> &str {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() { "localhost" } else { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_zipkin_server_are_understood() {
        for (url, host, port, database, tls) in [
            ("jdbc:mysql://db:3307/traces?user=u&password=p%26q&useSSL=true", "db", 3307, Some("traces"), "Required"),
            ("jdbc:mariadb://db/zipkin?autoReconnect=true", "db", 3306, Some("zipkin"), "Disabled"),
            ("jdbc:mysql://[::1]:4000/z?sslMode=verify-full", "::1", 4000, Some("z"), "VerifyIdentity"),
            ("jdbc:mysql://db", "db", 3306, None, "Disabled"),
            ("mysql://u:p@db:3306/z", "db", 3306, Some("z"), "Preferred"),
        ] {
            let options = parse(url).unwrap();
            let read = (options.get_host(), options.get_port(), options.get_database());
            assert_eq!(read, (host, port, database), "{url}");
            assert_eq!(format!("{:?}", options.get_ssl_mode()), tls, "{url}");
        }
        assert_eq!(parse("jdbc:mysql://db/z?user=u").unwrap().get_username(), "u");
    }

    #[test]
    fn what_is_not_understood_is_said_without_the_password() {
        for url in [
            "jdbc:postgresql://u:secret@h/d",
            "jdbc:mysql://a,b/z?password=secret",
            "http://secret",
            "jdbc:mysql://h:x/d",
        ] {
            let reason = parse(url).map(|_| ()).unwrap_err();
            assert!(!reason.contains("secret"), "{reason}");
        }
    }
}
