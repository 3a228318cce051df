"""Sends one trace with OpenTelemetry's SDK for Python: client.py PROTOCOL ENDPOINT. Prints the trace id."""
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Protobuf
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags


def at(milliseconds):
    """Epoch nanoseconds."""
    return (1_700_000_000_000 + milliseconds) * 1_000_000


def json_exporter(endpoint):
    from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter as Json

    return Json(endpoint=f"{endpoint}/v1/traces")


EXPORTERS = {
    "http/protobuf": lambda endpoint: Protobuf(endpoint=f"{endpoint}/v1/traces"),
    "http/protobuf+gzip": lambda endpoint: Protobuf(endpoint=f"{endpoint}/v1/traces", compression=Compression.Gzip),
    "http/json": json_exporter,
    "grpc": lambda endpoint: Grpc(endpoint=endpoint, insecure=True),
}

LINKED = SpanContext(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, True, TraceFlags(TraceFlags.SAMPLED))


def send(tracer):
    root = tracer.start_span(
        "Checkout",
        kind=SpanKind.SERVER,
        start_time=at(0),
        attributes={
            "text": 'Grüße, "日本" 🎉',
            "empty": "",
            "flag": True,
            "count": 9007199254740991,
            "negative": -7,
            "ratio": 0.25,
            "texts": ["a", "b"],
            "flags": [True, False],
            "counts": [1, 2],
            "ratios": [0.5, 1.5],
        },
        links=[Link(LINKED, {"why": "batch"})],
    )
    root.add_event("retry", {"attempt": 2}, timestamp=at(100))
    root.add_event("plain", timestamp=at(150))
    child = tracer.start_span(
        "query",
        context=trace.set_span_in_context(root),
        kind=SpanKind.CLIENT,
        start_time=at(50),
        attributes={"server.address": "db.example", "server.port": 5432},
    )
    child.set_status(Status(StatusCode.OK))
    child.end(at(90))
    root.set_status(Status(StatusCode.ERROR, "card refused"))
    root.end(at(250))
    return root.get_span_context().trace_id


def main():
    protocol, endpoint = sys.argv[1:]
    exporter = EXPORTERS[protocol](endpoint)
    provider = TracerProvider(resource=Resource({"service.name": "Live-Python", "deployment": "test"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace_id = send(provider.get_tracer("live", "1.2.3"))
    if not provider.force_flush(30_000):
        sys.exit("the spans were not sent in time")
    provider.shutdown()
    print(f"{trace_id:032x}")


main()
