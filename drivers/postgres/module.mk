DRIVERS         += postgres
LIBS_postgres    = $(call pc,libpq jansson)
SHARED_postgres  = $(SRC_SQL)
$(B)/drivers/postgres/%.o: CPPFLAGS_ALL += $(shell $(PKG_CONFIG) --cflags libpq 2>/dev/null)
