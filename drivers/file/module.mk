DRIVERS     += file
SHARED_file  = $(SRC_OBJECT)
