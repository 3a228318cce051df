//! What gRPC tools ask a server: is it healthy, and what does it serve.

use axum::Router;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, MessageOptions, MethodDescriptorProto, ServiceDescriptorProto,
};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// `grpc.health.v1.Health` and `grpc.reflection.v1.ServerReflection`.
///
/// The health of a service is that of the process: it answers or it is gone. What depends on the store is `/health`'s.
pub(super) fn routes(services: &[&'static str]) -> Router {
    let reporter = HealthReporter::new();
    let health = tonic_health::pb::health_server::HealthServer::new(
        tonic_health::server::HealthService::from_health_reporter(reporter.clone()),
    );
    let services = services.to_vec();
    tokio::spawn(async move {
        for service in services {
            reporter.set_service_status(service, ServingStatus::Serving).await;
        }
    });
    let reflection = tonic_reflection::server::Builder::configure()
        .register_file_descriptor_set(FileDescriptorSet { file: vec![zipkin_proto()] })
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1();
    // Not through tonic's own router: its fallback would answer for every path of ours that does not exist.
    let routes = Router::new().route_service("/grpc.health.v1.Health/{method}", health);
    match reflection {
        Ok(reflection) => routes.route_service("/grpc.reflection.v1.ServerReflection/{method}", reflection),
        Err(error) => {
            tracing::error!(%error, "gRPC reflection is off: its descriptors do not fit together");
            routes
        }
    }
}

/// `zipkin.proto`: the messages and the service of zipkin's protobuf format.
fn zipkin_proto() -> FileDescriptorProto {
    let span_fields = vec![
        field("trace_id", 1, Type::Bytes),
        field("parent_id", 2, Type::Bytes),
        field("id", 3, Type::Bytes),
        of_type(field("kind", 4, Type::Enum), ".zipkin.proto3.Span.Kind"),
        field("name", 5, Type::String),
        field("timestamp", 6, Type::Fixed64),
        field("duration", 7, Type::Uint64),
        of_type(field("local_endpoint", 8, Type::Message), ".zipkin.proto3.Endpoint"),
        of_type(field("remote_endpoint", 9, Type::Message), ".zipkin.proto3.Endpoint"),
        repeated(of_type(field("annotations", 10, Type::Message), ".zipkin.proto3.Annotation")),
        repeated(of_type(field("tags", 11, Type::Message), ".zipkin.proto3.Span.TagsEntry")),
        field("debug", 12, Type::Bool),
        field("shared", 13, Type::Bool),
    ];
    let tags_entry = DescriptorProto {
        options: Some(MessageOptions { map_entry: Some(true), ..Default::default() }),
        ..message("TagsEntry", vec![field("key", 1, Type::String), field("value", 2, Type::String)])
    };
    let kinds = ["SPAN_KIND_UNSPECIFIED", "CLIENT", "SERVER", "PRODUCER", "CONSUMER"];
    let kind_value = |(number, name): (usize, &&str)| EnumValueDescriptorProto {
        name: Some((*name).to_owned()),
        number: Some(number as i32),
        ..Default::default()
    };
    let span = DescriptorProto {
        nested_type: vec![tags_entry],
        enum_type: vec![EnumDescriptorProto {
            name: Some("Kind".to_owned()),
            value: kinds.iter().enumerate().map(kind_value).collect(),
            ..Default::default()
        }],
        ..message("Span", span_fields)
    };
    let endpoint = vec![
        field("service_name", 1, Type::String),
        field("ipv4", 2, Type::Bytes),
        field("ipv6", 3, Type::Bytes),
        field("port", 4, Type::Int32),
    ];
    let annotation = vec![field("timestamp", 1, Type::Fixed64), field("value", 2, Type::String)];
    let spans = vec![repeated(of_type(field("spans", 1, Type::Message), ".zipkin.proto3.Span"))];
    let report = MethodDescriptorProto {
        name: Some("Report".to_owned()),
        input_type: Some(".zipkin.proto3.ListOfSpans".to_owned()),
        output_type: Some(".zipkin.proto3.ReportResponse".to_owned()),
        ..Default::default()
    };
    FileDescriptorProto {
        name: Some("zipkin.proto".to_owned()),
        package: Some("zipkin.proto3".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: vec![
            span,
            message("Endpoint", endpoint),
            message("Annotation", annotation),
            message("ListOfSpans", spans),
            message("ReportResponse", Vec::new()),
        ],
        service: vec![ServiceDescriptorProto {
            name: Some("SpanService".to_owned()),
            method: vec![report],
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn message(name: &str, field: Vec<FieldDescriptorProto>) -> DescriptorProto {
    DescriptorProto { name: Some(name.to_owned()), field, ..Default::default() }
}

fn field(name: &str, number: i32, kind: Type) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(Label::Optional as i32),
        r#type: Some(kind as i32),
        ..Default::default()
    }
}

fn of_type(field: FieldDescriptorProto, type_name: &str) -> FieldDescriptorProto {
    FieldDescriptorProto { type_name: Some(type_name.to_owned()), ..field }
}

fn repeated(field: FieldDescriptorProto) -> FieldDescriptorProto {
    FieldDescriptorProto { label: Some(Label::Repeated as i32), ..field }
}
