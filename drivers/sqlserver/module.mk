# FreeTDS comes without a .pc file.
DRIVERS          += sqlserver
LIBS_sqlserver    = -lsybdb $(call pc,jansson)
SHARED_sqlserver  = $(SRC_SQL)
