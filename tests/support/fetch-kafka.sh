#!/bin/sh
# fetch-kafka.sh: puts Apache Kafka into build/tools/kafka, for the tests and benchmarks that want a
# real broker.  Its jars come from Maven's registry, by Maven and with its checksums; nothing outside
# build/tools is touched.  Always exits 0; the reason why there is no broker stands in
# build/tools/kafka.missing.
version=3.9.1	# the last line whose brokers accept SCRAM from Debian 12's librdkafka
slf4j=1.7.36

cd "$(dirname "$0")/../.." || exit 0
tools=build/tools
mkdir -p $tools
exec 9>$tools/kafka.lock
flock 9
[ -d $tools/kafka/libs-$version ] && exit 0

give_up() {
	echo "$1" >$tools/kafka.missing
	echo "fetch-kafka: $1; what needs a real broker is skipped"
	exit 0
}

rm -rf $tools/kafka $tools/kafka.new $tools/kafka.missing
mkdir -p $tools/kafka.new || give_up "$tools cannot be written to"
command -v java >/dev/null || give_up "no java on this machine (package default-jre-headless)"
command -v mvn >/dev/null || give_up "no mvn on this machine (package maven)"
work=$(cd $tools/kafka.new && pwd)
cat >"$work/pom.xml" <<END
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>eds.tests</groupId><artifactId>broker</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>$slf4j</version></dependency>
  </dependencies>
</project>
END
timeout 300 mvn -B -q -f "$work/pom.xml" -Dmaven.repo.local="$work/m2" -Dmaven.wagon.http.retryHandler.count=1 \
	dependency:copy-dependencies -DoutputDirectory="$work/libs-$version" >"$work/log" 2>&1 ||
	give_up "Maven's registry does not give Kafka $version: $(grep -m 1 ERROR "$work/log" | cut -c 1-200)"
rm -rf "$work/m2"
mv "$work" $tools/kafka
echo "fetch-kafka: Apache Kafka $version in $tools/kafka"
