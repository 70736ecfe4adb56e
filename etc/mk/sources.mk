# Who is built of what.  A file belongs to the layer whose folder it lies in:
# ipc/base <- ipc <- drivers <- worker, and ipc <- supervisor; worker/rules is for both.

SRC_BASE       = $(wildcard ipc/base/*.c)
SRC_IPC        = $(wildcard ipc/*.c)
# which events are delivered: schemas and paths
SRC_RULES      = $(wildcard worker/rules/*.c)
SRC_REGISTRY   = drivers/registry.c drivers/fields.c
SRC_SUPERVISOR = $(filter-out supervisor/main.c,$(wildcard supervisor/*.c)) \
	$(filter-out supervisor/control/edsctl.c,$(wildcard supervisor/*/*.c)) $(SRC_REGISTRY)
SRC_EDSCTL     = $(wildcard supervisor/control/edsctl*.c) supervisor/control/control_commands.c \
	supervisor/control/control_path.c supervisor/cli/completion_scripts.c
SRC_WORKER     = $(filter-out worker/main.c,$(wildcard worker/*.c)) $(SRC_REGISTRY) drivers/fields_url.c
SRC_SQL        = $(wildcard drivers/sql/*.c)
# what of a batch is stored, for drivers whose destination confirms single events
SRC_OFFER      = drivers/common/offer.c
# Kafka's protocol
SRC_RDKAFKA    = $(wildcard drivers/rdkafka/*.c) $(SRC_OFFER)
SRC_OBJECT     = $(wildcard drivers/object/*.c)
# HTTPS for drivers; a module that takes it is linked with LIBS_HTTPS
SRC_HTTPS      = $(wildcard drivers/http/*.c)
LIBS_HTTPS     = $(call pc,libcurl)

# Each driver's folder says what its module is linked with and which shared sources it takes.
DRIVERS        =
include $(sort $(wildcard drivers/*/module.mk))

obj = $(patsubst %.c,$(B)/%.o,$(1))

LIB_COMMON     = $(B)/libipc.a
LIB_RULES      = $(B)/librules.a
LIB_SUPERVISOR = $(B)/libsupervisor.a
LIB_WORKER     = $(B)/libworker.a
