package dev.wattoken.bench;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.zip.CRC32;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.TimestampExtractor;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.ReadOnlyWindowStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The peer `kafka_streams`: tokens by window and columns of the event with Kafka Streams' DSL.
 *
 * <p>As its documentation does it, in its fastest form: re-keyed by the columns (which makes a
 * repartition topic of 16-byte values), grouped, tumbling windows by event time, summed in an
 * in-memory window store with cache (256 MB) and changelog. Two stream threads, at-least-once,
 * commits every second, lz4, up to 10,000 records a poll and 4 MB a partition. A record counts when
 * it has been added to its window; what is checked is what the store holds then. The JVM warms up
 * within the run; the second half of the run is timed as well.
 */
public final class WindowedSum {
    private static final Duration KEPT = Duration.ofHours(1);
    private static final int THREADS = 2;
    private static final String STORE = "tokens";

    private final long expected;
    private final boolean byTenant;
    private final Duration window;
    private final AtomicLong startedNanos = new AtomicLong();
    private final AtomicLong added = new AtomicLong();
    private final CountDownLatch finished = new CountDownLatch(1);
    private volatile long startedMillis;
    private volatile long halfNanos;
    private volatile long endedNanos;

    private WindowedSum(long expected, boolean byTenant) {
        this.expected = expected;
        this.byTenant = byTenant;
        this.window = byTenant ? Duration.ofHours(1) : Duration.ofMinutes(1);
    }

    public static void main(String[] arguments) throws InterruptedException {
        Map<String, String> env = System.getenv();
        WindowedSum sum =
                new WindowedSum(
                        Long.parseLong(env.get("BENCH_EVENTS")),
                        env.get("BENCH_GRAIN").equals("hour"));
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
        System.out.println("REPORT " + sum.report(streams));
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
        config.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L << 20);
        config.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 10_000);
        config.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
        config.put(
                StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG),
                4 << 20);
        config.put("auto.offset.reset", "earliest");
        return config;
    }

    private void define(StreamsBuilder builder, String topic) {
        Deserializer<Usage> fromJson = new Usage.FromJson(byTenant);
        Serde<Usage> usage = Serdes.serdeFrom((name, value) -> null, fromJson);
        TimestampExtractor eventTime = WindowedSum::eventMillis;
        builder.stream(
                        topic,
                        Consumed.with(Serdes.ByteArray(), usage)
                                .withTimestampExtractor(eventTime))
                .map(this::keyed)
                .groupByKey(Grouped.with(Serdes.String(), Tokens.serde()))
                .windowedBy(TimeWindows.ofSizeAndGrace(window, KEPT))
                .aggregate(
                        () -> Tokens.NONE,
                        this::add,
                        Materialized.<String, Tokens>as(
                                        Stores.inMemoryWindowStore(
                                                STORE, KEPT.plus(window), window, false))
                                .withKeySerde(Serdes.String())
                                .withValueSerde(Tokens.serde())
                                .withCachingEnabled());
    }

    private static long eventMillis(ConsumerRecord<Object, Object> record, long partitionTime) {
        return Instant.parse(((Usage) record.value()).time).toEpochMilli();
    }

    private KeyValue<String, Tokens> keyed(byte[] key, Usage usage) {
        if (startedNanos.get() == 0 && startedNanos.compareAndSet(0, System.nanoTime())) {
            startedMillis = System.currentTimeMillis();
        }
        return KeyValue.pair(usage.key(), new Tokens(usage.inputTokens, usage.outputTokens));
    }

    private Tokens add(String series, Tokens event, Tokens total) {
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

    private String report(KafkaStreams streams) {
        double seconds = (endedNanos - startedNanos.get()) / 1e9;
        ReadOnlyWindowStore<String, Tokens> store =
                streams.store(
                        StoreQueryParameters.fromNameAndType(
                                STORE, QueryableStoreTypes.windowStore()));
        long groups = 0;
        long fingerprint = 0;
        Tokens all = Tokens.NONE;
        try (KeyValueIterator<Windowed<String>, Tokens> kept = store.all()) {
            while (kept.hasNext()) {
                KeyValue<Windowed<String>, Tokens> sum = kept.next();
                String key = sum.key.window().start() / 1000 + "|" + sum.key.key();
                CRC32 crc = new CRC32();
                crc.update(key.getBytes(StandardCharsets.UTF_8));
                groups++;
                fingerprint += crc.getValue() * (sum.value.input() + 3 * sum.value.output());
                all = all.plus(sum.value);
            }
        }
        return String.format(
                Locale.ROOT,
                "{\"events\": %d, \"started_at\": %.3f, \"seconds\": %.6f, \"input_tokens\": %d,"
                        + " \"output_tokens\": %d, \"groups\": %d, \"fingerprint\": %s,"
                        + " \"second_half_seconds\": %.6f,"
                        + " \"versions\": {\"kafka-streams\": \"%s\", \"java\": \"%s\"}}",
                added.get(),
                startedMillis / 1e3,
                seconds,
                all.input(),
                all.output(),
                groups,
                Long.toUnsignedString(fingerprint),
                (endedNanos - halfNanos) / 1e9,
                AppInfoParser.getVersion(),
                Runtime.version());
    }
}
