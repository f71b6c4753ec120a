package dev.wattoken.bench;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.kafka.common.serialization.Deserializer;

/** What sums by region and model need of a usage event; Jackson skips the other fields. */
@JsonIgnoreProperties(ignoreUnknown = true)
class Usage {
    public String time;
    public String region;
    public String model;

    @JsonProperty("input_tokens")
    public long inputTokens;

    @JsonProperty("output_tokens")
    public long outputTokens;

    /** What it is summed by, beside its window. */
    String key() {
        return region + '|' + model;
    }

    /** The same for sums by tenant. */
    @JsonIgnoreProperties(ignoreUnknown = true)
    static final class OfTenant extends Usage {
        public String tenant;
        public String provider;

        @Override
        String key() {
            return tenant + '|' + region + '|' + provider + '|' + model;
        }
    }

    /** Parses a record once; timestamp extractor and topology share the result. */
    static final class FromJson implements Deserializer<Usage> {
        private final ObjectReader reader;

        FromJson(boolean byTenant) {
            reader = new ObjectMapper().readerFor(byTenant ? OfTenant.class : Usage.class);
        }

        @Override
        public Usage deserialize(String topic, byte[] record) {
            try {
                return reader.readValue(record);
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }
    }
}
