//! A broker that wants TLS, and one that also wants a name and a password: PLAIN and SCRAM, set with Java's names.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::broker::{Broker, send_to};
use super::{reads, wait_for};
use crate::support::server::{Server, Store};

const STORE_PASSWORD: &str = "for the test alone";
const USER_PASSWORD: &str = "correct horse";
const TOPIC: &str = "zipkin";

/// The JDK's tool, which is there wherever a broker is.
fn keytool(arguments: &[&str]) {
    let output = Command::new("keytool").args(arguments).args(["-storepass", STORE_PASSWORD]).output();
    let output = output.expect("keytool, of the JDK that runs the brokers");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A key for 127.0.0.1 in `keys.p12`, and its certificate in a PEM file.
fn make_keys(folder: &Path) -> (PathBuf, PathBuf) {
    std::fs::create_dir_all(folder).unwrap();
    let (store, certificate) = (folder.join("keys.p12"), folder.join("ca.pem"));
    let store_text = store.to_str().unwrap();
    let common = ["-alias", "broker", "-keystore", store_text, "-storetype", "PKCS12"];
    let made =
        ["-genkeypair", "-keyalg", "RSA", "-dname", "CN=localhost", "-ext", "SAN=ip:127.0.0.1", "-validity", "2"];
    keytool(&[&made[..], &common].concat());
    keytool(&[&["-exportcert", "-rfc", "-file", certificate.to_str().unwrap()][..], &common].concat());
    (store, certificate)
}

/// A broker with a listener of each kind: the ports of TLS alone and of TLS with SASL, and the certificate to trust.
fn start() -> (Broker, u16, u16, PathBuf) {
    // Room for two more listeners.
    let broker = Broker::with_further_ports();
    let (port, folder) = (broker.port(), broker.folder().join("keys"));
    let (tls, sasl) = (port + 2, port + 3);
    let (store, certificate) = make_keys(&folder);
    let listeners = |controller: &str| {
        format!("PLAINTEXT://127.0.0.1:{port},{controller}SSL://127.0.0.1:{tls},SASL_SSL://127.0.0.1:{sasl}")
    };
    let (all, told) = (listeners(&format!("CONTROLLER://127.0.0.1:{},", port + 1)), listeners(""));
    let module = "org.apache.kafka.common.security";
    broker.start_with(&format!(
        "listeners={all}\n\
         advertised.listeners={told}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL\n\
         ssl.keystore.location={}\nssl.keystore.type=PKCS12\nssl.keystore.password={STORE_PASSWORD}\n\
         sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n\
         listener.name.sasl_ssl.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_zipkin=\"{USER_PASSWORD}\";\n\
         listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;\n\
         listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;\n",
        store.display()
    ));
    let servers = broker.servers();
    // One at a time, or the controller refuses both.
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let credential = format!("{mechanism}=[password={USER_PASSWORD}]");
        let what = ["--bootstrap-server", &servers, "--alter", "--add-config", &credential];
        let who = ["--entity-type", "users", "--entity-name", "zipkin"];
        broker.run_tool("kafka.admin.ConfigCommand", &[&what[..], &who].concat());
    }
    broker.create(TOPIC);
    (broker, tls, sasl, certificate)
}

fn body(id: usize) -> String {
    format!(r#"[{{"traceId":"{id:016x}","id":"{id:016x}","name":"n","localEndpoint":{{"serviceName":"s"}}}}]"#)
}

#[test]
fn spans_are_read_over_tls_with_plain_and_with_scram_and_a_wrong_password_is_told() {
    let (broker, tls, sasl, certificate) = start();
    let (tls, sasl) = (format!("127.0.0.1:{tls}"), format!("127.0.0.1:{sasl}"));
    let login = |module: &str, password: &str| {
        format!("org.apache.kafka.common.security.{module} required username=\"zipkin\" password=\"{password}\";")
    };
    let (plain, scram) = ("plain.PlainLoginModule", "scram.ScramLoginModule");
    let cases = [
        ("SSL", &tls, "", String::new()),
        ("SASL_SSL", &sasl, "PLAIN", login(plain, USER_PASSWORD)),
        ("SASL_SSL", &sasl, "SCRAM-SHA-256", login(scram, USER_PASSWORD)),
        ("SASL_SSL", &sasl, "SCRAM-SHA-512", login(scram, USER_PASSWORD)),
        ("SASL_SSL", &sasl, "SCRAM-SHA-512", login(scram, "wrong")),
    ];
    for (index, (protocol, servers, mechanism, login)) in (1..).zip(&cases) {
        let group = format!("group-{index}");
        let mut variables = reads(servers, TOPIC);
        variables.extend([
            ("KAFKA_GROUP_ID", group.as_str()),
            ("ZIPKIN_COLLECTOR_KAFKA_OVERRIDES_SECURITY_PROTOCOL", protocol),
            ("ZIPKIN_COLLECTOR_KAFKA_OVERRIDES_SSL_TRUSTSTORE_TYPE", "PEM"),
            ("ZIPKIN_COLLECTOR_KAFKA_OVERRIDES_SSL_TRUSTSTORE_LOCATION", certificate.to_str().unwrap()),
        ]);
        if !mechanism.is_empty() {
            variables.extend([
                ("ZIPKIN_COLLECTOR_KAFKA_OVERRIDES_SASL_MECHANISM", *mechanism),
                ("ZIPKIN_COLLECTOR_KAFKA_OVERRIDES_SASL_JAAS_CONFIG", login.as_str()),
            ]);
        }
        let server = Server::start(Store::Memory, &variables);
        send_to(&broker.servers(), TOPIC, 0, [body(index)]);
        let target = format!("/api/v2/trace/{index:016x}");
        if login.contains("wrong") {
            wait_for("the refusal is told", || (server.log().contains("SASL authentication error")).then_some(()));
            assert_eq!((server.get(&target).status, server.get("/health").status), (404, 503));
            assert!(!server.log().contains("\"wrong\""), "no password in the log");
        } else {
            wait_for(&format!("{protocol} {mechanism}"), || (server.get(&target).status == 200).then_some(()));
            wait_for(&format!("{protocol} {mechanism} is well"), || {
                (server.get("/health").status == 200).then_some(())
            });
        }
    }
}
