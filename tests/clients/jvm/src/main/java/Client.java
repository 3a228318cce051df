import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.util.List;
import java.util.concurrent.TimeUnit;
import zipkin2.Endpoint;
import zipkin2.Span;
import zipkin2.reporter.AsyncReporter;
import zipkin2.reporter.BytesMessageSender;
import zipkin2.reporter.Encoding;
import zipkin2.reporter.kafka.KafkaSender;
import zipkin2.reporter.okhttp3.OkHttpSender;
import zipkin2.reporter.urlconnection.URLConnectionSender;

/**
 * Sends one trace with Zipkin's reporter: Client PROTOCOL ENDPOINT. Prints the trace id. The endpoint of Kafka is
 * HOST:PORT/TOPIC.
 */
public final class Client {
  static final long START_US = 1_700_000_000_000_000L;
  static final String TRACE_ID = "0af7651916cd43dd8448eb211c80319d";

  public static void main(String[] arguments) throws Exception {
    if (arguments.length != 2) throw new IllegalArgumentException("usage: Client PROTOCOL ENDPOINT");
    BytesMessageSender sender = sender(arguments[0], arguments[1]);
    // Without a thread that flushes: what that has taken, flush() below does not send, and close() may give up on it.
    AsyncReporter<Span> reporter = AsyncReporter.builder(sender).messageTimeout(0, TimeUnit.SECONDS).build();
    for (Span span : spans()) reporter.report(span);
    reporter.flush();
    reporter.close();
    sender.close();
    System.out.println(TRACE_ID);
  }

  static BytesMessageSender sender(String protocol, String endpoint) {
    String url = endpoint + "/api/v2/spans";
    switch (protocol) {
      case "urlconnection/json":
        return URLConnectionSender.newBuilder().endpoint(url).encoding(Encoding.JSON).build();
      case "urlconnection/proto3":
        return URLConnectionSender.newBuilder().endpoint(url).encoding(Encoding.PROTO3).build();
      case "okhttp/json":
        return OkHttpSender.newBuilder().endpoint(url).encoding(Encoding.JSON).build();
      case "okhttp/proto3":
        return OkHttpSender.newBuilder().endpoint(url).encoding(Encoding.PROTO3).build();
      case "grpc":
        return new GrpcSender(URI.create(endpoint));
      case "kafka/json":
        return kafka(endpoint, Encoding.JSON);
      case "kafka/proto3":
        return kafka(endpoint, Encoding.PROTO3);
      default:
        throw new IllegalArgumentException("\"" + protocol + "\" is not a protocol of this client");
    }
  }

  static BytesMessageSender kafka(String endpoint, Encoding encoding) {
    String[] parts = endpoint.split("/", 2);
    return KafkaSender.newBuilder().bootstrapServers(parts[0]).topic(parts[1]).encoding(encoding).build();
  }

  static List<Span> spans() {
    Endpoint local = Endpoint.newBuilder().serviceName("Live-JVM").ip("10.0.0.1").port(8080).build();
    Span root = Span.newBuilder().traceId(TRACE_ID).id("b7ad6b7169203331").name("Checkout")
      .kind(Span.Kind.SERVER).localEndpoint(local).remoteEndpoint(Endpoint.newBuilder().ip("2001:db8::1").build())
      .timestamp(START_US).duration(250_000L).shared(true)
      .putTag("text", "Grüße, \"日本\" 🎉").putTag("empty", "").putTag("error", "card refused")
      .addAnnotation(START_US + 100_000, "retry").build();
    Span child = Span.newBuilder().traceId(TRACE_ID).parentId("b7ad6b7169203331").id("00f067aa0ba902b7").name("query")
      .kind(Span.Kind.CLIENT).localEndpoint(local)
      .remoteEndpoint(Endpoint.newBuilder().serviceName("db").port(5432).build())
      .timestamp(START_US + 50_000).duration(40_000L).debug(true).build();
    return List.of(root, child);
  }

  /** `zipkin.proto3.SpanService/Report` with the messages the reporter has encoded. */
  static final class GrpcSender extends BytesMessageSender.Base {
    static final MethodDescriptor.Marshaller<byte[]> BYTES = new MethodDescriptor.Marshaller<>() {
      @Override public InputStream stream(byte[] value) {
        return new ByteArrayInputStream(value);
      }

      @Override public byte[] parse(InputStream stream) {
        try {
          return stream.readAllBytes();
        } catch (IOException e) {
          throw new IllegalStateException(e);
        }
      }
    };
    static final MethodDescriptor<byte[], byte[]> REPORT = MethodDescriptor.<byte[], byte[]>newBuilder(BYTES, BYTES)
      .setType(MethodDescriptor.MethodType.UNARY).setFullMethodName("zipkin.proto3.SpanService/Report").build();

    final ManagedChannel channel;

    GrpcSender(URI endpoint) {
      super(Encoding.PROTO3);
      channel = NettyChannelBuilder.forAddress(endpoint.getHost(), endpoint.getPort()).usePlaintext().build();
    }

    @Override public int messageMaxBytes() {
      return 500_000;
    }

    @Override public void send(List<byte[]> encodedSpans) {
      byte[] message = Encoding.PROTO3.encode(encodedSpans);
      CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(20, TimeUnit.SECONDS);
      ClientCalls.blockingUnaryCall(channel, REPORT, options, message);
    }

    @Override public void close() {
      channel.shutdownNow();
    }
  }
}
