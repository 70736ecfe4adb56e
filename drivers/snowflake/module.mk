DRIVERS          += snowflake
LIBS_snowflake    = $(LIBS_HTTPS) $(call pc,libcrypto zlib jansson)
SHARED_snowflake  = $(SRC_SQL) $(SRC_HTTPS) drivers/s3/sigv4.c drivers/s3/sha256.c
