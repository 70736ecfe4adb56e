DRIVERS         += postgres
LIBS_postgres    = $(call pc,libpq jansson)
SHARED_postgres  = $(SRC_SQL)
# also for what includes the driver's headers: its tests, and a bare program of the bench
CPPFLAGS_ALL    += $(CPPFLAGS_LIBPQ)
CPPFLAGS_LIBPQ  := $(shell $(PKG_CONFIG) --cflags libpq 2>/dev/null)
