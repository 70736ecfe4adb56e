# make bench            : throughput, latency, CPU and memory, each next to a ceiling of the same run
# make bench ONLY=null  : one of them (several: ONLY="null file"); ROUNDS=1 for a quick look
#                         BENCH_IMPORT_ROWS=n: of the imports, instead of 2,000,000
#                         STORAGE=memory: a stream that the server keeps in memory, when its disk is in the way
# make bench-profile    : where the time of the null path goes, by perf and strace

BENCH      = $(B)/tests/bench
BENCH_BIN  = pull_ack publish latency bare_file bare_kafka bare_sqlite bare_postgres bare_mysql
BENCH_BIN += bare_s3 s3_server
PKG_BENCH  = $(PKG_DEMO) sqlite3 libsqlite3-dev
ONLY      ?=
ROUNDS    ?= 3
STORAGE   ?= file

$(BENCH)/pull_ack: $(BENCH)/pull_ack.o $(BENCH)/pull.o
$(BENCH)/publish: $(BENCH)/publish.o $(BENCH)/pull.o $(BENCH)/events.o
$(BENCH)/latency: $(BENCH)/latency.o $(BENCH)/pull.o $(BENCH)/events.o $(BENCH)/file_name.o
$(BENCH)/bare_file: $(BENCH)/bare_file.o $(BENCH)/pull.o $(BENCH)/file_name.o
$(BENCH)/bare_kafka: $(BENCH)/bare_kafka.o $(BENCH)/pull.o $(BENCH)/file_name.o $(LIB_COMMON)
$(BENCH)/bare_sqlite: $(BENCH)/bare_sqlite.o $(BENCH)/pull.o $(LIB_COMMON)
$(BENCH)/bare_s3: $(BENCH)/bare_s3.o $(BENCH)/pull.o $(BENCH)/file_name.o
$(BENCH)/s3_server: $(BENCH)/s3_server.o $(BENCH)/pull.o
BENCH_BIN += bare_import
$(BENCH)/bare_import: $(BENCH)/bare_import.o
$(BENCH)/bare_import: LIBS_BENCH = $(call pc,sqlite3) $(call pc,libpq) $(call pc,libmariadb)
$(BENCH)/bare_postgres: $(BENCH)/bare_postgres.o $(BENCH)/change.o $(BENCH)/pull.o $(LIB_COMMON)
$(BENCH)/bare_mysql: $(BENCH)/bare_mysql.o $(BENCH)/change.o $(BENCH)/pull.o $(LIB_COMMON)
$(BENCH_BIN:%=$(BENCH)/%):
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(call pc,libnats) $(LIBS_BENCH) -lpthread
$(BENCH)/bare_postgres: LIBS_BENCH = $(call pc,libpq)
$(BENCH)/bare_mysql: LIBS_BENCH = $(call pc,libmariadb)
$(BENCH)/bare_kafka: LIBS_BENCH = $(call pc,rdkafka)
$(BENCH)/bare_sqlite: LIBS_BENCH = $(call pc,sqlite3)
$(BENCH)/bare_s3: LIBS_BENCH = $(call pc,libcurl)

bench-programs: programs $(BENCH_BIN:%=$(BENCH)/%)

bench: bench-programs
	@EDS_BUILD=$(B) /usr/bin/python3 -m tests.bench.bench --rounds $(ROUNDS) --storage $(STORAGE) $(ONLY)

bench-profile: bench-programs
	@EDS_BUILD=$(B) /usr/bin/python3 -m tests.bench.profile

.PHONY: bench bench-programs bench-profile
