DRIVERS         += postgres
LIBS_postgres    = $(call pc,libpq jansson)
SHARED_postgres  = $(SRC_SQL)
CFLAGS_LIBPQ    := $(shell $(PKG_CONFIG) --cflags libpq 2>/dev/null)
$(B)/drivers/postgres/%.o: CPPFLAGS_ALL += $(CFLAGS_LIBPQ)
