package main

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/openzipkin/zipkin-go/model"
	"github.com/openzipkin/zipkin-go/proto/zipkin_proto3"
	"github.com/openzipkin/zipkin-go/reporter/kafka"
)

func sendToKafka(protocol, endpoint string) (string, error) {
	server, topic, _ := strings.Cut(endpoint, "/")
	options := []kafka.ReporterOption{kafka.Topic(topic)}
	switch protocol {
	case "kafka/json":
	case "kafka/proto3":
		options = append(options, kafka.Serializer(zipkin_proto3.SpanSerializer{}))
	default:
		return "", fmt.Errorf("%q is not a protocol of this client", protocol)
	}
	reporter, err := kafka.NewReporter([]string{server}, options...)
	if err != nil {
		return "", err
	}
	spans := zipkinSpans()
	for _, span := range spans {
		reporter.Send(span)
	}
	return spans[0].TraceID.String(), reporter.Close()
}

func zipkinSpans() []model.SpanModel {
	traceID := model.TraceID{High: 0x0af7651916cd43dd, Low: 0x8448eb211c80319e}
	parent, sampled := model.ID(0xb7ad6b7169203331), true
	local := &model.Endpoint{ServiceName: "Live-Go", IPv4: net.IPv4(10, 0, 0, 1).To4(), Port: 8080}
	return []model.SpanModel{{
		SpanContext:    model.SpanContext{TraceID: traceID, ID: parent, Sampled: &sampled},
		Name:           "Checkout",
		Kind:           model.Server,
		Timestamp:      at(0),
		Duration:       250 * time.Millisecond,
		Shared:         true,
		LocalEndpoint:  local,
		RemoteEndpoint: &model.Endpoint{IPv6: net.ParseIP("2001:db8::1")},
		Annotations:    []model.Annotation{{Timestamp: at(100), Value: "retry"}},
		Tags:           map[string]string{"text": "Grüße, \"日本\" 🎉", "empty": "", "error": "card refused"},
	}, {
		SpanContext:    model.SpanContext{TraceID: traceID, ParentID: &parent, ID: 0x00f067aa0ba902b7, Debug: true},
		Name:           "query",
		Kind:           model.Client,
		Timestamp:      at(50),
		Duration:       40 * time.Millisecond,
		LocalEndpoint:  local,
		RemoteEndpoint: &model.Endpoint{ServiceName: "db", Port: 5432},
	}}
}
