# make fuzz TIME=60 : each tests/fuzz/fuzz_*.c with clang's fuzzer and sanitizers, TIME seconds over all of them
# make fuzz-replay  : each with the compiler at hand, once over its corpus; no fuzzer needed
#
# The corpus of fuzz_X is tests/fuzz/corpus/X.  A target that needs more than the
# base and ipc says so:
#	FUZZ_SRC_fuzz_X  = $(FUZZ_SRC) supervisor/upstream/reply.c
#	FUZZ_LIBS_fuzz_X = $(FUZZ_LIBS) $(call pc,jansson)

TIME        ?= 60
FUZZ_CC     ?= clang
FB           = build-fuzz
FUZZ_SRC     = $(SRC_BASE) $(SRC_IPC)
FUZZ_LIBS    = $(LIBS_IPC)
FUZZ_TARGETS = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

# Sources of one target, of which those that are there count.
FUZZ_SRC_fuzz_config = $(FUZZ_SRC) $(wildcard supervisor/config/*.c) supervisor/hq/token.c supervisor/hq/actions.c $(SRC_REGISTRY) $(SRC_RULES)
FUZZ_LIBS_fuzz_config = $(FUZZ_LIBS) $(call pc,inih jansson libcrypto) $(LIBS_RULES)
FUZZ_SRC_fuzz_snowflake = $(FUZZ_SRC) $(wildcard drivers/snowflake/*.c) $(SHARED_snowflake)
FUZZ_LIBS_fuzz_snowflake = $(FUZZ_LIBS) $(LIBS_snowflake)
FUZZ_SRC_fuzz_creds  = $(FUZZ_SRC) supervisor/upstream/creds.c supervisor/upstream/nkey.c
FUZZ_LIBS_fuzz_creds = $(FUZZ_LIBS) $(call pc,jansson libcrypto)
FUZZ_LIBS_fuzz_event = $(FUZZ_LIBS) $(call pc,jansson)
FUZZ_SRC_fuzz_kafka  = $(FUZZ_SRC) drivers/rdkafka/props.c drivers/kafka/kafka_url.c drivers/kafka/kafka_token.c \
	drivers/eventhub/eventhub_url.c
FUZZ_LIBS_fuzz_kafka = $(FUZZ_LIBS) $(call pc,rdkafka)
FUZZ_SRC_fuzz_mysql  = $(FUZZ_SRC) $(SRC_SQL) $(addprefix drivers/mysql/mysql_,time.c url.c value.c)
FUZZ_LIBS_fuzz_mysql = $(FUZZ_LIBS) $(call pc,jansson)
FUZZ_SRC_fuzz_notice = $(FUZZ_SRC) supervisor/hq/notice.c
FUZZ_LIBS_fuzz_notice = $(FUZZ_LIBS) $(call pc,jansson zlib)
FUZZ_SRC_fuzz_pages  = $(FUZZ_SRC) supervisor/store/pages.c
FUZZ_SRC_fuzz_postgres = $(FUZZ_SRC) drivers/postgres/postgres_url.c drivers/postgres/postgres_value.c $(SRC_SQL)
FUZZ_LIBS_fuzz_postgres = $(FUZZ_LIBS) $(call pc,jansson)
FUZZ_SRC_fuzz_reply  = $(FUZZ_SRC) supervisor/upstream/reply.c supervisor/upstream/consumer.c
FUZZ_LIBS_fuzz_reply = $(FUZZ_LIBS) $(call pc,jansson)
FUZZ_SRC_fuzz_rules  = $(FUZZ_SRC) $(SRC_RULES)
FUZZ_LIBS_fuzz_rules = $(FUZZ_LIBS) $(LIBS_RULES)
FUZZ_SRC_fuzz_tracker = $(FUZZ_SRC) supervisor/takeover/tracker.c
FUZZ_SRC_fuzz_sqlserver = $(FUZZ_SRC) $(SRC_SQL) $(addprefix drivers/sqlserver/sqlserver_,url.c error.c json.c type.c sql.c)
FUZZ_LIBS_fuzz_sqlserver = $(FUZZ_LIBS) $(call pc,jansson)

FUZZ_SRC_fuzz_s3_url    = $(FUZZ_SRC) drivers/s3/s3_config.c drivers/s3/s3_key.c $(SRC_OBJECT)
FUZZ_SRC_fuzz_s3_answer = $(FUZZ_SRC) $(patsubst %,drivers/s3/%.c,cred_parse profile s3_cuts s3_error xml) $(SRC_HTTPS)
FUZZ_LIBS_fuzz_s3_answer = $(FUZZ_LIBS) $(LIBS_HTTPS)
FUZZ_SRC_fuzz_rows   = $(FUZZ_SRC) worker/rows.c worker/unzip.c supervisor/import/export_name.c
FUZZ_LIBS_fuzz_rows  = $(FUZZ_LIBS) $(call pc,libisal)

fuzz_src  = $(if $(FUZZ_SRC_$(1)),$(FUZZ_SRC_$(1)),$(FUZZ_SRC))
fuzz_libs = $(if $(FUZZ_LIBS_$(1)),$(FUZZ_LIBS_$(1)),$(FUZZ_LIBS))

# The fuzzer finds what a sanitizer stops at, so every finding of UBSan is an end too.
FUZZ_SAN  = address,undefined
FUZZ_CFLAGS = -std=c11 -O1 -g $(WARNINGS) $(WERROR) -fno-strict-aliasing -fno-omit-frame-pointer \
	-fno-sanitize-recover=undefined

$(FB)/%.o: %.c
	$(say) FUZZCC $<
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(filter-out $(FORTIFY),$(CPPFLAGS_ALL)) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,$(FUZZ_SAN) -MMD -MP -c -o $@ $<

define fuzz_rule
$(FB)/$(1): $(FB)/tests/fuzz/$(1).o $(patsubst %.c,$(FB)/%.o,$(call fuzz_src,$(1)))
	$$(say) LD $$@
	$$(Q)$(FUZZ_CC) -fsanitize=fuzzer,$(FUZZ_SAN) -o $$@ $$^ $(call fuzz_libs,$(1)) || \
		{ echo "fuzz: clang or its fuzzer library is missing: run 'make deps-fuzz'" >&2; exit 1; }

$(B)/fuzz/$(1): $(B)/tests/fuzz/$(1).o $(B)/tests/fuzz/replay.o $(patsubst %.c,$(B)/%.o,$(call fuzz_src,$(1)))
	$$(say) LD $$@
	@mkdir -p $$(@D)
	$$(Q)$(CC) $(LDFLAGS_ALL) -o $$@ $$^ $(call fuzz_libs,$(1))
endef
$(foreach t,$(FUZZ_TARGETS),$(eval $(call fuzz_rule,$(t))))

fuzz: $(FUZZ_TARGETS:%=$(FB)/%)
	@sh tests/fuzz/run-fuzz.sh run $(TIME) $(FB) $(FUZZ_TARGETS)

fuzz-replay: $(FUZZ_TARGETS:%=$(B)/fuzz/%)
	@sh tests/fuzz/run-fuzz.sh replay 0 $(B)/fuzz $(FUZZ_TARGETS)

.PHONY: fuzz fuzz-replay

-include $(shell find $(FB) -name '*.d' 2>/dev/null)
