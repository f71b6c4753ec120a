package dev.wattoken.bench;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;

/** Input and output tokens, of one event or of a window: 16 bytes on the wire. */
record Tokens(long input, long output) {
    static final Tokens NONE = new Tokens(0, 0);

    Tokens plus(Tokens other) {
        return new Tokens(input + other.input, output + other.output);
    }

    static Serde<Tokens> serde() {
        Serializer<Tokens> serializer =
                (topic, tokens) ->
                        tokens == null
                                ? null
                                : ByteBuffer.allocate(16)
                                        .putLong(tokens.input)
                                        .putLong(tokens.output)
                                        .array();
        Deserializer<Tokens> deserializer =
                (topic, bytes) -> {
                    if (bytes == null) {
                        return null;
                    }
                    ByteBuffer buffer = ByteBuffer.wrap(bytes);
                    return new Tokens(buffer.getLong(), buffer.getLong());
                };
        return Serdes.serdeFrom(serializer, deserializer);
    }
}
