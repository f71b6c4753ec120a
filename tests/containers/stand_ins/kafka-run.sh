#!/bin/sh
# As the official image starts: its own class turns the environment into server.properties and
# formats the storage, which may have been done before; then the broker takes over the process.
logging=-Dlog4j2.configurationFile=/etc/kafka/docker/log4j2.xml
if ! said=$(java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC "$logging" -cp '/opt/kafka/libs/*' \
    kafka.docker.KafkaDockerWrapper setup \
    --default-configs-dir /etc/kafka/docker \
    --mounted-configs-dir /mnt/shared/config \
    --final-configs-dir /opt/kafka/config 2>&1); then
    case $said in
        *"already formatted"*) ;;
        *) echo "$said" >&2; exit 1 ;;
    esac
fi
exec java -Xms256m -Xmx768m -XX:+UseSerialGC "$logging" -cp '/opt/kafka/libs/*' \
    kafka.Kafka /opt/kafka/config/server.properties
