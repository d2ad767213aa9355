# In place of apache/kafka: the same jars, started by the same KafkaDockerWrapper from the same
# KAFKA_… variables, with those scripts that docker-compose.yml calls.
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home appuser \
    && mkdir -p /opt/kafka/bin /opt/kafka/config /var/lib/kafka/data /mnt/shared/config \
    && chown -R appuser /opt/kafka /var/lib/kafka /mnt/shared/config
COPY libs /opt/kafka/libs
COPY kafka/config /etc/kafka/docker
COPY kafka/run /etc/kafka/docker/run
COPY kafka/tool /opt/kafka/bin/kafka-topics.sh
COPY kafka/tool /opt/kafka/bin/kafka-console-consumer.sh
COPY kafka/tool /opt/kafka/bin/kafka-console-producer.sh
COPY kafka/tool /opt/kafka/bin/kafka-consumer-groups.sh
USER appuser
EXPOSE 9092
VOLUME /var/lib/kafka/data
CMD ["/etc/kafka/docker/run"]
