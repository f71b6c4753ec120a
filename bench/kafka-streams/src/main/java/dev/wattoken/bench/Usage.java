package dev.wattoken.bench;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.kafka.common.serialization.Deserializer;

/** What the sums need of a usage event; Jackson skips the other fields. */
@JsonIgnoreProperties(ignoreUnknown = true)
final class Usage {
    public String time;
    public String region;
    public String model;

    @JsonProperty("input_tokens")
    public long inputTokens;

    @JsonProperty("output_tokens")
    public long outputTokens;

    /** Parses a record once; timestamp extractor and topology share the result. */
    static final class FromJson implements Deserializer<Usage> {
        private static final ObjectReader READER = new ObjectMapper().readerFor(Usage.class);

        @Override
        public Usage deserialize(String topic, byte[] record) {
            try {
                return READER.readValue(record);
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }
    }
}
