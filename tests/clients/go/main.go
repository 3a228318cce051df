// Sends one trace with OpenTelemetry's SDK for Go, or Zipkin's reporter to Kafka: client PROTOCOL ENDPOINT. Prints the trace id.
// The endpoint of Kafka is HOST:PORT/TOPIC.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func newExporter(ctx context.Context, protocol, endpoint string) (*otlptrace.Exporter, error) {
	switch protocol {
	case "http/protobuf":
		return otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint+"/v1/traces"))
	case "http/protobuf+gzip":
		return otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint+"/v1/traces"),
			otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	case "grpc":
		return otlptracegrpc.New(ctx, otlptracegrpc.WithInsecure(),
			otlptracegrpc.WithEndpoint(strings.TrimPrefix(endpoint, "http://")))
	}
	return nil, fmt.Errorf("%q is not a protocol of this client", protocol)
}

// Epoch milliseconds.
func at(ms int64) time.Time { return time.UnixMilli(1_700_000_000_000 + ms) }

func linked() trace.SpanContext {
	traceID, _ := trace.TraceIDFromHex("0af7651916cd43dd8448eb211c80319c")
	spanID, _ := trace.SpanIDFromHex("b7ad6b7169203331")
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID, TraceFlags: trace.FlagsSampled})
}

func send(ctx context.Context, tracer trace.Tracer) trace.TraceID {
	ctx, root := tracer.Start(ctx, "Checkout", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(at(0)),
		trace.WithAttributes(
			attribute.String("text", "Grüße, \"日本\" 🎉"),
			attribute.String("empty", ""),
			attribute.Bool("flag", true),
			attribute.Int64("count", 9007199254740991),
			attribute.Int64("negative", -7),
			attribute.Float64("ratio", 0.25),
			attribute.StringSlice("texts", []string{"a", "b"}),
			attribute.BoolSlice("flags", []bool{true, false}),
			attribute.Int64Slice("counts", []int64{1, 2}),
			attribute.Float64Slice("ratios", []float64{0.5, 1.5}),
		),
		trace.WithLinks(trace.Link{SpanContext: linked(), Attributes: []attribute.KeyValue{attribute.String("why", "batch")}}))
	root.AddEvent("retry", trace.WithTimestamp(at(100)), trace.WithAttributes(attribute.Int("attempt", 2)))
	root.AddEvent("plain", trace.WithTimestamp(at(150)))
	_, child := tracer.Start(ctx, "query", trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(at(50)),
		trace.WithAttributes(attribute.String("server.address", "db.example"), attribute.Int("server.port", 5432)))
	child.SetStatus(codes.Ok, "")
	child.End(trace.WithTimestamp(at(90)))
	root.SetStatus(codes.Error, "card refused")
	root.End(trace.WithTimestamp(at(250)))
	return root.SpanContext().TraceID()
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: client PROTOCOL ENDPOINT")
	}
	if strings.HasPrefix(os.Args[1], "kafka/") {
		traceID, err := sendToKafka(os.Args[1], os.Args[2])
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(traceID)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	exporter, err := newExporter(ctx, os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	service := resource.NewSchemaless(attribute.String("service.name", "Live-Go"), attribute.String("deployment", "test"))
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(service))
	traceID := send(ctx, provider.Tracer("live", trace.WithInstrumentationVersion("1.2.3")))
	if err := provider.ForceFlush(ctx); err != nil {
		log.Fatal(err)
	}
	if err := provider.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(traceID)
}
