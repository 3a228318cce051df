//! What the fuzz targets check, and where they begin. The normal tests include this folder and run a short form of each.

pub mod body;
pub mod decoders;
pub mod mutate;
pub mod seeds;

/// One target: its name, and what it does with any bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 8] = [
    ("json_v2", decoders::json_v2),
    ("json_v1", decoders::json_v1),
    ("proto3", decoders::proto3),
    ("thrift", decoders::thrift),
    ("detect", decoders::detected),
    ("otlp", decoders::otlp),
    ("annotation_query", decoders::annotation_query),
    ("body", body::check),
];
