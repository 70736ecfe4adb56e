DRIVERS         += postgres
LIBS_postgres    = $(call pc,libpq jansson)
SHARED_postgres  = $(SRC_SQL)
