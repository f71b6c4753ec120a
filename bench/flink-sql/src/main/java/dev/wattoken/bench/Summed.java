package dev.wattoken.bench;

import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.table.data.RowData;

/**
 * Where a sink would be: adds up rows of a window, the columns that it is summed by, events, input
 * and output tokens.
 */
final class Summed implements Sink<RowData> {
    private static final long serialVersionUID = 1;

    private final int columns;

    Summed(int columns) {
        this.columns = columns;
    }

    @Override
    public SinkWriter<RowData> createWriter(WriterInitContext context) {
        return new Writer(columns);
    }

    private static final class Writer implements SinkWriter<RowData> {
        private final int columns;
        private final CRC32 crc = new CRC32();

        Writer(int columns) {
            this.columns = columns;
        }

        @Override
        public void write(RowData row, Context context) {
            crc.reset();
            long window = row.getTimestamp(0, 3).getMillisecond() / 1000;
            crc.update(Long.toString(window).getBytes(StandardCharsets.US_ASCII));
            for (int column = 1; column <= columns; column++) {
                crc.update('|');
                crc.update(row.getString(column).toBytes());
            }
            long requests = row.getLong(columns + 1);
            Progress.told(
                    crc.getValue(), requests, row.getLong(columns + 2), row.getLong(columns + 3));
        }

        @Override
        public void flush(boolean endOfInput) {
            if (endOfInput) {
                Progress.ended();
            }
        }

        @Override
        public void close() {}
    }
}
