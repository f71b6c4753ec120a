package dev.wattoken.bench;

import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.processor.TimestampExtractor;
import org.apache.kafka.streams.state.Stores;

/**
 * The peer `kafka_streams`: tokens per minute, region and model with Kafka Streams' DSL.
 *
 * <p>As its documentation does it, in its fastest form: re-keyed by region and model (which makes
 * a repartition topic of 16-byte values), grouped, tumbling windows of a minute by event time,
 * summed in an in-memory window store with cache and changelog. Two stream threads, at-least-once,
 * commits every second, lz4. A record counts when it has been added to its window. The JVM warms up
 * within the run; the second half of the run is timed as well.
 */
public final class WindowedSum {
    private static final Duration MINUTE = Duration.ofMinutes(1);
    private static final Duration KEPT = Duration.ofHours(1);
    private static final int THREADS = 2;

    private final long expected;
    private final AtomicLong startedNanos = new AtomicLong();
    private final AtomicLong added = new AtomicLong();
    private final LongAdder inputTokens = new LongAdder();
    private final LongAdder outputTokens = new LongAdder();
    private final CountDownLatch finished = new CountDownLatch(1);
    private volatile long halfNanos;
    private volatile long endedNanos;

    private WindowedSum(long expected) {
        this.expected = expected;
    }

    public static void main(String[] arguments) throws InterruptedException {
        Map<String, String> env = System.getenv();
        WindowedSum sum = new WindowedSum(Long.parseLong(env.get("BENCH_EVENTS")));
        StreamsBuilder builder = new StreamsBuilder();
        sum.define(builder, env.get("BENCH_TOPIC"));
        Properties config = config(env);
        KafkaStreams streams = new KafkaStreams(builder.build(config), config);
        streams.setUncaughtExceptionHandler(
                error -> {
                    error.printStackTrace();
                    Runtime.getRuntime().halt(1);
                    return null;
                });
        streams.start();
        sum.finished.await();
        System.out.println("REPORT " + sum.report());
        // An orderly end would take seconds and saves nothing here.
        Runtime.getRuntime().halt(0);
    }

    private static Properties config(Map<String, String> env) {
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, env.get("BENCH_GROUP"));
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, env.get("BENCH_BOOTSTRAP_SERVERS"));
        config.put(StreamsConfig.STATE_DIR_CONFIG, env.get("BENCH_WORK_DIR"));
        config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, THREADS);
        config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        config.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        config.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
        config.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        config.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 262_144);
        config.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 20);
        config.put("auto.offset.reset", "earliest");
        return config;
    }

    private void define(StreamsBuilder builder, String topic) {
        Deserializer<Usage> fromJson = new Usage.FromJson();
        Serde<Usage> usage = Serdes.serdeFrom((name, value) -> null, fromJson);
        TimestampExtractor eventTime = WindowedSum::eventMillis;
        builder.stream(
                        topic,
                        Consumed.with(Serdes.ByteArray(), usage)
                                .withTimestampExtractor(eventTime))
                .map(this::keyed)
                .groupByKey(Grouped.with(Serdes.String(), Tokens.serde()))
                .windowedBy(TimeWindows.ofSizeAndGrace(MINUTE, KEPT))
                .aggregate(
                        () -> Tokens.NONE,
                        this::add,
                        Materialized.<String, Tokens>as(
                                        Stores.inMemoryWindowStore(
                                                "tokens", KEPT.plus(MINUTE), MINUTE, false))
                                .withKeySerde(Serdes.String())
                                .withValueSerde(Tokens.serde())
                                .withCachingEnabled());
    }

    private static long eventMillis(ConsumerRecord<Object, Object> record, long partitionTime) {
        return Instant.parse(((Usage) record.value()).time).toEpochMilli();
    }

    private KeyValue<String, Tokens> keyed(byte[] key, Usage usage) {
        if (startedNanos.get() == 0) {
            startedNanos.compareAndSet(0, System.nanoTime());
        }
        String series = usage.region + '|' + usage.model;
        return KeyValue.pair(series, new Tokens(usage.inputTokens, usage.outputTokens));
    }

    private Tokens add(String series, Tokens event, Tokens total) {
        inputTokens.add(event.input());
        outputTokens.add(event.output());
        long count = added.incrementAndGet();
        if (count == expected - expected / 2) {
            halfNanos = System.nanoTime();
        }
        if (count == expected) {
            endedNanos = System.nanoTime();
            finished.countDown();
        }
        return total.plus(event);
    }

    private String report() {
        double seconds = (endedNanos - startedNanos.get()) / 1e9;
        return String.format(
                java.util.Locale.ROOT,
                "{\"events\": %d, \"seconds\": %.6f, \"input_tokens\": %d, \"output_tokens\": %d,"
                        + " \"second_half_seconds\": %.6f, \"versions\": {\"kafka-streams\": \"%s\", \"java\": \"%s\"}}",
                added.get(),
                seconds,
                inputTokens.sum(),
                outputTokens.sum(),
                (endedNanos - halfNanos) / 1e9,
                org.apache.kafka.common.utils.AppInfoParser.getVersion(),
                Runtime.version());
    }
}
