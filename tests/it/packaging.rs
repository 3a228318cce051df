//! What the image, the compose files and the units set is what the server reads.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use serde::Deserialize;
use zipkind::config::Config;
use zipkind::config::variables::{self, Effect, Preset, Variable};

#[derive(Debug, Deserialize)]
struct Compose {
    services: BTreeMap<String, Service>,
    #[serde(default)]
    volumes: BTreeMap<String, Option<serde_json::Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Service {
    image: String,
    build: Option<Build>,
    environment: BTreeMap<String, String>,
    depends_on: BTreeMap<String, serde_json::Value>,
    healthcheck: Option<serde_json::Value>,
    volumes: Vec<String>,
    read_only: bool,
}

#[derive(Debug, Deserialize)]
struct Build {
    context: PathBuf,
    dockerfile: PathBuf,
}

fn packaging(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docker").join(file)
}

fn text(file: &str) -> String {
    std::fs::read_to_string(packaging(file)).unwrap_or_else(|error| panic!("docker/{file}: {error}"))
}

/// Every `compose*.yml`, by name.
fn compose_files() -> Vec<(String, Compose)> {
    let entries =
        std::fs::read_dir(packaging("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names = entries.filter(|name| name.starts_with("compose") && name.ends_with(".yml"));
    let read = |name: String| {
        let compose = serde_saphyr::from_str(&text(&name)).unwrap_or_else(|error| panic!("docker/{name}: {error}"));
        (name, compose)
    };
    let files: Vec<_> = names.map(read).collect();
    assert!(!files.is_empty());
    files
}

fn variable(name: &str) -> Option<&'static Variable> {
    variables::all().find(|row| row.names.contains(&name))
}

/// Fails for a variable that this version does not know, or knows and does nothing with.
fn assert_has_effect(file: &str, name: &str) {
    let row = variable(name).unwrap_or_else(|| panic!("{file}: the server has no variable {name}"));
    assert!(!matches!(row.effect, Effect::Nothing(_)), "{file}: {name} has no effect: {:?}", row.effect);
}

#[test]
fn every_variable_that_a_compose_file_sets_has_an_effect() {
    for (name, compose) in compose_files() {
        let server = compose.services.get("zipkind").unwrap_or_else(|| panic!("{name} has no service zipkind"));
        assert!(!server.environment.is_empty());
        for variable in server.environment.keys() {
            assert_has_effect(&name, variable);
        }
    }
}

#[test]
fn what_a_compose_file_sets_is_a_configuration_that_the_server_takes_without_a_note() {
    for (name, compose) in compose_files() {
        let environment: HashMap<String, String> =
            compose.services["zipkind"].environment.clone().into_iter().collect();
        let folder = tempfile::tempdir().unwrap();
        let examined = Config::examine(&[], &environment, folder.path());
        assert!(examined.outcome.is_ok() && examined.notes.is_empty(), "{name}:\n{examined}");
    }
}

#[test]
fn compose_files_start_the_image_confined_and_refer_only_to_what_they_have() {
    for (name, compose) in compose_files() {
        let server = &compose.services["zipkind"];
        assert!(server.read_only, "{name}");
        let build = server.build.as_ref().expect("the image is built here");
        assert!(packaging(build.context.to_str().unwrap()).join(&build.dockerfile).is_file(), "{name}: {build:?}");
        for (service_name, service) in &compose.services {
            assert!(!service.image.is_empty(), "{name}: {service_name}");
            for wanted in service.depends_on.keys() {
                let wanted_service = compose.services.get(wanted).unwrap_or_else(|| panic!("{name}: no {wanted}"));
                assert!(wanted_service.healthcheck.is_some(), "{name}: {wanted} is waited for without a health check");
            }
            for volume in service.volumes.iter().filter(|volume| !volume.starts_with(['.', '/'])) {
                let volume = volume.split(':').next().unwrap();
                assert!(compose.volumes.contains_key(volume), "{name}: no volume {volume}");
            }
        }
    }
}

#[test]
fn the_image_keeps_its_data_in_its_volume_and_exposes_the_default_ports() {
    let dockerfile = text("Dockerfile");
    let line = |start: &str| {
        let found = dockerfile.lines().rev().find(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("the Dockerfile has no {start}")).trim_start_matches(start).trim()
    };
    let (name, value) = line("ENV ").split_once('=').unwrap();
    assert_has_effect("Dockerfile", name);
    assert_eq!((name, value), ("SQLITE_PATH", line("VOLUME ")));
    assert_eq!(line("WORKDIR "), line("VOLUME "));
    assert_eq!(line("EXPOSE ").split(' ').collect::<Vec<_>>(), default_ports());
    assert!(line("FROM ").ends_with(":nonroot"));
}

/// Ports of everything, of OTLP over gRPC and over HTTP.
fn default_ports() -> Vec<&'static str> {
    let names = ["QUERY_PORT", "COLLECTOR_OTLP_GRPC_PORT", "COLLECTOR_OTLP_HTTP_PORT"];
    let ports = names.map(|name| match variable(name).unwrap().default {
        Preset::Text(port) | Preset::Computed(port) => port,
        Preset::Unset => panic!("{name} has no default"),
    });
    ports.to_vec()
}

#[test]
fn each_port_has_a_socket_unit_that_says_what_it_is_for() {
    let sockets = ["zipkind.socket", "zipkind-otlp-grpc.socket", "zipkind-otlp-http.socket"];
    let names = ["http", "otlp-grpc", "otlp-http"];
    let service = text("systemd/zipkind.service");
    for ((socket, name), port) in sockets.iter().zip(names).zip(default_ports()) {
        let unit = text(&format!("systemd/{socket}"));
        assert!(unit.lines().any(|line| line == format!("ListenStream={port}")), "{socket}");
        assert!(unit.lines().any(|line| line == format!("FileDescriptorName={name}")), "{socket}");
        assert!(
            service.contains(&format!("Sockets={}", sockets[0])) && service.matches(socket).count() >= 3,
            "{socket}"
        );
    }
}

#[test]
fn the_service_and_its_file_of_variables_set_what_the_server_reads() {
    let service = text("systemd/zipkind.service");
    let set = service.lines().filter_map(|line| line.strip_prefix("Environment="));
    let offered = text("debian/default");
    let offered = offered.lines().filter_map(|line| line.strip_prefix('#')).filter(|line| !line.starts_with(' '));
    let assignments: Vec<_> = set.map(str::to_owned).chain(offered.map(str::to_owned)).collect();
    assert!(assignments.len() > 2);
    for assignment in assignments {
        assert_has_effect("units", assignment.split('=').next().unwrap());
    }
}
