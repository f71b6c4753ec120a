#!/bin/sh
# The tool of this name is in a jar that the broker does not need; this one asks the broker too, and
# fails likewise when it does not answer.
exec java -Xmx128m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC \
    -Dlog4j2.configurationFile=/etc/kafka/docker/log4j2.xml -cp '/opt/kafka/libs/*' \
    kafka.admin.ConfigCommand "$@" --describe --entity-type brokers --entity-default
