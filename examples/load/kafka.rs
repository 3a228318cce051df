//! Fills a topic: messages to all its partitions, which a server may read later.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::Options;
use crate::client::read_back;
use crate::spans::Generator;

/// The stream of spans that goes to Kafka.
const STREAM: u64 = 1;
/// How long the brokers may take for the last messages.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

/// Sends all spans and waits until the brokers have them.
pub(crate) fn fill(options: &Options, servers: &str) {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", servers).set("acks", "all").set("linger.ms", "20").set("compression.type", "lz4");
    let producer: BaseProducer = client.create().unwrap_or_else(|error| fail(&error));
    let mut generator = Generator::new(options, STREAM);
    let (mut sent, mut messages, mut bytes) = (0, 0_u64, 0_u64);
    while sent < options.spans {
        let message = generator.next_message(options.per_message.min((options.spans - sent) as usize));
        loop {
            let record = BaseRecord::<(), [u8]>::to(&options.topic).payload(&message.body);
            match producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    producer.poll(Duration::from_millis(50));
                }
                Err((error, _)) => fail(&error),
            }
        }
        producer.poll(Duration::ZERO);
        sent += message.spans as u64;
        messages += 1;
        bytes += message.body.len() as u64;
    }
    producer.flush(FLUSH_TIMEOUT).unwrap_or_else(|error| fail(&error));
    println!("{sent} spans in {messages} messages, {} bytes a span", bytes / sent.max(1));
}

/// Makes the same spans again and looks for some of their traces at the server.
pub(crate) fn check(options: &Options) {
    let mut generator = Generator::new(options, STREAM);
    let mut sent = 0;
    while sent < options.spans {
        let message = generator.next_message(options.per_message.min((options.spans - sent) as usize));
        sent += message.spans as u64;
        generator.accepted(message);
    }
    let samples = generator.into_samples();
    let missing = read_back(options, &samples);
    println!("{} traces read back, {missing} spans missing", samples.len().min(options.read_back));
    if missing > 0 || samples.is_empty() {
        std::process::exit(1);
    }
}

fn fail(error: &KafkaError) -> ! {
    eprintln!("the topic is not filled: {error}");
    std::process::exit(2);
}
