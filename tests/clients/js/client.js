// Sends one trace with OpenTelemetry's SDK for JavaScript: node client.js PROTOCOL ENDPOINT. Prints the trace id.
import { SpanKind, SpanStatusCode, TraceFlags, context, trace } from '@opentelemetry/api';
import { OTLPTraceExporter as Grpc } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as Json } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as Protobuf } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

const EXPORTERS = {
  'http/protobuf': (endpoint) => new Protobuf({ url: `${endpoint}/v1/traces` }),
  'http/json': (endpoint) => new Json({ url: `${endpoint}/v1/traces` }),
  'http/json+gzip': (endpoint) => new Json({ url: `${endpoint}/v1/traces`, compression: 'gzip' }),
  grpc: (endpoint) => new Grpc({ url: endpoint }),
};

/** Epoch milliseconds. */
const at = (ms) => 1_700_000_000_000 + ms;

const LINKED = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: TraceFlags.SAMPLED,
};

function send(tracer) {
  const root = tracer.startSpan('Checkout', {
    kind: SpanKind.SERVER,
    startTime: at(0),
    attributes: {
      text: 'Grüße, "日本" 🎉',
      empty: '',
      flag: true,
      count: Number.MAX_SAFE_INTEGER,
      negative: -7,
      ratio: 0.25,
      texts: ['a', 'b'],
      flags: [true, false],
      counts: [1, 2],
      ratios: [0.5, 1.5],
    },
    links: [{ context: LINKED, attributes: { why: 'batch' } }],
  });
  root.addEvent('retry', { attempt: 2 }, at(100));
  root.addEvent('plain', {}, at(150));
  const attributes = { 'server.address': 'db.example', 'server.port': 5432 };
  const child = tracer.startSpan(
    'query',
    { kind: SpanKind.CLIENT, startTime: at(50), attributes },
    trace.setSpan(context.active(), root),
  );
  child.setStatus({ code: SpanStatusCode.OK });
  child.end(at(90));
  root.setStatus({ code: SpanStatusCode.ERROR, message: 'card refused' });
  root.end(at(250));
  return root.spanContext().traceId;
}

const [protocol, endpoint] = process.argv.slice(2);
const exporter = EXPORTERS[protocol]?.(endpoint);
if (!exporter) throw new Error(`"${protocol}" is not a protocol of this client`);
const provider = new TracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'Live-JS', deployment: 'test' }),
  spanProcessors: [new BatchSpanProcessor({ exporter })],
});
const traceId = send(provider.getTracer('live', '1.2.3'));
await provider.forceFlush();
await provider.shutdown();
console.log(traceId);
