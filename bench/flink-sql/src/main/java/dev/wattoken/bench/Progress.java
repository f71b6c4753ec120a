package dev.wattoken.bench;

import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.apache.flink.runtime.util.EnvironmentInformation;
import org.apache.kafka.clients.consumer.ConsumerInterceptor;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/**
 * When the first records came and the last sums were told, and what they came to: of the process, as
 * all subtasks are in it. Kafka's consumers tell of each poll, which costs nothing a record.
 */
public final class Progress implements ConsumerInterceptor<byte[], byte[]> {
    private static final AtomicLong READ = new AtomicLong();
    private static final AtomicLong STARTED_NANOS = new AtomicLong();
    private static final AtomicLong ENDED_NANOS = new AtomicLong();
    private static final LongAdder EVENTS = new LongAdder();
    private static final LongAdder INPUT_TOKENS = new LongAdder();
    private static final LongAdder OUTPUT_TOKENS = new LongAdder();
    private static final LongAdder GROUPS = new LongAdder();
    private static final LongAdder FINGERPRINT = new LongAdder();
    private static volatile long startedMillis;
    private static volatile long halfNanos;
    private static long expected;

    /** Say how many records there are, before the job starts. */
    static void expect(long records) {
        expected = records;
    }

    @Override
    public ConsumerRecords<byte[], byte[]> onConsume(ConsumerRecords<byte[], byte[]> records) {
        if (!records.isEmpty()) {
            if (STARTED_NANOS.get() == 0 && STARTED_NANOS.compareAndSet(0, System.nanoTime())) {
                startedMillis = System.currentTimeMillis();
            }
            long after = READ.addAndGet(records.count());
            if (after >= expected / 2 && after - records.count() < expected / 2) {
                halfNanos = System.nanoTime();
            }
        }
        return records;
    }

    /** One key's sums of a window. */
    static void told(long keyCrc, long requests, long inputTokens, long outputTokens) {
        GROUPS.increment();
        EVENTS.add(requests);
        INPUT_TOKENS.add(inputTokens);
        OUTPUT_TOKENS.add(outputTokens);
        FINGERPRINT.add(keyCrc * (inputTokens + 3 * outputTokens));
    }

    /** A subtask has told all of its sums. */
    static void ended() {
        ENDED_NANOS.accumulateAndGet(System.nanoTime(), Math::max);
    }

    static String report() {
        return String.format(
                Locale.ROOT,
                "{\"events\": %d, \"started_at\": %.3f, \"seconds\": %.6f, \"input_tokens\": %d,"
                        + " \"output_tokens\": %d, \"groups\": %d, \"fingerprint\": %s,"
                        + " \"second_half_seconds\": %.6f,"
                        + " \"versions\": {\"flink\": \"%s\", \"java\": \"%s\"}}",
                EVENTS.sum(),
                startedMillis / 1e3,
                (ENDED_NANOS.get() - STARTED_NANOS.get()) / 1e9,
                INPUT_TOKENS.sum(),
                OUTPUT_TOKENS.sum(),
                GROUPS.sum(),
                Long.toUnsignedString(FINGERPRINT.sum()),
                (ENDED_NANOS.get() - halfNanos) / 1e9,
                EnvironmentInformation.getVersion(),
                Runtime.version());
    }

    @Override
    public void onCommit(Map<TopicPartition, OffsetAndMetadata> offsets) {}

    @Override
    public void configure(Map<String, ?> config) {}

    @Override
    public void close() {}
}
