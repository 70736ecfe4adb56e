DRIVERS       += kafka
LIBS_kafka     = $(call pc,rdkafka)
SHARED_kafka   = $(SRC_RDKAFKA)
