#ifndef EDS_MESSAGES_H
#define EDS_MESSAGES_H

#include "ipc/codec.h"

/* The rows of messages.def and bodies.def as data, for the codec and for tests that go over all of them. */
enum ipc_field_type {
	IPC_T_U64, IPC_T_I64, IPC_T_BOOL, IPC_T_STR, IPC_T_BIN, IPC_T_STRS, IPC_T_EVENTS
};

struct ipc_field {
	const char		*name;		/* NULL ends the list of a body */
	enum ipc_field_type	 type;
	bool			 required;
	size_t			 offset;	/* in the body's struct */
};

struct ipc_desc {
	enum ipc_type		 type;		/* 0 ends the list of messages */
	const char		*name;
	enum ipc_side		 from;
	unsigned		 since;		/* protocol version that brought it */
	const char		*body;
	const struct ipc_field	*(*fields)(void);
};

#define IPC_FIELDS_MAX	32			/* fields of one body */

extern const struct ipc_desc ipc_descs[];

const struct ipc_desc *ipc_find(uint64_t number);	/* NULL: no such message */
const char *ipc_side_name(enum ipc_side);		/* "supervisor" */
const char *ipc_field_type_name(enum ipc_field_type);	/* "U64" */

#endif
