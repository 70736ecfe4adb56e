DRIVERS      += mysql
LIBS_mysql    = $(call pc,libmariadb jansson)
SHARED_mysql  = $(SRC_SQL)
