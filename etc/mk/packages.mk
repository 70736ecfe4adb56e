# Every Debian package the project needs, once.  `make deps` installs what is missing.

PKG_BUILD = gcc libc6-dev pkg-config libnats-dev libmsgpack-dev libev-dev liblmdb-dev libinih-dev \
	libjansson-dev libcurl4-openssl-dev libmicrohttpd-dev libssl-dev libsqlite3-dev zlib1g-dev

# the demonstration: a real nats-server, credentials for it, a stand-in for HQ
PKG_DEMO  = nats-server python3 python3-cryptography

PKG_TEST  = $(PKG_DEMO) libcmocka-dev python3-pytest python3-pytest-xdist python3-msgpack sqlite3 mandoc procps

PKG_FUZZ  = clang libclang-rt-14-dev
