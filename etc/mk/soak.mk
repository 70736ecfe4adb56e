# make soak DEST=postgres N=1000000 SEED=n : random changes while worker and database are killed, then every
#                                            table compared; DEST as in tests/soak/destinations.py

DEST ?= postgres
N    ?= 1000000

soak: programs
	@EDS_BUILD=$(B) /usr/bin/python3 -m tests.soak $(DEST) $(N) $(SEED)

.PHONY: soak
