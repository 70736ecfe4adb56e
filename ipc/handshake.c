/* The first message in each direction, and whether the two ends fit together. */

#include <stdio.h>

#include "ipc/handshake.h"

/* What a peer calls itself goes into an error text: short, and nothing but printable ASCII. */
struct shown {
	char	 text[48];
};

static struct shown
show(struct slice s)
{
	struct shown	 out;
	size_t		 n = 0;

	for (; n < s.n && n < sizeof(out.text) - 1; n++)
		out.text[n] = s.p[n] > ' ' && s.p[n] < 0x7f ? s.p[n] : '?';
	out.text[n] = '\0';
	return out;
}

int
handshake_send(struct channel *ch, const char *program, uint64_t generation, struct err *err)
{
	union ipc_body	 body = { 0 };

	body.hello = (struct ipc_hello_body){
		.protocol_min = IPC_PROTOCOL_MIN,
		.protocol_max = IPC_PROTOCOL_MAX,
		.version = slice_of(EDS_VERSION),
		.program = slice_of(program),
		.generation = generation,
	};
	return channel_send(ch, IPC_HELLO, &body, err);
}

int
handshake_check(const struct ipc_hello_body *peer, const char *our_program, uint64_t *version_r, struct err *err)
{
	struct shown	 program = show(peer->program), version = show(peer->version);
	uint64_t	 common = peer->protocol_max < IPC_PROTOCOL_MAX ? peer->protocol_max : IPC_PROTOCOL_MAX;

	if (peer->protocol_min > peer->protocol_max)
		return err_set(err, ERR_INVALID, "message HELLO: %s says it speaks protocol %llu to %llu", program.text,
		    (unsigned long long)peer->protocol_min, (unsigned long long)peer->protocol_max);
	if (common < IPC_PROTOCOL_MIN || common < peer->protocol_min)
		return err_set(err, ERR_CONFLICT, "%s %s speaks protocol %d to %d, %s %s speaks %llu to %llu: "
		    "install them from the same package", our_program, EDS_VERSION, IPC_PROTOCOL_MIN, IPC_PROTOCOL_MAX,
		    program.text, version.text, (unsigned long long)peer->protocol_min,
		    (unsigned long long)peer->protocol_max);
	*version_r = common;
	return 0;
}
