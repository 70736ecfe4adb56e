# EDS.  Targets: all deps demo test unit e2e fuzz chaos soak bench install clean help

all: programs

include etc/mk/packages.mk
include etc/mk/flags.mk
include etc/mk/rules.mk
include etc/mk/sources.mk

PROGRAMS = $(B)/eds $(B)/eds-worker $(B)/edsctl
MODULES  = $(DRIVERS:%=$(B)/drivers/%.so)

programs: $(PROGRAMS) $(MODULES) ; @:

$(LIB_COMMON): $(call obj,$(SRC_BASE) $(SRC_IPC))
$(LIB_RULES): $(call obj,$(SRC_RULES))
# A worker exports what it has to its modules, and to the libraries of those; this is nothing for them.
$(call obj,$(SRC_RULES)): HARDEN += -fvisibility=hidden
$(LIB_SUPERVISOR): $(call obj,$(SRC_SUPERVISOR))
$(LIB_WORKER): $(call obj,$(SRC_WORKER))
$(B)/%.a:
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/eds: $(B)/supervisor/main.o $(LIB_SUPERVISOR) $(LIB_RULES) $(LIB_COMMON)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_SUPERVISOR)

# The worker exports the base to its modules, so each exists once in the process.
$(B)/eds-worker: $(B)/worker/main.o $(LIB_WORKER) $(LIB_RULES) $(LIB_COMMON)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -rdynamic -o $@ $(B)/worker/main.o -Wl,--whole-archive $(LIB_WORKER) $(LIB_COMMON) \
		-Wl,--no-whole-archive $(LIB_RULES) $(LIBS_WORKER)

$(B)/edsctl: $(call obj,$(SRC_EDSCTL)) $(LIB_COMMON)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_EDSCTL)

# A module exports its driver_<id> under the one name the worker asks for.
define driver_rule
$(B)/drivers/$(1).so: $(call obj,$(wildcard drivers/$(1)/*.c) $(SHARED_$(1)))
	$$(say) LD $$@
	@mkdir -p $$(@D)
	$$(Q)$(CC) $(LDFLAGS_ALL) -shared -Wl,--defsym=eds_driver=driver_$(1) -o $$@ $$^ $(LIBS_$(1))
endef
$(foreach d,$(DRIVERS),$(eval $(call driver_rule,$(d))))

include etc/mk/tests.mk
include etc/mk/fuzz.mk
include etc/mk/chaos.mk
include etc/mk/soak.mk
include etc/mk/bench.mk
include etc/mk/install.mk

SUDO = $(shell [ "$$(id -u)" = 0 ] || echo sudo)
deps: ; @sh etc/mk/deps.sh "$(SUDO)" $(PKG_BUILD) $(PKG_TEST)
deps-demo: ; @sh etc/mk/deps.sh "$(SUDO)" $(PKG_BUILD) $(PKG_DEMO)
deps-fuzz: ; @sh etc/mk/deps.sh "$(SUDO)" $(PKG_BUILD) $(PKG_FUZZ)

clean:
	rm -rf build build-san build-fuzz

help:
	@sed -n '1s/^# //p' Makefile

.PHONY: all programs deps deps-demo deps-fuzz clean help

-include $(shell find $(B) -path $(B)/tools -prune -o -name '*.d' -print 2>/dev/null)
