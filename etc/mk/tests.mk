# make unit: every tests/unit/**/test_*.c is one cmocka program.  A file sees the
# library of the layer it tests (its folder below tests/unit) and the layers below.

UNIT_SRC  = $(wildcard tests/unit/*/test_*.c)
UNIT_BIN  = $(UNIT_SRC:%.c=$(B)/%)
SUPPORT_O = $(call obj,$(filter-out %/clock_shift.c %/fail.c,$(wildcard tests/support/*.c)))
# preloaded by end-to-end tests, never linked
CLOCK_SHIFT = $(B)/tests/support/clock_shift.so
$(CLOCK_SHIFT): $(B)/tests/support/clock_shift.o
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -shared -o $@ $^ -ldl

# peers of end-to-end tests, processes of their own
PEERS = $(B)/tests/peers/mock_kafka
$(B)/tests/peers/mock_kafka: $(B)/tests/peers/mock_kafka.o
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(call pc,rdkafka)

$(B)/tests/unit/ipc/%: $(B)/tests/unit/ipc/%.o $(SUPPORT_O) $(LIB_COMMON)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_TEST) $(call pc,jansson) $(LIBS_IPC)
$(B)/tests/unit/rules/%: $(B)/tests/unit/rules/%.o $(LIB_RULES) $(LIB_COMMON)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_TEST) $(LIBS_RULES)
$(B)/tests/unit/supervisor/%: $(B)/tests/unit/supervisor/%.o $(SUPPORT_O) $(LIB_SUPERVISOR) $(LIB_RULES) $(LIB_COMMON)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_TEST) $(LIBS_SUPERVISOR)
# this one runs the program
$(B)/tests/unit/supervisor/test_edsctl: | $(B)/edsctl
$(B)/tests/unit/supervisor/test_oneshot: | $(B)/eds-worker $(foreach d,null file fault,$(B)/drivers/$(d).so)
$(B)/tests/unit/worker/%: $(B)/tests/unit/worker/%.o $(SUPPORT_O) $(LIB_WORKER) $(LIB_RULES) $(LIB_COMMON)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_TEST) $(call pc,jansson zlib) $(LIBS_WORKER)
# test_process talks to the worker of the same build.
$(B)/tests/unit/worker/test_process: | $(B)/eds-worker $(foreach d,null file fault,$(B)/drivers/$(d).so)
$(B)/libdrivers.a: $(call obj,$(SRC_SQL) $(SRC_OBJECT) $(SRC_HTTPS) $(SRC_RDKAFKA) $(foreach d,$(DRIVERS),$(wildcard drivers/$(d)/*.c)))
$(B)/tests/unit/drivers/%: $(B)/tests/unit/drivers/%.o $(SUPPORT_O) $(B)/libdrivers.a $(LIB_WORKER) $(LIB_RULES) $(LIB_COMMON)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_TEST) $(foreach d,$(DRIVERS),$(LIBS_$(d))) $(LIBS_HTTPS) \
		$(call pc,jansson libmicrohttpd) $(LIBS_WORKER)

# A driver by hand, for end-to-end tests of a destination alone.
$(B)/drive: $(B)/tests/drive/drive.o $(B)/tests/support/host_stub.o $(LIB_WORKER) $(LIB_RULES) $(LIB_COMMON)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -rdynamic -o $@ $(B)/tests/drive/drive.o $(B)/tests/support/host_stub.o -Wl,--whole-archive $(LIB_WORKER) $(LIB_COMMON) \
		-Wl,--no-whole-archive $(LIB_RULES) $(call pc,jansson) $(LIBS_WORKER)
# Schemas by hand, to hold the validator against another one.
$(B)/schemas: $(B)/tests/drive/schemas.o $(LIB_RULES) $(LIB_COMMON)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_RULES)
test-programs e2e: $(B)/drive $(B)/schemas

# In a test_fail_* calls fail on command.
FAIL_BIN = $(filter $(foreach d,ipc rules supervisor,$(B)/tests/unit/$(d)/test_fail_%),$(UNIT_BIN))
$(FAIL_BIN): $(B)/tests/support/fail.o
$(FAIL_BIN): LIBS_TEST += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup -ldl

unit: $(UNIT_BIN) $(B)/schemas
	@EDS_BUILD=$(B) sh tests/support/run-unit.sh $(UNIT_BIN)

# Everything: installs what is missing, builds, runs the suites one after the other.
# A second make, because the first one may have read this before pkg-config was there.
test:
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory test-programs
	@EDS_BUILD=$(B) MAKE="$(MAKE)" SAN="$(SAN)" sh tests/support/run-all.sh

test-programs: programs $(UNIT_BIN) $(CLOCK_SHIFT) $(PEERS) ; @:

e2e: programs $(CLOCK_SHIFT) $(PEERS)
	@EDS_BUILD=$(B) sh tests/support/run-e2e.sh

demo:
	@$(MAKE) --no-print-directory deps-demo
	@$(MAKE) --no-print-directory programs
	@EDS_BUILD=$(B) KEEP="$(KEEP)" /usr/bin/python3 -m tests.support.demo

.PHONY: unit test test-programs e2e demo
.SECONDARY:
