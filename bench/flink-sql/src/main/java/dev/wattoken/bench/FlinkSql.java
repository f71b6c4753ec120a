package dev.wattoken.bench;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.api.config.AggregatePhaseStrategy;
import org.apache.flink.table.api.config.ExecutionConfigOptions;
import org.apache.flink.table.api.config.OptimizerConfigOptions;
import org.apache.flink.table.api.config.TableConfigOptions;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;

/**
 * The peer `flink_sql`: tokens by window and columns of the event with Apache Flink's SQL.
 *
 * <p>As its documentation does it: a table over the Kafka connector with its own JSON format, and
 * GROUP BY over the windowing function TUMBLE by event time, with a watermark of five seconds. A
 * streaming job in one JVM (a MiniCluster), with as many subtasks as cores.
 *
 * <p>Tuned as its documentation and those who run it advise: objects reused, only the needed
 * columns declared, sums in two phases where keys come often (minutes) and in one where nearly every
 * event has its own (hours by tenant), mini-batches, state on the heap, 1 GB for the windows'
 * buffers, up to 10,000 records a poll and 4 MB a partition. Checkpoints exactly once, every five
 * seconds, into files.
 *
 * <p>In its favour: it drops no duplicate, writes its sums nowhere (they are added up where a sink
 * would be), tells a window only once it is over, and its clock ends there, before the last
 * checkpoint. It reads to the end that the topic has when it starts, so the last windows end too. The
 * JVM warms up within the run; the time since half of the records were read is in the result as well.
 */
public final class FlinkSql {
    private static final Duration CHECKPOINTS = Duration.ofSeconds(5);

    private FlinkSql() {}

    public static void main(String[] arguments) throws Exception {
        Map<String, String> env = System.getenv();
        boolean byTenant = env.get("BENCH_GRAIN").equals("hour");
        int cores = Runtime.getRuntime().availableProcessors();
        Progress.expect(Long.parseLong(env.get("BENCH_EVENTS")));
        StreamExecutionEnvironment environment =
                StreamExecutionEnvironment.createLocalEnvironment(
                        cores, config(env.get("BENCH_WORK_DIR")));
        StreamTableEnvironment tables = StreamTableEnvironment.create(environment);
        tune(tables, byTenant);
        List<String> columns =
                byTenant
                        ? List.of("tenant", "region", "provider", "model")
                        : List.of("region", "model");
        tables.executeSql(source(env, columns));
        Table sums = tables.sqlQuery(query(byTenant ? "HOUR" : "MINUTE", columns));
        DataStream<RowData> rows = tables.toDataStream(sums, rows(columns));
        rows.sinkTo(new Summed(columns.size())).name("sums");
        environment.execute("tokens by window");
        System.out.println("REPORT " + Progress.report());
        // An orderly end would take seconds and saves nothing here.
        Runtime.getRuntime().halt(0);
    }

    private static Configuration config(String folder) {
        Configuration config = new Configuration();
        config.set(PipelineOptions.OBJECT_REUSE, true);
        config.set(StateBackendOptions.STATE_BACKEND, "hashmap");
        config.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, CHECKPOINTS);
        config.set(
                CheckpointingOptions.CHECKPOINTING_CONSISTENCY_MODE,
                CheckpointingMode.EXACTLY_ONCE);
        config.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
        config.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, "file://" + folder);
        config.set(CoreOptions.TMP_DIRS, folder);
        config.set(TaskManagerOptions.MANAGED_MEMORY_SIZE, MemorySize.ofMebiBytes(1024));
        config.set(TaskManagerOptions.NETWORK_MEMORY_MIN, MemorySize.ofMebiBytes(128));
        config.set(TaskManagerOptions.NETWORK_MEMORY_MAX, MemorySize.ofMebiBytes(128));
        // A failure voids the run; it must not be made good for.
        config.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        return config;
    }

    private static void tune(StreamTableEnvironment tables, boolean byTenant) {
        var config = tables.getConfig();
        config.set(TableConfigOptions.LOCAL_TIME_ZONE, "UTC");
        config.set(ExecutionConfigOptions.TABLE_EXEC_MINIBATCH_ENABLED, true);
        config.set(
                ExecutionConfigOptions.TABLE_EXEC_MINIBATCH_ALLOW_LATENCY, Duration.ofSeconds(1));
        config.set(ExecutionConfigOptions.TABLE_EXEC_MINIBATCH_SIZE, 50_000L);
        config.set(
                OptimizerConfigOptions.TABLE_OPTIMIZER_AGG_PHASE_STRATEGY,
                byTenant ? AggregatePhaseStrategy.ONE_PHASE : AggregatePhaseStrategy.TWO_PHASE);
    }

    private static String source(Map<String, String> env, List<String> columns) {
        StringBuilder typed = new StringBuilder();
        columns.forEach(column -> typed.append(column).append(" STRING, "));
        return "CREATE TABLE events (`time` TIMESTAMP_LTZ(3), "
                + typed
                + "input_tokens BIGINT, output_tokens BIGINT,"
                + " WATERMARK FOR `time` AS `time` - INTERVAL '5' SECOND) WITH ("
                + "'connector' = 'kafka', 'format' = 'json',"
                + " 'json.timestamp-format.standard' = 'ISO-8601',"
                + " 'scan.startup.mode' = 'earliest-offset',"
                + " 'scan.bounded.mode' = 'latest-offset',"
                + (" 'topic' = '" + env.get("BENCH_TOPIC") + "',")
                + (" 'properties.bootstrap.servers' = '" + env.get("BENCH_BOOTSTRAP_SERVERS"))
                + ("', 'properties.group.id' = '" + env.get("BENCH_GROUP") + "',")
                + (" 'properties.interceptor.classes' = '" + Progress.class.getName() + "',")
                + " 'properties.max.poll.records' = '10000',"
                + " 'properties.max.partition.fetch.bytes' = '4194304')";
    }

    private static String query(String window, List<String> columns) {
        String by = String.join(", ", columns);
        return "SELECT window_start, " + by
                + ", COUNT(*), SUM(input_tokens), SUM(output_tokens) FROM TABLE(TUMBLE("
                + "TABLE events, DESCRIPTOR(`time`), INTERVAL '1' " + window + "))"
                + " GROUP BY window_start, window_end, " + by;
    }

    /** The rows of the query as Flink has them inside, so that none is converted. */
    private static DataType rows(List<String> columns) {
        List<DataTypes.Field> fields = new ArrayList<>();
        fields.add(DataTypes.FIELD("window_start", DataTypes.TIMESTAMP(3).notNull()));
        columns.forEach(column -> fields.add(DataTypes.FIELD(column, DataTypes.STRING())));
        fields.add(DataTypes.FIELD("requests", DataTypes.BIGINT().notNull()));
        fields.add(DataTypes.FIELD("input_tokens", DataTypes.BIGINT()));
        fields.add(DataTypes.FIELD("output_tokens", DataTypes.BIGINT()));
        return DataTypes.ROW(fields).notNull().bridgedTo(RowData.class);
    }
}
