//! Consumer properties as Kafka's Java client names them (`zipkin.collector.kafka.overrides.*`), in librdkafka's words.
//!
//! Most have the same name in both. A property of librdkafka's own passes through; what neither side can mean here is told
//! in one line.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

/// What became of one property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mapped {
    /// These properties of librdkafka say the same.
    To(Vec<(String, String)>),
    /// It does nothing here, because.
    NoEffect(String),
    /// Its value is wrong, because.
    Wrong(String),
}

/// Java name and librdkafka's, where they differ and the value is the same.
const RENAMED: &[(&str, &str)] = &[
    ("fetch.max.wait.ms", "fetch.wait.max.ms"),
    ("request.timeout.ms", "socket.timeout.ms"),
    ("receive.buffer.bytes", "socket.receive.buffer.bytes"),
    ("send.buffer.bytes", "socket.send.buffer.bytes"),
    ("ssl.truststore.certificates", "ssl.ca.pem"),
    ("ssl.keystore.certificate.chain", "ssl.certificate.pem"),
    ("ssl.keystore.key", "ssl.key.pem"),
];

/// Properties that this collector decides itself, or that only the Java client has, and why they do nothing.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("enable.auto.commit", "offsets are committed when their spans are stored"),
    ("enable.auto.offset.store", "offsets are committed when their spans are stored"),
    ("max.poll.records", "messages are bounded by memory (KAFKA_PREFETCH_BYTES, INGEST_MEMORY_BYTES), not by polls"),
    ("queued.max.messages.kbytes", "KAFKA_PREFETCH_BYTES decides it"),
    ("statistics.interval.ms", "the collector's metrics need their own"),
    ("enable.partition.eof", "the collector needs it"),
    ("key.deserializer", "messages are bytes"),
    ("value.deserializer", "messages are bytes"),
    ("interceptor.classes", "there are no Java classes here"),
    ("metric.reporters", "there are no Java classes here"),
    ("config.providers", "there are no Java classes here"),
    ("security.providers", "there are no Java classes here"),
    ("ssl.engine.factory.class", "there are no Java classes here"),
    ("sasl.client.callback.handler.class", "there are no Java classes here"),
    ("sasl.login.callback.handler.class", "there are no Java classes here"),
    ("sasl.login.class", "there are no Java classes here"),
    ("auto.include.jmx.reporter", "there is no JMX here"),
    ("enable.metrics.push", "the collector's metrics stand under /prometheus"),
    ("metrics.num.samples", "the collector's metrics stand under /prometheus"),
    ("metrics.sample.window.ms", "the collector's metrics stand under /prometheus"),
    ("metrics.recording.level", "the collector's metrics stand under /prometheus"),
    ("default.api.timeout.ms", "librdkafka has a time limit for each call"),
    ("exclude.internal.topics", "topics are named, not matched"),
    ("ssl.protocol", "OpenSSL takes the newest version both sides know"),
    ("ssl.enabled.protocols", "OpenSSL takes the newest version both sides know"),
    ("ssl.provider", "TLS is OpenSSL"),
    ("ssl.secure.random.implementation", "TLS is OpenSSL"),
    ("ssl.keymanager.algorithm", "TLS is OpenSSL"),
    ("ssl.trustmanager.algorithm", "TLS is OpenSSL"),
    ("ssl.truststore.password", "a PEM file has none"),
];

/// Assignors of the Java client, by the end of the class name.
const ASSIGNORS: &[(&str, &str)] = &[
    ("CooperativeStickyAssignor", "cooperative-sticky"),
    ("RangeAssignor", "range"),
    ("RoundRobinAssignor", "roundrobin"),
];

/// Properties whose meaning depends on another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct StoreTypes {
    keystore_is_pem: bool,
    truststore_is_pem: bool,
}

/// Maps all properties that are set; each with what became of it.
#[must_use]
pub fn map(properties: &[(String, String)]) -> Vec<(String, Mapped)> {
    let value = |name: &str| properties.iter().find(|(set, _)| set == name).map(|(_, value)| value.as_str());
    let is_pem = |name: &str| value(name).is_some_and(|value| value.eq_ignore_ascii_case("PEM"));
    let types =
        StoreTypes { keystore_is_pem: is_pem("ssl.keystore.type"), truststore_is_pem: is_pem("ssl.truststore.type") };
    properties.iter().map(|(name, value)| (name.clone(), map_one(name, value, types))).collect()
}

fn map_one(name: &str, value: &str, types: StoreTypes) -> Mapped {
    if let Some((_, reason)) = WITHOUT_EFFECT.iter().find(|(known, _)| *known == name) {
        return Mapped::NoEffect((*reason).to_owned());
    }
    let one = |name: &str, value: &str| checked(vec![(name.to_owned(), value.to_owned())]);
    if let Some((_, ours)) = RENAMED.iter().find(|(java, _)| *java == name) {
        return one(ours, value);
    }
    match name {
        // Java's word for what librdkafka calls an error.
        "auto.offset.reset" if value == "none" => one(name, "error"),
        "partition.assignment.strategy" => assignors(value),
        "ssl.endpoint.identification.algorithm" if value.is_empty() => one(name, "none"),
        "sasl.jaas.config" => jaas(value),
        "ssl.keystore.type" | "ssl.truststore.type" => store_type(name, value),
        "ssl.truststore.location" if types.truststore_is_pem => one("ssl.ca.location", value),
        "ssl.truststore.location" => Mapped::NoEffect(
            "Java's own key stores are not read: set ssl.truststore.type to PEM and name a PEM file".into(),
        ),
        "ssl.keystore.location" if types.keystore_is_pem => checked(vec![
            ("ssl.certificate.location".to_owned(), value.to_owned()),
            ("ssl.key.location".to_owned(), value.to_owned()),
        ]),
        _ => one(name, value),
    }
}

/// Asks librdkafka itself whether it knows the properties.
fn checked(pairs: Vec<(String, String)>) -> Mapped {
    for (name, value) in &pairs {
        let mut config = ClientConfig::new();
        config.set(name, value);
        match config.create_native_config() {
            Ok(_) => {}
            Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => {
                return Mapped::NoEffect("librdkafka has no such property".to_owned());
            }
            // The reason names the property, never a secret's value: it comes from librdkafka's own table.
            Err(KafkaError::ClientConfig(_, reason, ..)) => return Mapped::Wrong(reason),
            Err(error) => return Mapped::Wrong(error.to_string()),
        }
    }
    Mapped::To(pairs)
}

/// Class names, or librdkafka's words, with commas between them. Eager and cooperative ones cannot be mixed here: a member
/// that offers both in Java is on its way to the cooperative one.
fn assignors(value: &str) -> Mapped {
    let mut names = Vec::new();
    for class in value.split(',').map(str::trim).filter(|class| !class.is_empty()) {
        let known =
            ASSIGNORS.iter().find(|(end, word)| class.rsplit(['.', '$']).next() == Some(*end) || class == *word);
        match known {
            Some((_, word)) => names.push(*word),
            None => return Mapped::NoEffect(format!("there is no assignor \"{class}\" here")),
        }
    }
    if names.contains(&"cooperative-sticky") {
        names.retain(|name| *name == "cooperative-sticky");
    }
    checked(vec![("partition.assignment.strategy".to_owned(), names.join(","))])
}

/// `...PlainLoginModule required username="u" password="p";` and the same of SCRAM.
fn jaas(value: &str) -> Mapped {
    if !(value.contains("PlainLoginModule") || value.contains("ScramLoginModule")) {
        return Mapped::NoEffect("only the login modules of PLAIN and SCRAM are known here".to_owned());
    }
    let option = |name: &str| {
        let start = value.find(&format!("{name}="))? + name.len() + 1;
        let quote = value[start..].chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let text = &value[start + 1..];
        let end = text.find(quote)?;
        Some(text[..end].to_owned())
    };
    match (option("username"), option("password")) {
        (Some(user), Some(password)) => {
            Mapped::To(vec![("sasl.username".to_owned(), user), ("sasl.password".to_owned(), password)])
        }
        _ => Mapped::Wrong("names no username and password in quotes".to_owned()),
    }
}

fn store_type(name: &str, value: &str) -> Mapped {
    let is_keystore = name == "ssl.keystore.type";
    match value.to_ascii_uppercase().as_str() {
        "PEM" => Mapped::To(Vec::new()),
        "PKCS12" if is_keystore => Mapped::To(Vec::new()),
        other => Mapped::NoEffect(format!("stores of type {other} are not read here, only PEM (and PKCS12 for keys)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(name: &str, value: &str) -> Mapped {
        map(&[(name.to_owned(), value.to_owned())]).remove(0).1
    }

    fn to(pairs: &[(&str, &str)]) -> Mapped {
        Mapped::To(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn properties_of_both_clients_pass_and_others_are_renamed() {
        for (name, value, expected) in [
            ("auto.offset.reset", "latest", to(&[("auto.offset.reset", "latest")])),
            ("auto.offset.reset", "none", to(&[("auto.offset.reset", "error")])),
            ("session.timeout.ms", "6000", to(&[("session.timeout.ms", "6000")])),
            ("group.instance.id", "a", to(&[("group.instance.id", "a")])),
            ("max.partition.fetch.bytes", "77777", to(&[("max.partition.fetch.bytes", "77777")])),
            ("fetch.max.wait.ms", "50", to(&[("fetch.wait.max.ms", "50")])),
            ("request.timeout.ms", "5000", to(&[("socket.timeout.ms", "5000")])),
            ("security.protocol", "SASL_SSL", to(&[("security.protocol", "SASL_SSL")])),
            ("sasl.mechanism", "SCRAM-SHA-512", to(&[("sasl.mechanism", "SCRAM-SHA-512")])),
            ("isolation.level", "read_uncommitted", to(&[("isolation.level", "read_uncommitted")])),
            ("ssl.endpoint.identification.algorithm", "", to(&[("ssl.endpoint.identification.algorithm", "none")])),
            ("queued.min.messages", "5", to(&[("queued.min.messages", "5")])),
        ] {
            assert_eq!(mapped(name, value), expected, "{name}={value}");
        }
    }

    #[test]
    fn assignors_go_by_class_and_cooperative_ones_are_not_mixed() {
        let strategy = |value: &str| mapped("partition.assignment.strategy", value);
        let set = |value: &str| to(&[("partition.assignment.strategy", value)]);
        assert_eq!(strategy("org.apache.kafka.clients.consumer.RangeAssignor"), set("range"));
        let both = "org.apache.kafka.clients.consumer.RangeAssignor,org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
        assert_eq!(strategy(both), set("cooperative-sticky"));
        assert_eq!(strategy("range,roundrobin"), set("range,roundrobin"));
        assert!(matches!(strategy("com.example.Mine"), Mapped::NoEffect(_)));
    }

    #[test]
    fn names_and_passwords_are_taken_from_a_login_module() {
        let module =
            r#"org.apache.kafka.common.security.scram.ScramLoginModule required username="zip;kin" password='s"x';"#;
        assert_eq!(mapped("sasl.jaas.config", module), to(&[("sasl.username", "zip;kin"), ("sasl.password", "s\"x")]));
        let other = "com.sun.security.auth.module.Krb5LoginModule required;";
        assert!(matches!(mapped("sasl.jaas.config", other), Mapped::NoEffect(_)));
        let broken = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"a\";";
        assert!(matches!(mapped("sasl.jaas.config", broken), Mapped::Wrong(_)));
    }

    #[test]
    fn stores_of_keys_are_read_as_pem() {
        let set = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            map(&pairs).into_iter().map(|(_, mapped)| mapped).collect::<Vec<_>>()
        };
        let found = set(&[("ssl.truststore.type", "PEM"), ("ssl.truststore.location", "/ca.pem")]);
        assert_eq!(found, [to(&[]), to(&[("ssl.ca.location", "/ca.pem")])]);
        let found = set(&[("ssl.keystore.location", "/key.pem"), ("ssl.keystore.type", "PEM")]);
        assert_eq!(found[0], to(&[("ssl.certificate.location", "/key.pem"), ("ssl.key.location", "/key.pem")]));
        assert!(matches!(mapped("ssl.truststore.location", "/ca.jks"), Mapped::NoEffect(_)));
        assert!(matches!(mapped("ssl.keystore.type", "JKS"), Mapped::NoEffect(_)));
    }

    #[test]
    fn what_does_nothing_and_what_is_wrong_is_told() {
        for name in ["max.poll.records", "enable.auto.commit", "value.deserializer", "no.such.property"] {
            assert!(matches!(mapped(name, "1"), Mapped::NoEffect(_)), "{name}");
        }
        assert!(matches!(mapped("session.timeout.ms", "soon"), Mapped::Wrong(_)));
        assert!(matches!(mapped("auto.offset.reset", "sometimes"), Mapped::Wrong(_)));
    }

    #[test]
    fn no_property_is_both_renamed_and_without_effect() {
        for (name, _) in RENAMED {
            assert!(WITHOUT_EFFECT.iter().all(|(other, _)| other != name), "{name}");
        }
    }
}
