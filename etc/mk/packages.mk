# Every Debian package the project needs, once.  `make deps` installs what is missing.

PKG_BUILD = gcc libc6-dev pkg-config \
	freetds-dev \
	libcurl4-openssl-dev \
	libev-dev \
	libinih-dev \
	libisal-dev \
	libjansson-dev \
	liblmdb-dev \
	libmariadb-dev \
	libmicrohttpd-dev \
	libmsgpack-dev \
	libnats-dev \
	libpcre2-dev \
	libpq-dev \
	librdkafka-dev \
	libsqlite3-dev \
	libssl-dev \
	zlib1g-dev

# the demonstration: a real nats-server, credentials for it, a stand-in for HQ
PKG_DEMO  = nats-server python3 python3-cryptography

# default-jre-headless and maven: a real Kafka broker, where Maven's registry can be reached
PKG_TEST  = $(PKG_DEMO) \
	default-jre-headless \
	freetds-bin \
	fish \
	gpg \
	gpg-agent \
	gpgconf \
	gpgv \
	libcmocka-dev \
	mandoc \
	maven \
	mariadb-server \
	postgresql-15 \
	procps \
	python3-botocore \
	python3-confluent-kafka \
	python3-jsonschema \
	python3-msgpack \
	python3-psycopg2 \
	python3-pymysql \
	python3-pytest \
	python3-pytest-xdist \
	sqlite3 \
	swift-account \
	swift-container \
	swift-object \
	swift-proxy \
	zsh

PKG_FUZZ  = clang libclang-rt-14-dev
