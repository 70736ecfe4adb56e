DRIVERS    += s3
LIBS_s3     = $(LIBS_HTTPS) $(call pc,libcrypto zlib)
SHARED_s3   = $(SRC_OBJECT) $(SRC_HTTPS)
