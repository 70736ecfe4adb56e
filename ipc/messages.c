/* The tables made of messages.def and bodies.def. */

#include "ipc/messages.h"

/*
 * One function per body, so that `this_body` names its struct while the rows,
 * which know only their own field, take their offsets from it.
 */
#define BODY(body)	static const struct ipc_field *fields_##body(void) {	\
	typedef struct ipc_##body##_body this_body;				\
	static const struct ipc_field rows[] = {
#define REQ(t, field)	{ #field, IPC_T_##t, true, offsetof(this_body, field) },
#define OPT(t, field)	{ #field, IPC_T_##t, false, offsetof(this_body, field) },
#define END(body)	{ NULL, IPC_T_U64, false, offsetof(this_body, end_of_##body) } };	\
	_Static_assert(NELEM(rows) - 1 <= IPC_FIELDS_MAX, "too many fields: " #body);	\
	return rows; }
#include "ipc/bodies.def"
#undef BODY
#undef REQ
#undef OPT
#undef END

const struct ipc_desc ipc_descs[] = {
#define MSG(num, NAME, from, since, body) { IPC_##NAME, #NAME, IPC_##from, since, #body, fields_##body },
#include "ipc/messages.def"
#undef MSG
	{ 0, NULL, IPC_ANY, 0, NULL, NULL },
};

#define MSG(num, NAME, from, since, body)					\
	_Static_assert((num) >= 1 && (num) <= 127, #NAME ": the number does not fit its one byte"); \
	_Static_assert((since) >= 1 && (since) <= IPC_PROTOCOL_MAX, #NAME ": no such protocol version");
#include "ipc/messages.def"
#undef MSG

const struct ipc_desc *
ipc_find(uint64_t number)
{
	/* A switch over the rows also makes the compiler refuse a number used twice. */
	enum {
#define MSG(num, NAME, from, since, body) AT_##NAME,
#include "ipc/messages.def"
#undef MSG
	};

	switch (number) {
#define MSG(num, NAME, from, since, body) case (num): return &ipc_descs[AT_##NAME];
#include "ipc/messages.def"
#undef MSG
	default:
		return NULL;
	}
}

const char *
ipc_type_name(enum ipc_type type)
{
	const struct ipc_desc	*d = ipc_find((uint64_t)type);

	return d == NULL ? "?" : d->name;
}

const char *
ipc_side_name(enum ipc_side side)
{
	static const char *const names[] = {
		[IPC_SUPERVISOR] = "supervisor", [IPC_WORKER] = "worker",
		[IPC_CONTROL] = "edsctl", [IPC_ANY] = "any",
	};

	return (size_t)side < NELEM(names) ? names[side] : "?";
}

const char *
ipc_field_type_name(enum ipc_field_type type)
{
	static const char *const names[] = {
		[IPC_T_U64] = "U64", [IPC_T_I64] = "I64", [IPC_T_BOOL] = "BOOL", [IPC_T_STR] = "STR",
		[IPC_T_BIN] = "BIN", [IPC_T_STRS] = "STRS", [IPC_T_EVENTS] = "EVENTS",
	};

	return (size_t)type < NELEM(names) ? names[type] : "?";
}
