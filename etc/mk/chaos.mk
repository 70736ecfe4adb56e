# make chaos TIME=600 SEED=n : faults at random under load; without SEED a new one, which is printed
#
# First one destination stopped for many events, and the cases that `make test` has no time for.

CHAOS_TIME   = $(if $(filter command% environment%,$(origin TIME)),$(TIME),600)
CHAOS_EVENTS ?= 200000

chaos: programs $(CLOCK_SHIFT)
	@EDS_BUILD=$(B) EDS_FAULT_EVENTS=$(CHAOS_EVENTS) /usr/bin/python3 -m pytest -q -p no:cacheprovider \
		tests/e2e/test_fault_journal.py tests/e2e/test_fault_poison.py
	@EDS_BUILD=$(B) /usr/bin/python3 -m tests.chaos $(CHAOS_TIME) $(SEED)

.PHONY: chaos
