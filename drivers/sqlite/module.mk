DRIVERS       += sqlite
LIBS_sqlite    = $(call pc,sqlite3 jansson)
SHARED_sqlite  = $(SRC_SQL)
