DRIVERS        += eventhub
LIBS_eventhub   = $(call pc,rdkafka libcrypto) $(LIBS_HTTPS)
SHARED_eventhub = $(SRC_RDKAFKA) $(SRC_HTTPS)
